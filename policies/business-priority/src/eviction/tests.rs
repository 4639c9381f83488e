use super::*;
use larder_sdk::testing::{self, Shard, Stored};
use std::ops::Range;

const LOW: u8 = 10;
const HIGH: u8 = 200;
/// Keys of high-valued entries begin here.
const HIGHS: u64 = 1 << 32;

fn policy(floor_percent: u64, gdsf: bool, seed: u64) -> ByValue {
    let parameters = Parameters {
        floor_percent,
        gdsf,
        ..Parameters::default()
    };
    ByValue::new(parameters, seed).unwrap()
}

/// One in which the least recent of a class goes, and one in which what weighs least goes.
fn shards(floor_percent: u64, entries: u64) -> [Shard<ByValue>; 2] {
    [false, true].map(|gdsf| Shard::new(policy(floor_percent, gdsf, 1), entries * 10))
}

fn fill(shard: &mut Shard<ByValue>, keys: Range<u64>, priority: u8) {
    for key in keys {
        assert_eq!(shard.set_valued(key, 10, priority), Stored::Kept);
    }
}

fn highs(shard: &Shard<ByValue>) -> usize {
    shard.keys().filter(|&key| key >= HIGHS).count()
}

#[test]
fn of_entries_equally_recent_the_low_valued_goes_first() {
    for mut shard in shards(5, 60) {
        for key in 0..20 {
            shard.set_valued(HIGHS + key, 10, HIGH);
            shard.set_valued(key, 10, LOW);
            shard.set_valued(100 + key, 10, LOW + 1);
        }
        shard.set_valued(HIGHS + 20, 30, HIGH);
        assert_eq!(shard.evicted(), [0, 1, 2]);
        // A read does not lift it above what is worth more.
        shard.get(3);
        shard.set_valued(HIGHS + 21, 20, HIGH);
        assert_eq!(shard.evicted()[3..], [4, 5]);
    }
}

#[test]
fn a_flood_of_low_valued_entries_pushes_out_no_high_valued_one() {
    for floor_percent in [0, 5] {
        for mut shard in shards(floor_percent, 100) {
            fill(&mut shard, HIGHS..HIGHS + 90, HIGH);
            for key in 0..10_000 {
                shard.set_valued(key, 10, LOW);
                shard.get(key);
            }
            assert_eq!(highs(&shard), 90);
            // The newest of the flood is here all the same.
            assert!(shard.holds(9_999));
        }
    }
}

#[test]
fn nor_does_a_flood_of_small_ones_that_are_read_a_lot() {
    for mut shard in shards(5, 100) {
        for key in HIGHS..HIGHS + 9 {
            shard.set_valued(key, 100, HIGH);
        }
        for key in 0..10_000 {
            shard.set_valued(key, 1, LOW);
            (0..10).for_each(|_| _ = shard.get(key));
        }
        assert_eq!(highs(&shard), 9);
    }
}

#[test]
fn high_valued_entries_leave_the_low_valued_a_floor() {
    for mut shard in shards(5, 100) {
        fill(&mut shard, HIGHS..HIGHS + 1000, HIGH);
        assert_eq!(highs(&shard), 100);
        // Five low-valued ones that are in use find room, and keep it under a flood of high ones.
        fill(&mut shard, 0..5, LOW);
        for key in 1000..2000 {
            shard.set_valued(HIGHS + key, 10, HIGH);
            assert!((0..5).all(|key| shard.get(key)));
        }
        // Once nobody reads them, they go.
        fill(&mut shard, HIGHS + 2000..HIGHS + 2200, HIGH);
        assert_eq!(highs(&shard), 100);
    }
}

#[test]
fn priorities_in_between_share_the_floor() {
    for mut shard in shards(10, 100) {
        fill(&mut shard, HIGHS..HIGHS + 90, HIGH);
        for key in 0..1000 {
            shard.set_valued(2 * key, 10, LOW);
            shard.set_valued(2 * key + 1, 10, LOW + 1);
            assert!(shard.holds(2 * key) && shard.holds(2 * key + 1));
        }
        assert_eq!(highs(&shard), 90);
    }
}

#[test]
fn a_floor_of_nothing_is_strict_and_one_of_everything_is_recency_alone() {
    for mut strict in shards(0, 10) {
        fill(&mut strict, HIGHS..HIGHS + 10, HIGH);
        assert_eq!(strict.set_valued(0, 10, LOW), Stored::Refused);
        assert_eq!((highs(&strict), strict.evicted().len()), (10, 0));
    }
    for mut recency in shards(100, 10) {
        fill(&mut recency, HIGHS..HIGHS + 10, HIGH);
        fill(&mut recency, 0..10, LOW);
        assert_eq!(highs(&recency), 0);
    }
}

#[test]
fn a_changed_priority_counts_from_then_on() {
    for mut shard in shards(0, 2) {
        shard.set_valued(0, 10, HIGH);
        shard.set_valued(1, 10, LOW);
        shard.set_valued(0, 10, LOW - 1);
        shard.set_valued(2, 10, LOW);
        assert_eq!(shard.evicted(), [0]);
    }
}

#[test]
fn size_counts_among_entries_worth_the_same_where_that_is_set() {
    let [mut recency, mut gdsf] = shards(0, 100);
    for shard in [&mut recency, &mut gdsf] {
        shard.set_valued(HIGHS, 100, HIGH);
        fill(shard, 0..50, LOW);
        shard.set_valued(100, 400, LOW);
        shard.set_valued(101, 10, LOW);
    }
    assert_eq!(recency.evicted(), [0]);
    // The largest goes, though newer, and for the newcomer alone; what is worth more is larger,
    // too.
    assert_eq!(gdsf.evicted(), [100]);
}

#[test]
fn uses_count_among_entries_worth_the_same_where_that_is_set() {
    let [mut recency, mut gdsf] = shards(0, 10);
    for shard in [&mut recency, &mut gdsf] {
        fill(shard, 0..1, LOW);
        (0..3).for_each(|_| _ = shard.get(0));
        // More than recency remembers.
        fill(shard, 1..20, LOW);
    }
    assert!(!recency.holds(0) && gdsf.holds(0));
    // What is not used any more goes in the end.
    fill(&mut gdsf, 20..100, LOW);
    assert!(!gdsf.holds(0));
}

#[test]
fn the_clock_of_a_class_goes_around() {
    let [_, mut gdsf] = shards(0, 1);
    // Ten move it on by the greatest weight, of which 128 are once around.
    for key in 0..10_000 {
        gdsf.set_valued(key, 1, LOW);
        if key % 3 == 0 {
            (0..9).for_each(|_| _ = gdsf.get(key));
        }
        assert!(gdsf.holds(key));
    }
    fill(&mut gdsf, 20_000..20_010, LOW);
    assert_eq!(gdsf.keys().collect::<Vec<_>>(), [20_009]);
}

#[test]
fn memory_is_as_the_readme_says() {
    for (mut shard, bytes) in shards(5, 20_000).into_iter().zip([17, 22]) {
        let empty = shard.policy().memory_bytes();
        fill(&mut shard, 0..20_000, LOW);
        let entries = shard.policy().memory_bytes() - empty;
        assert!((20_000 * bytes..22_500 * bytes).contains(&entries));
    }
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<ByValue>();
    for floor_percent in [0, 5, 100] {
        for gdsf in [false, true] {
            testing::check_eviction_with(|seed| policy(floor_percent, gdsf, seed));
        }
    }
}
