//! What one server invalidates is void for all that share a level with it.

use std::path::Path;
use std::time::Duration;

use e2e::harness::{Client, Passage, Proxy, Redis, RedisCluster, Server, eventually};
use larder_resp::Value;

use super::hosts::{HASTY, PATIENT, acquaint, comes_to, start};
use super::server::tiers;
use crate::values::{NIL, bulk, ok};

fn set(client: &mut Client, key: &str, tag: &str) {
    let reply = client.call(&["CACHE.SET", key, "v", "TAGS", "2", "all", tag]);
    assert_eq!(reply, ok());
}

fn invalidate(client: &mut Client, what: &[&str]) {
    assert_eq!(client.call(&[&["CACHE.INVALIDATE"], what].concat()), ok());
}

/// What is written by either, and read by either, goes from both.
fn follows(one: &mut Client, other: &mut Client) {
    set(one, "by-one", "a");
    set(one, "promoted", "a");
    set(one, "kept", "b");
    set(other, "by-other", "a");
    comes_to(other, "promoted", &bulk("v"));
    comes_to(other, "kept", &bulk("v"));
    comes_to(one, "by-other", &bulk("v"));
    invalidate(one, &["TAG", "a"]);
    for key in ["by-one", "promoted", "by-other"] {
        assert_eq!(one.call(&["GET", key]), NIL, "{key}");
        comes_to(other, key, &NIL);
    }
    for client in [&mut *one, &mut *other] {
        // It knows of it by now, so what it writes is newer.
        set(client, "again", "a");
        assert_eq!(client.call(&["GET", "again"]), bulk("v"));
        assert_eq!(client.call(&["GET", "kept"]), bulk("v"));
    }
    comes_to(one, "again", &bulk("v"));
    invalidate(other, &["PREFIX", "ag"]);
    comes_to(one, "again", &NIL);
    assert_eq!(one.call(&["GET", "kept"]), bulk("v"));
    invalidate(other, &["TENANT"]);
    comes_to(one, "kept", &NIL);
}

#[test]
fn what_one_server_invalidates_no_other_finds() {
    let Some(redis) = Redis::start("what_one_server_invalidates_no_other_finds") else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let servers = [start(&url, &PATIENT), start(&url, &PATIENT)];
    let mut clients = acquaint(&servers);
    let [one, other] = &mut clients[..] else {
        panic!("two of them");
    };
    follows(one, other);
    follows(other, one);
}

#[test]
fn what_one_server_invalidates_no_other_finds_over_a_cluster() {
    let test = "what_one_server_invalidates_no_other_finds_over_a_cluster";
    let Some(cluster) = RedisCluster::start(test) else {
        return;
    };
    let servers = [(); 2].map(|()| start(&cluster.url(), &PATIENT));
    let mut clients = acquaint(&servers);
    let [one, other] = &mut clients[..] else {
        panic!("two of them");
    };
    follows(one, other);
    let mut late = start(&cluster.url(), &PATIENT);
    set(other, "k", "a");
    set(other, "kept", "b");
    invalidate(one, &["TAG", "a"]);
    // At once: nothing is found before it was asked for.
    let looks = |server: &Server| ["k", "kept"].map(|key| server.client().call(&["GET", key]));
    assert_eq!(looks(&late), [NIL, bulk("v")]);
    late = start(&cluster.url(), &PATIENT);
    assert_eq!(looks(&late), [NIL, bulk("v")]);
}

/// Over a Redis with a disk before it, which is there when a server starts again.
#[test]
fn who_starts_later_or_again_finds_nothing_that_was_invalidated_meanwhile() {
    let test = "who_starts_later_or_again_finds_nothing_that_was_invalidated_meanwhile";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let folder = tempfile::tempdir().unwrap();
    let start = |data: &Path| {
        let data = data.display().to_string();
        let flags = ["--data", &data, "--l2", "disk", "--l3", &url];
        Server::start(&[&flags[..], &["--l3-timeout", "60s"]].concat())
    };
    let [one, again, late] = ["one", "again", "late"].map(|name| folder.path().join(name));
    let one = start(&one);
    let mut client = one.client();
    set(&mut client, "k", "a");
    set(&mut client, "kept", "b");
    let looks = |server: &Server| ["k", "kept"].map(|key| server.client().call(&["GET", key]));
    let server = start(&again);
    assert_eq!(looks(&server), [bulk("v"), bulk("v")]);
    assert!(server.stop().success());
    invalidate(&mut client, &["TAG", "a"]);
    for data in [&again, &late] {
        assert_eq!(looks(&start(data)), [NIL, bulk("v")]);
    }
    assert_eq!(looks(&one), [NIL, bulk("v")]);
}

/// With a disk of its own before the Redis.
#[test]
fn what_others_changed_while_a_server_was_down_it_does_not_answer_from_its_disk() {
    let test = "what_others_changed_while_a_server_was_down_it_does_not_answer_from_its_disk";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let one = start(&url, &PATIENT);
    let mut client = one.client();
    for round in 0..3 {
        let again = Server::start(
            &[
                &["--data", &data, "--l2", "disk", "--l3", &url][..],
                &["--l3-timeout", "60s", "--l3-heartbeat-timeout", "20s"],
            ]
            .concat(),
        );
        let found = again.client().call(&["GET", "k"]);
        let before = if round == 0 {
            NIL
        } else {
            bulk(format!("new {round}"))
        };
        assert_eq!(found, before);
        assert_eq!(again.client().call(&["SET", "k", "old"]), ok());
        assert!(again.stop().success());
        assert_eq!(
            client.call(&["SET", "k", &format!("new {}", round + 1)]),
            ok()
        );
    }
}

#[test]
fn what_is_invalidated_while_a_server_is_cut_off_reaches_all_when_it_is_back() {
    let test = "what_is_invalidated_while_a_server_is_cut_off_reaches_all_when_it_is_back";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let proxy = Proxy::start(redis.addr());
    let flags = [
        ["--l2-timeout", "2s"],
        ["--l2-heartbeat-timeout", "1s"],
        ["--l2-recovery-timeout", "50ms"],
    ];
    let servers = [redis.addr(), proxy.addr()];
    let servers = servers.map(|addr| start(&format!("redis://{addr}"), flags.as_flattened()));
    let mut clients = acquaint(&servers);
    let [one, other] = &mut clients[..] else {
        panic!("two of them");
    };
    for tag in ["a", "b"] {
        set(one, tag, tag);
        comes_to(other, tag, &bulk("v"));
    }
    proxy.pass(Passage::Refused);
    proxy.cut();
    invalidate(one, &["TAG", "a"]);
    invalidate(other, &["TAG", "b"]);
    assert_eq!(one.call(&["GET", "a"]), NIL);
    assert_eq!(other.call(&["GET", "b"]), NIL, "it holds there at once");
    proxy.pass(Passage::Open);
    comes_to(other, "a", &NIL);
    comes_to(one, "b", &NIL);
    // What is written by who knows of it lives; who told of it knows once that is answered.
    eventually("what is written since is there", || {
        set(other, "b", "b");
        (other.call(&["EXISTS", "b"]) == Value::Integer(1)).then_some(())
    });
}

/// Waits until the third level says so of itself.
fn comes_to_say(client: &mut Client, field: &str) {
    eventually("the level says so", || {
        let said = tiers(client);
        let mut lines = said.lines();
        let own = lines.find(|line| line.starts_with("tier_l3_"))?;
        own.split(',').any(|own| own == field).then_some(())
    });
}

/// Nothing in Redis remembers a prefix: who missed it asks for what it has in memory, and empties the disk that is its own.
#[test]
fn what_went_by_a_prefix_while_a_server_was_cut_off_it_does_not_answer_afterwards() {
    let test = "what_went_by_a_prefix_while_a_server_was_cut_off_it_does_not_answer_afterwards";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let proxy = Proxy::start(redis.addr());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let cut = format!("redis://{}", proxy.addr());
    let servers = [
        start(&format!("redis://{}", redis.addr()), &HASTY),
        Server::start(
            &[
                &["--data", &data, "--l2", "disk", "--l3", &cut][..],
                &["--l3-timeout", "2s", "--l3-heartbeat-timeout", "1s"],
                &["--l3-recovery-timeout", "50ms"],
            ]
            .concat(),
        ),
    ];
    let [mut one, mut other] = servers.each_ref().map(Server::client);
    comes_to_say(&mut other, "deaf=0");
    let keys: Vec<_> = (0..50).map(|n| format!("a:{n}")).collect();
    for key in &keys {
        assert_eq!(one.call(&["SET", key, "v"]), ok());
        comes_to(&mut other, key, &bulk("v"));
    }
    proxy.pass(Passage::Refused);
    proxy.cut();
    comes_to_say(&mut other, "deaf=1");
    invalidate(&mut one, &["PREFIX", "a:"]);
    proxy.pass(Passage::Open);
    comes_to_say(&mut other, "deaf=0");
    for key in &keys {
        assert_eq!(other.call(&["GET", key]), NIL, "{key}");
    }
}

#[test]
fn a_server_that_everything_reaches_late_is_told_all_the_same() {
    let test = "a_server_that_everything_reaches_late_is_told_all_the_same";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let proxy = Proxy::start(redis.addr());
    let servers = [redis.addr(), proxy.addr()];
    let servers = servers.map(|addr| start(&format!("redis://{addr}"), &PATIENT));
    let mut clients = acquaint(&servers);
    proxy.pass(Passage::Slow(Duration::from_millis(300)));
    let [one, other] = &mut clients[..] else {
        panic!("two of them");
    };
    follows(one, other);
}
