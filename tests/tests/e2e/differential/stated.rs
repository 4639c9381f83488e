//! Differences from Redis that change what is stored, or that chance would hardly meet: each is
//! stated here with its reason, and shown to be one.

use e2e::harness::{Redis, Server};
use larder_resp::Value;

use crate::values::{NIL, bulk};

/// The reason, the requests, and Larder's reply to the last of them.
type Stated = (
    &'static str,
    &'static [&'static [&'static str]],
    fn() -> Value,
);

const STATED: [Stated; 9] = [
    (
        "sums of decimals are exact, where Redis shows the noise of binary fractions",
        &[&["SET", "k", "1000000"], &["INCRBYFLOAT", "k", "0.1"]],
        || bulk("1000000.1"),
    ),
    (
        "sums beyond 10^20 are those of 64 bits, where Redis has 80",
        &[&["SET", "k", "1e300"], &["INCRBYFLOAT", "k", "0"]],
        || bulk(1e300_f64.to_string()),
    ),
    (
        "numbers are decimal: Redis leaves hexadecimal ones to the C library",
        &[&["SET", "k", "1"], &["INCRBYFLOAT", "k", "0x10"]],
        || Value::Error("ERR value is not a valid float".into()),
    ),
    (
        "a number below all that fit is one, where Redis takes -2^63 for one above",
        &[
            &[
                "BITFIELD",
                "k",
                "OVERFLOW",
                "SAT",
                "SET",
                "i8",
                "0",
                "-9223372036854775808",
            ],
            &["BITFIELD", "k", "GET", "i8", "0"],
        ],
        || Value::Array(vec![Value::Integer(-128)]),
    ),
    (
        "a database that changes places counts as changed, though the key that is watched is in neither",
        &[
            &["WATCH", "none"],
            &["SWAPDB", "0", "1"],
            &["SWAPDB", "0", "1"],
            &["MULTI"],
            &["EXEC"],
        ],
        || Value::NullArray,
    ),
    (
        "bytes of another server are no dump",
        &[&[
            "RESTORE",
            "k",
            "0",
            "\0\nvalue:v687\n\0\u{8}K\u{17}6)`\u{1f}\t",
            "REPLACE",
        ]],
        || Value::Error("ERR DUMP payload version or checksum are wrong".into()),
    ),
    (
        "a cursor is a number, and never negative",
        &[&["SCAN", "-1"]],
        || Value::Error("ERR invalid cursor".into()),
    ),
    (
        "a greeting that is refused changes nothing, since Redis 7.2",
        &[
            &["HELLO", "2", "SETNAME", "me", "NONE"],
            &["CLIENT", "GETNAME"],
        ],
        || NIL,
    ),
    (
        "expiries end in the year 2109",
        &[
            &["SET", "k", "v"],
            &["EXPIREAT", "k", "9000000000"],
            &["EXPIRETIME", "k"],
        ],
        || Value::Integer(4_398_046_511),
    ),
];

#[test]
fn stated_differences_are_differences() {
    let Some(redis) = Redis::start("stated differences from redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let (mut redis, mut larder) = (redis.client(), larder.client());
    for (reason, requests, expected) in STATED {
        let last = |replies: Vec<Value>| replies.into_iter().last();
        let reply = last(larder.pipeline(requests));
        assert_eq!(reply, Some(expected()), "{reason}");
        assert_ne!(
            last(redis.pipeline(requests)),
            reply,
            "no longer a difference: {reason}"
        );
    }
}
