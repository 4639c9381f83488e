use larder_resp::Version;

use super::{Bed, check};
use crate::ServerConfig;
use crate::testing::config;

const OK: &str = "+OK\r\n";

#[test]
fn bits_are_set_and_got() {
    let no_offset = "-ERR bit offset is not an integer or out of range\r\n";
    let no_bit = "-ERR bit is not an integer or out of range\r\n";
    check(&[
        ("GETBIT k 7", ":0\r\n"),
        ("EXISTS k", ":0\r\n"),
        ("SETBIT k 10 0", ":0\r\n"),
        ("STRLEN k", ":2\r\n"),
        ("PEXPIRE k 9", ":1\r\n"),
        ("SETBIT k 7 1", ":0\r\n"),
        ("SETBIT k 7 1", ":1\r\n"),
        ("SETBIT k 1 1", ":0\r\n"),
        ("GET k", "$2\r\nA\0\r\n"),
        ("GETBIT k 1", ":1\r\n"),
        ("GETBIT k 2", ":0\r\n"),
        ("GETBIT k 16", ":0\r\n"),
        ("PTTL k", ":9\r\n"),
        ("SETBIT k 7 0", ":1\r\n"),
        ("GET k", "$2\r\n@\0\r\n"),
        ("SETBIT k -1 1", no_offset),
        ("SETBIT k #1 1", no_offset),
        ("SETBIT k 536870912 1", no_offset),
        ("GETBIT k 536870912", no_offset),
        ("SETBIT k 1 2", no_bit),
        ("SETBIT k 1 01", no_bit),
    ]);
}

#[test]
fn a_bit_beyond_the_largest_entry_is_refused_and_nothing_changes() {
    let mut bed = Bed::new(Version::V2);
    for line in [
        "SETBIT k 536870911 1",
        "BITFIELD k GET u8 0 SET u8 536870900 1",
    ] {
        let (reply, _) = bed.line(line);
        assert!(
            reply.starts_with("-ERR value too large: an entry may"),
            "{reply}"
        );
    }
    bed.check("EXISTS k", ":0\r\n");
}

#[test]
fn bits_are_counted() {
    let syntax = "-ERR syntax error\r\n";
    check(&[
        ("BITCOUNT k", ":0\r\n"),
        ("SET k foobar", OK),
        ("BITCOUNT k", ":26\r\n"),
        ("BITCOUNT k 0 0", ":4\r\n"),
        ("BITCOUNT k 1 1 BYTE", ":6\r\n"),
        ("BITCOUNT k 5 30 bit", ":17\r\n"),
        ("BITCOUNT k -2 -1", ":7\r\n"),
        ("BITCOUNT k -1 -2", ":0\r\n"),
        ("BITCOUNT k 0", syntax),
        ("BITCOUNT k 0 1 BITS", syntax),
        ("BITCOUNT no 0 1 BITS", syntax),
        (
            "BITCOUNT k x 1",
            "-ERR value is not an integer or out of range\r\n",
        ),
    ]);
}

#[test]
fn bits_are_found() {
    check(&[
        ("BITPOS k 0", ":0\r\n"),
        ("BITPOS k 1", ":-1\r\n"),
        ("SET k \"\\xff\\xf0\\x00\"", OK),
        ("BITPOS k 0", ":12\r\n"),
        ("BITPOS k 1 2", ":-1\r\n"),
        ("BITPOS k 1 0 -1 BIT", ":0\r\n"),
        ("BITPOS k 1 9 20 BIT", ":9\r\n"),
        ("BITPOS k 0 9 11 BIT", ":-1\r\n"),
        ("SET k \"\\xff\\xff\"", OK),
        ("BITPOS k 0", ":16\r\n"),
        ("BITPOS k 0 1", ":16\r\n"),
        ("BITPOS k 0 0 -1", ":-1\r\n"),
        ("BITPOS k 0 2", ":-1\r\n"),
        ("BITPOS k 1 -3 -9", ":0\r\n"),
        ("BITPOS k 2", "-ERR The bit argument must be 1 or 0.\r\n"),
        ("BITPOS k 1 0 1 BIT x", "-ERR syntax error\r\n"),
    ]);
}

#[test]
fn values_are_combined() {
    check(&[
        ("MSET a \"\\xf0\\x0f\\x33\" b \"\\xff\\xff\" d x", OK),
        ("EXPIRE d 10", ":1\r\n"),
        ("BITOP AND d a b", ":3\r\n"),
        ("BITCOUNT d", ":8\r\n"),
        ("TTL d", ":-1\r\n"),
        ("BITOP or d a b", ":3\r\n"),
        ("BITCOUNT d", ":20\r\n"),
        ("BITOP XOR d a b none", ":3\r\n"),
        ("BITCOUNT d", ":12\r\n"),
        ("BITOP NOT a a", ":3\r\n"),
        ("BITCOUNT a", ":12\r\n"),
        ("BITOP OR d none", ":0\r\n"),
        ("EXISTS d", ":0\r\n"),
        (
            "BITOP NOT d a b",
            "-ERR BITOP NOT must be called with a single source key.\r\n",
        ),
        ("BITOP NAND d a b", "-ERR syntax error\r\n"),
    ]);
}

#[test]
fn values_that_are_too_many_to_combine_are_refused() {
    let mut bed = Bed::new(Version::V2);
    let value = vec![b'v'; bed.session.tenant.entry_bytes_max() / 2];
    bed.execute_args(&[b"SET", b"k", &value]);
    let times = (256 << 20) / value.len() + 1;
    let request = [&[&b"BITOP"[..], b"XOR", b"d"], &vec![&b"k"[..]; times][..]].concat();
    let (reply, _) = bed.execute_args(&request);
    let expected = b"-ERR values too long: BITOP combines 268435456 bytes at most, these have";
    assert!(reply.starts_with(expected), "{}", reply.escape_ascii());
    bed.check("EXISTS d", ":0\r\n");
}

#[test]
fn fields_are_read_and_changed() {
    let nil = "*2\r\nNIL:7\r\n";
    check(&[
        ("BITFIELD k", "*0\r\n"),
        ("BITFIELD k GET u8 0 GET i64 100", "*2\r\n:0\r\n:0\r\n"),
        ("EXISTS k", ":0\r\n"),
        ("BITFIELD k INCRBY i5 100 1 GET u4 0", "*2\r\n:1\r\n:0\r\n"),
        ("STRLEN k", ":14\r\n"),
        (
            "BITFIELD k SET u8 #1 200 GET u8 8 GET i8 8",
            "*3\r\n:0\r\n:200\r\n:-56\r\n",
        ),
        (
            "BITFIELD k SET i8 0 127 INCRBY i8 0 1",
            "*2\r\n:0\r\n:-128\r\n",
        ),
        (
            "BITFIELD k OVERFLOW SAT INCRBY i8 0 -9 INCRBY u2 30 9",
            "*2\r\n:-128\r\n:3\r\n",
        ),
        ("SET k \"\"", OK),
        (
            "BITFIELD k OVERFLOW FAIL SET u3 0 8 OVERFLOW WRAP INCRBY u3 0 -1",
            nil,
        ),
        ("BITFIELD_RO k GET u3 0", "*1\r\n:7\r\n"),
        (
            "BITFIELD_RO k SET u3 0 1",
            "-ERR BITFIELD_RO only supports the GET subcommand\r\n",
        ),
        (
            "BITFIELD k GET u64 0",
            "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported \
             but i64 is.\r\n",
        ),
        (
            "BITFIELD k OVERFLOW NONE",
            "-ERR Invalid OVERFLOW type specified\r\n",
        ),
        ("BITFIELD k SET u8 0", "-ERR syntax error\r\n"),
        (
            "BITFIELD k GET u8 #9223372036854775807",
            "-ERR bit offset is not an integer or out of range\r\n",
        ),
        (
            "BITFIELD k SET u8 0 x",
            "-ERR value is not an integer or out of range\r\n",
        ),
    ]);
}

#[test]
fn offsets_end_with_the_longest_string() {
    let config = ServerConfig {
        proto_bulk_bytes_max: 10,
        ..config()
    };
    let mut bed = Bed::with(config, Version::V2);
    bed.check("SETBIT k 79 1", ":0\r\n");
    bed.check(
        "SETBIT k 80 1",
        "-ERR bit offset is not an integer or out of range\r\n",
    );
    bed.check("SETRANGE k 9 x", ":10\r\n");
    bed.check(
        "SETRANGE k 9 xx",
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n",
    );
}
