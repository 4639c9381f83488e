use super::*;
use larder_sdk::testing::{self, Shard};

fn with(sample: u32, seed: u64) -> Lhd {
    Lhd::new(Parameters { sample }, seed).expect("the parameter is in range")
}

fn entry(hash: u32, size: u32) -> Entry {
    Entry {
        hash,
        size,
        priority: 0,
    }
}

fn ask(policy: &mut Lhd, bytes: u64) -> Vec<Slot> {
    let mut out = Vec::new();
    let request = Request {
        bytes,
        capacity_bytes: 1000,
        newcomer: None,
    };
    policy.victims(&request, &mut Victims::new(bytes, &mut out));
    out
}

#[test]
fn of_alike_the_largest_goes() {
    let mut policy = with(32, 1);
    (0..10).for_each(|slot| policy.insert(slot, entry(slot, if slot == 4 { 80 } else { 10 })));
    assert_eq!(ask(&mut policy, 50), [4]);
}

#[test]
fn before_anything_is_learned_the_older_goes_and_the_one_that_was_hit_stays() {
    let mut policy = with(32, 1);
    (0..20).for_each(|slot| policy.insert(slot, entry(slot, 10)));
    policy.hit(0, 0);
    let victim = ask(&mut policy, 10)[0];
    assert!((1..4).contains(&victim), "{victim}");
}

#[test]
fn it_learns_which_age_is_hit() {
    // In turn: one of a loop that comes back after 200 accesses, and one that never does.
    let mut shard = Shard::new(with(32, 1), 150);
    let mut hits = 0;
    for request in 0..60_000u64 {
        let key = match request % 2 {
            0 => request / 2 % 100,
            _ => request + 1000,
        };
        match shard.get(key) {
            true => hits += u32::from(request >= 30_000),
            false => assert!(shard.set(key, 1) == testing::Stored::Kept),
        }
    }
    // The least recently used would have none.
    assert!(hits > 12_000, "{hits} of 15,000");
}

#[test]
fn explorers_are_few_and_stay_for_a_while() {
    let mut policy = with(32, 7);
    (0..10_000).for_each(|slot| policy.insert(slot, entry(slot, 10)));
    let explorers: Vec<Slot> = (0..10_000)
        .filter(|&slot| policy.items[slot].is_explorer)
        .collect();
    assert!((5..50).contains(&explorers.len()), "{explorers:?}");
    assert_eq!(policy.worth(explorers[0]), f32::MAX);
    policy.accesses += EXPLORE_AN_ENTRY * 10_000 * 9 / 8;
    assert!(policy.worth(explorers[0]) < 1.0);
}

#[test]
fn named_victims_are_named_again_until_removed() {
    let mut policy = with(8, 1);
    (0..100).for_each(|slot| policy.insert(slot, entry(slot, 10)));
    let first = ask(&mut policy, 30);
    assert_eq!(first.len(), 3);
    let again = ask(&mut policy, 30);
    assert!(first.iter().all(|slot| again.contains(slot)) && again.len() == 3);
    policy.remove(first[0], first[0], Removal::Evicted);
    let later = ask(&mut policy, 30);
    assert!(first[1..].iter().all(|slot| later.contains(slot)) && later.len() == 3);
}

#[test]
fn many_victims_are_of_smaller_samples() {
    let mut policy = with(256, 1);
    (0..5000).for_each(|slot| policy.insert(slot, entry(slot, 10)));
    let sample = |policy: &Lhd, bytes| {
        policy.sample(&Request {
            bytes,
            capacity_bytes: 50_000,
            newcomer: None,
        })
    };
    let samples = [1, 160, 1600, u64::MAX].map(|bytes| sample(&policy, bytes));
    assert_eq!(samples, [256, 256, 25, 1]);
    let mut all = ask(&mut policy, 40_000);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 4000);
}

#[test]
fn classes_follow_the_ages_of_the_last_two_hits() {
    let mut policy = with(32, 1);
    (0..1000).for_each(|slot| policy.insert(slot, entry(slot, 10)));
    assert_eq!(policy.class(&policy.items[0]), 0);
    let class = |policy: &Lhd, last, before| {
        policy.class(&Item {
            was_hit: true,
            last: Age::new(last),
            before: Age::new(before),
            ..Item::default()
        })
    };
    let classes = [(1, 0), (100, 100), (700, 100), (1500, 0), (1 << 30, 0)]
        .map(|(last, before)| class(&policy, last, before));
    assert!(
        classes.is_sorted_by(|one, other| one > other),
        "{classes:?}"
    );
    assert_eq!((classes[2], classes[4]), (MIDDLE_CLASS as usize, 1));
}

#[test]
fn it_keeps_to_the_contract() {
    testing::check_eviction::<Lhd>();
    testing::check_eviction_with(|seed| with(1, seed));
    testing::check_eviction_with(|seed| with(256, seed));
}
