use super::*;
use larder_sdk::testing::{self, Shard, Stored};

fn entry(hash: u32) -> Entry {
    Entry {
        hash,
        size: 10,
        priority: 0,
    }
}

fn ask(policy: &mut S3Fifo, bytes: u64, capacity_bytes: u64) -> Vec<Slot> {
    let mut out = Vec::new();
    let request = Request {
        bytes,
        capacity_bytes,
        newcomer: None,
    };
    policy.victims(&request, &mut Victims::new(bytes, &mut out));
    out
}

#[test]
fn unread_entries_leave_in_order_of_arrival() {
    let mut policy = S3Fifo::default();
    (0..10).for_each(|slot| policy.insert(slot, entry(slot)));
    assert_eq!(ask(&mut policy, 30, 100), [0, 1, 2]);
}

#[test]
fn two_reads_promote_and_one_does_not() {
    let mut policy = S3Fifo::default();
    (0..3).for_each(|slot| policy.insert(slot, entry(slot)));
    policy.hit(0, 0);
    policy.hit(0, 0);
    policy.hit(1, 1);
    assert_eq!(ask(&mut policy, 20, 30), [1, 2]);
}

#[test]
fn reads_are_told_of_any_slot() {
    let mut policy = S3Fifo::default();
    (0..2).for_each(|slot| policy.insert(slot, entry(slot)));
    (0..5).for_each(|_| policy.hit(1, 1));
    assert_eq!([0, 1, 1 << 20].map(|slot| policy.reads(slot)), [0, 3, 0]);
}

#[test]
fn who_returns_from_the_ghost_enters_main() {
    let mut policy = S3Fifo {
        was_main_full: true,
        ..S3Fifo::default()
    };
    (0..100).for_each(|slot| policy.insert(slot, entry(slot)));
    assert_eq!(ask(&mut policy, 10, 1000), [0]);
    policy.remove(0, 0, Removal::Evicted);
    policy.insert(0, entry(0));
    assert!(policy.nodes[0].is_in_main());
    // A deleted key leaves no ghost.
    policy.remove(0, 0, Removal::Deleted);
    policy.insert(0, entry(0));
    assert!(!policy.nodes[0].is_in_main());
}

#[test]
fn named_victims_are_named_again_until_removed() {
    let mut policy = S3Fifo::default();
    (0..5).for_each(|slot| policy.insert(slot, entry(slot)));
    assert_eq!(ask(&mut policy, 20, 50), [0, 1]);
    policy.remove(0, 0, Removal::Evicted);
    assert_eq!(ask(&mut policy, 20, 50), [1, 2]);
}

#[test]
fn everything_can_be_asked_for_whatever_was_read() {
    let mut policy = S3Fifo::default();
    for slot in 0..50 {
        policy.insert(slot, entry(slot));
        (0..slot % 5).for_each(|_| policy.hit(slot, slot));
    }
    let mut named = ask(&mut policy, u64::MAX, 500);
    named.sort_unstable();
    assert_eq!(named, (0..50).collect::<Vec<_>>());
}

#[test]
fn bytes_follow_updates() {
    let mut policy = S3Fifo::default();
    policy.insert(0, entry(0));
    policy.update(
        0,
        Entry {
            hash: 0,
            size: 500,
            priority: 0,
        },
    );
    assert_eq!(policy.small.bytes, 500);
    policy.remove(0, 0, Removal::Deleted);
    assert_eq!(policy.small.bytes, 0);
}

#[test]
fn parameters_are_followed() {
    let parameters = Parameters {
        small_percent: 50,
        ghost_percent: 90,
        promoting_reads: 1,
    };
    let mut policy = S3Fifo::new(parameters, 1).unwrap();
    (0..10).for_each(|slot| policy.insert(slot, entry(slot)));
    policy.hit(0, 0);
    policy.hit(1, 1);
    // Half of the bytes are the small queue's: what is beyond leaves it, read once is enough to stay.
    let named = ask(&mut policy, 30, 100);
    assert_eq!(named, [2, 3, 4]);
    for slot in named {
        policy.remove(slot, slot, Removal::Evicted);
    }
    assert_eq!((policy.small.bytes, policy.main.bytes), (50, 20));
}

#[test]
fn the_manifest_has_the_defaults_of_the_paper() {
    assert!(
        MANIFEST.starts_with(r#"{"name":"s3-fifo","version":""#),
        "{MANIFEST}"
    );
    for parameter in [
        r#""name":"small_percent","type":"int","default":10,"min":1,"max":90,"#,
        r#""name":"ghost_percent","type":"int","default":90,"min":1,"max":400,"#,
        r#""name":"promoting_reads","type":"int","default":2,"min":1,"max":3,"#,
    ] {
        assert!(MANIFEST.contains(parameter), "{MANIFEST}");
    }
}

#[test]
fn a_scan_leaves_what_is_read_often() {
    let mut shard = Shard::new(S3Fifo::default(), 1000);
    for round in 0..4 {
        for key in 0..50 {
            assert!(round == 0 || shard.get(key));
            if round == 0 {
                shard.set(key, 10);
            }
        }
    }
    (1000..3000).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!((0..50).filter(|&key| shard.holds(key)).count(), 50);
}

#[test]
fn a_memory_that_fills_up_fills_main_once() {
    let mut shard = Shard::new(S3Fifo::default(), 100);
    (0..10).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(shard.policy().main.bytes, 0);
    (10..100).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(shard.policy().main.bytes, 90);
    // What is deleted there is not replaced by what was not read.
    (10..15).for_each(|key| assert!(shard.delete(key)));
    (100..200).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!(shard.policy().main.bytes, 40);
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<S3Fifo>();
    testing::check_eviction_with(|seed| {
        let parameters = Parameters {
            small_percent: 90,
            ghost_percent: 1,
            promoting_reads: 3,
        };
        S3Fifo::new(parameters, seed).expect("the parameters are in range")
    });
}

#[test]
fn a_request_is_answered_soon_where_everything_was_read_often() {
    let mut policy = S3Fifo::default();
    let entries = 4 * TURNS_MAX;
    (0..entries).for_each(|slot| policy.insert(slot, entry(slot)));
    for slot in 0..entries {
        (0..5).for_each(|_| policy.hit(slot, slot));
    }
    // Without a small queue all are promoted.
    policy.parameters.small_percent = 0;
    let all = u64::from(entries) * 10;
    assert_eq!(ask(&mut policy, 10, all).len(), 1);
    for slot in 0..entries {
        (0..3).for_each(|_| policy.hit(slot, slot));
    }
    let oldest = policy.main.list.back().unwrap();
    let named = ask(&mut policy, 10, all);
    let looked_at: u32 = (0..entries)
        .filter(|&slot| policy.nodes[slot].reads() == 2)
        .count() as u32;
    assert!(!named.is_empty());
    assert!(looked_at <= TURNS_MAX, "{looked_at}");
    assert!(!named.contains(&oldest), "the first got another round");
}
