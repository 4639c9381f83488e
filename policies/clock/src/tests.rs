use super::*;
use larder_sdk::testing::{self, Shard, Stored};

fn filled(entries: u32) -> Clock {
    let mut policy = Clock::default();
    for slot in 0..entries {
        let (hash, size, priority) = (slot, 10, 0);
        policy.insert(
            slot,
            Entry {
                hash,
                size,
                priority,
            },
        );
    }
    policy
}

fn ask(policy: &mut Clock, bytes: u64) -> Vec<Slot> {
    let mut out = Vec::new();
    let request = Request {
        bytes,
        capacity_bytes: 0,
        newcomer: None,
    };
    policy.victims(&request, &mut Victims::new(bytes, &mut out));
    out
}

#[test]
fn what_was_read_goes_round_once_more() {
    let mut shard = Shard::new(Clock::default(), 40);
    (0..4).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    (0..3).for_each(|_| assert!(shard.get(0)));
    shard.set(2, 10);
    (4..9).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    // Of 0, however often it was read, a bit remains; 2 was written again.
    assert_eq!(shard.evicted(), [1, 3, 0, 4, 2]);
}

#[test]
fn a_victim_that_stays_is_named_again_unless_it_was_read() {
    let mut policy = filled(4);
    assert_eq!(ask(&mut policy, 20), [0, 1]);
    assert_eq!(ask(&mut policy, 20), [0, 1]);
    policy.hit(0, 0);
    assert_eq!(ask(&mut policy, 20), [1, 2]);
}

#[test]
fn everything_can_be_asked_for_whatever_was_read() {
    let mut policy = filled(50);
    (0..50).step_by(3).for_each(|slot| policy.hit(slot, slot));
    policy.hit(49, 49);
    let mut named = ask(&mut policy, u64::MAX);
    named.sort_unstable();
    assert_eq!(named, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_request_is_answered_soon_where_everything_was_read() {
    let entries = 4 * TURNS_MAX;
    let mut policy = filled(entries);
    (0..entries).for_each(|slot| policy.hit(slot, slot));
    assert_eq!(ask(&mut policy, 10), [TURNS_MAX]);
    let spared = (0..entries).filter(|&slot| !policy.nodes[slot].is_read());
    assert_eq!(spared.count() as u32, TURNS_MAX);
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Clock>();
}
