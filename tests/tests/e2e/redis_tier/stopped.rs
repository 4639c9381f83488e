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

/// One kind of change after the other, or all that there is of the tenant: either leaves the same.
fn change(one: &mut Client, is_of_all: bool, new: &str) {
    assert_eq!(one.call(&["SELECT", "0"]), ok());
    if is_of_all {
        assert_eq!(one.call(&["CACHE.INVALIDATE", "TENANT"]), ok());
    } else {
        for what in [["TAG", "tag"], ["PREFIX", "prefixed"]] {
            assert_eq!(one.call(&["CACHE.INVALIDATE", what[0], what[1]]), ok());
        }
        for key in names("deleted") {
            assert_eq!(one.call(&["DEL", &key]), Value::Integer(1));
        }
        assert_eq!(one.call(&["SELECT", "1"]), ok());
        assert_eq!(one.call(&["FLUSHDB"]), ok());
        assert_eq!(one.call(&["SELECT", "0"]), ok());
    }
    names("set").for_each(|key| assert_eq!(one.call(&["SET", &key, new]), ok()));
}

fn names(kind: &'static str) -> impl Iterator<Item = String> {
    (0..KEYS).map(move |n| format!("{kind}{n}"))
}

/// It is asked while it is stopped, so that it answers first and looks around afterwards; then once more.
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
    for round in 0..4 {
        let (old, new) = (format!("old {round}"), format!("new {round}"));
        assert_eq!(one.call(&["SELECT", "1"]), ok());
        names("flushed").for_each(|key| assert_eq!(one.call(&["SET", &key, &old]), ok()));
        assert_eq!(one.call(&["SELECT", "0"]), ok());
        for key in names("tagged") {
            let reply = one.call(&["CACHE.SET", &key, &old, "TAGS", "1", "tag"]);
            assert_eq!(reply, ok());
        }
        for key in names("set")
            .chain(names("prefixed"))
            .chain(names("deleted"))
        {
            assert_eq!(one.call(&["SET", &key, &old]), ok());
        }
        let kinds = &["tagged", "set", "prefixed", "deleted"];
        for (db, kinds) in [("1", &["flushed"][..]), ("0", kinds)] {
            assert_eq!(other.call(&["SELECT", db]), ok());
            for key in kinds.iter().flat_map(|kind| names(kind)) {
                comes_to(other, &key, &bulk(old.clone()));
            }
        }

        servers[1].process().signal(Signal::STOP);
        let stopped = Instant::now();
        change(one, round % 2 == 1, &new);
        eventually("it was stopped for long", || {
            (stopped.elapsed() >= STOPPED).then_some(())
        });
        let ask_all = |client: &mut Client| {
            let gone = names("tagged").chain(names("prefixed"));
            let gone = gone.chain(names("deleted"));
            let in_first = ask(client, "0", names("set").chain(gone));
            [in_first, ask(client, "1", names("flushed"))]
        };
        let counts = ask_all(other);
        servers[1].process().signal(Signal::CONT);
        let answered = |client: &mut Client| {
            let found = answers(client, counts[0]);
            assert_eq!(found[..KEYS], vec![bulk(&new); KEYS], "{round}");
            assert_eq!(found[KEYS..], vec![NIL; 3 * KEYS], "{round}");
            assert_eq!(answers(client, counts[1]), vec![NIL; KEYS], "{round}");
        };
        answered(other);
        ask_all(other);
        answered(other);
    }
}
