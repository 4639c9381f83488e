use super::*;
use larder_sdk::testing::{self, Shard, Stored};

const CAPACITY: u64 = 1000;

fn entry(hash: u32) -> Entry {
    Entry {
        hash,
        size: 10,
        priority: 0,
    }
}

fn ask(policy: &mut Clock2QPlus, bytes: u64, capacity_bytes: u64) -> Vec<Slot> {
    let mut out = Vec::new();
    let request = Request {
        bytes,
        capacity_bytes,
        newcomer: None,
    };
    policy.victims(&request, &mut Victims::new(bytes, &mut out));
    out
}

/// A policy that knows its capacity, and whose main queue has been full.
fn warm() -> Clock2QPlus {
    Clock2QPlus {
        capacity_bytes: Some(CAPACITY),
        was_main_full: true,
        ..Clock2QPlus::default()
    }
}

fn filled(entries: u32) -> Clock2QPlus {
    let mut policy = warm();
    (0..entries).for_each(|slot| policy.insert(slot, entry(slot)));
    policy
}

#[test]
fn only_reads_behind_the_window_count() {
    // The small queue may have 100 bytes, of which the newest 50 are the window.
    let mut policy = filled(12);
    for slot in [0, 2, 7, 11] {
        policy.hit(slot, slot);
    }
    policy.insert(12, entry(12));
    assert_eq!(ask(&mut policy, 40, CAPACITY), [1, 3, 0, 2]);
    let places = [0, 1, 2, 7, 8].map(|slot| policy.nodes[slot].place());
    let [main, small, window] = [Place::Main, Place::Small, Place::Window];
    assert_eq!(places, [main, small, main, small, window]);
    assert!(!policy.nodes[7].is_read(), "it was in the window");
}

#[test]
fn who_returns_from_the_ghost_enters_main() {
    let mut policy = filled(50);
    policy.remove(0, 0, Removal::Evicted);
    policy.insert(0, entry(0));
    assert_eq!(policy.nodes[0].place(), Place::Main);
    // A deleted key leaves no ghost, nor does who left main.
    policy.remove(1, 1, Removal::Deleted);
    policy.insert(1, entry(1));
    assert_eq!(policy.nodes[1].place(), Place::Window);
    policy.remove(0, 0, Removal::Evicted);
    policy.insert(0, entry(0));
    assert_eq!(policy.nodes[0].place(), Place::Window);
}

#[test]
fn main_gives_another_round_to_what_was_read() {
    let mut policy = filled(5);
    (0..5).for_each(|slot| policy.send(slot, Place::Main));
    (0..4).for_each(|_| policy.hit(0, 0));
    assert_eq!(ask(&mut policy, 10, CAPACITY), [1]);
    policy.remove(1, 1, Removal::Evicted);
    // However often it was read.
    assert_eq!(ask(&mut policy, 40, CAPACITY), [2, 3, 4, 0]);
}

#[test]
fn a_victim_that_stays_is_named_again_unless_it_was_read() {
    let mut policy = filled(20);
    assert_eq!(ask(&mut policy, 20, CAPACITY), [0, 1]);
    assert_eq!(ask(&mut policy, 20, CAPACITY), [0, 1]);
    policy.hit(0, 0);
    assert_eq!(ask(&mut policy, 20, CAPACITY), [1, 2]);
}

#[test]
fn a_memory_that_fills_up_fills_main_once() {
    let mut shard = Shard::new(Clock2QPlus::default(), 100);
    (0..10).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(shard.policy().main.bytes, 0);
    (10..100).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(shard.policy().main.bytes, 90);
    assert!(shard.holds(99) && shard.holds(10) && !shard.holds(9));
    // What is deleted there is not replaced by what was not read.
    (10..15).for_each(|key| assert!(shard.delete(key)));
    (100..200).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(shard.policy().main.bytes, 40);
}

#[test]
fn everything_can_be_asked_for_whatever_was_read() {
    let mut policy = filled(50);
    (0..50).step_by(3).for_each(|slot| policy.hit(slot, slot));
    (20..30).for_each(|slot| policy.send(slot, Place::Main));
    (20..30).for_each(|slot| policy.hit(slot, slot));
    let mut named = ask(&mut policy, u64::MAX, CAPACITY);
    named.sort_unstable();
    assert_eq!(named, (0..50).collect::<Vec<_>>());
}

#[test]
fn bytes_follow_updates_and_a_read_is_kept() {
    let mut policy = filled(20);
    policy.hit(0, 0);
    policy.update(
        0,
        Entry {
            size: 500,
            ..entry(0)
        },
    );
    assert_eq!((policy.small.bytes, policy.window.bytes), (640, 50));
    assert!(policy.nodes[0].is_read());
    policy.remove(0, 0, Removal::Deleted);
    assert_eq!(policy.small.bytes, 140);
}

#[test]
fn a_request_is_answered_soon_where_everything_was_read() {
    let entries = 4 * TURNS_MAX;
    let mut policy = filled(entries);
    (0..entries).for_each(|slot| policy.hit(slot, slot));
    assert_eq!(ask(&mut policy, 10, CAPACITY), [TURNS_MAX]);
    assert_eq!(policy.main.bytes, u64::from(TURNS_MAX) * 10);
}

#[test]
fn one_call_takes_so_many_out_of_the_window() {
    let mut policy = Clock2QPlus::default();
    policy.parameters.window_percent = 100;
    policy.parameters.small_percent = 90;
    let entries = 8 * AGED_MAX;
    (0..entries).for_each(|slot| policy.insert(slot, entry(slot)));
    let before = policy.window.bytes;
    assert_eq!(ask(&mut policy, 10, 100), [0]);
    assert_eq!(before - policy.window.bytes, 10 * u64::from(AGED_MAX));
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Clock2QPlus>();
    for (small_percent, window_percent, ghost_percent) in [(1, 1, 400), (90, 100, 1)] {
        let parameters = Parameters {
            small_percent,
            window_percent,
            ghost_percent,
        };
        testing::check_eviction_with(|seed| {
            Clock2QPlus::new(parameters.clone(), seed).expect("the parameters are in range")
        });
    }
}
