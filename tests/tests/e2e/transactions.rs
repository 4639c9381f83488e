//! Transactions while others do the same: all or nothing, and nobody's work is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use e2e::harness::{Client, Server, eventually};
use larder_resp::Value;

use crate::values::{NIL, bulk, ok};

/// Of each of the threads that work against each other.
const ROUNDS: usize = 300;

fn queue(client: &mut Client, requests: &[&[&str]]) -> Value {
    let mut all: Vec<&[&str]> = vec![&["MULTI"]];
    all.extend(requests);
    all.push(&["EXEC"]);
    let mut replies = client.pipeline(&all);
    replies.pop().expect("a reply for each")
}

fn info(client: &mut Client, section: &str) -> String {
    match client.call(&["INFO", section]) {
        Value::Bulk(Some(text)) => String::from_utf8_lossy(&text).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn others_see_all_of_a_transaction_or_nothing() {
    let server = Server::start(&["--threads", "2", "--memory", "64MiB"]);
    let keys: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let is_over = AtomicBool::new(false);
    let write = |writer: usize| {
        let mut client = server.client();
        for round in 0..ROUNDS {
            let value = format!("{writer}.{round}");
            let sets: Vec<[&str; 3]> = keys.iter().map(|key| ["SET", key, &value]).collect();
            let sets: Vec<&[&str]> = sets.iter().map(|set| &set[..]).collect();
            assert_eq!(queue(&mut client, &sets), Value::Array(vec![ok(); 20]));
        }
    };
    let read = || {
        let mut client = server.client();
        let mget: Vec<&str> = ["MGET"]
            .into_iter()
            .chain(keys.iter().map(String::as_str))
            .collect();
        let gets: Vec<[&str; 2]> = keys.iter().map(|key| ["GET", key]).collect();
        let gets: Vec<&[&str]> = gets.iter().map(|get| &get[..]).collect();
        while !is_over.load(Ordering::Relaxed) {
            for reply in [client.call(&mget), queue(&mut client, &gets)] {
                let Value::Array(values) = reply else {
                    panic!("no values: {reply:?}")
                };
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            }
        }
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        let writers: Vec<_> = (0..2).map(|n| scope.spawn(move || write(n))).collect();
        let ended: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        is_over.store(true, Ordering::Relaxed);
        for end in ended
            .into_iter()
            .chain(readers.map(thread::ScopedJoinHandle::join))
        {
            end.expect("no thread fails");
        }
    });
}

#[test]
fn of_increments_that_watch_their_key_none_is_lost() {
    let server = Server::start(&["--threads", "2"]);
    let increment = || {
        let mut client = server.client();
        for _ in 0..ROUNDS {
            loop {
                let read = client.pipeline(&[&["WATCH", "n"], &["GET", "n"]]);
                let n = match &read[1] {
                    Value::Bulk(Some(digits)) => {
                        String::from_utf8_lossy(digits).parse().expect("a number")
                    }
                    _ => 0,
                };
                let more = (n + 1).to_string();
                if queue(&mut client, &[&["SET", "n", &more]]) == Value::Array(vec![ok()]) {
                    break;
                }
            }
        }
    };
    thread::scope(|scope| {
        (0..3).for_each(|_| drop(scope.spawn(increment)));
    });
    let sum = (3 * ROUNDS).to_string();
    assert_eq!(server.client().call(&["GET", "n"]), bulk(sum));
}

#[test]
fn a_transaction_that_writes_more_than_fits_keeps_the_bound_and_what_came_last() {
    let server = Server::start(&["--memory", "16MiB"]);
    let mut client = server.client();
    let value = "x".repeat(100_000);
    let keys: Vec<String> = (0..400).map(|n| format!("k{n}")).collect();
    client.call(&["MULTI"]);
    for key in &keys {
        client.call(&["SET", key, &value]);
    }
    assert_eq!(client.call(&["EXEC"]), Value::Array(vec![ok(); 400]));
    assert_eq!(client.call(&["GET", "k399"]), bulk(&value));
    let used = |client: &mut Client| {
        let text = info(client, "memory");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        line.and_then(|bytes| bytes.parse::<u64>().ok())
            .expect("a figure")
    };
    eventually("what is over the bound is evicted", || {
        (used(&mut client) <= 16 << 20).then_some(())
    });
}

#[test]
fn a_transaction_ends_with_its_connection() {
    let server = Server::start(&[]);
    let mut gone = server.client();
    gone.call(&["WATCH", "k"]);
    gone.call(&["MULTI"]);
    gone.call(&["SET", "k", "1"]);
    drop(gone);
    let mut client = server.client();
    eventually("the connection is gone", || {
        let is_alone = info(&mut client, "clients").contains("connected_clients:1\r");
        is_alone.then_some(())
    });
    assert_eq!(client.call(&["GET", "k"]), NIL);
}
