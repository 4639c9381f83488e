use std::collections::HashSet;

use std::time::Duration;

use super::*;

fn mix(weights: [u32; 3]) -> Mix {
    Mix {
        weights,
        keys: Keys::new(1_000, 0.99),
        deadline: Instant::now(),
    }
}

#[test]
fn keys_have_sixteen_bytes() {
    let key = |key| Request { op: Op::Get, key }.key();
    assert_eq!(&key(0), b"key:000000000000");
    assert_eq!(&key(1_203), b"key:000000001203");
    assert_eq!(&key(u32::MAX), b"key:004294967295");
}

#[test]
fn every_rank_has_its_own_key() {
    for count in [1, 2, 3, 8, 360, 1_000, 9_973] {
        let keys = Keys::new(count, 0.99);
        let numbers: HashSet<u32> = (1..=u64::from(count))
            .map(|rank| keys.number(rank))
            .collect();
        assert_eq!(numbers.len(), count as usize);
        assert!(numbers.iter().all(|&number| number < count));
    }
    let keys = Keys::new(u32::MAX, 0.99);
    assert!(keys.number(u64::from(u32::MAX)) < u32::MAX);
}

#[test]
fn operations_come_as_often_as_they_weigh() {
    let mut random = Random::new(1);
    let mut seen = [0_u32; 3];
    let mix = mix([90, 9, 1]);
    (0..100_000).for_each(|_| seen[mix.draw(&mut random).op as usize] += 1);
    assert!((89_000..91_000).contains(&seen[0]), "{seen:?}");
    assert!((8_500..9_500).contains(&seen[1]), "{seen:?}");
    assert!((800..1_200).contains(&seen[2]), "{seen:?}");
}

#[test]
fn an_operation_that_weighs_nothing_never_comes() {
    let mut random = Random::new(1);
    let mix = mix([0, 1, 0]);
    assert!((0..1_000).all(|_| mix.draw(&mut random).op == Op::Set));
}

#[test]
fn a_fill_sets_every_key_once_and_a_mix_ends_at_its_deadline() {
    let (mut random, now) = (Random::new(1), Instant::now());
    let mut fill = Source::Fill(3..6);
    let keys: Vec<u32> = std::iter::from_fn(|| fill.next(&mut random, now))
        .map(|request| request.key)
        .collect();
    assert_eq!(keys, [3, 4, 5]);

    let deadline = now + Duration::from_secs(1);
    let mut source = Source::Mix(Mix {
        deadline,
        ..mix([1, 1, 1])
    });
    assert!(source.next(&mut random, now).is_some());
    assert!(source.next(&mut random, deadline).is_none());
}

#[test]
fn popular_keys_lie_evenly_over_the_numbers() {
    let keys = Keys::new(1_000_000, 0.99);
    let mut tenths = [0_u32; 10];
    (1..=1_000).for_each(|rank| tenths[keys.number(rank) as usize / 100_000] += 1);
    assert!(
        tenths.iter().all(|count| (95..=105).contains(count)),
        "{tenths:?}"
    );
}
