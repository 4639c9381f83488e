//! Many entries that go at once, on a server with a second level.

use std::path::Path;

use e2e::harness::{Client, Server, eventually};
use larder_resp::Value;

use crate::values::{NIL, bulk, ok};

/// Most of what is written finds no room in memory.
const KEYS: usize = 6_000;

fn start(data: &Path) -> Server {
    let data = data.display().to_string();
    Server::start(&["--data", &data, "--l2", "disk", "--memory", "4MiB"])
}

fn value(n: usize) -> String {
    format!("{n}:{}", "v".repeat(1000))
}

/// Reads all keys: those are there of which `is_there` says so.
#[track_caller]
fn check(client: &mut Client, is_there: impl Fn(usize) -> bool) {
    for n in 0..KEYS {
        let expected = match is_there(n) {
            true => bulk(value(n)),
            false => NIL,
        };
        assert_eq!(client.call(&["GET", &format!("k:{n}")]), expected, "{n}");
    }
}

#[test]
fn what_was_invalidated_by_a_tag_stays_gone_when_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let mut client = server.client();
    for n in 0..KEYS {
        let (key, value, tag) = (format!("k:{n}"), value(n), format!("t{}", n % 3));
        let reply = client.call(&["CACHE.SET", &key, &value, "TAGS", "2", "all", &tag]);
        assert_eq!(reply, ok());
    }
    assert_eq!(client.call(&["CACHE.INVALIDATE", "TAG", "t0"]), ok());
    let is_there = |n: usize| !n.is_multiple_of(3);
    check(&mut client, is_there);
    assert_eq!(server.metric("larder_tag_write_errors_total"), 0.0);
    // Killed.
    drop(server);

    let server = start(folder.path());
    let mut client = server.client();
    check(&mut client, is_there);
    let reply = client.call(&["CACHE.SET", "k:0", &value(0), "TAGS", "1", "t0"]);
    assert_eq!(reply, ok());
    assert_eq!(client.call(&["CACHE.INVALIDATE", "TAG", "t1"]), ok());
    drop(server);

    let server = start(folder.path());
    let mut client = server.client();
    check(&mut client, |n| n == 0 || n % 3 == 2);
    assert_eq!(client.call(&["CACHE.INVALIDATE", "TAG", "t2", "x"]), ok());
    // Maintenance removes what nobody asks for.
    eventually("what is void is removed", || {
        let left = client.call(&["DBSIZE"]);
        matches!(left, Value::Integer(0..=1)).then_some(())
    });
    assert!(server.metric("larder_invalidated_total") > 0.0);
    drop(server);
    check(&mut start(folder.path()).client(), |n| n == 0);
}

#[test]
fn what_was_invalidated_by_its_prefix_stays_gone_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let mut client = server.client();
    for n in 0..KEYS {
        let reply = client.call(&["SET", &format!("k:{n}"), &value(n)]);
        assert_eq!(reply, ok());
    }
    assert_eq!(client.call(&["CACHE.INVALIDATE", "PREFIX", "k:1"]), ok());
    let is_there = |n: usize| !n.to_string().starts_with('1');
    check(&mut client, is_there);
    // Killed, as a rule before all of it is removed.
    drop(server);
    let server = start(folder.path());
    let mut client = server.client();
    check(&mut client, is_there);
    assert_eq!(client.call(&["SET", "k:1", &value(1)]), ok());
    let left = (0..KEYS).filter(|n| is_there(*n)).count() + 1;
    eventually("a survey removes what begins so", || {
        let is_forgotten = server.metric("larder_tier_prefixes") == 0.0;
        let is_removed = server.metric("larder_tier_entries").round() as usize == left;
        (is_forgotten && is_removed).then_some(())
    });
    drop(server);
    check(&mut start(folder.path()).client(), |n| {
        n == 1 || is_there(n)
    });
}
