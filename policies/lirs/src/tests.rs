use super::*;
use larder_sdk::testing::{self, Shard};

/// A shard of 100 entries of 10 bytes, filled with keys from 0: 0 is in the queue, the others
/// in the core.
fn full() -> Shard<Lirs> {
    let mut shard = Shard::new(Lirs::default(), 1000);
    (0..100).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    shard.set(100, 10);
    assert_eq!(shard.evicted(), [0]);
    shard
}

#[test]
fn newcomers_pass_through_the_queue() {
    let mut shard = full();
    (101..200).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    assert!(shard.evicted()[1..].iter().copied().eq(100..199));
    assert!((1..100).all(|key| shard.holds(key)));
}

#[test]
fn who_returns_soon_takes_the_place_of_the_least_recent_in_the_core() {
    let mut shard = full();
    shard.set(101, 10);
    // 100 left after 1 was accessed last: it comes back into the core, and 1 goes on to the queue.
    shard.set(100, 10);
    assert_eq!(shard.evicted(), [0, 100, 101]);
    shard.set(102, 10);
    assert_eq!(shard.evicted(), [0, 100, 101, 1]);
    assert!(shard.holds(100));
}

#[test]
fn who_is_read_in_the_queue_joins_the_core() {
    let mut shard = full();
    shard.get(100);
    shard.set(101, 10);
    assert!(shard.holds(100));
    assert_eq!(shard.evicted(), [0, 1]);
}

#[test]
fn who_returns_after_all_of_the_core_was_accessed_does_not() {
    let mut shard = full();
    shard.set(101, 10);
    (1..100).for_each(|key| assert!(shard.get(key)));
    shard.set(100, 10);
    shard.set(102, 10);
    assert_eq!(shard.evicted(), [0, 100, 101, 100]);
}

#[test]
fn a_demoted_entry_is_no_longer_recent() {
    let mut shard = full();
    shard.get(100);
    // 1 was demoted: its hit leaves it in the queue, though as its latest.
    shard.get(1);
    assert!(!shard.policy().is_recent(0));
    assert_eq!(shard.policy().core.bytes, 990);
    shard.set(101, 10);
    assert_eq!(shard.evicted(), [0, 1]);
}

#[test]
fn a_loop_beyond_the_memory_is_hit_in_part() {
    let mut shard = Shard::new(Lirs::default(), 1000);
    let mut hits = 0;
    for request in 0..3000 {
        let key = request % 150;
        match shard.get(key) {
            true => hits += 1,
            false => assert!(shard.set(key, 10) == testing::Stored::Kept),
        }
    }
    assert!(hits > 3000 * 6 / 10, "{hits}");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut shard = full();
    (101..50_000).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    assert!((99..=100).contains(&shard.policy().ghosts.len()));
    // What is left of the stack's bottom is forgotten as the core is accessed.
    (1..100).for_each(|key| assert!(shard.get(key)));
    shard.set(50_000, 10);
    assert!(shard.policy().ghosts.len() <= 1);
}

#[test]
fn named_victims_are_named_again_until_removed() {
    let mut policy = Lirs::default();
    for slot in 0..5 {
        let entry = Entry {
            hash: slot,
            size: 10,
            priority: 0,
        };
        policy.insert(slot, entry);
    }
    let mut ask = || {
        let mut out = Vec::new();
        let request = Request {
            bytes: 20,
            capacity_bytes: 50,
            newcomer: None,
        };
        policy.victims(&request, &mut Victims::new(20, &mut out));
        out
    };
    assert_eq!(ask(), [0, 1]);
    assert_eq!(ask(), [0, 1]);
}

#[test]
fn the_queue_has_its_part_and_room_for_one_entry_at_least() {
    for (hir_percent, core_bytes) in [(1, 90), (50, 50), (90, 10)] {
        let parameters = Parameters {
            hir_percent,
            ..Parameters::default()
        };
        let mut shard = Shard::new(Lirs::new(parameters, 1).unwrap(), 100);
        (0..20).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
        assert_eq!(shard.policy().core.bytes, core_bytes);
    }
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Lirs>();
    for (hir_percent, ghost_percent) in [(90, 1), (1, 400)] {
        testing::check_eviction_with(|seed| {
            let parameters = Parameters {
                hir_percent,
                ghost_percent,
            };
            Lirs::new(parameters, seed).expect("the parameters are in range")
        });
    }
}
