use super::*;
use larder_sdk::testing::{self, Shard, Stored};

fn entry(size: u32) -> Entry {
    Entry {
        hash: 0,
        size,
        priority: 0,
    }
}

fn filled(entries: u32) -> Sieve {
    let mut policy = Sieve::default();
    (0..entries).for_each(|slot| policy.insert(slot, entry(10)));
    policy
}

fn ask(policy: &mut Sieve, bytes: u64) -> Vec<Slot> {
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
fn the_hand_goes_on_where_it_was_and_survivors_keep_their_place() {
    let mut shard = Shard::new(Sieve::default(), 50);
    (0..5).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert!(shard.get(0) && shard.get(1) && shard.get(3));
    (5..8).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    // Past 0 and 1 to 2; past 3 to 4; then 5, though 0 is older and has not been read since.
    assert_eq!(shard.evicted(), [2, 4, 5]);
    // To the newest, and anew from the oldest.
    (8..11).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(shard.evicted()[3..], [6, 7, 8]);
    assert!([0, 1, 3].iter().all(|&key| shard.holds(key)));
}

#[test]
fn behind_the_newest_the_hand_begins_anew() {
    let mut policy = filled(3);
    (0..3).for_each(|slot| policy.hit(slot, 0));
    assert_eq!(ask(&mut policy, 10), [0]);
}

#[test]
fn named_victims_are_named_again_until_removed() {
    let mut policy = filled(5);
    policy.hit(1, 0);
    assert_eq!(ask(&mut policy, 20), [0, 2]);
    policy.hit(2, 0);
    policy.update(2, entry(30));
    assert_eq!(ask(&mut policy, 20), [0, 2]);
    policy.remove(0, 0, Removal::Evicted);
    assert_eq!(ask(&mut policy, 40), [2, 3]);
}

#[test]
fn the_hand_leaves_what_is_deleted() {
    let mut policy = filled(5);
    policy.hit(0, 0);
    assert_eq!(ask(&mut policy, 10), [1]);
    policy.remove(2, 0, Removal::Deleted);
    assert_eq!(ask(&mut policy, 20), [1, 3]);
    policy.remove(4, 0, Removal::Expired);
    assert_eq!(ask(&mut policy, 30), [1, 3, 0]);
}

#[test]
fn everything_can_be_asked_for_whatever_was_read() {
    let mut policy = filled(50);
    (0..50).step_by(3).for_each(|slot| policy.hit(slot, 0));
    let mut named = ask(&mut policy, u64::MAX);
    named.sort_unstable();
    assert_eq!(named, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_request_is_answered_soon_where_everything_was_read() {
    let entries = 4 * TURNS_MAX;
    let mut policy = filled(entries);
    (0..entries).for_each(|slot| policy.hit(slot, 0));
    assert_eq!(ask(&mut policy, 10), [TURNS_MAX]);
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Sieve>();
}
