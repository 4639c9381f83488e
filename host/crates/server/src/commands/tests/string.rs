use larder_resp::Version;

use super::{Bed, check};

const OK: &str = "+OK\r\n";

#[test]
fn get_and_set() {
    check(&[
        ("GET k", "NIL"),
        ("SET k v", OK),
        ("get k", "$1\r\nv\r\n"),
        ("SET k \"a\\r\\n\\x00\"", OK),
        ("GET k", "$4\r\na\r\n\0\r\n"),
        ("SET \"\" empty", OK),
        ("GET \"\"", "$5\r\nempty\r\n"),
        ("SET k \"\"", OK),
        ("GET k", "$0\r\n\r\n"),
    ]);
}

#[test]
fn set_with_conditions() {
    check(&[
        ("SET k 1 XX", "NIL"),
        ("GET k", "NIL"),
        ("SET k 1 NX", OK),
        ("SET k 2 nx", "NIL"),
        ("GET k", "$1\r\n1\r\n"),
        ("SET k 2 XX", OK),
        ("SET k 3 GET", "$1\r\n2\r\n"),
        ("SET k 4 NX GET", "$1\r\n3\r\n"),
        ("GET k", "$1\r\n3\r\n"),
        ("SET n 1 NX GET", "NIL"),
        ("GET n", "$1\r\n1\r\n"),
        ("SET m 1 GET XX", "NIL"),
        ("EXISTS m", ":0\r\n"),
        ("SET k 1 NX XX", "-ERR syntax error\r\n"),
        ("SET k 1 XX NX", "-ERR syntax error\r\n"),
    ]);
}

#[test]
fn set_with_expiries() {
    check(&[
        ("SET k v EX 10", OK),
        ("PTTL k", ":10000\r\n"),
        ("SET k v KEEPTTL", OK),
        ("PTTL k", ":10000\r\n"),
        ("SET k v", OK),
        ("PTTL k", ":-1\r\n"),
        ("SET k v PX 1500", OK),
        ("PTTL k", ":1500\r\n"),
        ("SET k v EXAT 1700000002", OK),
        ("PTTL k", ":2000\r\n"),
        ("SET k v PXAT 1700000000007 XX", OK),
        ("PTTL k", ":7\r\n"),
        ("SET k v EX 1 EX 2", OK),
        ("PTTL k", ":2000\r\n"),
        ("SET k v EXAT 1", OK),
        ("EXISTS k", ":0\r\n"),
        ("SET k v KEEPTTL", OK),
        ("PTTL k", ":-1\r\n"),
    ]);
}

#[test]
fn set_refuses_bad_options() {
    let syntax = "-ERR syntax error\r\n";
    let invalid = "-ERR invalid expire time in 'set' command\r\n";
    check(&[
        ("SET k v FOO", syntax),
        ("SET k v EX", syntax),
        ("SET k v EX 1 PX 1", syntax),
        ("SET k v EX 1 KEEPTTL", syntax),
        ("SET k v KEEPTTL EX 1", syntax),
        ("SET k v PERSIST", syntax),
        ("SET k v EX 0", invalid),
        ("SET k v PX -1", invalid),
        ("SET k v EX 9223372036854775807", invalid),
        ("SET k v PX 9223372036854775807", invalid),
        ("SET k v EXAT 9223372036854775807", invalid),
        (
            "SET k v EX 1.5",
            "-ERR value is not an integer or out of range\r\n",
        ),
        (
            "SET k v EX x NX",
            "-ERR value is not an integer or out of range\r\n",
        ),
        ("GET k", "NIL"),
    ]);
}

#[test]
fn setters_of_old() {
    check(&[
        ("SETEX k 10 v", OK),
        ("PTTL k", ":10000\r\n"),
        ("PSETEX k 10 w", OK),
        ("PTTL k", ":10\r\n"),
        (
            "SETEX k 0 v",
            "-ERR invalid expire time in 'setex' command\r\n",
        ),
        (
            "PSETEX k -1 v",
            "-ERR invalid expire time in 'psetex' command\r\n",
        ),
        (
            "SETEX k x v",
            "-ERR value is not an integer or out of range\r\n",
        ),
        ("GETSET k x", "$1\r\nw\r\n"),
        ("PTTL k", ":-1\r\n"),
        ("GETSET new x", "NIL"),
        ("SETNX k y", ":0\r\n"),
        ("GET k", "$1\r\nx\r\n"),
        ("SETNX other y", ":1\r\n"),
        ("GET other", "$1\r\ny\r\n"),
    ]);
}

#[test]
fn getdel_and_getex() {
    let persisted = ("PTTL k", ":-1\r\n");
    check(&[
        ("GETDEL k", "NIL"),
        ("SET k v", OK),
        ("GETEX k", "$1\r\nv\r\n"),
        persisted,
        ("GETEX k EX 10", "$1\r\nv\r\n"),
        ("PTTL k", ":10000\r\n"),
        ("GETEX k", "$1\r\nv\r\n"),
        ("PTTL k", ":10000\r\n"),
        ("GETEX k PERSIST", "$1\r\nv\r\n"),
        persisted,
        ("GETEX k px 20", "$1\r\nv\r\n"),
        ("PTTL k", ":20\r\n"),
        ("GETEX k EXAT 1700000001", "$1\r\nv\r\n"),
        ("PTTL k", ":1000\r\n"),
        ("GETEX k FOO", "-ERR syntax error\r\n"),
        ("GETEX k EX", "-ERR syntax error\r\n"),
        ("GETEX k EX 10 PERSIST", "-ERR syntax error\r\n"),
        (
            "GETEX k EX 0",
            "-ERR invalid expire time in 'getex' command\r\n",
        ),
        (
            "GETEX k EX x",
            "-ERR value is not an integer or out of range\r\n",
        ),
        ("GETEX missing EX 0", "NIL"),
        ("GETEX k PXAT 1", "$1\r\nv\r\n"),
        ("GET k", "NIL"),
        ("SET k v", OK),
        ("GETDEL k", "$1\r\nv\r\n"),
        ("GET k", "NIL"),
    ]);
}

#[test]
fn several_keys() {
    check(&[
        ("MSET a 1 b 2 a 3", OK),
        ("MGET a b c a", "*4\r\n$1\r\n3\r\n$1\r\n2\r\nNIL$1\r\n3\r\n"),
        ("SET a 1 EX 10", OK),
        ("MSET a 2", OK),
        ("PTTL a", ":-1\r\n"),
        (
            "MSET a 1 b",
            "-ERR wrong number of arguments for 'mset' command\r\n",
        ),
        (
            "MSET a",
            "-ERR wrong number of arguments for 'mset' command\r\n",
        ),
    ]);
}

#[test]
fn append_and_strlen() {
    check(&[
        ("STRLEN k", ":0\r\n"),
        ("APPEND k ab", ":2\r\n"),
        ("EXPIRE k 10", ":1\r\n"),
        ("APPEND k cde", ":5\r\n"),
        ("GET k", "$5\r\nabcde\r\n"),
        ("TTL k", ":10\r\n"),
        ("STRLEN k", ":5\r\n"),
        ("APPEND empty \"\"", ":0\r\n"),
        ("EXISTS empty", ":1\r\n"),
    ]);
}

#[test]
fn parts_of_values() {
    let no_integer = "-ERR value is not an integer or out of range\r\n";
    check(&[
        ("SETRANGE k 0 \"\"", ":0\r\n"),
        ("EXISTS k", ":0\r\n"),
        ("SETRANGE k 2 cd", ":4\r\n"),
        ("GETRANGE k 0 -1", "$4\r\n\0\0cd\r\n"),
        ("EXPIRE k 10", ":1\r\n"),
        ("SETRANGE k 0 ab", ":4\r\n"),
        ("SETRANGE k 3 DEF", ":6\r\n"),
        ("TTL k", ":10\r\n"),
        ("SUBSTR k 1 3", "$3\r\nbcD\r\n"),
        ("GETRANGE k -3 -2", "$2\r\nDE\r\n"),
        ("GETRANGE k -100 -50", "$1\r\na\r\n"),
        ("GETRANGE k 4 100", "$2\r\nEF\r\n"),
        ("GETRANGE k 6 9", "$0\r\n\r\n"),
        ("GETRANGE k 3 2", "$0\r\n\r\n"),
        ("GETRANGE k -1 -2", "$0\r\n\r\n"),
        (
            "GETRANGE k -9223372036854775808 9223372036854775807",
            "$6\r\nabcDEF\r\n",
        ),
        ("GETRANGE missing 0 -1", "$0\r\n\r\n"),
        ("GETRANGE k x 1", no_integer),
        ("SETRANGE k x v", no_integer),
        ("SETRANGE k -1 v", "-ERR offset is out of range\r\n"),
        (
            "SETRANGE k 67108864 v",
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n",
        ),
        ("SETRANGE k 9223372036854775807 \"\"", ":6\r\n"),
    ]);
}

#[test]
fn msetnx_sets_all_or_none() {
    check(&[
        ("MSETNX a 1 b 2", ":1\r\n"),
        ("MSETNX c 3 b 4", ":0\r\n"),
        ("MGET a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\nNIL"),
        ("MSETNX c 1 c 2", ":1\r\n"),
        ("GET c", "$1\r\n2\r\n"),
        (
            "MSETNX a 1 b",
            "-ERR wrong number of arguments for 'msetnx' command\r\n",
        ),
    ]);
}

#[test]
fn common_subsequences() {
    let mut bed = Bed::new(Version::V2);
    bed.line("MSET a ohmytext b mynewtext");
    bed.check("LCS a b", "$6\r\nmytext\r\n");
    bed.check("LCS a b len", ":6\r\n");
    let text = "*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n";
    let my = "*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n";
    let idx =
        |runs: &str, count| format!("*4\r\n$7\r\nmatches\r\n*{count}\r\n{runs}$3\r\nlen\r\n:6\r\n");
    bed.check("LCS a b IDX", &idx(&format!("{text}{my}"), 2));
    bed.check("LCS a b IDX MINMATCHLEN 3", &idx(text, 1));
    let with_len = text.replacen("*2", "*3", 1) + ":4\r\n";
    bed.check("LCS a b IDX WITHMATCHLEN MINMATCHLEN 4", &idx(&with_len, 1));
    bed.check("LCS a none", "$0\r\n\r\n");
    bed.check(
        "LCS a b IDX LEN",
        "-ERR If you want both the length and indexes, please just use IDX.\r\n",
    );
    bed.check("LCS a b MINMATCHLEN", "-ERR syntax error\r\n");
    bed.line(&format!(
        "MSET a {} b {}",
        "x".repeat(2048),
        "x".repeat(2049)
    ));
    bed.check(
        "LCS a b",
        "-ERR values too long: LCS compares 4194304 pairs of bytes at most (one length times the \
         other), these have 4196352\r\n",
    );
}

#[test]
fn counting() {
    let overflow = "-ERR increment or decrement would overflow\r\n";
    let no_integer = "-ERR value is not an integer or out of range\r\n";
    check(&[
        ("INCR n", ":1\r\n"),
        ("INCRBY n 41", ":42\r\n"),
        ("DECR n", ":41\r\n"),
        ("DECRBY n 50", ":-9\r\n"),
        ("GET n", "$2\r\n-9\r\n"),
        ("DECRBY n -9", ":0\r\n"),
        ("EXPIRE n 10", ":1\r\n"),
        ("INCR n", ":1\r\n"),
        ("TTL n", ":10\r\n"),
        ("INCRBY n 1.0", no_integer),
        ("INCRBY n +1", no_integer),
        ("DECRBY n x", no_integer),
        (
            "DECRBY n -9223372036854775808",
            "-ERR decrement would overflow\r\n",
        ),
        ("SET n 9223372036854775807", OK),
        ("INCR n", overflow),
        ("SET n -9223372036854775808", OK),
        ("DECR n", overflow),
        ("GET n", "$20\r\n-9223372036854775808\r\n"),
        ("SET n 01", OK),
        ("INCR n", no_integer),
        ("SET n \"\"", OK),
        ("INCR n", no_integer),
    ]);
}

#[test]
fn counting_fractions() {
    check(&[
        ("INCRBYFLOAT f 10.5", "$4\r\n10.5\r\n"),
        ("PEXPIRE f 9", ":1\r\n"),
        ("INCRBYFLOAT f 0.1", "$4\r\n10.6\r\n"),
        ("PTTL f", ":9\r\n"),
        ("INCRBYFLOAT f -5", "$3\r\n5.6\r\n"),
        ("INCRBYFLOAT f x", "-ERR value is not a valid float\r\n"),
        (
            "INCRBYFLOAT f inf",
            "-ERR increment would produce NaN or Infinity\r\n",
        ),
        ("GET f", "$3\r\n5.6\r\n"),
        ("SET f x", OK),
        ("INCRBYFLOAT f 1", "-ERR value is not a valid float\r\n"),
    ]);
}

#[test]
fn reads_count_as_hits_and_misses_and_looks_do_not() {
    let mut bed = Bed::new(Version::V2);
    let mut counted = |lines: &[&str]| {
        let before = bed.session.tenant.stats();
        for line in lines {
            bed.line(line);
        }
        let after = bed.session.tenant.stats();
        (after.hits - before.hits, after.misses - before.misses)
    };
    assert_eq!(
        counted(&["SET k v", "SET k v NX", "INCR n", "APPEND k w", "MSET k v"]),
        (0, 0)
    );
    assert_eq!(
        counted(&["GET k", "GET no", "MGET k no k", "STRLEN k"]),
        (4, 2)
    );
    assert_eq!(
        counted(&["GETEX k", "GETEX no", "GETSET k v", "SET k v GET"]),
        (3, 1)
    );
    assert_eq!(
        counted(&["TTL k", "EXISTS k no", "TYPE no", "EXPIRE k 10", "SCAN 0"]),
        (0, 0)
    );
    assert_eq!(counted(&["GETDEL k", "GETDEL k"]), (1, 1));
}
