use super::*;
use larder_sdk::testing::{self, Shard};

fn with_cost(cost: &str) -> Gdsf {
    let cost = cost.into();
    Gdsf::new(Parameters { cost }, 1).expect("a cost that there is")
}

#[test]
fn of_equals_the_one_read_longest_ago_goes() {
    let mut shard = Shard::new(Gdsf::default(), 40);
    (0..4).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    (0..4).rev().for_each(|key| assert!(shard.get(key)));
    shard.set(9, 30);
    assert_eq!(shard.evicted(), [3, 2, 1]);
}

#[test]
fn large_ones_go_first_and_reads_make_up_for_size() {
    let mut shard = Shard::new(Gdsf::default(), 100);
    shard.set(0, 10);
    shard.set(1, 40);
    shard.set(2, 50);
    (0..4).for_each(|_| assert!(shard.get(2)));
    shard.set(3, 20);
    assert_eq!(shard.evicted(), [1]);
    assert!(shard.holds(2));
}

#[test]
fn what_was_read_often_is_overtaken() {
    let mut shard = Shard::new(Gdsf::default(), 100);
    shard.set(0, 10);
    (0..20).for_each(|_| assert!(shard.get(0)));
    (1..100).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    assert!(shard.holds(0));
    (100..400).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    assert!(!shard.holds(0));
}

#[test]
fn an_eviction_that_nobody_named_moves_the_clock_no_further_than_the_least() {
    let mut policy = Gdsf::default();
    for slot in 0..2 {
        let entry = Entry {
            hash: slot,
            size: 10,
            priority: 0,
        };
        policy.insert(slot, entry);
    }
    (0..9).for_each(|_| policy.hit(1, 1));
    let least = policy.heap.item(0).worth;
    policy.remove(1, 1, Removal::Evicted);
    assert_eq!(policy.clock, least);
    // And a deletion does not move it.
    policy.clock = 0;
    policy.remove(0, 0, Removal::Deleted);
    assert_eq!(policy.clock, 0);
}

#[test]
fn victims_come_in_order_and_again_until_they_are_removed() {
    let mut policy = Gdsf::default();
    for slot in 0..50 {
        let entry = Entry {
            hash: slot,
            size: 1 + slot * 7919 % 50,
            priority: 0,
        };
        policy.insert(slot, entry);
    }
    let mut ask = |bytes| {
        let mut out = Vec::new();
        let request = Request {
            bytes,
            capacity_bytes: 1000,
            newcomer: None,
        };
        policy.victims(&request, &mut Victims::new(bytes, &mut out));
        out
    };
    let all = ask(u64::MAX);
    assert!(all.is_sorted_by_key(|slot| Reverse(slot * 7919 % 50)));
    assert_eq!(all.len(), 50);
    assert_eq!(ask(100), all[..3]);
    assert_eq!(ask(100), all[..3]);
}

#[test]
fn costs_are_followed() {
    // By the packets that it takes, a large entry is worth as much for its bytes as a small one nearly.
    let packets = with_cost("packets").cost;
    assert_eq!((packets.of(0, 9), packets.of(5360, 9)), (2, 12));
    let mut shard = Shard::new(with_cost("priority"), 20);
    shard.set_valued(0, 10, 1);
    shard.set_valued(1, 10, 0);
    shard.set_valued(2, 10, 3);
    shard.set_valued(3, 10, 3);
    assert_eq!(shard.evicted(), [1, 0]);
    let refused = Gdsf::new(Parameters { cost: "x".into() }, 1);
    assert!(refused.is_err_and(|why| why.contains("packets")));
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Gdsf>();
    testing::check_eviction_with(|_| with_cost("packets"));
    testing::check_eviction_with(|_| with_cost("priority"));
}
