//! Takeovers that do not go well.

use super::*;

#[test]
fn one_that_cannot_be_made_or_fails_leaves_the_one_before_in_charge() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..3000 {
        put(tenant, &name(n), &[1; 50], Expiry::Never).unwrap();
    }
    let before = tenant.stats();
    let few = Recorders {
        left: Some(AtomicUsize::new(2)),
        ..Recorders::default()
    };
    let refused = tenant.install(Arc::new(few), NOW).unwrap_err();
    assert_eq!(refused.to_string(), "no more of them");
    let failing = Recorders {
        fails: Arc::new(AtomicBool::new(true)),
        ..Recorders::default()
    };
    let refused = tenant.install(Arc::new(failing), NOW).unwrap_err();
    assert_eq!(refused.to_string(), "told to fail");
    assert_eq!(
        (tenant.eviction(), tenant.unfit_shards()),
        ("s3-fifo".into(), 0)
    );
    assert!(
        tenant
            .shards
            .iter()
            .all(|shard| !shard.state.lock().is_tapped())
    );
    let after = tenant.stats();
    assert_eq!(after.entries, before.entries);
}

#[test]
fn one_that_stumbles_takes_over_all_the_same() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..3000 {
        put(tenant, &name(n), &[1; 50], Expiry::Never).unwrap();
    }
    let recorders = Arc::new(Recorders {
        stumbles: Arc::new(AtomicUsize::new(2)),
        ..Recorders::default()
    });
    tenant.install(recorders.clone(), NOW).unwrap();
    assert_eq!(
        (tenant.eviction(), tenant.unfit_shards()),
        ("recorder".into(), 0)
    );
    let made = recorders.made.lock();
    let rulers = &made[made.len() - tenant.shards()..];
    let residents = rulers.iter().map(|seen| seen.lock().residents.len());
    assert_eq!(residents.sum::<usize>(), 3000, "who rules knows them all");
    assert!(rulers.iter().all(|seen| seen.lock().contradictions == 0));
}

/// Makes evictors that are written to so much while they are told of the residents, for the first so
/// many, that they cannot follow.
struct Overtaken {
    engine: Arc<crate::Engine>,
    left: Arc<AtomicUsize>,
}

struct Follower {
    engine: Arc<crate::Engine>,
    left: Arc<AtomicUsize>,
    is_new: bool,
}

impl EvictorFactory for Overtaken {
    fn name(&self) -> &str {
        "overtaken"
    }

    fn build(&self, _seed: u64, _share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        Ok(Box::new(Follower {
            engine: Arc::clone(&self.engine),
            left: Arc::clone(&self.left),
            is_new: true,
        }))
    }
}

impl Evictor for Follower {
    fn deliver(&mut self, _events: &[Event]) -> Result<(), Unfit> {
        let take = |left: usize| left.checked_sub(1);
        let is_overtaken = std::mem::take(&mut self.is_new)
            && (self.left)
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok();
        if is_overtaken {
            let tenant = self.engine.default_tenant();
            // More than a tap holds, whichever shard this is.
            for n in 0..90_000 * tenant.shards() {
                put(tenant, &name(n as u32 % 100), b"new", Expiry::Never).unwrap();
            }
        }
        Ok(())
    }

    fn victims(
        &mut self,
        _request: &Request,
        _: &[Foretold],
        _out: &mut Vec<Slot>,
    ) -> Result<(), Unfit> {
        Err(Unfit("it names nobody".into()))
    }

    fn reproach(&mut self, _wrong: WrongAnswer) {}

    fn memory_bytes(&self) -> usize {
        0
    }

    fn wants_misses(&self) -> bool {
        false
    }

    fn is_prompt(&self) -> bool {
        false
    }
}

#[test]
fn one_that_is_overtaken_tries_again_but_not_forever() {
    let engine = Arc::new(engine(8 << 20, s3_fifo()));
    let tenant = engine.default_tenant();
    for n in 0..100 {
        put(tenant, &name(n), b"old", Expiry::Never).unwrap();
    }
    for (overtaken, ruler) in [(usize::MAX, "s3-fifo"), (2, "overtaken")] {
        let left = Arc::new(AtomicUsize::new(overtaken));
        let factory = Overtaken {
            engine: Arc::clone(&engine),
            left: Arc::clone(&left),
        };
        let installed = tenant.install(Arc::new(factory), NOW);
        assert_eq!(tenant.eviction(), ruler);
        match installed {
            Ok(()) => assert_eq!(left.load(Ordering::Relaxed), 0),
            Err(unfit) => assert!(unfit.0.contains("more was written"), "{unfit}"),
        }
        assert!(
            tenant
                .shards
                .iter()
                .all(|shard| !shard.state.lock().is_tapped())
        );
    }
}
