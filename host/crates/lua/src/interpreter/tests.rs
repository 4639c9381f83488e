use std::thread;

use larder_resp::Args;

use super::*;
use crate::{Called, Kill, Level};

/// Answers ECHO, and counts; WRITE writes, AGAIN asks to begin anew until it was asked.
#[derive(Default)]
struct Echo {
    progress: Arc<Progress>,
    calls: usize,
    is_ready: bool,
}

impl Host for Echo {
    fn call(&mut self, args: Args<'_>, version: Version, out: &mut Vec<u8>) -> Called {
        self.calls += 1;
        let mut reply = Reply::new(out, version);
        match args.name() {
            b"ECHO" => reply.bulk(&args[1]),
            b"MAP" => {
                reply.map(1);
                reply.simple("key");
                reply.double(1.5);
            }
            b"NULL" => reply.null(),
            b"WRITE" => reply.integer(self.progress.write().into()),
            b"AGAIN" if !self.is_ready => {
                self.is_ready = true;
                return Called::Again;
            }
            b"AGAIN" => reply.ok(),
            _ => reply.error("ERR unknown"),
        }
        Called::Replied
    }

    fn log(&mut self, _level: Level, _text: &str) {}

    fn may(&mut self, args: Args<'_>) -> Option<bool> {
        (args.name() == b"ECHO").then_some(true)
    }
}

const BOUNDS: Bounds = Bounds {
    memory_bytes_max: 8 << 20,
    time_max: Duration::from_secs(60),
    reply_bytes_max: 1 << 20,
};

struct Bench {
    interpreter: Interpreter,
    host: Echo,
}

impl Bench {
    fn new(bounds: Bounds) -> Self {
        let interpreter = Interpreter::new(bounds).unwrap();
        let host = Echo {
            progress: Arc::clone(interpreter.progress()),
            ..Echo::default()
        };
        Self { interpreter, host }
    }

    fn try_run(&mut self, code: &str, version: Version) -> Option<String> {
        let script = Script::new(code.as_bytes()).unwrap();
        let run = Run {
            script: &script,
            keys: &[b"k1", b"k2"],
            arguments: &[b"a1"],
            version,
        };
        let Ended::Replied(out) = self.interpreter.run(run, &mut self.host) else {
            return None;
        };
        let text = String::from_utf8_lossy(&out).replace("\r\n", "|");
        Some(text.replace(script.sha(), "SHA"))
    }

    fn run(&mut self, code: &str) -> String {
        self.try_run(code, Version::V2).unwrap()
    }
}

fn check(cases: &[(&str, &str)]) {
    let mut bench = Bench::new(BOUNDS);
    for (code, expected) in cases {
        assert_eq!(bench.run(code), *expected, "{code}");
    }
}

/// The error that `text` becomes when nobody catches it on the first line.
fn uncaught(text: &str) -> String {
    format!("-ERR {text} script: SHA, on @user_script:1.|")
}

#[test]
fn values_become_replies() {
    check(&[
        (
            "return {1, 'a', {2.9, -2.9}, true, nil, 5}",
            "*4|:1|$1|a|*2|:2|:-2|:1|",
        ),
        ("return {KEYS[2], ARGV[1], #KEYS}", "*3|$2|k2|$2|a1|:2|"),
        ("return false", "$-1|"),
        ("return {ok='fine'}", "+fine|"),
        ("return {err='MY word'}", "-MY word|"),
        ("return redis.error_reply('word')", "-ERR word|"),
        ("return {double=1.5}", "$3|1.5|"),
        ("return 1/0", ":-9223372036854775808|"),
        (
            "local t = {} t[1] = t return t",
            "-ERR reached lua stack limit|",
        ),
        ("return redis.call('MAP')", "*2|+key|$3|1.5|"),
        ("return type(redis.call('NULL'))", "$7|boolean|"),
        (
            "redis.setresp(3) return type(redis.call('NULL'))",
            "$3|nil|",
        ),
        ("redis.setresp(3) return redis.call('MAP').map.key", "$-1|"),
        ("return redis.call('ECHO', 2^53)", "$16|9007199254740992|"),
        ("return redis.call('ECHO', 0.1)", "$19|0.10000000000000001|"),
        (
            "return redis.sha1hex('a')",
            "$40|86f7e437faa5a7fce15d1ddcb9eaeaea377667b8|",
        ),
        ("#!lua flags=no-writes\nreturn 1", ":1|"),
    ]);
    let mut bench = Bench::new(BOUNDS);
    let code = "redis.setresp(3) return {true, {map={a=1}}, {double=2.5}, {set={x=true}}}";
    let expected = "*4|#t|%1|$1|a|:1|,2.5|~1|$1|x|";
    assert_eq!(bench.try_run(code, Version::V3).unwrap(), expected);
}

#[test]
fn errors_tell_what_and_where() {
    let absent = "user_script:1: Script attempted to access nonexistent global variable 'os'";
    let readonly = "user_script:1: Attempt to modify a readonly table";
    for (code, text) in [
        ("return os.time()", absent),
        ("x = 1", readonly),
        ("string.x = 1", readonly),
        ("KEYS = {}", readonly),
        ("return redis.call('NO')", "unknown"),
        (
            "return nil + 1",
            "user_script:1: attempt to perform arithmetic on a nil value",
        ),
        ("error('boo')", "user_script:1: boo"),
        ("error('boo', 0)", "boo"),
        ("error({})", "unknown error"),
        ("error()", "nil"),
        (
            "return string.rep()",
            "user_script:1: bad argument #1 to 'rep' (string expected, got no value)",
        ),
        (
            "local function f() return f() + 1 end return f()",
            "user_script:1: stack overflow",
        ),
        (
            "return ('x'):find('[a')",
            "user_script:1: malformed pattern (missing ']')",
        ),
    ] {
        check(&[(code, &uncaught(text))]);
    }
    check(&[
        (
            "error({err='MY boo'})",
            "-MY boo script: SHA, on @user_script:1.|",
        ),
        (
            "\n\nerror('boo')",
            "-ERR user_script:3: boo script: SHA, on @user_script:3.|",
        ),
        (
            "return {pcall(redis.call, 'NO')}",
            "*2|$-1|$11|ERR unknown|",
        ),
        ("return redis.pcall('NO').err", "$11|ERR unknown|"),
        (
            "return select(2, xpcall(function() redis.call('NO') end, function(e) return e.err .. e.line end))",
            "$12|ERR unknown1|",
        ),
        (
            "if",
            "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'|",
        ),
    ]);
}

#[test]
fn nothing_of_the_machine_or_of_other_scripts_is_in_reach() {
    let mut bench = Bench::new(BOUNDS);
    for name in [
        "io",
        "os",
        "debug",
        "package",
        "require",
        "module",
        "load",
        "loadstring",
        "loadfile",
        "dofile",
        "getfenv",
        "setfenv",
        "newproxy",
        "print",
        "coroutine",
    ] {
        let text = bench.run(&format!("return type({name})"));
        assert!(
            text.contains("nonexistent global variable"),
            "{name}: {text}"
        );
    }
    check(&[
        ("return type(string.dump)", "$3|nil|"),
        ("return {getmetatable('')}", "*1|$-1|"),
    ]);
    // Whatever a script manages to change is gone with it.
    for code in ["rawset(_G, 'leak', 1)", "rawset(string, 'leak', 1)"] {
        assert_eq!(
            bench.run(code),
            uncaught("Attempt to modify a readonly table")
        );
    }
    for code in [
        "table.insert(string, 1)",
        "cjson.encode_max_depth(1)",
        "redis.setresp(3)",
    ] {
        assert_eq!(bench.run(code), "$-1|", "{code}");
    }
    let code = "return {rawget(string, 1), string.leak}";
    assert_eq!(bench.run(code), "*0|");
    assert_eq!(bench.run("return cjson.encode({{1}})"), "$5|[[1]]|");
    let bytecode = "\u{1b}LuaQ";
    assert!(
        bench
            .run(bytecode)
            .starts_with("-ERR Error compiling script")
    );
}

/// Many items that look empty and are not.
const HOLES: &str =
    "local t, list = {}, {} for i = 1, 1e5 do t[i] = i end for i = 1, 1e5 do t[i] = nil end
    for i = 1, 2e4 do list[i] = t end";

#[test]
fn a_number_in_json_ends_where_its_grammar_does() {
    let mut bench = Bench::new(BOUNDS);
    for (text, value) in [
        ("[1,-2.5,1e3,1E+2,+7,0x1F]", "1 -2.5 1000 100 7 31"),
        ("[00012,5.,1e0,-0]", "12 5 1 -0"),
    ] {
        let code = format!("return table.concat(cjson.decode('{text}'), ' ')");
        assert_eq!(bench.run(&code), format!("${}|{value}|", value.len()));
    }
    // A long one that is none takes no longer than to read it once.
    for wrong in [
        "('1'):rep(1e5) .. ('-'):rep(1e5)",
        "'1e'",
        "'1-2'",
        "'[1e+]'",
        "'-'",
    ] {
        let text = bench.run(&format!("return cjson.decode({wrong})"));
        assert!(text.contains("Expected"), "{wrong}: {text}");
    }
}

#[test]
fn a_script_that_takes_too_long_ends() {
    let mut bench = Bench::new(Bounds {
        time_max: Duration::from_millis(20),
        ..BOUNDS
    });
    let long = "('a'):rep(60)";
    for code in [
        "while true do end".to_owned(),
        "while true do pcall(function() while true do end end) end".to_owned(),
        "local function f() return pcall(f) or pcall(f) end while true do f() end".to_owned(),
        "while true do xpcall(error, function() while true do end end) end".to_owned(),
        "while true do pcall(redis.call, 'ECHO', 'x') end".to_owned(),
        "while true do redis.pcall('NO') end".to_owned(),
        format!("return {long}:find(('.-'):rep(20) .. 'x')"),
        format!("return {long}:match(('a*'):rep(20) .. 'x')"),
        format!("return {long}:gsub(('a?'):rep(60) .. ('a*'):rep(12) .. 'x', '')"),
        format!("for _ in {long}:gmatch(('a*'):rep(20) .. 'x') do end"),
        "return ('x'):rep(9000):match('[' .. ('b'):rep(300000) .. ']')".to_owned(),
        "return ('x'):rep(9000):match('^[' .. ('b'):rep(300000) .. 'x]-y')".to_owned(),
        format!("{HOLES} return #cjson.encode(list)"),
        format!("{HOLES} return #cmsgpack.pack(list)"),
        format!("{HOLES} return list"),
        "local t = {} for i = 1, 2e4 do t[i] = t end return cmsgpack.pack(t)".to_owned(),
        "return table.sort(setmetatable({}, {}), 1, 2) or (function() while true do end end)()"
            .to_owned(),
    ] {
        let text = bench.run(&code);
        let is_ended = text.contains("lua.time_max, 20 ms") || code.contains("sort");
        assert!(is_ended, "{code}: {text}");
    }
    assert_eq!(bench.run("return 1"), ":1|");
}

#[test]
fn a_script_that_takes_too_much_memory_fails_alone() {
    let mut bench = Bench::new(BOUNDS);
    for code in [
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "return ('x'):rep(1e9)",
        "return ('x'):rep(1e6):gsub('x', ('y'):rep(1e4))",
        "return ('x'):rep(1e6):gsub('.*', ('%0'):rep(1e5), 1)",
        "return ('x'):rep(1e6):gsub('(x*)', ('%1'):rep(1e5))",
        "local t = {} for i = 1, 1e6 do t[i] = i end return cjson.encode({t, t, t, t, t})",
        "local t = {} for i = 1, 40 do t = {t, t} end return cjson.encode(t)",
        "local t = {} for i = 1, 40 do t = {t, t} end return t",
        "local function f(...) return (f(1, ...)) end return f()",
        "return {pcall(function() local s = 'x' while true do s = s .. s end end)}[2]",
    ] {
        let text = bench.run(code);
        assert!(text.starts_with("-ERR"), "{code}: {text}");
        assert_eq!(
            bench.run("return #('x'):rep(1e6)"),
            ":1000000|",
            "after {code}"
        );
    }
    // What is garbage does not count.
    let churn = "local n = 0 for i = 1, 300 do n = n + #('x'):rep(1e5 + i) end return n > 0";
    assert_eq!(bench.run(churn), ":1|");
}

#[test]
fn deep_recursion_ends_in_an_error() {
    let thread = thread::Builder::new().stack_size(crate::STACK_BYTES);
    thread.spawn(recurse).unwrap().join().unwrap();
}

fn recurse() {
    let mut bench = Bench::new(BOUNDS);
    for code in [
        "local function f() return 1 + f() end return f()",
        "local function f() pcall(f) end f() error('done')",
        "local function f() return ('x'):gsub('x', f) end return f()",
        "local t = {} setmetatable(t, {__index = function(t, k) return t[k] end}) return t.x",
        "return cjson.decode(('['):rep(1000))",
        "return cjson.decode(('{\"a\":'):rep(2000))",
        "local t = {} for i = 1, 2000 do t = {t} end return cjson.encode(t)",
        "return ('a'):rep(1000):find(('a?'):rep(100000))",
        "return ('a'):find(('('):rep(100000))",
        "local f = 'return ' .. ('('):rep(5000) error(f)",
    ] {
        let text = bench.run(code);
        assert!(text.starts_with("-ERR"), "{code}: {text}");
    }
    let nested = format!("return {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(bench.run(&nested).contains("levels"));
    assert_eq!(bench.run("return 1"), ":1|");
}

#[test]
fn others_end_a_script_until_it_has_written() {
    let mut bench = Bench::new(BOUNDS);
    let progress = Arc::clone(bench.interpreter.progress());
    assert_eq!(progress.kill(), Kill::NotBusy);
    let kill = |wanted| {
        let progress = Arc::clone(&progress);
        thread::spawn(move || while progress.kill() != wanted {})
    };
    let killer = kill(Kill::Done);
    let text = bench.run("while true do pcall(function() while true do end end) end");
    assert_eq!(text, uncaught("Script killed by user with SCRIPT KILL."));
    killer.join().unwrap();
    // Once it has written it goes on; the next may be killed again.
    bench.interpreter.bounds.time_max = Duration::from_secs(1);
    let text = bench.run("redis.call('WRITE') return redis.call('WRITE')");
    assert_eq!(text, ":1|");
    assert_eq!(progress.kill(), Kill::NotBusy);
}

#[test]
fn the_host_can_have_a_script_begin_anew() {
    let mut bench = Bench::new(BOUNDS);
    let code = "pcall(redis.call, 'AGAIN') redis.call('ECHO', 'x') return redis.pcall('AGAIN')";
    assert_eq!(bench.try_run(code, Version::V2), None);
    assert_eq!(bench.host.calls, 1);
    assert_eq!(bench.run(code), "+OK|");
    assert_eq!(bench.host.calls, 4);
}

#[test]
fn patterns_match_as_in_lua() {
    check(&[
        ("return {('hello world'):find('o w')}", "*2|:5|:7|"),
        ("return {('hello'):find('l+')}", "*2|:3|:4|"),
        ("return {('hello'):find('')}", "*2|:1|:0|"),
        ("return {('hello'):find('', 10)}", "*2|:6|:5|"),
        ("return {('a.b'):find('.', 1, true)}", "*2|:2|:2|"),
        (
            "return {('key=val'):match('(%w+)=(%w+)')}",
            "*2|$3|key|$3|val|",
        ),
        ("return {('  x  '):match('^%s*(.-)%s*$')}", "*1|$1|x|"),
        ("return {('f(a(b)c)d'):match('%b()')}", "*1|$7|(a(b)c)|"),
        (
            "return {('THE (quick) fox'):find('%((%a+)%)')}",
            "*3|:5|:11|$5|quick|",
        ),
        ("return {('abc'):match('()b()')}", "*2|:2|:3|"),
        ("return {('hello'):gsub('l', 'L')}", "*2|$5|heLLo|:2|"),
        ("return {('abc'):gsub('', '-')}", "*2|$7|-a-b-c-|:4|"),
        ("return {('abc'):gsub('%w', '%0%0', 2)}", "*2|$5|aabbc|:2|"),
        (
            "return {('a b'):gsub('(%w) (%w)', '%2 %1')}",
            "*2|$3|b a|:1|",
        ),
        (
            "return {('$name'):gsub('%$(%w+)', {name='x'})}",
            "*2|$1|x|:1|",
        ),
        (
            "return {('abc'):gsub('b', function() return nil end)}",
            "*2|$3|abc|:1|",
        ),
        (
            "local t = {} for k, v in ('a=1,b=2'):gmatch('(%w)=(%w)') do t[#t+1] = k .. v end return t",
            "*2|$2|a1|$2|b2|",
        ),
        (
            "return {('THE (quick) fox'):gsub('%f[%a]%a+', 'w')}",
            "*2|$7|w (w) w|:3|",
        ),
        ("return {('x-y'):match('[%w-]+')}", "*1|$3|x-y|"),
        ("return {(']x'):match('[]x]+')}", "*1|$2|]x|"),
        ("return {('aa'):match('(a)%1')}", "*1|$1|a|"),
    ]);
}

#[test]
fn json_and_bits_are_at_hand() {
    check(&[
        (
            "return cjson.encode({1, 'a', {b = true}})",
            "$18|[1,\"a\",{\"b\":true}]|",
        ),
        ("return cjson.encode(cjson.null)", "$4|null|"),
        (
            "return cjson.decode('{\"a\":[1,2.5,\"x\"]}').a",
            "*3|:1|:2|$1|x|",
        ),
        ("math.randomseed(5) return math.random(1000)", ":525|"),
        ("return bit.bor(1, 2, 4)", ":7|"),
        ("return bit.bnot(0)", ":-1|"),
        ("return bit.tohex(255, 4)", "$4|00ff|"),
        ("return bit.lshift(1, 31)", ":-2147483648|"),
        ("return bit.arshift(-8, 1)", ":-4|"),
        ("return bit.tobit(4294967295)", ":-1|"),
    ]);
}
