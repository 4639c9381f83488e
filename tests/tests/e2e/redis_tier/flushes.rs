//! Changes under authority while another host clears what they are of.

use std::sync::Arc;

use e2e::harness::{Redis, RedisCluster};
use larder_engine::authority::{Arbiter, Becomes, Seen, Swap};
use larder_engine::tier::TierChange;
use larder_tiers::conformance::{key, stored};

use super::swaps::patiently;
use super::{Asked, NOW, options};

const ROUNDS: usize = 20;

/// Takes the lock as it was seen. Whether this host has it.
fn take(host: &Asked, seen: &Seen) -> bool {
    assert!(seen.stored.is_none(), "{seen:?}");
    let swap = Swap {
        key: key("lock"),
        mark: seen.mark.clone(),
        becomes: Becomes::Entry(Box::new(stored(b"mine")), false),
    };
    let swapping = host
        .tier
        .swap(std::slice::from_ref(&swap), NOW, patiently());
    host.runtime.block_on(swapping).expect("a swap")
}

/// One clears and takes the lock, the other has not heard of that.
fn one_has_it(url: &str) {
    let hosts = [(); 2].map(|()| Asked::open(&options(url, "p")));
    let lock = [key("lock")];
    for round in 0..ROUNDS {
        let [one, other] = [&hosts[round % 2], &hosts[(round + 1) % 2]];
        let cleared = TierChange::Clear(Arc::clone(&lock[0].tenant), Some(lock[0].db));
        let before = other.look(&lock).remove(0);
        one.wrote(&[cleared]);
        let seen = one.look(&lock).remove(0);
        assert!(take(one, &seen), "round {round}");
        assert!(!take(other, &before), "round {round}: both have it");
        let seen = other.look(&lock).remove(0);
        assert!(seen.stored.is_some(), "round {round}: it is known by now");
        other.wrote(&[TierChange::Delete(lock[0].clone())]);
    }
}

#[test]
fn a_lock_has_one_holder_whoever_has_not_heard_of_a_flush() {
    let test = "a_lock_has_one_holder_whoever_has_not_heard_of_a_flush";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    one_has_it(&format!("redis://{}", redis.addr()));
}

#[test]
fn a_lock_has_one_holder_in_a_cluster_whoever_has_not_heard_of_a_flush() {
    let test = "a_lock_has_one_holder_in_a_cluster_whoever_has_not_heard_of_a_flush";
    let Some(cluster) = RedisCluster::start(test) else {
        return;
    };
    one_has_it(&cluster.url());
}
