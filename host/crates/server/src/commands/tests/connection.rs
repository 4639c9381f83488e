use larder_resp::Version;

use super::{Bed, check};
use crate::Flow;

const OK: &str = "+OK\r\n";

#[test]
fn ping_echo_quit_select() {
    check(&[
        ("PING", "+PONG\r\n"),
        ("ping hello", "$5\r\nhello\r\n"),
        (
            "PING a b",
            "-ERR wrong number of arguments for 'ping' command\r\n",
        ),
        ("ECHO hi", "$2\r\nhi\r\n"),
        ("SELECT 16", "-ERR DB index is out of range\r\n"),
        ("SELECT -1", "-ERR DB index is out of range\r\n"),
        ("SELECT 256", "-ERR DB index is out of range\r\n"),
        (
            "SELECT x",
            "-ERR value is not an integer or out of range\r\n",
        ),
    ]);
    assert_eq!(
        Bed::new(Version::V2).line("QUIT"),
        (OK.to_owned(), Flow::Close)
    );
}

const GREETING: &str = "$6\r\nserver\r\n$6\r\nlarder\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n\
    :PROTO\r\n$2\r\nid\r\n:42\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n\
    $7\r\nmodules\r\n*0\r\n";

#[test]
fn hello_changes_the_version_from_its_own_reply_on() {
    let greeting_2 = format!("*14\r\n{GREETING}").replace("PROTO", "2");
    let greeting_3 = format!("%7\r\n{GREETING}").replace("PROTO", "3");
    let mut bed = Bed::new(Version::V2);
    bed.check("HELLO", &greeting_2);
    bed.check("HELLO 3", &greeting_3);
    bed.check("GET no", "_\r\n");
    bed.check("HELLO", &greeting_3);
    bed.check("HELLO 2 SETNAME me", &greeting_2);
    bed.check("GET no", "$-1\r\n");
    bed.check("CLIENT GETNAME", "$2\r\nme\r\n");
}

#[test]
fn hello_that_fails_changes_nothing() {
    let mut bed = Bed::new(Version::V2);
    for (line, expected) in [
        ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO 1", "-NOPROTO unsupported protocol version\r\n"),
        (
            "HELLO x",
            "-ERR Protocol version is not an integer or out of range\r\n",
        ),
        (
            "HELLO 3 AUTH secret",
            "-ERR Syntax error in HELLO option 'AUTH'\r\n",
        ),
        (
            "HELLO 3 SETNAME",
            "-ERR Syntax error in HELLO option 'SETNAME'\r\n",
        ),
        (
            "HELLO 3 FOO bar",
            "-ERR Syntax error in HELLO option 'FOO'\r\n",
        ),
        (
            "HELLO 3 SETNAME 'a b'",
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        ),
        ("CLIENT GETNAME", "$-1\r\n"),
    ] {
        bed.check(line, expected);
    }
}

#[test]
fn connections_have_names() {
    let too_long = format!("CLIENT SETNAME {}", "x".repeat(1025));
    check(&[
        ("CLIENT GETNAME", "NIL"),
        ("CLIENT SETNAME me", OK),
        ("client getname", "$2\r\nme\r\n"),
        (
            "CLIENT SETNAME 'a b'",
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        ),
        (&too_long, "-ERR names may have 1024 bytes at most\r\n"),
        ("CLIENT GETNAME", "$2\r\nme\r\n"),
        ("CLIENT SETNAME \"\"", OK),
        ("CLIENT GETNAME", "NIL"),
        ("CLIENT ID", ":42\r\n"),
    ]);
}

#[test]
fn client_libraries_introduce_themselves() {
    let mut bed = Bed::new(Version::V2);
    bed.check("CLIENT SETINFO lib-name redis-py", OK);
    bed.check("CLIENT SETINFO LIB-VER 5.0.1", OK);
    bed.check(
        "CLIENT SETINFO FOO bar",
        "-ERR Unrecognized option 'FOO'\r\n",
    );
    let special = "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n";
    bed.check("CLIENT SETINFO LIB-VER 'a b'", special);
    let (line, _) = bed.line("CLIENT INFO");
    assert!(
        line.ends_with(" lib-name=redis-py lib-ver=5.0.1\n\r\n"),
        "{line}"
    );
}

#[test]
fn time_is_the_time_of_the_request() {
    let mut bed = Bed::new(Version::V2);
    bed.now += 5;
    bed.check("TIME", "*2\r\n$10\r\n1700000000\r\n$4\r\n5000\r\n");
}
