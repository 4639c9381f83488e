use super::*;
use larder_sdk::testing::{self, Shard};

const CAPACITY: u64 = 40;

fn entry(hash: u32, size: u32) -> Entry {
    Entry {
        hash,
        size,
        priority: 0,
    }
}

fn ask(policy: &mut Arc, bytes: u64, newcomer: Option<u32>) -> Vec<Slot> {
    let mut out = Vec::new();
    let request = Request {
        bytes,
        capacity_bytes: CAPACITY,
        newcomer: newcomer.map(|hash| entry(hash, 10)),
    };
    policy.victims(&request, &mut Victims::new(bytes, &mut out));
    out
}

/// Makes room for `hash` and inserts it there, in the slot of the one that went, whose hash is told.
fn replace(policy: &mut Arc, hashes: &mut [u32], hash: u32) -> u32 {
    let slot = ask(policy, 10, Some(hash))[0];
    let gone = std::mem::replace(&mut hashes[slot as usize], hash);
    policy.remove(slot, gone, Removal::Evicted);
    policy.insert(slot, entry(hash, 10));
    gone
}

/// Four entries of ten bytes, 0 and 1 of which came again.
fn full() -> (Arc, [u32; 4]) {
    let mut policy = Arc::default();
    (0..4).for_each(|slot| policy.insert(slot, entry(slot, 10)));
    (0..2).for_each(|slot| policy.hit(slot, slot));
    (policy, [0, 1, 2, 3])
}

#[test]
fn what_came_once_goes_before_what_came_again() {
    let (mut policy, _) = full();
    assert_eq!(ask(&mut policy, 40, None), [2, 3, 0, 1]);
    policy.hit(2, 2);
    assert_eq!(ask(&mut policy, 40, None), [3, 0, 1, 2]);
}

#[test]
fn who_returns_to_the_once_list_has_it_grow_and_came_again() {
    let (mut policy, mut hashes) = full();
    assert_eq!(replace(&mut policy, &mut hashes, 4), 2);
    assert_eq!(policy.target_bytes, 0);
    assert_eq!(replace(&mut policy, &mut hashes, 2), 3);
    assert_eq!(policy.target_bytes, 10);
    assert_eq!(policy.sides[AGAIN].here_bytes, 30);
    // Ten bytes may remain in the once list: of the others the least recent goes.
    assert_eq!(replace(&mut policy, &mut hashes, 5), 0);
}

#[test]
fn who_returns_to_the_other_list_takes_the_room_back() {
    let (mut policy, mut hashes) = full();
    for hash in [4, 2, 5] {
        replace(&mut policy, &mut hashes, hash);
    }
    assert_eq!(policy.target_bytes, 10);
    replace(&mut policy, &mut hashes, 0);
    assert_eq!(policy.target_bytes, 0);
}

#[test]
fn the_step_is_as_much_larger_as_the_other_list_of_hashes() {
    let mut policy = Arc {
        capacity_bytes: 1000,
        ..Arc::default()
    };
    policy.sides[ONCE].left_bytes = 20;
    policy.sides[AGAIN].left_bytes = 60;
    policy.learn(Node::new(10, ONCE));
    assert_eq!(policy.target_bytes, 30);
    policy.learn(Node::new(10, AGAIN));
    assert_eq!(policy.target_bytes, 20);
}

#[test]
fn asking_twice_for_one_newcomer_learns_once() {
    let (mut policy, mut hashes) = full();
    replace(&mut policy, &mut hashes, 4);
    let first = ask(&mut policy, 10, Some(2));
    assert_eq!(ask(&mut policy, 10, Some(2)), first);
    assert_eq!(policy.target_bytes, 10);
}

#[test]
fn deleted_entries_are_not_remembered() {
    let (mut policy, _) = full();
    ask(&mut policy, 10, None);
    policy.remove(2, 2, Removal::Deleted);
    policy.insert(2, entry(2, 10));
    assert_eq!(policy.sides[ONCE].here_bytes, 20);
}

#[test]
fn what_is_remembered_is_bounded_in_bytes_and_in_number() {
    let mut shard = Shard::new(Arc::default(), 1000);
    for key in 0..5000 {
        shard.set(key, 10);
        shard.get(key);
    }
    let policy = shard.policy();
    assert!(policy.sides[ONCE].bytes() <= 1000);
    assert!(policy.sides[ONCE].bytes() + policy.sides[AGAIN].bytes() <= 2000);
    // One large entry that stays: there is room for the hashes of many small ones.
    let mut shard = Shard::new(Arc::default(), 100_000);
    shard.set(0, 99_000);
    shard.get(0);
    (1..50_000).for_each(|key| assert!(shard.set(key, 100) == testing::Stored::Kept));
    assert!(shard.policy().ghosts.len() <= 2 * 11 + GHOSTS_MIN);
}

#[test]
fn a_scan_leaves_what_came_again() {
    let mut shard = Shard::new(Arc::default(), 1000);
    for key in 0..50 {
        shard.set(key, 10);
        shard.get(key);
    }
    for key in 1000..5000 {
        shard.set(key, 10);
    }
    assert!((0..50).all(|key| shard.holds(key)));
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Arc>();
}
