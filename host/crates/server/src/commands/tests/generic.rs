use std::collections::BTreeSet;

use larder_resp::{Limits, Value, Version, decode};

use super::{Bed, check};
use crate::Flow;

const OK: &str = "+OK\r\n";

#[test]
fn del_exists_type() {
    check(&[
        ("MSET a 1 b 2", OK),
        ("EXISTS a a b c", ":3\r\n"),
        ("TYPE a", "+string\r\n"),
        ("TYPE c", "+none\r\n"),
        ("DEL a a c", ":1\r\n"),
        ("UNLINK b", ":1\r\n"),
        ("UNLINK b", ":0\r\n"),
        ("EXISTS a b", ":0\r\n"),
    ]);
}

#[test]
fn databases_are_apart() {
    check(&[
        ("SET k zero", OK),
        ("SELECT 15", OK),
        ("GET k", "NIL"),
        ("DBSIZE", ":0\r\n"),
        ("SET k fifteen", OK),
        ("DBSIZE", ":1\r\n"),
        ("SELECT 0", OK),
        ("GET k", "$4\r\nzero\r\n"),
    ]);
}

#[test]
fn expiries_are_set_in_every_unit() {
    check(&[
        ("EXPIRE k 10", ":0\r\n"),
        ("TTL k", ":-2\r\n"),
        ("EXPIRETIME k", ":-2\r\n"),
        ("PERSIST k", ":0\r\n"),
        ("SET k v", OK),
        ("TTL k", ":-1\r\n"),
        ("PEXPIRETIME k", ":-1\r\n"),
        ("PERSIST k", ":0\r\n"),
        ("EXPIRE k 10", ":1\r\n"),
        ("TTL k", ":10\r\n"),
        ("EXPIRETIME k", ":1700000010\r\n"),
        ("PEXPIRE k 1499", ":1\r\n"),
        ("TTL k", ":1\r\n"),
        ("PTTL k", ":1499\r\n"),
        ("PEXPIRE k 1500", ":1\r\n"),
        ("TTL k", ":2\r\n"),
        ("EXPIREAT k 1700000003", ":1\r\n"),
        ("PEXPIRETIME k", ":1700000003000\r\n"),
        ("PEXPIREAT k 1700000000001", ":1\r\n"),
        ("PTTL k", ":1\r\n"),
        ("PERSIST k", ":1\r\n"),
        ("TTL k", ":-1\r\n"),
        ("GET k", "$1\r\nv\r\n"),
    ]);
}

#[test]
fn an_expiry_that_has_passed_removes_the_key() {
    let lines = [
        "EXPIRE k 0",
        "EXPIRE k -1",
        "PEXPIRE k -5",
        "EXPIREAT k 1",
        "PEXPIREAT k -9223372036854775808",
    ];
    for line in lines {
        check(&[
            ("SET k v", OK),
            (line, ":1\r\n"),
            ("EXISTS k", ":0\r\n"),
            (line, ":0\r\n"),
        ]);
    }
}

#[test]
fn expiries_change_on_condition() {
    check(&[
        ("SET k v", OK),
        ("EXPIRE k 10 XX", ":0\r\n"),
        ("EXPIRE k 10 GT", ":0\r\n"),
        ("EXPIRE k 10 NX", ":1\r\n"),
        ("EXPIRE k 20 NX", ":0\r\n"),
        ("EXPIRE k 5 GT", ":0\r\n"),
        ("EXPIRE k 10 GT", ":0\r\n"),
        ("EXPIRE k 20 gt", ":1\r\n"),
        ("EXPIRE k 30 LT", ":0\r\n"),
        ("EXPIRE k 20 LT", ":0\r\n"),
        ("EXPIRE k 10 XX LT", ":1\r\n"),
        ("TTL k", ":10\r\n"),
        ("PERSIST k", ":1\r\n"),
        ("EXPIRE k 10 LT", ":1\r\n"),
        ("EXPIRE k -1 GT", ":0\r\n"),
        ("EXPIRE k -1 LT", ":1\r\n"),
        ("EXISTS k", ":0\r\n"),
    ]);
}

#[test]
fn expire_refuses_what_it_cannot_do() {
    let at_once = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
    check(&[
        ("EXPIRE k 1 FOO", "-ERR Unsupported option FOO\r\n"),
        ("EXPIRE k 1 NX XX", at_once),
        ("EXPIRE k 1 GT NX", at_once),
        (
            "EXPIRE k 1 GT LT",
            "-ERR GT and LT options at the same time are not compatible\r\n",
        ),
        (
            "EXPIRE k x",
            "-ERR value is not an integer or out of range\r\n",
        ),
        (
            "EXPIRE k 9223372036854775807",
            "-ERR invalid expire time in 'expire' command\r\n",
        ),
        (
            "EXPIRE k -9223372036854775808",
            "-ERR invalid expire time in 'expire' command\r\n",
        ),
        (
            "PEXPIRE k 9223372036854775807",
            "-ERR invalid expire time in 'pexpire' command\r\n",
        ),
        (
            "EXPIREAT k 9223372036854776",
            "-ERR invalid expire time in 'expireat' command\r\n",
        ),
        ("EXPIREAT k 9223372036854775", ":0\r\n"),
    ]);
}

#[test]
fn time_passes() {
    let mut bed = Bed::new(Version::V2);
    bed.check("SET k v PX 100", OK);
    bed.now += 99;
    bed.check("PTTL k", ":1\r\n");
    bed.check("GET k", "$1\r\nv\r\n");
    bed.now += 1;
    bed.check("GET k", "$-1\r\n");
    bed.check("TTL k", ":-2\r\n");
    bed.check("SET k w NX", OK);
    bed.check("TTL k", ":-1\r\n");
}

/// Scans to the end: the keys found, and how many calls it took.
fn scan(bed: &mut Bed, options: &str) -> (BTreeSet<Vec<u8>>, usize) {
    let mut keys = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    for call in 1..10_000 {
        let words = options.split_ascii_whitespace().map(str::as_bytes);
        let args: Vec<&[u8]> = [&b"SCAN"[..], &cursor].into_iter().chain(words).collect();
        let (out, _) = bed.execute_args(&args);
        let Ok(Some((Value::Array(reply), _))) = decode(&out, &Limits::default()) else {
            panic!("{}", out.escape_ascii());
        };
        let [Value::Bulk(Some(next)), Value::Array(found)] = reply.as_slice() else {
            panic!("{reply:?}");
        };
        for key in found {
            let Value::Bulk(Some(key)) = key else {
                panic!("{key:?}")
            };
            keys.insert(key.clone());
        }
        if next == b"0" {
            return (keys, call);
        }
        cursor.clone_from(next);
    }
    panic!("the scan does not end");
}

#[test]
fn scan_finds_every_key_of_the_database() {
    let mut bed = Bed::new(Version::V2);
    for number in 0..1000 {
        bed.check(&format!("SET key:{number} v"), OK);
    }
    bed.session.db = 1;
    bed.check("SET elsewhere v", OK);
    bed.session.db = 0;
    let all: BTreeSet<_> = (0..1000)
        .map(|number| format!("key:{number}").into_bytes())
        .collect();
    let (keys, calls) = scan(&mut bed, "");
    assert_eq!(keys, all);
    assert!(calls >= 50, "{calls} calls");
    let (keys, calls) = scan(&mut bed, "COUNT 5000");
    assert_eq!(keys, all);
    assert!(calls <= 10, "{calls} calls");
    let (keys, _) = scan(&mut bed, "MATCH key:?7 COUNT 100");
    assert_eq!(keys.len(), 9);
    assert_eq!(scan(&mut bed, "TYPE string").0, all);
    assert_eq!(scan(&mut bed, "TYPE list").0.len(), 0);
}

#[test]
fn scan_refuses_what_it_cannot_do() {
    check(&[
        ("SCAN x", "-ERR invalid cursor\r\n"),
        ("SCAN 18446744073709551616", "-ERR invalid cursor\r\n"),
        ("SCAN 0 COUNT 0", "-ERR syntax error\r\n"),
        ("SCAN 0 COUNT -1", "-ERR syntax error\r\n"),
        (
            "SCAN 0 COUNT x",
            "-ERR value is not an integer or out of range\r\n",
        ),
        ("SCAN 0 MATCH", "-ERR syntax error\r\n"),
        ("SCAN 0 FOO 1", "-ERR syntax error\r\n"),
        (
            &format!("SCAN 0 MATCH {}", "a".repeat(1025)),
            "-ERR pattern too long: 1024 bytes are allowed\r\n",
        ),
        ("SCAN 18446744073709551615", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ]);
}

#[test]
fn flushes_are_left_to_the_connection() {
    let mut bed = Bed::new(Version::V2);
    bed.session.db = 3;
    for (line, flow) in [
        ("FLUSHDB", Flow::Flush(Some(3))),
        ("FLUSHDB async", Flow::Flush(Some(3))),
        ("FLUSHALL", Flow::Flush(None)),
        ("FLUSHALL SYNC", Flow::Flush(None)),
    ] {
        assert_eq!(bed.line(line), (String::new(), flow), "{line}");
    }
    bed.check("FLUSHALL NOW", "-ERR syntax error\r\n");
    bed.check("FLUSHDB SYNC ASYNC", "-ERR syntax error\r\n");
}
