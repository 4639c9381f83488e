use super::*;

/// What `write` appends in RESP2 and RESP3.
fn check(write: impl Fn(&mut Reply<'_>), v2: &str, v3: &str) {
    for (version, expected) in [(Version::V2, v2), (Version::V3, v3)] {
        let mut out = b"before".to_vec();
        write(&mut Reply::new(&mut out, version));
        assert_eq!(
            out.escape_ascii().to_string(),
            format!("before{}", expected.escape_default())
        );
    }
}

#[test]
fn what_both_versions_share() {
    check(|reply| reply.ok(), "+OK\r\n", "+OK\r\n");
    check(|reply| reply.simple("PONG"), "+PONG\r\n", "+PONG\r\n");
    check(|reply| reply.error("ERR no"), "-ERR no\r\n", "-ERR no\r\n");
    check(|reply| reply.integer(-42), ":-42\r\n", ":-42\r\n");
    check(
        |reply| reply.integer(i64::MIN),
        ":-9223372036854775808\r\n",
        ":-9223372036854775808\r\n",
    );
    check(
        |reply| reply.bulk(b"a\r\nb"),
        "$4\r\na\r\nb\r\n",
        "$4\r\na\r\nb\r\n",
    );
    check(|reply| reply.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n");
    check(|reply| reply.array(12), "*12\r\n", "*12\r\n");
    check(|reply| reply.raw(b":1\r\n"), ":1\r\n", ":1\r\n");
}

#[test]
fn what_resp2_lacks() {
    check(|reply| reply.null(), "$-1\r\n", "_\r\n");
    check(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
    check(|reply| reply.map(3), "*6\r\n", "%3\r\n");
    check(|reply| reply.set(3), "*3\r\n", "~3\r\n");
    check(|reply| reply.push(3), "*3\r\n", ">3\r\n");
    check(|reply| reply.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    check(
        |reply| reply.double(f64::NEG_INFINITY),
        "$4\r\n-inf\r\n",
        ",-inf\r\n",
    );
    check(|reply| reply.boolean(true), ":1\r\n", "#t\r\n");
    check(|reply| reply.boolean(false), ":0\r\n", "#f\r\n");
    check(
        |reply| reply.verbatim("a\nb"),
        "$3\r\na\nb\r\n",
        "=7\r\ntxt:a\nb\r\n",
    );
    check(|reply| reply.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
}

#[test]
fn a_line_cannot_end_early() {
    check(
        |reply| reply.error("ERR unknown command 'x\r\n+OK\n'"),
        "-ERR unknown command 'x  +OK '\r\n",
        "-ERR unknown command 'x  +OK '\r\n",
    );
    check(|reply| reply.simple("a\rb"), "+a b\r\n", "+a b\r\n");
}

#[test]
fn the_version_can_change_between_replies() {
    let mut out = Vec::new();
    let mut reply = Reply::new(&mut out, Version::V2);
    reply.null();
    reply.set_version(Version::V3);
    reply.null();
    assert_eq!((reply.version(), reply.out_len()), (Version::V3, 8));
    assert_eq!(out, b"$-1\r\n_\r\n");
}

#[test]
fn what_was_written_can_be_taken_back() {
    let mut out = b"+before\r\n".to_vec();
    let mut reply = Reply::new(&mut out, Version::V2);
    let len = reply.out_len();
    reply.integer(1);
    assert_eq!(reply.take_back(len), b":1\r\n");
    assert_eq!(reply.take_back(len + 1), b"");
    assert_eq!(out, b"+before\r\n");
}
