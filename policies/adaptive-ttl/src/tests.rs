use super::*;
use larder_sdk::testing::Ask;

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;

fn parameters() -> Parameters {
    Parameters {
        intervals: 4,
        ..Parameters::default()
    }
}

fn policy(parameters: Parameters) -> AdaptiveTtl {
    AdaptiveTtl::new(parameters, 1).unwrap()
}

fn write(policy: &mut AdaptiveTtl, key: &str, now_ms: u64) -> TtlAnswer {
    policy.ttl(&Ask::key(key).now_ms(now_ms).ttl_ms(HOUR).question())
}

/// Writes `keys` keys of `family` each `interval_ms`, `rounds` times; the last answer.
fn update(policy: &mut AdaptiveTtl, family: &str, keys: u64, rounds: u64, interval_ms: u64) -> u64 {
    let mut last = TtlAnswer::Keep;
    for round in 0..rounds {
        for key in 0..keys {
            let now_ms = round * interval_ms + key * interval_ms / keys;
            last = write(policy, &format!("{family}:{key}"), now_ms);
        }
    }
    match last {
        TtlAnswer::Millis(ttl_ms) => ttl_ms,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_live_for_a_part_of_the_interval_between_updates_of_a_key() {
    let mut policy = policy(parameters());
    // However many keys there are: it is not the interval between writes of the family.
    assert_eq!(update(&mut policy, "one", 1, 20, 60 * SECOND), 30 * SECOND);
    assert_eq!(
        update(&mut policy, "many", 500, 20, 60 * SECOND),
        30 * SECOND
    );
    assert_eq!(update(&mut policy, "a:b", 3, 20, 20 * SECOND), 10 * SECOND);
    // A key that was never written profits from its family.
    let answer = write(&mut policy, "one:new", 20 * 60 * SECOND);
    assert_eq!(answer, TtlAnswer::Millis(30 * SECOND));
}

#[test]
fn the_clients_ttl_stays_while_too_little_is_known() {
    let mut policy = policy(parameters());
    // Every second write ends an interval, and the fourth interval is enough.
    let answers = (0..8).map(|n| write(&mut policy, "a:1", n * 10 * SECOND));
    let known: Vec<_> = answers.map(|answer| answer != TtlAnswer::Keep).collect();
    assert_eq!(
        known,
        [false, false, false, false, false, false, false, true]
    );
    // Of other families nothing is known, nor of keys without one.
    assert_eq!(write(&mut policy, "b:1", 0), TtlAnswer::Keep);
    (0..20).for_each(|n| assert_eq!(write(&mut policy, "a", n), TtlAnswer::Keep));
    let mut elsewhere = Ask::key("a:1").db(1);
    assert_eq!(policy.ttl(&elsewhere.question()), TtlAnswer::Keep);
}

#[test]
fn it_stays_within_its_bounds() {
    let mut policy = policy(parameters());
    assert_eq!(update(&mut policy, "fast", 1, 20, 1), SECOND);
    assert_eq!(update(&mut policy, "slow", 1, 20, 100 * HOUR), HOUR);
}

#[test]
fn keys_that_are_never_written_again_count_as_long_intervals() {
    let mut policy = policy(parameters());
    let answers = (0..10_000).map(|n| write(&mut policy, &format!("log:{n}"), n * 10 * SECOND));
    assert_eq!(answers.last(), Some(TtlAnswer::Millis(HOUR)));
}

#[test]
fn the_mean_follows_what_changes() {
    let mut policy = policy(parameters());
    update(&mut policy, "a", 1, 100, 600 * SECOND);
    let start_ms = 100 * 600 * SECOND;
    let mut ttls = (0..200).map(|n| write(&mut policy, "a:0", start_ms + n * 10 * SECOND));
    assert!(ttls.all(|answer| answer != TtlAnswer::Keep));
    let TtlAnswer::Millis(ttl_ms) = write(&mut policy, "a:0", start_ms + 2000 * SECOND) else {
        panic!("the TTL is known")
    };
    assert!((5 * SECOND..6 * SECOND).contains(&ttl_ms), "{ttl_ms}");
}

#[test]
fn a_load_is_no_update_and_lives_as_long() {
    let mut policy = policy(parameters());
    update(&mut policy, "a", 1, 20, 60 * SECOND);
    for n in 0..100 {
        let mut load = Ask::key("a:0").load().now_ms(1200 * SECOND + n);
        assert_eq!(policy.ttl(&load.question()), TtlAnswer::Millis(30 * SECOND));
    }
}

#[test]
fn a_clock_that_is_set_back_teaches_nothing() {
    let mut policy = policy(parameters());
    update(&mut policy, "a", 1, 20, 60 * SECOND);
    (0..20).for_each(|n| _ = write(&mut policy, "a:0", 1000 - n));
    // One interval may span the change, none is of nothing.
    let answer = write(&mut policy, "a:0", 0);
    assert_eq!(answer, TtlAnswer::Millis(30 * SECOND));
}

#[test]
fn the_families_that_are_written_stay_known_in_a_flood_of_others() {
    let mut policy = policy(Parameters {
        families: 64,
        ..parameters()
    });
    update(&mut policy, "a", 1, 20, 60 * SECOND);
    for n in 0..10_000 {
        let now_ms = 1200 * SECOND + n * 10;
        write(&mut policy, &format!("{n}:x"), now_ms);
        let answer = write(&mut policy, "a:1", now_ms + 1);
        assert_ne!(answer, TtlAnswer::Keep, "{n}");
        assert!(policy.families.len() <= 64);
    }
}

#[test]
fn the_separator_says_what_a_family_is() {
    let with = |separator: &str| {
        policy(Parameters {
            separator: separator.into(),
            ..parameters()
        })
    };
    let (dots, none) = (with("::"), with(""));
    assert_eq!(dots.family(b"a::b:c::d"), Some(&b"a::b:c"[..]));
    assert_eq!(dots.family(b"a:b"), None);
    assert_eq!(none.family(b"a:b"), Some(&b"a:b"[..]));
    let colon = with(":");
    assert_eq!(colon.family(b"user:7:name"), Some(&b"user:7"[..]));
    assert_eq!(
        (colon.family(b":x"), colon.family(b"")),
        (Some(&b""[..]), None)
    );
}

#[test]
fn bounds_that_do_not_go_together_are_refused() {
    let (min, max) = (Duration::from_secs(2), Duration::from_secs(1));
    let why = AdaptiveTtl::new(
        Parameters {
            min,
            max,
            ..parameters()
        },
        1,
    )
    .unwrap_err();
    assert_eq!(why, "min (2s) is above max (1s)");
    let max = Duration::from_millis(TTL_MS_MAX + 1);
    assert!(
        AdaptiveTtl::new(
            Parameters {
                max,
                ..parameters()
            },
            1
        )
        .is_err()
    );
}

#[test]
fn extremes_of_the_parameters_are_ttls() {
    for (factor, weight_percent, families) in [(0.01, 1, 1), (100.0, 100, 16_384)] {
        let (min, max) = (Duration::from_millis(1), Duration::from_millis(TTL_MS_MAX));
        let mut policy = policy(Parameters {
            factor,
            min,
            max,
            intervals: 1,
            weight_percent,
            families,
            ..parameters()
        });
        for now_ms in [0, 0, 0, 1, u64::MAX, u64::MAX, u64::MAX, 5] {
            for key in ["a:1", "b:1"] {
                if let TtlAnswer::Millis(ttl_ms) = write(&mut policy, key, now_ms) {
                    assert!((1..=TTL_MS_MAX).contains(&ttl_ms));
                }
            }
        }
    }
}
