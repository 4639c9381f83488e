//! A server that is stopped for a while, and goes on.

use std::time::{Duration, Instant};

use e2e::harness::{Client, Redis, Signal, eventually};
use larder_resp::{Value, encode_command};

use super::hosts::{acquaint, comes_to, start};
use crate::values::{NIL, bulk, ok};

const HEARTBEAT: [&str; 4] = ["--l2-timeout", "60s", "--l2-heartbeat-timeout", "400ms"];
/// Longer than what was heard is good for.
const STOPPED: Duration = Duration::from_millis(1_600);
const KEYS: usize = 50;

fn ask(client: &mut Client, db: &str, keys: impl Iterator<Item = String>) -> usize {
    let mut bytes = Vec::new();
    encode_command(&mut bytes, &[b"SELECT", db.as_bytes()]);
    let mut count = 1;
    for key in keys {
        encode_command(&mut bytes, &[b"GET", key.as_bytes()]);
        count += 1;
    }
    client.send(&bytes).unwrap();
    count
}

fn answers(client: &mut Client, count: usize) -> Vec<Value> {
    let replies = (0..count).map(|_| client.receive().unwrap());
    replies.skip(1).collect()
}

/// It is asked while it is stopped, so that it answers first and looks around afterwards.
#[test]
fn who_goes_on_answers_nothing_older_than_what_others_did_meanwhile() {
    let test = "who_goes_on_answers_nothing_older_than_what_others_did_meanwhile";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let servers = [start(&url, &HEARTBEAT), start(&url, &HEARTBEAT)];
    let mut clients = acquaint(&servers);
    let [one, other] = &mut clients[..] else {
        panic!("two of them");
    };
    let names = |kind: &'static str| (0..KEYS).map(move |n| format!("{kind}{n}"));
    for round in 0..3 {
        let (old, new) = (format!("old {round}"), format!("new {round}"));
        assert_eq!(one.call(&["SELECT", "1"]), ok());
        names("flushed").for_each(|key| assert_eq!(one.call(&["SET", &key, &old]), ok()));
        assert_eq!(one.call(&["SELECT", "0"]), ok());
        for key in names("tagged") {
            let reply = one.call(&["CACHE.SET", &key, &old, "TAGS", "1", "tag"]);
            assert_eq!(reply, ok());
        }
        for key in names("set").chain(names("prefixed")) {
            assert_eq!(one.call(&["SET", &key, &old]), ok());
        }
        let kinds = &["tagged", "set", "prefixed"];
        for (db, kinds) in [("1", &["flushed"][..]), ("0", kinds)] {
            assert_eq!(other.call(&["SELECT", db]), ok());
            for key in kinds.iter().flat_map(|kind| names(kind)) {
                comes_to(other, &key, &bulk(old.clone()));
            }
        }

        servers[1].process().signal(Signal::STOP);
        let stopped = Instant::now();
        names("set").for_each(|key| assert_eq!(one.call(&["SET", &key, &new]), ok()));
        for what in [["TAG", "tag"], ["PREFIX", "prefixed"]] {
            assert_eq!(one.call(&["CACHE.INVALIDATE", what[0], what[1]]), ok());
        }
        assert_eq!(one.call(&["SELECT", "1"]), ok());
        assert_eq!(one.call(&["FLUSHDB"]), ok());
        eventually("it was stopped for long", || {
            (stopped.elapsed() >= STOPPED).then_some(())
        });
        let gone = names("tagged").chain(names("prefixed"));
        let in_first = ask(other, "0", names("set").chain(gone));
        let in_second = ask(other, "1", names("flushed"));
        servers[1].process().signal(Signal::CONT);

        let found = answers(other, in_first);
        assert_eq!(found[..KEYS], vec![bulk(new); KEYS]);
        assert_eq!(found[KEYS..], vec![NIL; 2 * KEYS]);
        assert_eq!(answers(other, in_second), vec![NIL; KEYS]);
    }
}
