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
fn flushes_and_lists_are_left_to_the_connection() {
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
    let all = ("KEYS a*", Flow::Keys(b"a*".to_vec()));
    assert_eq!(bed.line(all.0), (String::new(), all.1));
    bed.check("FLUSHALL NOW", "-ERR syntax error\r\n");
    bed.check("FLUSHDB SYNC ASYNC", "-ERR syntax error\r\n");
}

#[test]
fn entries_are_relocated_with_all_they_have() {
    let same = "-ERR source and destination objects are the same\r\n";
    let said = "CACHE.EXPLAIN b";
    let mut bed = Bed::new(Version::V2);
    bed.check("CACHE.SET a v PX 5000 TAGS 1 blue COST 9", OK);
    bed.check("SET old w", OK);
    bed.check("RENAME none b", "-ERR no such key\r\n");
    bed.check("RENAME a a", OK);
    bed.check("RENAMENX a a", ":0\r\n");
    bed.check("RENAMENX a old", ":0\r\n");
    bed.check("RENAME a old", OK);
    bed.check("RENAMENX old b", ":1\r\n");
    bed.check("EXISTS a old", ":0\r\n");
    bed.check("PTTL b", ":5000\r\n");
    assert!(bed.line(said).0.contains("tag=blue"));
    bed.check("COPY b b", same);
    bed.check("COPY none c", ":0\r\n");
    bed.check("COPY b b DB 1", ":1\r\n");
    bed.check("COPY b b DB 1", ":0\r\n");
    bed.check("COPY b b REPLACE DB 1", ":1\r\n");
    bed.check("MOVE b 1", ":0\r\n");
    bed.check("MOVE b 0", same);
    bed.check("MOVE b 2", ":1\r\n");
    bed.check("MOVE b 2", ":0\r\n");
    bed.check("EXISTS b", ":0\r\n");
    for db in 1..=2 {
        bed.check(&format!("SELECT {db}"), OK);
        bed.check("GET b", "$1\r\nv\r\n");
        bed.check("PTTL b", ":5000\r\n");
        assert!(bed.line(said).0.contains("cost_ms=9"), "{db}");
    }
    for line in ["MOVE b 16", "COPY b c DB -1"] {
        bed.check(line, "-ERR DB index is out of range\r\n");
    }
    bed.check("COPY b c DB", "-ERR syntax error\r\n");
    bed.check(
        "MOVE b x",
        "-ERR value is not an integer or out of range\r\n",
    );
}

#[test]
fn an_entry_that_does_not_fit_under_its_new_key_stays() {
    let mut bed = Bed::new(Version::V2);
    let value = vec![b'v'; bed.session.tenant.entry_bytes_max() - 1000];
    let (_, _) = bed.execute_args(&[b"SET", b"k", &value]);
    let long = vec![b'k'; 2000];
    let (out, _) = bed.execute_args(&[b"RENAME", b"k", &long]);
    assert!(out.starts_with(b"-ERR value too large"));
    bed.check("STRLEN k", &format!(":{}\r\n", value.len()));
    bed.check("DBSIZE", ":1\r\n");
}

#[test]
fn objects_and_their_memory() {
    let mut bed = Bed::new(Version::V2);
    for (value, encoding) in [
        ("12", "int"),
        ("-9223372036854775808", "int"),
        ("012", "embstr"),
        ("9223372036854775808", "embstr"),
        (&"v".repeat(44), "embstr"),
        (&"v".repeat(45), "raw"),
    ] {
        bed.check(&format!("SET k {value}"), OK);
        let expected = format!("${}\r\n{encoding}\r\n", encoding.len());
        bed.check("OBJECT ENCODING k", &expected);
    }
    bed.now += 3999;
    bed.check("OBJECT IDLETIME k", ":3\r\n");
    bed.check("OBJECT REFCOUNT k", ":1\r\n");
    assert!(bed.line("OBJECT FREQ k").0.starts_with("-ERR An LFU"));
    for line in ["OBJECT FREQ no", "OBJECT IDLETIME no", "MEMORY USAGE no"] {
        bed.check(line, "$-1\r\n");
    }
    bed.check("MEMORY USAGE k SAMPLES 0", ":64\r\n");
    bed.check("MEMORY USAGE k SAMPLES -1", "-ERR syntax error\r\n");
    bed.check("MEMORY USAGE k SAMPLE 1", "-ERR syntax error\r\n");
}

#[test]
fn a_key_by_chance_and_touched_ones() {
    check(&[
        ("RANDOMKEY", "NIL"),
        ("MSET a 1 b 2", OK),
        ("TOUCH a b c a", ":3\r\n"),
        ("DEL b", ":1\r\n"),
        ("RANDOMKEY", "$1\r\na\r\n"),
        ("SELECT 1", OK),
        ("RANDOMKEY", "NIL"),
    ]);
}

#[test]
fn what_is_dumped_is_restored() {
    let mut bed = Bed::new(Version::V2);
    bed.check("CACHE.SET a value TAGS 1 blue", OK);
    let (out, _) = bed.execute_args(&[b"DUMP", b"a"]);
    let Ok(Some((Value::Bulk(Some(payload)), _))) = decode(&out, &Limits::default()) else {
        panic!("{}", out.escape_ascii());
    };
    let wrong = "-ERR DUMP payload version or checksum are wrong\r\n";
    let mut restore = |rest: &[&[u8]], expected: &str| {
        let args = [&[&b"RESTORE"[..]], rest].concat();
        let (out, _) = bed.execute_args(&args);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{:?}", &rest[..2]);
    };
    restore(&[b"b", b"1500", &payload], OK);
    restore(
        &[b"b", b"0", &payload],
        "-BUSYKEY Target key name already exists.\r\n",
    );
    restore(&[b"b", b"2000", &payload, b"REPLACE"], OK);
    restore(&[b"c", b"1700000000009", &payload, b"ABSTTL"], OK);
    restore(&[b"gone", b"9", &payload, b"ABSTTL"], OK);
    restore(&[b"d", b"0", &payload, b"IDLETIME", b"1"], OK);
    restore(
        &[b"e", b"0", &payload, b"FREQ", b"256"],
        "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n",
    );
    restore(
        &[b"e", b"0", &payload, b"FREQ", b"1", b"IDLETIME", b"1"],
        "-ERR syntax error\r\n",
    );
    restore(
        &[b"e", b"-1", &payload],
        "-ERR Invalid TTL value, must be >= 0\r\n",
    );
    restore(&[b"e", b"0", &payload[1..]], wrong);
    restore(&[b"e", b"0", b""], wrong);
    bed.check("MGET b d e", "*3\r\n$5\r\nvalue\r\n$5\r\nvalue\r\n$-1\r\n");
    bed.check("EXISTS gone", ":0\r\n");
    bed.check("PTTL b", ":2000\r\n");
    bed.check("PTTL c", ":9\r\n");
    bed.check("DUMP gone", "$-1\r\n");
    assert!(bed.line("CACHE.EXPLAIN b").0.contains("tag=blue"));
}

#[test]
fn a_call_of_scan_looks_at_so_many_bytes_of_keys() {
    let mut bed = Bed::new(Version::V2);
    for n in 0..200 {
        let key = format!("{n:060000}");
        assert_eq!(bed.line(&format!("SET {key} v")).0, "+OK\r\n");
    }
    let (mut cursor, mut keys, mut calls) = ("0".to_owned(), 0, 0);
    loop {
        let (reply, _) = bed.line(&format!("SCAN {cursor} COUNT 10000"));
        let found = reply.matches("$60000\r\n").count();
        assert!(found <= (4 << 20) / 60_000 + 2, "{found}");
        (keys, calls) = (keys + found, calls + 1);
        let mut lines = reply.split("\r\n");
        cursor = lines.nth(2).expect("a cursor").to_owned();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(keys, 200);
    assert!(calls >= 2, "{calls}");
}
