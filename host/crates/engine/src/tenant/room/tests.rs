use std::sync::Arc;

use larder_policy_lru::Lru;
use larder_sdk::{Event, Request, Slot};

use crate::Expiry;
use crate::evictor::{Evictor, EvictorFactory, native};
use crate::tenant::tests::{NOW, engine, get, put, s3_fifo};

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
}

impl Evictor for Hostile {
    fn deliver(&mut self, _events: &[Event]) {}
    fn victims(&mut self, _request: &Request, out: &mut Vec<Slot>) {
        out.extend(&self.answers);
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

struct HostileFactory(Vec<Slot>);

impl EvictorFactory for HostileFactory {
    fn name(&self) -> &str {
        "hostile"
    }
    fn build(&self, _seed: u64) -> Box<dyn Evictor> {
        Box::new(Hostile {
            answers: self.0.clone(),
        })
    }
}

#[test]
fn wrong_victims_cost_nothing_but_a_fallback() {
    for answers in [
        vec![],
        vec![0, 0, 0],
        vec![u32::MAX, 1 << 30, 5],
        (0..100_000).collect(),
    ] {
        let few = answers.len() < 10;
        let engine = engine(4 << 20, Arc::new(HostileFactory(answers)));
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
        assert_eq!(stats.fallback_evictions > 0, few, "{stats:?}");
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
