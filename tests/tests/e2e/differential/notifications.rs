//! Keyspace notifications: the same requests have both servers tell the same, in the same order.

use e2e::harness::{Client, Redis, Server, seeds};
use larder_resp::Value;

use super::generate::{Generator, Request};
use super::{Pair, brief, request, shown};

const SEEDS: [u64; 3] = [1, 2, 3];
const REQUESTS: usize = 3_000;
/// Says that what was told before is all.
const END: &str = "end";

#[test]
fn notifications_are_those_of_redis() {
    let Some(redis) = Redis::start("notifications as in redis-server") else {
        return;
    };
    let larder = Server::start(&["--threads", "2"]);
    for seed in seeds(&SEEDS) {
        let mut pair = Pair::new(&redis, &larder, seed);
        let on = ["CONFIG", "SET", "notify-keyspace-events", "KEg$xnm"];
        pair.exchange(&[&["FLUSHALL"], &on[..]].map(request));
        let mut listeners = [redis.client(), larder.client()];
        for listener in &mut listeners {
            listener.call(&["SUBSCRIBE", END]);
            listener.call(&["PSUBSCRIBE", "__key*__:*"]);
        }
        let mut generator = Generator::new(seed);
        let mut count = 0;
        let requests = std::iter::repeat_with(|| generator.request());
        for request in requests.filter(is_told_alike).take(REQUESTS) {
            let what = shown(&request);
            let replies = pair.exchange(&[request]);
            let [redis, larder] = &mut listeners;
            let (mut redis, larder) =
                (told(&mut pair.redis, redis), told(&mut pair.larder, larder));
            // Redis looks for the key before it looks at what else is wrong.
            if matches!(replies[0], Value::Error(_)) {
                redis.retain(|told| !told.iter().any(|part| part.contains("keymiss")));
            }
            assert_eq!(larder, redis, "{what}, SEED={seed}");
            count += larder.len();
        }
        assert!(count > REQUESTS, "{count} messages");
    }
}

/// Redis keeps what has expired already until somebody asks for it, and DUMP has a form of its own.
fn is_told_alike(request: &Request) -> bool {
    let has = |word: &str| {
        let mut words = request.iter();
        words.any(|given| given.eq_ignore_ascii_case(word.as_bytes()))
    };
    !["EXAT", "PXAT", "RESTORE", "FLUSHALL", "CONFIG"]
        .into_iter()
        .any(has)
}

/// What a listener was told until now: channel and message.
fn told(client: &mut Client, listener: &mut Client) -> Vec<[String; 2]> {
    client.call(&["PUBLISH", END, ""]);
    let mut told = Vec::new();
    loop {
        match listener.receive() {
            Some(Value::Array(parts)) if parts.len() == 4 => {
                told.push([&parts[2], &parts[3]].map(brief))
            }
            Some(Value::Array(_)) => return told,
            other => panic!("no message: {other:?}"),
        }
    }
}
