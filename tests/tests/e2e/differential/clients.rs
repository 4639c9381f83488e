//! What clients are told of each other: the texts of CLIENT, and what MONITOR shows.

use e2e::harness::{Client, Redis, Server};
use larder_resp::Value;

/// Replies that do not depend on who is connected.
const REQUESTS: [&[&str]; 26] = [
    &["CLIENT", "KILL", "127.0.0.1:1"],
    &["CLIENT", "KILL", "ID", "0"],
    &["CLIENT", "KILL", "ID", "x"],
    &["CLIENT", "KILL", "ID", "123456"],
    &["CLIENT", "KILL", "TYPE", "pubsub"],
    &["CLIENT", "KILL", "TYPE", "x"],
    &["CLIENT", "KILL", "USER", "x"],
    &["CLIENT", "KILL", "SKIPME", "x"],
    &["CLIENT", "KILL", "LADDR", "127.0.0.1:1", "SKIPME", "no"],
    &["CLIENT", "KILL", "ID", "1", "x"],
    &["CLIENT", "LIST", "TYPE", "pubsub"],
    &["CLIENT", "LIST", "TYPE", "x"],
    &["CLIENT", "LIST", "ID", "x"],
    &["CLIENT", "LIST", "ID", "123456"],
    &["CLIENT", "LIST", "x"],
    &["CLIENT", "NO-EVICT", "x"],
    &["CLIENT", "UNBLOCK", "123456", "x"],
    &["CLIENT", "UNBLOCK", "123456"],
    &["CLIENT", "UNBLOCK", "1", "error", "x"],
    &["CLIENT", "REPLY", "x"],
    &["CLIENT", "PAUSE", "0"],
    &["CLIENT", "PAUSE", "x"],
    &["CLIENT", "PAUSE", "-1"],
    &["CLIENT", "PAUSE", "x", "y"],
    &["CLIENT", "PAUSE", "1", "all", "x"],
    &["CLIENT", "UNPAUSE"],
];

#[test]
fn clients_are_told_of_each_other_in_the_words_of_redis() {
    let Some(redis) = Redis::start("what CLIENT says by redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let (mut redis, mut larder) = (redis.client(), larder.client());
    for request in REQUESTS {
        assert_eq!(larder.call(request), redis.call(request), "{request:?}");
    }
    let fields = |client: &mut Client| {
        let Value::Bulk(Some(text)) = client.call(&["CLIENT", "INFO"]) else {
            panic!("no line")
        };
        let text = String::from_utf8(text).unwrap();
        let names = text.split_whitespace().map(|field| {
            let (name, _) = field.split_once('=').unwrap();
            name.to_owned()
        });
        names.collect::<Vec<_>>()
    };
    let mut own = fields(&mut larder);
    own.retain(|name| !["watch", "lib-name", "lib-ver"].contains(&name.as_str()));
    assert_eq!(own, fields(&mut redis));
}

/// Sent by a client that another one watches.
const WATCHED: [&[&str]; 17] = [
    &["SELECT", "3"],
    &["SET", "a", "x\n\t\u{7}\u{8}\r\\\"\0'\u{e9}"],
    &["get", "a"],
    &["NONE"],
    &["GET"],
    &["MULTI"],
    &["INCR", "n"],
    &["MONITOR"],
    &["EXEC"],
    &["AUTH", "name", "secret"],
    &["HELLO", "2", "AUTH", "name", "secret", "SETNAME", "me"],
    &[
        "EVAL",
        "redis.call('select', 5) return redis.call('get', KEYS[1])",
        "1",
        "k",
    ],
    &["CONFIG", "GET", "maxclients"],
    &["CLIENT", "ID"],
    &["CLIENT", "LIST"],
    &["ACL", "WHOAMI"],
    &["RESET"],
];

#[test]
fn whoever_watches_is_shown_what_redis_shows() {
    let Some(redis) = Redis::start("what redis-server shows by MONITOR") else {
        return;
    };
    let larder = Server::start(&["--threads", "2"]);
    let shown = |mut watcher: Client, mut client: Client| {
        assert_eq!(watcher.call(&["MONITOR"]), Value::Simple("OK".into()));
        client.pipeline(&WATCHED);
        client.call(&["ECHO", "the end"]);
        let mut lines = Vec::new();
        loop {
            let Some(Value::Simple(line)) = watcher.receive() else {
                panic!("no line after {lines:?}")
            };
            let (_, line) = line.split_once(" [").expect("a time");
            let (whose, what) = line.split_once("] ").expect("whose");
            let whose = whose.split(':').next().unwrap();
            lines.push(format!("{whose} {what}"));
            if what.contains("the end") {
                break;
            }
        }
        (lines, watcher.call(&["GET", "a"]))
    };
    let expected = shown(redis.client(), redis.client());
    assert_eq!(shown(larder.client(), larder.client()), expected);
    assert!(!expected.0.concat().contains("secret"));
}
