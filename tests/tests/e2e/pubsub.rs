//! Messages between connections on several threads.

use std::thread;

use e2e::harness::{Client, Redis, Server, eventually};
use larder_resp::Value;

use crate::values::bulk;

/// Of each publisher.
const MESSAGES: usize = 2_000;

#[test]
fn messages_of_each_publisher_arrive_in_order_and_none_is_lost() {
    let server = Server::start(&["--threads", "2"]);
    let mut listeners: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for (n, client) in listeners.iter_mut().enumerate() {
        match n % 2 {
            0 => client.call(&["SUBSCRIBE", "news"]),
            _ => client.call(&["PSUBSCRIBE", "n*"]),
        };
    }
    let publish = |publisher: usize| {
        let mut client = server.client();
        for n in 0..MESSAGES {
            let message = format!("{publisher} {n}");
            let heard = client.call(&["PUBLISH", "news", &message]);
            assert_eq!(heard, Value::Integer(4));
        }
    };
    let listen = |mut client: Client| {
        let mut next = [0; 3];
        for _ in 0..3 * MESSAGES {
            let Some(Value::Array(parts)) = client.receive() else {
                panic!("no message")
            };
            let Some(Value::Bulk(Some(text))) = parts.last() else {
                panic!("no text: {parts:?}")
            };
            let text = String::from_utf8_lossy(text);
            let (publisher, n) = text.split_once(' ').expect("two numbers");
            let publisher: usize = publisher.parse().expect("a number");
            assert_eq!(n, next[publisher].to_string());
            next[publisher] += 1;
        }
    };
    thread::scope(|scope| {
        let publish = &publish;
        (0..3).for_each(|n| drop(scope.spawn(move || publish(n))));
        listeners
            .into_iter()
            .for_each(|client| drop(scope.spawn(|| listen(client))));
    });
}

#[test]
fn one_that_does_not_take_its_messages_is_cut_off_and_others_go_on() {
    let server = Server::start(&["--threads", "2"]);
    let (mut lazy, mut keen) = (server.client(), server.client());
    for client in [&mut lazy, &mut keen] {
        client.call(&["SUBSCRIBE", "news"]);
    }
    let mut publisher = server.client();
    let message = "x".repeat(1 << 20);
    // The buffers of the system take some, the mailbox 32 MiB at most.
    eventually("the lazy one is cut off", || {
        let heard = publisher.call(&["PUBLISH", "news", &message]);
        let expected = ["message", "news", &message].map(bulk).to_vec();
        assert_eq!(keen.receive(), Some(Value::Array(expected)));
        (heard == Value::Integer(1)).then_some(())
    });
}

/// Who speaks, and what; without words it awaits a message.
const SCRIPT: [(usize, &str); 32] = [
    (0, "SUBSCRIBE a"),
    (0, "SUBSCRIBE b"),
    (0, "PSUBSCRIBE a*"),
    (0, "PSUBSCRIBE [bc]?"),
    (0, "SSUBSCRIBE a"),
    (1, "PUBLISH a 1"),
    (0, ""),
    (0, ""),
    (1, "SPUBLISH a 2"),
    (0, ""),
    (1, "PUBLISH none 1"),
    (1, "PUBSUB CHANNELS b*"),
    (1, "PUBSUB NUMSUB"),
    (1, "PUBSUB NUMSUB a c"),
    (1, "PUBSUB NUMPAT"),
    (1, "PUBSUB SHARDCHANNELS"),
    (1, "PUBSUB SHARDNUMSUB a"),
    (1, "PUBSUB NOSUCH"),
    (0, "GET k"),
    (0, "PING"),
    (0, "PING x"),
    (0, "UNSUBSCRIBE none"),
    (0, "UNSUBSCRIBE a"),
    (0, "PUNSUBSCRIBE a*"),
    (0, "SUNSUBSCRIBE"),
    (1, "PUBLISH bb 3"),
    (0, ""),
    (0, "RESET"),
    (0, "PUBLISH b 4"),
    (0, "UNSUBSCRIBE"),
    (1, "PUBLISH a"),
    (0, "SUBSCRIBE"),
];

#[test]
fn replies_and_messages_are_those_of_redis() {
    let Some(redis) = Redis::start("channels as in redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let mut pairs = [
        [redis.client(), larder.client()],
        [redis.client(), larder.client()],
    ];
    for (who, line) in SCRIPT {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [redis, larder] = pairs[who].each_mut().map(|client| match words.is_empty() {
            true => client.receive(),
            false => Some(client.call(&words)),
        });
        assert_eq!(redis, larder, "{line}");
    }
}
