//! What COMMAND says, and what QUIT and bytes that are no requests get, compared with Redis.

use std::collections::BTreeSet;

use e2e::harness::{Client, Redis, Server};
use larder_resp::Value;

use crate::values::ok;

/// The names of the commands that Redis has, too, without those of subcommands.
#[track_caller]
pub(super) fn names(client: &mut Client) -> Vec<String> {
    let Value::Array(listed) = client.call(&["COMMAND", "LIST"]) else {
        panic!("no list")
    };
    let text = |name| match name {
        Value::Bulk(Some(name)) => String::from_utf8(name).ok(),
        _ => None,
    };
    let names: Vec<String> = listed.into_iter().filter_map(text).collect();
    names
        .into_iter()
        .filter(|name| !name.contains('|') && !OWN.contains(&name.as_str()))
        .collect()
}

/// Commands that only Larder has, or a later Redis.
const OWN: [&str; 10] = [
    "cache.explain",
    "cache.get",
    "cache.hot",
    "cache.invalidate",
    "cache.predict",
    "cache.record",
    "cache.set",
    "cache.warm",
    "delex",
    "policy",
];

/// These are declared otherwise than by the version compared with, and why.
const OTHERWISE: [(&str, &str); 3] = [
    ("spublish", CHANNELS_ARE_NO_KEYS),
    ("ssubscribe", CHANNELS_ARE_NO_KEYS),
    ("sunsubscribe", CHANNELS_ARE_NO_KEYS),
];

const CHANNELS_ARE_NO_KEYS: &str =
    "Redis Cluster finds the node of a channel as that of a key; there are no nodes here";

/// Clients route requests by the first six elements, and proxies check access by the seventh.
#[test]
fn commands_are_described_as_redis_describes_them() {
    let Some(redis) = Redis::start("descriptions of commands by redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let (mut redis, mut larder) = (redis.client(), larder.client());
    let names = names(&mut larder);
    assert!(names.len() >= 77, "{names:?}");
    for name in names {
        let describe = |client: &mut Client| {
            let Value::Array(all) = client.call(&["COMMAND", "INFO", &name]) else {
                panic!("no description of {name}")
            };
            let Some(Value::Array(parts)) = all.into_iter().next() else {
                panic!("no description of {name}")
            };
            parts.into_iter().take(7).map(sorted).collect::<Vec<_>>()
        };
        let (expected, described) = (describe(&mut redis), describe(&mut larder));
        let reason = OTHERWISE.iter().find(|(other, _)| *other == name);
        assert_eq!(
            expected == described,
            reason.is_none(),
            "{expected:?}\n{described:?}"
        );
    }
}

/// The elements of a set have no order.
fn sorted(part: Value) -> String {
    match part {
        Value::Array(parts) | Value::Set(parts) => {
            let parts: BTreeSet<String> = parts.iter().map(|part| format!("{part:?}")).collect();
            format!("{parts:?}")
        }
        part => format!("{part:?}"),
    }
}

#[test]
fn bytes_that_are_no_requests_get_what_redis_says() {
    let Some(redis) = Redis::start("protocol errors of redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let cases: [&[u8]; 16] = [
        b"QUIT\r\n",
        b"PING\r\nQUIT\r\nPING\r\n",
        b"*abc\r\n",
        b"*2147483648\r\n",
        b"*-3\r\nQUIT\r\n",
        b"*1\r\n$abc\r\n",
        b"*1\r\n$-5\r\n",
        b"*1\r\n!3\r\n",
        b"*2\r\n$4\r\nPING\r\n:1\r\n",
        b"*1\r\n*1\r\n$4\r\nPING\r\n",
        b"ECHO \"a\r\n",
        b"ECHO 'a'b\r\n",
        b"ECHO \"\\x41\\n\" \r\nQUIT\r\n",
        b"echo a b\nget\nnone 'x y'\nQUIT\n",
        b"*+1\r\n$4\r\nPING\r\n",
        b"*1\r\n$04\r\nPING\r\n",
    ];
    for bytes in cases {
        let say = |mut client: Client| {
            client.send(bytes).unwrap();
            std::iter::from_fn(|| client.receive()).collect::<Vec<_>>()
        };
        let (expected, said) = (say(redis.client()), say(larder.client()));
        assert_eq!(said, expected, "{}", bytes.escape_ascii());
        assert!(!said.is_empty());
    }
    assert_eq!(larder.client().call(&["QUIT"]), ok());
}
