//! MULTI, EXEC, DISCARD, WATCH, UNWATCH and RESET.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use larder_resp::Version;

use super::super::table::TABLE;
use super::{Bed, check};
use crate::Flow;
use crate::commands::Flag;
use crate::testing::config;

const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";

#[test]
fn commands_wait_for_exec_and_errors_within_end_nothing() {
    check(&[
        ("MULTI", "+OK\r\n"),
        ("SET k 1", "+QUEUED\r\n"),
        ("INCR k", "+QUEUED\r\n"),
        ("SET s x", "+QUEUED\r\n"),
        ("INCR s", "+QUEUED\r\n"),
        ("MGET k s none", "+QUEUED\r\n"),
        (
            "EXEC",
            "*5\r\n+OK\r\n:2\r\n+OK\r\n-ERR value is not an integer or out of range\r\n*3\r\n$1\r\n2\r\n$1\r\nx\r\nNIL",
        ),
        ("GET k", "$1\r\n2\r\n"),
        ("EXEC", "-ERR EXEC without MULTI\r\n"),
        ("DISCARD", "-ERR DISCARD without MULTI\r\n"),
        ("MULTI", "+OK\r\n"),
        ("DEL k", "+QUEUED\r\n"),
        ("MULTI", "-ERR MULTI calls can not be nested\r\n"),
        ("WATCH k", "-ERR WATCH inside MULTI is not allowed\r\n"),
        ("DISCARD", "+OK\r\n"),
        ("GET k", "$1\r\n2\r\n"),
        ("MULTI", "+OK\r\n"),
        ("EXEC", "*0\r\n"),
    ]);
}

#[test]
fn what_is_refused_while_queueing_ends_the_transaction() {
    for (line, error) in [
        (
            "SET k",
            "-ERR wrong number of arguments for 'set' command\r\n",
        ),
        (
            "NOSUCH",
            "-ERR unknown command 'NOSUCH', with args beginning with: \r\n",
        ),
        (
            "CLIENT NOSUCH",
            "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n",
        ),
        (
            "POLICY RELOAD",
            "-ERR Command not allowed inside a transaction\r\n",
        ),
        (
            "CACHE.WARM k",
            "-ERR Command not allowed inside a transaction\r\n",
        ),
        (
            "CACHE.RECORD SALT x",
            "-ERR Command not allowed inside a transaction\r\n",
        ),
    ] {
        check(&[
            ("MULTI", "+OK\r\n"),
            ("SET k 1", "+QUEUED\r\n"),
            (line, error),
            ("EXEC", ABORTED),
            ("EXEC", "-ERR EXEC without MULTI\r\n"),
            ("EXISTS k", ":0\r\n"),
        ]);
    }
}

#[test]
fn what_is_done_in_steps_is_done_at_once_within() {
    check(&[
        ("MSET a 1 b 2", "+OK\r\n"),
        ("MULTI", "+OK\r\n"),
        ("KEYS a*", "+QUEUED\r\n"),
        ("FLUSHDB", "+QUEUED\r\n"),
        ("DBSIZE", "+QUEUED\r\n"),
        ("SELECT 3", "+QUEUED\r\n"),
        ("SET c 3", "+QUEUED\r\n"),
        ("MOVE c 0", "+QUEUED\r\n"),
        (
            "EXEC",
            "*6\r\n*1\r\n$1\r\na\r\n+OK\r\n:0\r\n+OK\r\n+OK\r\n:1\r\n",
        ),
        ("DBSIZE", ":0\r\n"),
        ("SELECT 0", "+OK\r\n"),
        ("GET c", "$1\r\n3\r\n"),
    ]);
}

#[test]
fn a_watched_key_that_changed_ends_the_transaction() {
    for (change, executes) in [
        ("GET k", true),
        ("SET other 1", true),
        ("UNWATCH", true),
        ("SET k 2", false),
        ("DEL k", false),
        ("PERSIST k", false),
    ] {
        for version in [Version::V2, Version::V3] {
            let mut bed = Bed::new(version);
            bed.check("SET k 1 PX 1000", "+OK\r\n");
            bed.check("WATCH k none", "+OK\r\n");
            bed.line(change);
            bed.check("MULTI", "+OK\r\n");
            bed.check("UNWATCH", "+QUEUED\r\n");
            let reply = match (executes, version) {
                (true, _) => "*1\r\n+OK\r\n",
                (false, Version::V2) => "*-1\r\n",
                (false, Version::V3) => "_\r\n",
            };
            bed.check("EXEC", reply);
            bed.check("MULTI", "+OK\r\n");
            bed.check("EXEC", "*0\r\n");
        }
    }
}

#[test]
fn exec_with_arguments_ends_a_transaction_and_no_watch() {
    let wrong = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' \
                 command\r\n";
    check(&[
        ("MULTI", "+OK\r\n"),
        ("EXEC x", wrong),
        ("EXEC", "-ERR EXEC without MULTI\r\n"),
        ("WATCH k", "+OK\r\n"),
        ("EXEC x", wrong),
        ("SET k 1", "+OK\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET l 1", "+QUEUED\r\n"),
    ]);
    let mut bed = Bed::new(Version::V2);
    for line in ["WATCH k", "EXEC x", "SET k 1", "MULTI"] {
        bed.line(line);
    }
    bed.check("EXEC", "*-1\r\n");
}

#[test]
fn a_watched_key_that_expires_meanwhile_has_changed() {
    let mut bed = Bed::new(Version::V2);
    bed.check("SET k 1 PX 10", "+OK\r\n");
    bed.check("WATCH k", "+OK\r\n");
    bed.now += 10;
    bed.check("MULTI", "+OK\r\n");
    bed.check("EXEC", "*-1\r\n");
    bed.check("WATCH k", "+OK\r\n");
    bed.check("MULTI", "+OK\r\n");
    bed.check("EXEC", "*0\r\n");
}

#[test]
fn a_transaction_is_bounded_and_paid_for() {
    let mut bed = Bed::new(Version::V2);
    bed.check("MULTI", "+OK\r\n");
    let value = vec![b'x'; 1 << 20];
    for _ in 0..63 {
        let (reply, _) = bed.execute_args(&[b"SET", b"k", &value]);
        assert_eq!(reply, b"+QUEUED\r\n");
    }
    assert!((63 << 20..64 << 20).contains(&bed.session.held_bytes()));
    let (reply, _) = bed.execute_args(&[b"SET", b"k", &value]);
    assert!(reply.starts_with(b"-ERR transaction too large"));
    bed.check("EXEC", ABORTED);
    assert_eq!(bed.session.held_bytes(), 0);
    bed.check("MULTI", "+OK\r\n");
    for _ in 0..131_072 {
        bed.check("PING", "+QUEUED\r\n");
    }
    let (reply, _) = bed.line("PING");
    assert!(reply.starts_with("-ERR transaction too large"));
}

#[test]
fn reset_makes_the_connection_as_it_was() {
    let mut bed = Bed::new(Version::V3);
    for line in [
        "CLIENT SETNAME me",
        "SELECT 3",
        "SET k 1",
        "WATCH k",
        "MULTI",
    ] {
        bed.line(line);
    }
    bed.check("SET k 2", "+QUEUED\r\n");
    bed.check("RESET", "+RESET\r\n");
    bed.check("EXEC", "-ERR EXEC without MULTI\r\n");
    bed.check("CLIENT GETNAME", "$-1\r\n");
    assert_eq!((bed.session.db, bed.session.held_bytes()), (0, 0));
}

#[test]
fn a_reply_that_is_too_large_ends_with_an_error_and_the_connection() {
    let config = crate::ServerConfig {
        output_bytes_max: 1000,
        ..config()
    };
    let mut bed = Bed::with(config, Version::V2);
    bed.execute_args(&[b"SET", b"k", &[b'x'; 900]]);
    for line in ["MULTI", "GET k", "GET k", "GET k"] {
        bed.line(line);
    }
    let (reply, flow) = bed.line("EXEC");
    assert!(reply.ends_with("-ERR reply too large: ask for less in one transaction\r\n"));
    assert_eq!(flow, Flow::Close);
}

/// Whatever locks a shard but by the store waits for ever for those that its own transaction holds.
#[test]
fn every_command_ends_within_a_transaction() {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bed = Bed::new(Version::V3);
        bed.line("SET 1 1");
        let all = TABLE.iter().flat_map(|command| {
            let alone = (vec![command.name], command.arity);
            let subs = command.subcommands().iter();
            let subs = subs
                .filter(|sub| !sub.flags.contains(&Flag::NoMulti))
                .map(|sub| (vec![command.name, sub.name], sub.arity));
            std::iter::once(alone).chain(subs)
        });
        for (mut words, arity) in all {
            words.resize(arity.unsigned_abs() as usize, "1");
            let line = words.join(" ");
            // With all shards held, and with those of its keys alone.
            for other in ["FLUSHALL", "GET 1"] {
                tell.send(line.clone()).expect("the test waits");
                bed.line("MULTI");
                bed.line(&line);
                bed.line(other);
                bed.line("EXEC");
                bed.line("RESET");
            }
        }
    });
    let mut last = None;
    loop {
        match told.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => last = Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{last:?} waits for ever"),
        }
    }
    assert_eq!(last.as_deref(), Some("WATCH 1"), "all were tried");
}

#[test]
fn all_keys_of_a_transaction_are_held_whatever_their_shards() {
    let mut bed = Bed::new(Version::V2);
    bed.line("MULTI");
    for n in 0..500 {
        bed.line(&format!("SET k{n} {n}"));
    }
    bed.line("EXEC");
    assert_eq!(bed.session.tenant.len(0), 500);
}

#[test]
fn who_ends_itself_within_a_transaction_is_answered_first() {
    let mut bed = Bed::new(Version::V2);
    for line in ["MULTI", "SET k 1", "CLIENT KILL SKIPME no", "GET k"] {
        bed.line(line);
    }
    let expected = "*3\r\n+OK\r\n:1\r\n$1\r\n1\r\n";
    assert_eq!(bed.line("EXEC"), (expected.to_owned(), Flow::Close));
    assert_eq!(bed.shared.totals().over_limit, 0);
}

#[test]
fn all_of_a_transaction_is_done_whatever_its_replies_come_to() {
    let mut config = config();
    config.output_bytes_max = 1_000;
    let mut bed = Bed::with(config, Version::V2);
    bed.check(&format!("SET big {}", "x".repeat(700)), "+OK\r\n");
    bed.check("MULTI", "+OK\r\n");
    for line in ["SET p 1", "MGET big big", "GET big", "SET q 1"] {
        bed.check(line, "+QUEUED\r\n");
    }
    let (reply, flow) = bed.line("EXEC");
    let expected = "*4\r\n+OK\r\n-ERR reply too large: ask for less in one transaction\r\n";
    assert_eq!((&*reply, flow), (expected, Flow::Close));
    bed.check("MGET p q", "*2\r\n$1\r\n1\r\n$1\r\n1\r\n");
}
