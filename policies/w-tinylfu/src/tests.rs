use super::*;
use larder_sdk::testing::{self, Shard};

fn with(window_percent: u32, protected_percent: u64, adaptive: bool) -> WTinyLfu {
    let parameters = Parameters {
        window_percent,
        protected_percent,
        adaptive,
    };
    WTinyLfu::new(parameters, 1).expect("the parameters are in range")
}

/// A shard of a hundred entries of ten bytes: keys 0 to 89 in the main part, the rest in the window.
fn full() -> Shard<WTinyLfu> {
    let mut shard = Shard::new(with(10, 80, false), 1000);
    (0..100).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    for key in (0..90).chain(0..100) {
        assert!(shard.get(key));
    }
    shard.set(100, 10);
    assert_eq!(shard.evicted(), [90]);
    shard
}

#[test]
fn who_leaves_the_window_is_not_admitted_in_place_of_an_equal() {
    let mut shard = full();
    (101..150).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    // One or two may be taken for more frequent than they are.
    let kept = (0..90).filter(|&key| shard.holds(key)).count();
    assert!(kept >= 88, "{kept}");
}

#[test]
fn who_came_more_often_than_the_oldest_of_the_main_part_is_admitted() {
    let mut shard = full();
    (0..3).for_each(|_| assert!(shard.get(95)));
    (101..115).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    assert!(shard.holds(95) && !shard.holds(0) && !shard.holds(96));
}

#[test]
fn who_takes_the_place_of_several_came_more_often_than_all_of_them() {
    let mut policy = with(1, 80, false);
    for (slot, size) in [(0, 10), (1, 10), (2, 20)] {
        let hash = slot * 7919;
        let entry = Entry {
            hash,
            size,
            priority: 0,
        };
        policy.insert(slot, entry);
        policy.move_to(slot, Place::Probation);
    }
    policy.sketch.set_capacity(1000);
    for hash in [0, 7919].repeat(3) {
        policy.sketch.add(hash);
    }
    // More often than either is not more often than both.
    let admitted = [(); 8].map(|()| {
        policy.sketch.add(2 * 7919);
        policy.is_admitted(2, 0)
    });
    assert_eq!(admitted.iter().position(|&admitted| admitted), Some(6));
}

#[test]
fn what_is_read_on_probation_is_protected_up_to_a_part() {
    let mut policy = with(1, 50, false);
    policy.capacity_bytes = 100;
    for slot in 0..10 {
        let entry = Entry {
            hash: slot,
            size: 10,
            priority: 0,
        };
        policy.insert(slot, entry);
        policy.move_to(slot, Place::Probation);
    }
    (0..6).for_each(|slot| policy.hit(slot, slot));
    // Half of 99 bytes: of the six the first two are on probation again.
    assert_eq!(policy.protected.bytes, 40);
    assert_eq!(policy.nodes[0].place(), Place::Probation);
    assert_eq!(policy.nodes[5].place(), Place::Protected);
    policy.hit(0, 0);
    assert_eq!(policy.nodes[0].place(), Place::Protected);
    assert_eq!(policy.nodes[2].place(), Place::Probation);
}

#[test]
fn named_victims_are_named_again_until_removed() {
    let mut policy = with(1, 80, true);
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
        policy.hit(out[0], out[0]);
        out
    };
    let first = ask();
    assert_eq!(ask(), first);
}

#[test]
fn a_scan_leaves_what_came_often() {
    let mut shard = Shard::new(with(1, 80, true), 1000);
    for round in 0..8 {
        for key in 0..80 {
            assert!(round == 0 || shard.get(key));
            if round == 0 {
                shard.set(key, 10);
            }
        }
    }
    (1000..1300).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
    assert!((0..80).filter(|&key| shard.holds(key)).count() >= 78);
}

/// Hits of a shard of 1000 entries for keys that come a second time soon and never again.
fn hits_of_bursts(adaptive: bool) -> u32 {
    let mut shard = Shard::new(with(1, 80, adaptive), 1000);
    let mut hits = 0;
    for request in 0..300_000u64 {
        let key = match request % 2 {
            0 => request,
            _ => request.saturating_sub(61),
        };
        match shard.get(key) {
            true => hits += 1,
            false => assert!(shard.set(key, 1) == testing::Stored::Kept),
        }
    }
    hits
}

#[test]
fn the_window_grows_where_that_gives_hits() {
    let (fixed, adaptive) = (hits_of_bursts(false), hits_of_bursts(true));
    assert!(adaptive > 2 * fixed + 10_000, "{adaptive} and {fixed}");
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<WTinyLfu>();
    testing::check_eviction_with(|_| with(80, 1, true));
    testing::check_eviction_with(|_| with(1, 99, false));
}
