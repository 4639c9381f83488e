use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_policy_lru::Lru;
use larder_sdk::{Event, Foretold, NEWCOMER, Request, Slot};

use super::{AHEAD_BYTES_MAX, STEP_BYTES_MAX};
use crate::evictor::{Evictor, EvictorFactory, Unfit, WrongAnswer, native};
use crate::tenant::tests::{NOW, engine, engine_that, get, put, s3_fifo};
use crate::{Access, Edit, Error, Expiry, FlushCursor, Key};

#[test]
fn the_budget_holds_under_shifting_sizes_and_the_newest_stays() {
    for evictor in [s3_fifo(), native("lru", Lru::default)] {
        let engine = engine(8 << 20, evictor);
        let tenant = engine.default_tenant();
        for (phase, len) in [100, 1000, 100, 60_000, 10].into_iter().enumerate() {
            for n in 0..(20 << 20) / (len + 100) {
                let name = format!("{phase}:{n}");
                put(tenant, &name, &vec![phase as u8; len], Expiry::Never).unwrap();
                assert!(get(tenant, &name, NOW).is_some());
            }
            let stats = tenant.stats();
            // Tables may grow by one step after the room was made.
            let slack = 64 * 1024;
            assert!(stats.used_bytes <= stats.budget_bytes + slack, "{stats:?}");
            assert!(
                stats.data_bytes >= stats.memory_bytes / 3 || len == 10,
                "{len}: {stats:?}"
            );
        }
        assert_eq!(tenant.stats().fallback_evictions, 0);
    }
}

/// Names whatever it likes.
struct Hostile {
    answers: Vec<Slot>,
    reproaches: Arc<AtomicUsize>,
}

impl Evictor for Hostile {
    fn deliver(&mut self, _events: &[Event]) -> Result<(), Unfit> {
        Ok(())
    }
    fn victims(
        &mut self,
        _request: &Request,
        _: &[Foretold],
        out: &mut Vec<Slot>,
    ) -> Result<(), Unfit> {
        out.extend(&self.answers);
        Ok(())
    }
    fn reproach(&mut self, _wrong: WrongAnswer) {
        self.reproaches.fetch_add(1, Ordering::Relaxed);
    }
    fn memory_bytes(&self) -> usize {
        0
    }
    fn wants_misses(&self) -> bool {
        true
    }
    fn is_prompt(&self) -> bool {
        false
    }
}

struct HostileFactory {
    answers: Vec<Slot>,
    reproaches: Arc<AtomicUsize>,
}

impl EvictorFactory for HostileFactory {
    fn name(&self) -> &str {
        "hostile"
    }
    fn build(&self, _seed: u64, _share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        Ok(Box::new(Hostile {
            answers: self.answers.clone(),
            reproaches: Arc::clone(&self.reproaches),
        }))
    }
}

#[test]
fn wrong_victims_cost_nothing_but_a_fallback() {
    let cases = [
        (vec![], "the victims free 0 bytes of"),
        (vec![0, 0, 0], "victim 0 is "),
        (
            vec![1 << 30, 5],
            "victim 1073741824 is no slot of this shard",
        ),
        (vec![NEWCOMER], "is no slot of this shard"),
        (vec![0, 1, 2], "victim"),
    ];
    for (answers, reason) in cases {
        let reproaches = Arc::new(AtomicUsize::new(0));
        let factory = HostileFactory {
            answers,
            reproaches: Arc::clone(&reproaches),
        };
        let engine = engine(4 << 20, Arc::new(factory));
        let tenant = engine.default_tenant();
        for n in 0..30_000 {
            put(tenant, &format!("{n}"), &[n as u8; 100], Expiry::Never).unwrap();
            assert_eq!(get(tenant, &format!("{n}"), NOW), Some(vec![n as u8; 100]));
        }
        let stats = tenant.stats();
        assert!(
            stats.used_bytes <= stats.budget_bytes + 64 * 1024,
            "{stats:?}"
        );
        assert!(stats.fallback_evictions > 0, "{stats:?}");
        // One offence a shard, then it is not asked again.
        assert_eq!(reproaches.load(Ordering::Relaxed), tenant.unfit_shards());
        assert_eq!(stats.wrong_victims, tenant.unfit_shards() as u64);
        let found = tenant.unfit_reason().unwrap();
        assert!(found.contains(reason), "{found}");
    }
}

#[test]
fn the_governor_lowers_budgets_while_memory_is_short_and_raises_them_again() {
    let engine = engine(64 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..60_000 {
        put(tenant, &format!("{n}"), &[0; 1000], Expiry::Never).unwrap();
    }
    let over = engine.resident_bytes_target() + 1;
    for _ in 0..10 {
        engine.govern(over);
        engine.govern(over);
        while engine.maintain(NOW) {}
    }
    let lowered = tenant.stats();
    let part = lowered.budget_bytes as f64 / lowered.memory_bytes as f64;
    assert!(
        (0.87..0.93).contains(&part),
        "a step at a time, each seen through: {part}"
    );
    assert!(lowered.used_bytes <= lowered.budget_bytes);
    (0..10_000).for_each(|_| {
        engine.govern(over);
        engine.maintain(NOW);
    });
    assert!(
        tenant.stats().budget_bytes >= lowered.memory_bytes * 39 / 100,
        "there is a floor"
    );
    (0..1000).for_each(|_| engine.govern(0));
    assert_eq!(tenant.stats().budget_bytes, tenant.memory_bytes());
}

#[test]
fn where_only_what_expires_may_go_the_rest_stays_until_writes_are_refused() {
    let hostile = HostileFactory {
        answers: (0..200).collect(),
        reproaches: Arc::default(),
    };
    for evictor in [s3_fifo(), native("lru", Lru::default), Arc::new(hostile)] {
        let engine = engine_that(true, 4 << 20, evictor);
        let tenant = engine.default_tenant();
        let value = [1; 1000];
        for n in 0..20_000 {
            put(tenant, &format!("soon{n}"), &value, Expiry::At(NOW + 9)).unwrap();
        }
        // Buffers of events vary in size: full is what refuses time and again.
        let (mut kept, mut refusals) = (0, 0);
        while refusals < 100 {
            match put(tenant, &format!("{kept}"), &value, Expiry::Never) {
                Ok(()) => (kept, refusals) = (kept + 1, 0),
                Err(error) => {
                    assert_eq!(error, Error::OutOfMemory);
                    refusals += 1;
                }
            }
        }
        let stats = tenant.stats();
        let left = (stats.entries_total(), stats.entries_with_ttl[0]);
        assert_eq!(left, (kept, 0));
        assert!(kept > 1000 && stats.refused > 0, "{kept}");
        let there = |from, to| (from..to).filter(|n| get(tenant, &format!("{n}"), NOW).is_some());
        assert_eq!(there(0, kept).count() as u64, kept);
        let full = put(tenant, "more", &value, Expiry::At(NOW + 9));
        assert_eq!(full, Err(Error::OutOfMemory));

        // What comes to expire makes room, what goes does, and reads were never refused.
        for n in 0..100 {
            let expire = |_: Option<crate::Entry<'_>>| (Edit::Expire(Some(NOW + 9)), ());
            let name = format!("{n}");
            let key = Key::new(0, name.as_bytes());
            tenant.update(key, NOW, Access::Write, 0, expire).unwrap();
        }
        put(tenant, "more", &value, Expiry::Never).unwrap();
        assert!(there(0, 100).count() < 100);
        let all = || there(100, kept).count() as u64 == kept - 100;
        assert!(all());

        // With less memory than is held, there is nothing that maintenance could do.
        tenant.set_budget(tenant.memory_bytes() / 2);
        assert!(
            (0..1000).any(|_| !engine.maintain(NOW)),
            "it comes to an end"
        );
        assert!(all());
    }
}

#[test]
fn a_tenant_does_with_less_memory_and_has_more_again() {
    let engine = engine(64 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let fill = |phase: &str| {
        for n in 0..30_000 {
            put(tenant, &format!("{phase}{n}"), &[0; 1000], Expiry::Never).unwrap();
        }
    };
    fill("a");
    for bytes in [0, (8 << 20) - 1, (32 << 20) + 1] {
        assert!(!tenant.set_memory(bytes), "{bytes}");
    }
    assert!(tenant.set_memory(8 << 20));
    while engine.maintain(NOW) {}
    engine.govern(0);
    fill("b");
    let stats = tenant.stats();
    let expected = (8 << 20, 8 << 20);
    assert_eq!((stats.memory_bytes, stats.budget_bytes), expected);
    assert!(
        stats.used_bytes <= 8 << 20 && stats.data_bytes > 6 << 20,
        "{stats:?}"
    );
    assert!(tenant.set_memory(32 << 20));
    fill("c");
    assert!(tenant.stats().data_bytes > 24 << 20);
}

#[test]
fn what_clients_remove_while_memory_is_lowered_is_no_room_for_others() {
    let engine = engine(64 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let fill = |phase: &str| {
        for n in 0..40_000 {
            put(tenant, &format!("{phase}{n}"), &[0; 1000], Expiry::Never).unwrap();
        }
    };
    fill("a");
    assert!(tenant.set_memory(16 << 20));
    let mut at = Some(FlushCursor::default());
    while let Some(cursor) = at {
        at = tenant.flush(None, cursor);
    }
    engine.maintain(NOW);
    fill("b");
    assert!(tenant.used() <= 16 << 20, "{}", tenant.used());
}

#[test]
fn memory_is_lowered_in_steps_and_nobody_who_writes_evicts_more_than_they_need() {
    let value = [7; 100];
    for evictor in [s3_fifo(), native("lru", Lru::default)] {
        let engine = engine(64 << 20, evictor);
        let tenant = engine.default_tenant();
        for n in 0..150_000 {
            put(tenant, &format!("{n}"), &value, Expiry::Never).unwrap();
        }
        let full = tenant.stats();
        let held = full.data_bytes as f64 / full.used_bytes as f64;
        assert!(tenant.set_memory(16 << 20));
        let (mut writes, mut evicted_max) = (0, 0);
        loop {
            let before = tenant.stats().evictions;
            put(tenant, &format!("new{writes}"), &value, Expiry::Never).unwrap();
            evicted_max = evicted_max.max(tenant.stats().evictions - before);
            writes += 1;
            let before = tenant.stats().evictions;
            let has_more = engine.maintain(NOW);
            let evicted = tenant.stats().evictions - before;
            assert!(evicted * 100 <= STEP_BYTES_MAX + 100, "{evicted}");
            if !has_more {
                break;
            }
        }
        let stats = tenant.stats();
        assert!(writes > 20, "{writes}");
        assert!(
            evicted_max * 100 <= 2 * AHEAD_BYTES_MAX,
            "one write evicted {evicted_max}"
        );
        assert_eq!(stats.fallback_evictions, 0);
        assert!(stats.used_bytes <= 16 << 20, "{stats:?}");
        let share = stats.data_bytes as f64 / (16u64 << 20) as f64;
        // The tables keep the size that they have grown to.
        assert!(share > 0.8 * held, "{share} of {held}: {stats:?}");
    }
}
