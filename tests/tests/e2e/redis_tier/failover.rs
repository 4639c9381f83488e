//! Servers that share a cluster, one of whose primaries dies.

use std::thread;

use e2e::harness::{Random, RedisCluster, Server, Signal, eventually, seeds};
use larder_engine::tier::{Tier, TierChange};
use larder_resp::Value;
use larder_tiers::conformance::{key, put};
use larder_tiers::redis::{Consistency, RedisOptions};

use super::hosts::{acquaint, comes_to, start};
use super::{Asked, options};
use crate::values::{NIL, bulk, ok};

const SERVERS: usize = 3;
const KEYS: usize = 24;
const ROUNDS: u64 = 4;
/// The round in which a primary dies.
const TROUBLE: u64 = 2;
const STEPS: u64 = 150;

/// The part of a server in a round: writes keys of its own, whose values ascend, and reads any. What it has written last of
/// each key.
fn work(server: &Server, own: usize, seed: u64, round: u64, least: &[u64; KEYS]) -> [u64; KEYS] {
    let mut random = Random::new(seed * 1_000 + round * 10 + own as u64);
    let mut client = server.client();
    let mut last = *least;
    for step in 1..=STEPS {
        let key = random.below(KEYS);
        let name = format!("k{key}");
        if key % SERVERS == own && random.percent(70) {
            let value = round * STEPS + step;
            assert_eq!(client.call(&["SET", &name, &value.to_string()]), ok());
            last[key] = value;
            continue;
        }
        // What nobody can be asked for is not answered, but nothing is that is older.
        if let Value::Bulk(Some(text)) = client.call(&["GET", &name]) {
            let value: u64 = String::from_utf8(text).unwrap().parse().unwrap();
            let least = least[key];
            assert!(
                value >= least,
                "seed {seed}, round {round}, {name}: {value} after all had seen {least}"
            );
        }
    }
    last
}

/// What all have seen is the least that anybody sees from then on, whatever becomes of a primary meanwhile.
#[test]
fn while_a_primary_dies_nobody_sees_what_was_replaced_for_all() {
    let test = "while_a_primary_dies_nobody_sees_what_was_replaced_for_all";
    for seed in seeds(&[1]) {
        let Some(mut cluster) = RedisCluster::start_with(test, "4000") else {
            return;
        };
        let flags = [
            ["--l2-timeout", "10s"],
            ["--l2-heartbeat-timeout", "1s"],
            ["--l2-consistency", "all"],
        ];
        let servers = [(); SERVERS].map(|()| start(&cluster.url(), flags.as_flattened()));
        let mut clients = acquaint(&servers);
        let mut least = [0; KEYS];
        for round in 0..ROUNDS {
            let least_now = least;
            let last = thread::scope(|scope| {
                let works = servers.iter().enumerate().map(|(own, server)| {
                    scope.spawn(move || work(server, own, seed, round, &least_now))
                });
                let works: Vec<_> = works.collect();
                if round == TROUBLE {
                    cluster.kill(0);
                }
                let last = works.into_iter().map(|work| work.join().unwrap());
                last.collect::<Vec<_>>()
            });
            for key in 0..KEYS {
                // Its writer has written the last of them.
                least[key] = last[key % SERVERS][key];
                let expected = match least[key] {
                    0 => NIL,
                    least => bulk(least.to_string()),
                };
                for client in &mut clients {
                    comes_to(client, &format!("k{key}"), &expected);
                }
            }
        }
    }
}

/// The primary that took the place of another has no replica until that comes back: who asks for all is told.
#[test]
fn what_a_promoted_primary_has_alone_counts_as_unreplicated() {
    let test = "what_a_promoted_primary_has_alone_counts_as_unreplicated";
    let Some(mut cluster) = RedisCluster::start_with(test, "4000") else {
        return;
    };
    let tier = Asked::open(&RedisOptions {
        consistency: Consistency::All,
        ..options(&cluster.url(), "p")
    });
    let puts: Vec<_> = (0..30).map(|n| put(format!("{{{n}}}"), "v")).collect();
    tier.wrote(&puts);
    assert_eq!(tier.tier.figures().unreplicated, 0);
    cluster.kill(0);
    cluster.await_promotion(0);
    // To remove a prefix it looks who has keys now.
    eventually("the cluster is as it is told", || {
        let cleared = tier.write(&[TierChange::ClearPrefix(key("none:"))]);
        (cleared == [Ok(())]).then_some(())
    });
    let before = tier.tier.figures().unreplicated;
    eventually("all of them are written", || {
        let written = tier.write(&puts);
        written.iter().all(Result::is_ok).then_some(())
    });
    assert!(tier.tier.figures().unreplicated >= before + 30);
}

/// It keeps its connections, and says nothing. One host alone is named to the server: that one.
#[test]
fn a_primary_that_hangs_keeps_nobody_waiting_once_another_took_its_place() {
    let test = "a_primary_that_hangs_keeps_nobody_waiting_once_another_took_its_place";
    let Some(cluster) = RedisCluster::start_with(test, "4000") else {
        return;
    };
    let seed = cluster.nodes()[0].addr();
    let server = Server::start(&[
        "--l2",
        &format!("redis-cluster://{seed}"),
        "--l2-authority",
        "count:*",
        "--l2-recovery-timeout",
        "1h",
    ]);
    let mut client = server.client();
    let keys: Vec<_> = (0..12).map(|n| format!("count:{n}")).collect();
    let mut count = |key: &str| match client.call(&["INCR", key]) {
        Value::Integer(count) => Some(count),
        Value::Error(_) => None,
        other => panic!("{key}: {other:?}"),
    };
    for key in &keys {
        assert_eq!(count(key), Some(1));
    }
    cluster.nodes()[0].process().signal(Signal::STOP);
    cluster.await_promotion(0);
    for key in &keys {
        let counted = eventually("each shard answers", || count(key));
        assert!(counted >= 2, "{key}: {counted}");
    }
}
