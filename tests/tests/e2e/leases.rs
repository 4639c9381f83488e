//! CACHE.GET as clients use it: one of many makes a value, the others wait or take a stale one.

use std::thread;

use e2e::harness::{Client, Server, eventually};
use larder_resp::Value;

use crate::values::{NIL, bulk, error_text, ok};

/// The longest lease there may be.
const LONG: &str = "600000";

/// The three parts of a reply.
#[track_caller]
fn ask(client: &mut Client, request: &[&str]) -> [Value; 3] {
    match client.call(request) {
        Value::Array(parts) => parts.try_into().expect("three parts"),
        other => panic!("{other:?}"),
    }
}

/// The token in a reply.
fn token(reply: &[Value; 3]) -> Option<String> {
    match &reply[1] {
        Value::Bulk(Some(token)) => Some(String::from_utf8_lossy(token).into_owned()),
        _ => None,
    }
}

#[test]
fn of_a_hundred_clients_one_makes_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let server = Server::start(&["--data", &data, "--l2", "disk", "--memory", "64MiB"]);
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let mut client = server.client();
            thread::spawn(move || {
                let reply = ask(&mut client, &["CACHE.GET", "k", "LEASE", LONG]);
                (client, reply)
            })
        })
        .collect();
    eventually("all have missed", || {
        (server.metric("larder_misses_total") >= 100.0).then_some(())
    });
    let is_done = |client: &thread::JoinHandle<_>| client.is_finished();
    let at = eventually("one has the lease", || clients.iter().position(is_done));
    let mut others = clients;
    let (mut winner, reply) = others.swap_remove(at).join().unwrap();
    let token = token(&reply).expect("nobody else may be answered");
    let made = ["CACHE.SET", "k", "made", "LEASE", &token];
    assert_eq!(winner.call(&made), ok());
    for other in others {
        let (_, reply) = other.join().unwrap();
        assert_eq!(reply, [bulk("made"), NIL, NIL]);
    }
    assert_eq!(server.metric("larder_leases_total").round(), 1.0);
    assert!(error_text(winner.call(&made)).starts_with("NOLEASE "));
    assert_eq!(server.metric("larder_leases_over_total").round(), 1.0);
}

#[test]
fn when_the_time_of_a_lease_is_up_one_who_waits_gets_the_next() {
    let server = Server::start(&[]);
    let (mut first, mut second) = (server.client(), server.client());
    let lost = ask(&mut first, &["CACHE.GET", "k", "LEASE", "30"]);
    let lost = token(&lost).expect("nobody has it");
    let reply = ask(&mut second, &["CACHE.GET", "k", "LEASE", LONG]);
    let won = token(&reply).expect("the first one's time is up");
    let late = first.call(&["CACHE.SET", "k", "late", "LEASE", &lost]);
    assert!(error_text(late).starts_with("NOLEASE "));
    let made = second.call(&["CACHE.SET", "k", "made", "LEASE", &won]);
    assert_eq!((made, first.call(&["GET", "k"])), (ok(), bulk("made")));
}

#[test]
fn a_stale_value_is_served_while_somebody_makes_the_next() {
    let server = Server::start(&[]);
    let (mut first, mut second) = (server.client(), server.client());
    let old = ["CACHE.SET", "k", "old", "PX", "1", "STALE", LONG];
    assert_eq!(first.call(&old), ok());
    eventually("it expires", || {
        (first.call(&["GET", "k"]) == NIL).then_some(())
    });
    let request = ["CACHE.GET", "k", "LEASE", LONG, "STALE", LONG];
    let reply = ask(&mut first, &request);
    let won = token(&reply).expect("nobody has it");
    assert_eq!(reply[0], bulk("old"));
    let [value, none, age] = ask(&mut second, &request);
    assert_eq!((value, none), (bulk("old"), NIL));
    assert!(matches!(age, Value::Integer(0..)), "{age:?}");
    let new = first.call(&["CACHE.SET", "k", "new", "LEASE", &won]);
    assert_eq!(new, ok());
    assert_eq!(ask(&mut second, &request), [bulk("new"), NIL, NIL]);
}
