//! MONITOR: what one that watches is shown.

use larder_resp::Version;

use super::Bed;
use crate::Session;
use crate::testing::session_of;

/// A server, and another client of it that watches.
fn watched() -> (Bed, Session) {
    let mut bed = Bed::new(Version::V2);
    let mut watcher = session_of(&bed.shared, 7, Version::V2);
    std::mem::swap(&mut bed.session, &mut watcher);
    bed.check("MONITOR", "+OK\r\n");
    std::mem::swap(&mut bed.session, &mut watcher);
    (bed, watcher)
}

/// The lines that came, without the time and who it was.
fn shown(watcher: &Session) -> Vec<String> {
    let mut mail = Vec::new();
    watcher.mailbox().expect("it watches").take(&mut mail);
    let mail = String::from_utf8_lossy(&mail).into_owned();
    let lines = mail.lines().map(|line| {
        let (_, line) = line.split_once(' ').expect("a time");
        line.replace("127.0.0.1:42", "me")
    });
    lines.collect()
}

#[test]
fn whoever_watches_is_shown_what_was_carried_out_in_order() {
    let (mut bed, watcher) = watched();
    bed.now += 7;
    bed.line("GET a");
    let mut mail = Vec::new();
    watcher.mailbox().expect("it watches").take(&mut mail);
    assert_eq!(
        mail,
        b"+1700000000.007000 [0 127.0.0.1:42] \"GET\" \"a\"\r\n"
    );
    bed.line("SELECT 3");
    bed.line(r#"SET a "\x00\xff\n\t\a\b\r\\\"'z""#);
    for line in ["NONE", "GET", "MULTI", "INCR n", "INCR n", "EXEC", "QUIT"] {
        bed.line(line);
    }
    bed.line("EVAL \"redis.call('select', 5) return redis.call('get', 'k')\" 0");
    bed.line("GET b");
    assert_eq!(
        shown(&watcher),
        [
            r#"[3 me] "SELECT" "3""#,
            r#"[3 me] "SET" "a" "\x00\xff\n\t\a\b\r\\\"'z""#,
            r#"[3 me] "MULTI""#,
            r#"[3 me] "INCR" "n""#,
            r#"[3 me] "INCR" "n""#,
            r#"[3 me] "EXEC""#,
            r#"[3 me] "QUIT""#,
            r#"[3 me] "EVAL" "redis.call('select', 5) return redis.call('get', 'k')" "0""#,
            r#"[5 lua] "select" "5""#,
            r#"[5 lua] "get" "k""#,
            r#"[3 me] "GET" "b""#,
        ]
    );
}

#[test]
fn no_password_and_no_order_of_an_administrator_is_shown() {
    let (mut bed, watcher) = watched();
    for line in [
        "AUTH secret",
        "auth name secret",
        "HELLO 3 AUTH name secret SETNAME me",
        "HELLO 2 SETNAME auth auth name secret",
        "HELLO 3 AUTH secret",
        "ACL SETUSER a >secret",
        "CONFIG SET loglevel secret",
        "CACHE.RECORD SALT secret",
        "CLIENT KILL secret",
        "MONITOR",
        "ACL WHOAMI",
    ] {
        bed.line(line);
    }
    let lines = shown(&watcher);
    let last = lines.last().expect("what is no secret is shown");
    assert!(last.ends_with(r#"] "ACL" "WHOAMI""#), "{last}");
    assert!(!lines.concat().contains("secret"), "{lines:?}");
    assert_eq!(lines[0], r#"[0 me] "AUTH" "(redacted)""#);
    assert_eq!(
        lines[2],
        r#"[0 me] "HELLO" "3" "AUTH" "(redacted)" "(redacted)" "SETNAME" "me""#
    );
}

#[test]
fn what_is_too_long_is_shown_to_its_beginning() {
    let (mut bed, watcher) = watched();
    let value = vec![0; 3 << 20];
    bed.execute_args(&[b"ECHO", &value]);
    bed.execute_args(&[b"SET", &value, b"x", b"y"]);
    for line in shown(&watcher) {
        assert!(line.len() < 6 << 20, "{}", line.len());
        assert!(line.contains(" more bytes)"));
        assert_eq!(
            line.ends_with("... (2 more arguments)"),
            line.contains("SET")
        );
    }
}

#[test]
fn one_that_watches_keeps_away_from_entries_until_it_is_reset() {
    let (mut bed, mut watcher) = watched();
    std::mem::swap(&mut bed.session, &mut watcher);
    let refused = "-ERR Replica can't interact with the keyspace\r\n";
    for line in ["GET a", "SET a 1", "PUBLISH c m", "EVAL x 0", "EVAL_RO x 0"] {
        bed.check(line, refused);
    }
    bed.check("PING", "+PONG\r\n");
    assert_eq!(bed.line("MONITOR").0, "", "it watches already");
    assert!(bed.line("CLIENT INFO").0.contains(" flags=O "));
    let (reply, _) = bed.line("RESET");
    assert!(
        reply.contains("] \"PING\"\r\n") && reply.ends_with("\r\n+RESET\r\n"),
        "{reply}"
    );
    bed.check("GET a", "$-1\r\n");
    let mut mail = Vec::new();
    bed.session
        .mailbox()
        .expect("it has been there")
        .take(&mut mail);
    assert_eq!(mail, b"");
}

#[test]
fn nobody_watches_from_within_a_transaction() {
    super::check(&[
        ("MULTI", "+OK\r\n"),
        ("MONITOR", "+QUEUED\r\n"),
        (
            "EXEC",
            "*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n",
        ),
    ]);
}
