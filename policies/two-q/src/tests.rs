use super::*;
use larder_sdk::testing::{self, Shard, Stored};

fn entry(hash: u32, size: u32) -> Entry {
    Entry {
        hash,
        size,
        priority: 0,
    }
}

fn filled(entries: u32) -> TwoQ {
    let mut policy = TwoQ::default();
    (0..entries).for_each(|slot| policy.insert(slot, entry(slot, 10)));
    policy
}

fn ask(policy: &mut TwoQ, bytes: u64, capacity_bytes: u64) -> Vec<Slot> {
    let mut out = Vec::new();
    let request = Request {
        bytes,
        capacity_bytes,
        newcomer: None,
    };
    policy.victims(&request, &mut Victims::new(bytes, &mut out));
    out
}

/// Has `slot` leave and come back, so that it is in Am.
fn return_to_main(policy: &mut TwoQ, slot: Slot) {
    policy.remove(slot, slot, Removal::Evicted);
    policy.insert(slot, entry(slot, 10));
}

#[test]
fn reads_of_the_new_change_nothing() {
    let mut policy = filled(10);
    (0..5).for_each(|_| policy.hit(0, 0));
    assert_eq!(ask(&mut policy, 30, 100), [0, 1, 2]);
}

#[test]
fn who_comes_back_while_remembered_enters_am() {
    let mut policy = filled(10);
    return_to_main(&mut policy, 0);
    assert!(policy.nodes[0].is_main());
    assert_eq!(policy.new_bytes, 90);
    // A deleted key is not remembered.
    policy.remove(1, 1, Removal::Deleted);
    policy.insert(1, entry(1, 10));
    assert!(!policy.nodes[1].is_main());
    // Nor is who left Am.
    policy.remove(0, 0, Removal::Evicted);
    policy.insert(0, entry(0, 10));
    assert!(!policy.nodes[0].is_main());
}

#[test]
fn a1in_gives_while_it_is_above_its_part_and_then_am_by_recency() {
    let mut policy = filled(8);
    (0..5).for_each(|slot| return_to_main(&mut policy, slot));
    policy.hit(0, 0);
    // A1in has 30 bytes; 25 are its part.
    assert_eq!(ask(&mut policy, 40, 100), [5, 1, 2, 3]);
    assert_eq!(ask(&mut policy, 40, 100), [5, 1, 2, 3], "again");
    let everything = [5, 1, 2, 3, 4, 0, 6, 7];
    assert_eq!(ask(&mut policy, u64::MAX, 100), everything);
}

#[test]
fn a1out_remembers_half_as_many_as_are_here() {
    let hash = |slot: Slot| slot.wrapping_mul(0x85EB_CA6B) ^ slot.rotate_left(13);
    let mut policy = filled(2000);
    let leaving = 1000..2000;
    for slot in leaving.clone() {
        policy.remove(slot, hash(slot), Removal::Evicted);
    }
    let remembered = |&slot: &Slot| policy.left.take(hash(slot));
    let remembered = leaving.filter(remembered).count();
    assert!((450..600).contains(&remembered), "{remembered}");
}

#[test]
fn bytes_follow_updates() {
    let mut policy = filled(2);
    policy.update(0, entry(0, 500));
    assert_eq!(policy.new_bytes, 510);
    return_to_main(&mut policy, 1);
    policy.update(1, entry(1, 700));
    assert_eq!(policy.new_bytes, 500);
    policy.remove(0, 0, Removal::Deleted);
    assert_eq!(policy.new_bytes, 0);
    assert_eq!(ask(&mut policy, 700, 1000), [1]);
}

#[test]
fn a_scan_leaves_what_came_back() {
    let mut shard = Shard::new(TwoQ::default(), 1000);
    for key in (0..90).chain(100..200).chain(60..90) {
        if !shard.get(key) {
            assert_eq!(shard.set(key, 10), Stored::Kept);
        }
    }
    (1000..3000).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
    assert_eq!((60..90).filter(|&key| shard.holds(key)).count(), 30);
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<TwoQ>();
    for (kin_percent, kout_percent) in [(1, 400), (90, 1)] {
        let parameters = Parameters {
            kin_percent,
            kout_percent,
        };
        testing::check_eviction_with(|seed| {
            TwoQ::new(parameters.clone(), seed).expect("the parameters are in range")
        });
    }
}
