use super::*;
use larder_sdk::testing::{self, Shard, Stored};

fn slru(segments: u32) -> Slru {
    Slru::new(Parameters { segments }, 1).expect("the parameters are in range")
}

fn entry(size: u32) -> Entry {
    Entry {
        hash: 0,
        size,
        priority: 0,
    }
}

fn ask(policy: &mut Slru, bytes: u64, capacity_bytes: u64) -> Vec<Slot> {
    let mut out = Vec::new();
    let request = Request {
        bytes,
        capacity_bytes,
        newcomer: None,
    };
    policy.victims(&request, &mut Victims::new(bytes, &mut out));
    out
}

fn segments(policy: &Slru, slots: std::ops::Range<Slot>) -> Vec<usize> {
    slots.map(|slot| policy.nodes[slot].segment()).collect()
}

#[test]
fn a_read_takes_an_entry_one_segment_higher() {
    let mut policy = slru(4);
    (0..12).for_each(|slot| policy.insert(slot, entry(10)));
    for (slot, reads) in [(0, 1), (1, 2), (2, 3), (3, 5)] {
        (0..reads).for_each(|_| policy.hit(slot, 0));
    }
    assert_eq!(segments(&policy, 0..5), [1, 2, 3, 3, 0]);
    let lowest_first = [4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3];
    assert_eq!(ask(&mut policy, u64::MAX, 120), lowest_first);
}

#[test]
fn the_least_recent_of_a_full_segment_makes_room_at_the_front_of_the_lower() {
    let mut policy = slru(2);
    (0..4).for_each(|slot| policy.insert(slot, entry(10)));
    assert_eq!(ask(&mut policy, 10, 40), [0]);
    for slot in [0, 1, 0, 2] {
        policy.hit(slot, 0);
    }
    // Two fit: 0 was read since 1.
    assert_eq!(segments(&policy, 0..4), [1, 0, 1, 0]);
    assert_eq!(ask(&mut policy, 20, 40), [3, 1]);
}

#[test]
fn one_large_entry_may_stay_and_bytes_follow_updates() {
    let mut policy = slru(2);
    (0..4).for_each(|slot| policy.insert(slot, entry(10)));
    policy.update(1, entry(500));
    assert_eq!(segments(&policy, 0..4), [0, 1, 0, 0]);
    assert_eq!((policy.segments[1].bytes, policy.bytes), (500, 530));
    policy.hit(2, 0);
    assert_eq!(segments(&policy, 0..4), [0, 0, 1, 0]);
    policy.remove(1, 0, Removal::Deleted);
    assert_eq!((policy.segments[1].bytes, policy.bytes), (10, 30));
}

#[test]
fn a_memory_that_fills_up_fills_all_segments_once() {
    let mut shard = Shard::new(slru(4), 40);
    let bytes = |shard: &Shard<Slru>| [0, 1, 2, 3].map(|n| shard.policy().segments[n].bytes);
    (0..4).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(
        bytes(&shard),
        [40, 0, 0, 0],
        "nobody knows yet what a part is"
    );
    (4..7).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(bytes(&shard), [10, 10, 10, 10]);
    (7..10).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert!((4..7).all(|key| shard.holds(key)));
    // From now on room in a higher segment is for what was read.
    shard.delete(4);
    shard.set(10, 10);
    assert_eq!(bytes(&shard), [20, 0, 10, 10]);
}

#[test]
fn what_is_read_outlives_a_scan() {
    let mut shard = Shard::new(slru(4), 1000);
    (0..100).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    (0..50).for_each(|key| assert!(shard.get(key)));
    (1000..5000).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    // Who was read first was taken down again by those who came after.
    assert_eq!((0..50).filter(|&key| shard.holds(key)).count(), 25);
}

#[test]
fn one_call_takes_down_so_many() {
    let mut policy = slru(2);
    let entries = 8 * DEMOTIONS_MAX;
    (0..entries).for_each(|slot| policy.insert(slot, entry(10)));
    (0..entries).for_each(|slot| policy.hit(slot, 0));
    let higher = |policy: &Slru| policy.segments[1].bytes;
    let before = higher(&policy);
    policy.insert(entries, entry(10));
    assert_eq!(ask(&mut policy, 10, 100).len(), 1);
    assert_eq!(before - higher(&policy), 10 * u64::from(DEMOTIONS_MAX));
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Slru>();
    for segments in [1, 2, SEGMENTS_MAX] {
        testing::check_eviction_with(|_| slru(segments));
    }
}
