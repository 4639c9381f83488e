use larder_engine::below::Sight;

use super::super::tests::{Bench, LIMITS, key, until};
use super::super::{DRAWN_MAX, LoadLimits, LoadRule};
use super::*;
use crate::stack::Epochs;
use larder_engine::tags::{Known, Tags};

const NAME: &str = "page:count";
const TTL_MS: Millis = 60_000;

fn limits(while_s: u64, error_s: u64, early_percent: u32) -> LoadLimits {
    LoadLimits {
        stale_while_revalidate: Duration::from_secs(while_s),
        stale_if_error: Duration::from_secs(error_s),
        early_percent,
        ..LIMITS
    }
}

/// Waits until nothing is loaded anew any more.
fn settle(bench: &Bench) {
    let sources = bench.stack.sources.lock();
    let busy = || sources.iter().flat_map(|source| &source.ordered.busy);
    until(|| busy().all(|busy| !busy.load(Ordering::Relaxed)));
}

#[test]
fn a_stale_value_is_answered_at_once_and_loaded_anew_once() {
    let bench = Bench::new(1, limits(30, 0, 0), false);
    assert!(bench.fetch(NAME));
    bench.set_time(TTL_MS - 1);
    assert_eq!(bench.value(NAME).as_deref(), Some("1"));
    settle(&bench);
    assert_eq!(bench.asked(), 1);
    bench.set_time(TTL_MS);
    for _ in 0..100 {
        assert_eq!(bench.value(NAME).as_deref(), Some("1"));
    }
    until(|| bench.asked() == 2);
    assert_eq!(bench.value(NAME).as_deref(), Some("1"));
    bench.origin.lets.add_permits(1);
    settle(&bench);
    assert_eq!(bench.value(NAME).as_deref(), Some("2"));
    settle(&bench);
    assert_eq!((bench.asked(), bench.figures().refreshed_stale), (2, 1));
    // Without a read nothing is loaded, and what is stale for too long is gone.
    bench.set_time(2 * TTL_MS + 30_000);
    assert_eq!(bench.value(NAME), None);
    settle(&bench);
    assert_eq!(bench.asked(), 2);
}

#[test]
fn what_changes_or_is_gone_while_it_is_loaded_anew_does_not_come_back() {
    let bench = Bench::new(2, limits(30, 0, 0), false);
    for (name, is_removed) in [(NAME, true), ("page:other", false)] {
        bench.set_time(0);
        assert!(bench.fetch(name));
        let asked = bench.asked();
        bench.set_time(TTL_MS);
        if !is_removed {
            bench.origin.is_empty.store(true, Ordering::Relaxed);
        }
        bench.origin.lets.forget_permits(8);
        assert!(bench.value(name).is_some());
        until(|| bench.asked() > asked);
        if is_removed {
            assert!(bench.tenant().remove(key(name), bench.now()));
        }
        bench.origin.lets.add_permits(2);
        settle(&bench);
        assert_eq!(bench.value(name), None);
    }
    assert_eq!(bench.figures().absences, 1);
    let sight = bench.sight("page:other");
    assert_eq!(sight, Sight::Maybe, "of the absence nobody was told yet");
}

#[test]
fn a_value_that_is_read_is_loaded_anew_shortly_before_its_time_is_over() {
    let bench = Bench::new(1 << 20, limits(0, 0, 1000), false);
    assert!(bench.fetch(NAME));
    // A load takes a millisecond at least.
    bench.set_time(TTL_MS - 371);
    for _ in 0..1_000 {
        assert_eq!(bench.value(NAME).as_deref(), Some("1"));
    }
    settle(&bench);
    assert_eq!(bench.asked(), 1);
    bench.set_time(TTL_MS - 1);
    until(|| {
        assert!(bench.value(NAME).is_some());
        bench.figures().refreshed_early > 0
    });
    settle(&bench);
    assert_eq!(bench.value(NAME).as_deref(), Some("2"));
    assert_eq!(bench.figures().refreshed_stale, 0);

    let never = Bench::new(8, limits(0, 0, 0), false);
    assert!(never.fetch(NAME));
    never.set_time(TTL_MS - 1);
    for _ in 0..1_000 {
        assert_eq!(never.value(NAME).as_deref(), Some("1"));
    }
    assert_eq!(never.figures().refreshed_early, 0);
}

#[test]
fn where_a_load_fails_a_stale_value_is_answered_as_long_as_it_may_be() {
    let bench = Bench::new(1 << 20, limits(0, 3600, 0), false);
    assert!(bench.fetch(NAME));
    bench.set_time(TTL_MS);
    assert_eq!(bench.value(NAME), None, "it is loaded first");
    bench.origin.fails.store(true, Ordering::Relaxed);
    assert!(bench.fetch(NAME));
    assert_eq!(bench.value(NAME).as_deref(), Some("1"));
    settle(&bench);
    assert_eq!(bench.asked(), 2, "it is not tried again at once");
    bench.set_time(TTL_MS + 1_000);
    bench.origin.fails.store(false, Ordering::Relaxed);
    assert_eq!(bench.value(NAME).as_deref(), Some("1"));
    settle(&bench);
    assert_eq!(bench.value(NAME).as_deref(), Some("3"));

    bench.origin.fails.store(true, Ordering::Relaxed);
    bench.set_time(TTL_MS + 1_000 + TTL_MS + 3_599_999);
    assert!(bench.fetch(NAME));
    bench.set_time(TTL_MS + 1_000 + TTL_MS + 3_600_000);
    assert_eq!(bench.value(NAME), None);
    assert!(!bench.fetch(NAME));
}

#[test]
fn draws_are_those_of_their_seed_and_as_far_apart_as_loads_take() {
    let draws = |seed| {
        let refreshes = Refreshes::new(seed);
        let draws = (0..10_000).map(move |_| refreshes.draw_early_ms(100));
        draws.collect::<Vec<f64>>()
    };
    let drawn = draws(1);
    assert_eq!(drawn, draws(1));
    assert_ne!(drawn, draws(2));
    assert!(drawn.iter().all(|ms| (0.0..100.0 * DRAWN_MAX).contains(ms)));
    let mean = drawn.iter().sum::<f64>() / 10_000.0;
    assert!((95.0..105.0).contains(&mean), "{mean}");
}

/// A loader of a tenant by that name, and a way to have some of its keys ordered.
fn source(tenant: &str, seed: u64) -> Arc<Source> {
    let rule = LoadRule {
        name: "*".into(),
        fits: Arc::new(|_| true),
        loader: Arc::new(|_| async { Ok(None) }),
        limits: LIMITS,
    };
    let (ordered, epochs) = (Arc::new(Ordered::new(seed)), Arc::new(Epochs::new(seed)));
    let tags = Arc::new(Tags::new([1, 2], &Known::default()));
    let clock = Arc::new(|| 0);
    Arc::new(Source::new(tenant, &rule, clock, tags, ordered, epochs))
}

fn name(tenant: &str, number: usize) -> TierKeyBuf {
    TierKeyBuf {
        tenant: tenant.into(),
        db: 0,
        bytes: number.to_string().into_bytes().into(),
    }
}

#[test]
fn a_tenant_that_orders_ever_more_leaves_room_for_the_others() {
    let refreshes = Refreshes::new(1);
    let ordered_of = |tenant: &str| {
        let source = source(tenant, 1);
        for number in 0..10 * GROUPS {
            refreshes.order(&source, name(tenant, number), Reason::Stale);
        }
        source.ordered.waiting.load(Ordering::Relaxed)
    };
    // As nothing is begun, each has half of what is left.
    let [first, second, third] = ["a", "b", "c"].map(ordered_of);
    assert_eq!([first, second, third], [1024, 512, 256]);
}

#[test]
fn which_keys_share_a_group_follows_from_the_seed() {
    let groups = |seed| {
        let own = Ordered::new(seed);
        let groups = (0..64).map(|number| own.group(&name("a", number)));
        groups.collect::<Vec<_>>()
    };
    assert_eq!(groups(1), groups(1));
    assert_ne!(groups(1), groups(2));
}
