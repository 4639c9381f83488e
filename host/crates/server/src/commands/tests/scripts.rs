//! EVAL and its like, and SCRIPT.

use std::time::Duration;

use larder_resp::Version;

use super::Bed;
use crate::{Flow, ServerConfig};

impl Bed {
    #[track_caller]
    fn eval(&mut self, code: &str, rest: &[&str], expected: &str) {
        let mut args: Vec<&[u8]> = vec![b"EVAL", code.as_bytes()];
        args.extend(rest.iter().map(|arg| arg.as_bytes()));
        let (reply, flow) = self.execute_args(&args);
        assert_eq!(String::from_utf8_lossy(&reply), expected, "{code}");
        assert_eq!(flow, Flow::Continue);
    }
}

#[test]
fn a_script_reaches_keys_declared_or_not() {
    let mut bed = Bed::new(Version::V2);
    let set = "return redis.call('SET', KEYS[1] or ARGV[1], 'v')";
    bed.eval(set, &["1", "a"], "+OK\r\n");
    bed.eval(set, &["0", "b"], "+OK\r\n");
    bed.check("MGET a b", "*2\r\n$1\r\nv\r\n$1\r\nv\r\n");
    // Found out when it has written: what it wrote is written once.
    let late = "redis.call('INCR', KEYS[1]) for i = 1, 50 do redis.call('INCR', 'n' .. i) end return redis.call('DBSIZE')";
    bed.eval(late, &["1", "first"], ":53\r\n");
    bed.eval(late, &["1", "first"], ":53\r\n");
    bed.check("MGET first n50", "*2\r\n$1\r\n2\r\n$1\r\n2\r\n");
    // Nothing is held when it is over.
    bed.check("DEL first", ":1\r\n");
    bed.eval(
        "return redis.call('KEYS', 'n50*')",
        &["0"],
        "*1\r\n$3\r\nn50\r\n",
    );
}

#[test]
fn what_a_script_selects_is_its_own() {
    let mut bed = Bed::new(Version::V3);
    let code = "redis.setresp(2) redis.call('SELECT', 3) redis.call('SET', 'k', 1) return redis.call('GET', 'none')";
    bed.eval(code, &["1", "k"], "_\r\n");
    bed.check("EXISTS k", ":0\r\n");
    bed.check("SELECT 3", "+OK\r\n");
    bed.check("EXISTS k", ":1\r\n");
    bed.check("GET none", "_\r\n");
}

#[test]
fn a_transaction_can_run_scripts() {
    let mut bed = Bed::new(Version::V2);
    bed.check("MULTI", "+OK\r\n");
    for _ in 0..2 {
        let code = "redis.call('INCR', 'a') return redis.call('INCR', KEYS[1])";
        bed.eval(code, &["1", "b"], "+QUEUED\r\n");
    }
    bed.check("EXEC", "*2\r\n:1\r\n:2\r\n");
    bed.check("GET a", "$1\r\n2\r\n");
}

#[test]
fn scripts_are_known_by_name_until_they_are_forgotten() {
    let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    let unknown = "-NOSCRIPT No matching script. Please use EVAL.\r\n";
    let mut bed = Bed::new(Version::V2);
    bed.check(&format!("EVALSHA {sha} 0"), unknown);
    bed.check("SCRIPT LOAD \"return 1\"", &format!("$40\r\n{sha}\r\n"));
    bed.check(&format!("EVALSHA {} 0", sha.to_uppercase()), ":1\r\n");
    bed.check(&format!("EVALSHA_RO {sha} 0"), ":1\r\n");
    bed.check(&format!("SCRIPT EXISTS {sha} x"), "*2\r\n:1\r\n:0\r\n");
    bed.check("SCRIPT FLUSH", "+OK\r\n");
    bed.check(&format!("EVALSHA {sha} 0"), unknown);
    bed.eval("return 1", &["0"], ":1\r\n");
    bed.check(&format!("EVALSHA {sha} 0"), ":1\r\n");
    bed.check(
        "SCRIPT KILL",
        "-NOTBUSY No scripts in execution right now.\r\n",
    );
    let (reply, _) = bed.line("SCRIPT LOAD \"return +\"");
    assert!(reply.starts_with("-ERR Error compiling script"), "{reply}");
}

#[test]
fn what_only_reads_cannot_write() {
    let mut bed = Bed::new(Version::V2);
    let refused = "-ERR Write commands are not allowed from read-only scripts.";
    for code in [
        "#!lua flags=no-writes\nreturn redis.call('SET', 'k', 1)",
        "return redis.call('DEL', 'k')",
    ] {
        let (reply, _) = bed.execute_args(&[b"EVAL_RO", code.as_bytes(), b"0"]);
        assert!(
            String::from_utf8_lossy(&reply).starts_with(refused),
            "{code}"
        );
    }
    let flagged = "#!lua\nreturn 1";
    let (reply, _) = bed.execute_args(&[b"EVAL_RO", flagged.as_bytes(), b"0"]);
    assert!(reply.starts_with(b"-ERR Can not execute a script with write flag"));
}

#[test]
fn a_script_that_takes_too_long_gives_back_what_it_held() {
    let config = ServerConfig {
        lua_time_max: Duration::from_millis(10),
        ..crate::testing::config()
    };
    let mut bed = Bed::with(config, Version::V2);
    let code = "redis.call('SET', KEYS[1], 'x') while true do redis.pcall('GET', 'other') end";
    let (reply, flow) = bed.execute_args(&[b"EVAL", code.as_bytes(), b"1", b"k"]);
    let reply = String::from_utf8_lossy(&reply).into_owned();
    assert!(reply.contains("lua.time_max, 10 ms"), "{reply}");
    assert_eq!(flow, Flow::Continue);
    bed.check("GETSET k y", "$1\r\nx\r\n");
}

#[test]
fn runs_are_counted_and_what_they_hold_is_told() {
    let mut bed = Bed::new(Version::V2);
    let told = |bed: &mut Bed| {
        let (info, _) = bed.line("INFO memory");
        let field = |name: &str| {
            let mut lines = info.lines();
            let line = lines.find_map(|line| line.strip_prefix(&format!("{name}:")));
            line.and_then(|value| value.parse::<u64>().ok())
                .expect("a number")
        };
        let names = [
            "used_memory_lua",
            "used_memory_scripts",
            "number_of_cached_scripts",
        ];
        names.map(field)
    };
    assert_eq!(told(&mut bed), [0, 0, 0]);
    bed.eval("return 1", &["0"], ":1\r\n");
    bed.eval("return 1", &["0"], ":1\r\n");
    let fails = "return redis.error_reply('MINE no')";
    bed.eval(fails, &["0"], "-MINE no\r\n");
    let [lua, code, known] = told(&mut bed);
    assert!(lua > 10_000 && code >= fails.len() as u64, "{lua} {code}");
    let figures = bed.shared.script_figures(&bed.session.tenant);
    assert_eq!(
        (figures.runs, figures.failed, figures.known, known),
        (3, 1, 2, 2)
    );
    assert_eq!(figures.memory_bytes, lua);
}

#[test]
fn what_others_notice_is_done_once_though_a_script_begins_anew() {
    let mut bed = Bed::new(Version::V3);
    bed.line("SUBSCRIBE c");
    let code = "redis.call('PUBLISH', 'c', 'm') return redis.call('GET', 'undeclared')";
    for _ in 0..2 {
        bed.eval(code, &["0"], "_\r\n");
        let mut mail = Vec::new();
        bed.session.mailbox().unwrap().take(&mut mail);
        let message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
        assert_eq!(String::from_utf8_lossy(&mail), message);
    }
    let refused = "Write commands are not allowed from read-only scripts.";
    let (reply, _) = bed.line(&format!("EVAL_RO \"{code}\" 0"));
    assert!(reply.contains(refused), "{reply}");
}

#[test]
fn a_command_has_as_many_arguments_as_a_script_can_unpack() {
    let mut bed = Bed::new(Version::V2);
    let code = "local keys = {} for i = 1, 7000 do keys[i] = 'k' .. i end return redis.call('DEL', unpack(keys))";
    bed.eval(code, &["0"], ":0\r\n");
}
