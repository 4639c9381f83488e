//! A cluster whose slots move while clients write and read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use e2e::harness::{Client, RedisCluster, Server, eventually};
use larder_engine::tier::TierChange;
use larder_resp::Value;
use larder_tiers::conformance::{key, put};

use super::{Asked, options};
use crate::values::{NIL, bulk, ok};

const WRITERS: usize = 4;
const KEYS: usize = 50;
const MOVES: usize = 4;

/// Reads a key. Where it could not be read that is a miss, too, which is counted: then it is asked again.
fn read(server: &Server, client: &mut Client, key: &str, errors: &mut f64) -> Value {
    eventually("the cluster can be read", || {
        let reply = client.call(&["GET", key]);
        if reply != NIL {
            return Some(reply);
        }
        let counted = server.metric("larder_tier_read_errors_total");
        let before = std::mem::replace(errors, counted);
        (counted == before).then_some(reply)
    })
}

fn key_of(own: usize, n: usize) -> String {
    format!("{{moves}}:{own}:{n}")
}

/// Each key has one writer, who finds what they have written, wherever it is; so does everybody in the end.
#[test]
fn nothing_is_lost_or_old_while_slots_move() {
    let Some(cluster) = RedisCluster::start("nothing_is_lost_or_old_while_slots_move") else {
        return;
    };
    // What is written is not in memory, so that the cluster is asked.
    let flags = ["--l2-timeout", "60s", "--l2-write", "around"];
    let start = || Server::start(&[&["--l2", &cluster.url()], &flags[..]].concat());
    let server = start();
    let has_moved = AtomicBool::new(false);
    let write = |own: usize| {
        let mut client = server.client();
        let (mut round, mut errors) = (0, 0.0);
        let mut get = |client: &mut Client, key: &str| read(&server, client, key, &mut errors);
        while !has_moved.load(Ordering::Relaxed) || round < 2 {
            round += 1;
            for n in 0..KEYS {
                let (key, value) = (key_of(own, n), round.to_string());
                assert_eq!(client.call(&["SET", &key, &value]), ok());
                assert_eq!(get(&mut client, &key), bulk(&value), "{key}");
                if n > 0 {
                    let before = key_of(own, n - 1);
                    assert_eq!(get(&mut client, &before), bulk(&value), "{before}");
                }
            }
        }
        round
    };
    let rounds: Vec<_> = thread::scope(|scope| {
        let write = &write;
        let writers: Vec<_> = (0..WRITERS)
            .map(|own| scope.spawn(move || write(own)))
            .collect();
        let slot = cluster.slot_of("moves");
        let mut owner = cluster.owner_of(slot);
        for _ in 0..MOVES {
            let next = (owner + 1) % 3;
            cluster.move_slot(slot, owner, next);
            owner = next;
        }
        has_moved.store(true, Ordering::Relaxed);
        let joined = writers.into_iter().map(|writer| writer.join().unwrap());
        joined.collect()
    });
    assert_eq!(server.metric("larder_tier_deferred_total"), 0.0);
    assert_eq!(server.metric("larder_tier_write_errors_total"), 0.0);
    drop(server);
    let server = start();
    let (mut client, mut errors) = (server.client(), 0.0);
    for (own, round) in rounds.into_iter().enumerate() {
        for n in 0..KEYS {
            let found = read(&server, &mut client, &key_of(own, n), &mut errors);
            assert_eq!(found, bulk(round.to_string()), "{own} {n}");
        }
    }
}

#[test]
fn a_prefix_goes_from_both_nodes_between_which_its_slot_moves() {
    let test = "a_prefix_goes_from_both_nodes_between_which_its_slot_moves";
    let Some(cluster) = RedisCluster::start(test) else {
        return;
    };
    let tier = Asked::open(&options(&cluster.url(), "p"));
    let puts: Vec<_> = (0..40)
        .map(|n| put(format!("{{moves}}:{n}"), "v"))
        .collect();
    tier.wrote(&puts);
    tier.wrote(&[put("{moves}-not", "v")]);
    let slot = cluster.slot_of("moves");
    let from = cluster.owner_of(slot);
    let to = (from + 1) % 3;
    cluster.begin_move(slot, from, to);
    assert_eq!(cluster.move_keys(slot, from, to, 20), 20);
    tier.wrote(&[TierChange::ClearPrefix(key("{moves}:"))]);
    let held = |nth: usize| {
        let names = cluster.nodes()[nth].client().call(&["KEYS", "p:t:0.*"]);
        match names {
            Value::Array(names) => names.len(),
            other => panic!("no names: {other:?}"),
        }
    };
    assert_eq!(held(from) + held(to), 1);
    assert_eq!(tier.value(&key("{moves}-not")), Some(b"v".to_vec()));
}
