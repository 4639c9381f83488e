//! Replicas of a Redis below, and what a client is told of them.

use e2e::harness::{Client, Redis, Server, Signal, eventually};
use larder_resp::{Value, encode_command};

use crate::values::ok;

/// A replica that follows.
pub(super) fn replica_of(test: &str, primary: &Redis) -> Redis {
    let place = format!("{} {}", primary.addr().ip(), primary.addr().port());
    let replica = Redis::start_with(test, &["--replicaof", &place]).unwrap();
    let mut client = primary.client();
    eventually("the replica follows", || {
        let Value::Bulk(Some(text)) = client.call(&["INFO", "replication"]) else {
            panic!("no text");
        };
        let text = String::from_utf8(text).unwrap();
        text.contains("state=online").then_some(())
    });
    replica
}

/// How many replicas have what the client has changed.
fn reached(client: &mut Client) -> i64 {
    match client.call(&["WAIT", "1", "0"]) {
        Value::Integer(replicas) => replicas,
        other => panic!("no number: {other:?}"),
    }
}

fn set_and_wait(client: &mut Client) -> i64 {
    let mut requests = Vec::new();
    encode_command(&mut requests, &[b"SET", b"k", b"v"]);
    encode_command(&mut requests, &[b"WAIT", b"1", b"0"]);
    client.send(&requests).unwrap();
    assert_eq!(client.receive(), Some(ok()));
    match client.receive() {
        Some(Value::Integer(replicas)) => replicas,
        other => panic!("no number: {other:?}"),
    }
}

#[test]
fn who_waits_is_told_how_many_replicas_have_what_it_wrote() {
    let test = "who_waits_is_told_how_many_replicas_have_what_it_wrote";
    let Some(primary) = Redis::start(test) else {
        return;
    };
    let replica = replica_of(test, &primary);
    let url = format!("redis://{}", primary.addr());
    let start = |consistency| {
        let level = ["--l2", &url, "--l2-consistency", consistency];
        let rest = ["--l2-timeout", "3s", "--l2-authority", "n:*"];
        Server::start(&[level, rest].concat())
    };
    let server = start("all");
    let mut client = server.client();
    assert_eq!(reached(&mut client), 1, "nothing has fallen short");
    for _ in 0..20 {
        assert_eq!(set_and_wait(&mut client), 1);
    }
    assert_eq!(client.call(&["INCR", "n:1"]), Value::Integer(1));
    assert_eq!(client.call(&["SET", "k", "w"]), ok());
    assert_eq!(reached(&mut client), 1);

    replica.process().signal(Signal::STOP);
    assert_eq!(set_and_wait(&mut client), 0);
    assert_eq!(client.call(&["DEL", "k"]), Value::Integer(1));
    assert_eq!(reached(&mut client), 0);
    // Others have written; this one has not.
    assert_eq!(reached(&mut server.client()), 1);
    for count in 2..4 {
        // It is made, whoever has it.
        assert_eq!(client.call(&["INCR", "n:1"]), Value::Integer(count));
        assert_eq!(reached(&mut client), 0);
    }
    assert!(server.metric("larder_tier_unreplicated_total{tier=\"redis\"}") >= 1.0);

    replica.process().signal(Signal::CONT);
    eventually("the replica has what is written", || {
        (set_and_wait(&mut client) == 1).then_some(())
    });
    drop(server);
    let server = start("one");
    assert_eq!(
        set_and_wait(&mut server.client()),
        0,
        "nobody waits for any"
    );
}
