mod tags;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use larder_engine::below::{Reach, Sight};
use larder_engine::tier::{Answer, Stored, TierError, TierFigures, Told};
use larder_engine::{Access, Edit, Engine, Expiry, Key, Store, Tenant};
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{engine_over, patient};

mod trouble;

const PATIENCE: Duration = Duration::from_secs(60);
const NOW: Millis = 1_000_000;
const MEMORY_BYTES: u64 = 4 << 20;

/// A tier that does nothing before it is let.
struct Gated {
    kept: Mutex<HashMap<TierKeyBuf, Arc<Stored>>>,
    reads: Semaphore,
    writes: Semaphore,
    reads_begun: AtomicU64,
    written: AtomicU64,
    fails: AtomicBool,
}

impl Gated {
    fn new(reads: usize, writes: usize) -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            reads: Semaphore::new(reads),
            writes: Semaphore::new(writes),
            reads_begun: AtomicU64::new(0),
            written: AtomicU64::new(0),
            fails: AtomicBool::new(false),
        })
    }

    fn open() -> Arc<Self> {
        Self::new(1 << 20, 1 << 20)
    }

    fn change(&self, change: &TierChange) {
        self.written.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock();
        match change {
            TierChange::Put(key, stored) => drop(kept.insert(key.clone(), Arc::clone(stored))),
            TierChange::Delete(key) => drop(kept.remove(key)),
            TierChange::Clear(tenant, db) => {
                kept.retain(|key, _| key.tenant != *tenant || db.is_some_and(|db| db != key.db))
            }
            TierChange::ClearPrefix(prefix) => kept.retain(|key, _| {
                let is_there = (&key.tenant, key.db) == (&prefix.tenant, prefix.db);
                !is_there || !key.bytes.starts_with(&prefix.bytes)
            }),
            TierChange::Invalidate(..) => {}
        }
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let key = TierKey::new("default", key(name)).to_owned();
        self.kept
            .lock()
            .get(&key)
            .map(|stored| stored.value.to_vec())
    }
}

impl Tier for Gated {
    fn name(&self) -> &str {
        "gated"
    }

    fn may_hold(&self, key: TierKey<'_>) -> bool {
        self.kept.lock().contains_key(&key.to_owned())
    }

    fn read<'a>(
        &'a self,
        key: &'a TierKeyBuf,
        _: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(async move {
            self.reads_begun.fetch_add(1, Ordering::Relaxed);
            // As it was when it was asked for.
            let found = self.kept.lock().get(key).map(|stored| (**stored).clone());
            self.reads.acquire().await.unwrap().forget();
            match self.fails.load(Ordering::Relaxed) {
                true => Err(TierError::Unavailable("it fails".to_owned())),
                false => Ok(found),
            }
        })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        _: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(async move {
            self.writes.acquire().await.unwrap().forget();
            changes.iter().for_each(|told| self.change(&told.change));
            changes.iter().map(|_| Ok(())).collect()
        })
    }

    fn figures(&self) -> TierFigures {
        TierFigures::default()
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {})
    }
}

struct Bench {
    tier: Arc<Gated>,
    stack: Arc<Stack>,
    engine: Engine,
}

impl Bench {
    fn new(tier: Arc<Gated>, rules: Rules) -> Self {
        Self::with_room(64 << 10, tier, rules)
    }

    fn with_room(queue_bytes_max: u64, tier: Arc<Gated>, rules: Rules) -> Self {
        let config = StackConfig {
            seed: 7,
            end_timeout: PATIENCE,
        };
        let own: Arc<dyn Tier> = Arc::<Gated>::clone(&tier);
        let tiers = vec![(own, patient(queue_bytes_max))];
        let stack = Stack::start(tiers, &config, || NOW).unwrap();
        Self::over(tier, stack, rules)
    }

    fn over(tier: Arc<Gated>, stack: Arc<Stack>, rules: Rules) -> Self {
        let engine = engine_over(stack.below("default", rules), MEMORY_BYTES, NOW);
        Self {
            tier,
            stack,
            engine,
        }
    }

    fn tenant(&self) -> &Arc<Tenant> {
        self.engine.default_tenant()
    }

    fn below(&self) -> &dyn Below {
        &**self.tenant().below().unwrap()
    }

    fn set(&self, name: &str, value: &[u8]) {
        let edit = Edit::put(value, Expiry::Never);
        let tenant = self.tenant();
        tenant
            .update(key(name), NOW, Access::Write, 0, |_| (edit.clone(), ()))
            .unwrap();
    }

    /// Waits until all that was told is with the tier.
    fn settle(&self) {
        if let Some(settled) = self.below().settled() {
            wait(settled);
        }
    }

    /// Has the tier alone hold a value.
    fn put_below(&self, name: &str, value: &[u8]) {
        let stored = Stored {
            value: value.into(),
            ..Stored::default()
        };
        let key = TierKey::new("default", key(name)).to_owned();
        self.tier.kept.lock().insert(key, Arc::new(stored));
    }

    fn load(&self, name: &str) -> Answer<'static, Loaded> {
        self.below().load(key(name), Reach::Cache, NOW)
    }
}

fn key(name: &str) -> Key<'_> {
    Key::new(0, name.as_bytes())
}

/// Waits on this thread.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(answer)
}

fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

fn value(loaded: Loaded) -> Option<Vec<u8>> {
    loaded.unwrap().map(|stored| stored.value.to_vec())
}

#[test]
fn a_write_settles_when_the_tier_has_it_and_is_seen_before() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    let told = bench.below().told();
    bench.set("k", b"1");
    assert_ne!(bench.below().told(), told);
    let mut settled = pin!(bench.below().settled().unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(settled.as_mut().poll(&mut cx).is_pending());
    assert!(matches!(
        bench.below().sight(key("k"), Reach::Cache, NOW),
        Sight::There(_)
    ));
    assert_eq!(bench.tier.value("k"), None);
    bench.tier.writes.add_permits(8);
    wait(settled);
    assert_eq!(bench.tier.value("k").unwrap(), b"1");
    assert_eq!(
        bench.below().sight(key("k"), Reach::Cache, NOW),
        Sight::Maybe
    );
}

#[test]
fn what_is_written_often_goes_down_once_as_it_is_last() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    // The first is begun, as nothing is before it.
    bench.set("first", b"0");
    until(|| {
        bench.stack.levels[0]
            .queue
            .coming(TierKey::new("default", key("first")))
            .is_some()
    });
    for n in 0..100u8 {
        bench.set("k", &[n]);
    }
    bench.tier.writes.add_permits(8);
    bench.settle();
    assert_eq!(bench.tier.value("k").unwrap(), [99]);
    let written = bench.tier.written.load(Ordering::Relaxed);
    assert!(written <= 3, "{written}");
}

#[test]
fn a_removal_hides_what_the_tier_holds_until_it_is_done() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    bench.put_below("k", b"old");
    assert_eq!(
        bench.below().sight(key("k"), Reach::Cache, NOW),
        Sight::Maybe
    );
    bench.tenant().remove(key("k"), NOW);
    assert_eq!(
        bench.below().sight(key("k"), Reach::Cache, NOW),
        Sight::Absent
    );
    bench.tier.writes.add_permits(8);
    bench.settle();
    assert_eq!(bench.tier.value("k"), None);
    // What is nowhere is not told.
    let told = bench.below().told();
    bench.tenant().remove(key("k"), NOW);
    assert_eq!(bench.below().told(), told);
}

#[test]
fn an_emptied_database_hides_what_was_before_and_not_what_came_after() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    bench.put_below("old", b"v");
    bench.set("queued", b"v");
    Store::open(bench.tenant(), false).flush(Some(0));
    bench.set("new", b"v");
    assert_eq!(
        bench.below().sight(key("old"), Reach::Cache, NOW),
        Sight::Absent
    );
    assert_eq!(
        bench.below().sight(key("queued"), Reach::Cache, NOW),
        Sight::Absent
    );
    assert!(matches!(
        bench.below().sight(key("new"), Reach::Cache, NOW),
        Sight::There(_)
    ));
    bench.tier.writes.add_permits(8);
    bench.settle();
    let there = ["old", "queued", "new"].map(|name| bench.tier.value(name).is_some());
    assert_eq!(there, [false, false, true]);
}

#[test]
fn many_who_want_a_key_share_a_load() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    bench.put_below("k", b"v");
    bench.put_below("last", b"v");
    let loads: Vec<_> = (0..50).map(|_| bench.load("k")).collect();
    // Loads begin in the order in which they were asked for: when this one reads, the others wait.
    let last = bench.load("last");
    let begun = || bench.tier.reads_begun.load(Ordering::Relaxed);
    until(|| begun() > 1);
    bench.tier.reads.add_permits(60);
    for load in loads {
        assert_eq!(value(wait(load)).unwrap(), b"v");
    }
    assert!(value(wait(last)).is_some());
    // Who was not there yet when the first load ended has begun another.
    let shared = begun();
    assert!(shared < 10, "{shared} reads");
    // It is not kept either.
    assert!(value(wait(bench.load("k"))).is_some());
    assert_eq!(begun(), shared + 1);
}

#[test]
fn who_comes_after_a_change_takes_no_part_in_an_older_load() {
    let bench = Bench::new(Gated::new(0, 8), Rules::default());
    bench.put_below("k", b"old");
    let older = bench.load("k");
    until(|| bench.tier.reads_begun.load(Ordering::Relaxed) == 1);
    bench.set("k", b"new");
    bench.settle();
    let newer = bench.load("k");
    bench.tier.reads.add_permits(2);
    assert_eq!(value(wait(newer)).unwrap(), b"new");
    assert_eq!(value(wait(older)).unwrap(), b"old");
}

#[test]
fn a_load_that_fails_is_not_the_end_and_one_that_is_dropped_goes_on() {
    // It is tried again three times.
    let bench = Bench::new(Gated::new(4, 0), Rules::default());
    bench.put_below("k", b"v");
    bench.tier.fails.store(true, Ordering::Relaxed);
    let error = wait(bench.load("k")).unwrap_err();
    assert_eq!(error.to_string(), "it fails");
    bench.tier.fails.store(false, Ordering::Relaxed);
    drop(bench.load("k"));
    let load = bench.load("k");
    bench.tier.reads.add_permits(2);
    assert_eq!(value(wait(load)).unwrap(), b"v");
}

#[test]
fn who_cannot_wait_long_is_told_so() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    bench.put_below("k", b"v");
    let patience = Duration::from_millis(1);
    let error = bench
        .below()
        .load_here(key("k"), NOW, patience)
        .unwrap_err();
    assert!(error.to_string().contains("within 1ms"), "{error}");
    bench.tier.reads.add_permits(2);
    let patience = Duration::from_secs(60);
    let loaded = bench.below().load_here(key("k"), NOW, patience);
    assert_eq!(value(loaded).unwrap(), b"v");
}

#[test]
fn what_is_written_behind_waits_for_nothing_until_too_much_is_on_its_way() {
    let rules = Rules {
        write: WritePolicy::Behind,
        ..Rules::default()
    };
    let bench = Bench::new(Gated::new(0, 0), rules);
    let told = bench.below().told();
    let mut written = 0;
    while !bench.below().is_full() {
        assert_eq!(bench.below().told(), told);
        bench.set(&format!("k{written}"), &[1; 1000]);
        written += 1;
    }
    assert!(written < 200, "{written}");
    bench.tier.writes.add_permits(8);
    bench.settle();
    assert!(!bench.below().is_full());
    assert_eq!(bench.tier.written.load(Ordering::Relaxed), written);
}

#[test]
fn who_writes_several_at_once_waits_for_room_here_and_not_for_ever() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(60));
    bench.set("k", &[1; 1000]);
    assert!(bench.below().await_room_here(short), "there is room");
    bench.set("l", &[1; 100_000]);
    assert!(!bench.below().await_room_here(short));
    bench.tier.writes.add_permits(8);
    assert!(bench.below().await_room_here(long));
    assert!(!bench.below().is_full());
}

#[test]
fn what_is_written_around_is_below_alone_and_a_pattern_says_which() {
    let rules = Rules {
        patterns: vec![(
            Arc::new(|key| key.starts_with(b"log:")),
            WritePolicy::Around,
        )],
        ..Rules::default()
    };
    let bench = Bench::new(Gated::open(), rules);
    bench.set("log:1", b"v");
    bench.set("k", b"v");
    let is_here = |name| bench.tenant().peek(key(name), NOW, |_| ()).is_some();
    assert!(!is_here("log:1") && is_here("k"));
    bench.settle();
    assert!(bench.tier.value("log:1").is_some() && bench.tier.value("k").is_some());
    assert!(bench.tenant().lacks(key("log:1"), Reach::Cache, NOW));
}

#[test]
fn what_goes_from_memory_goes_down_where_it_is_not_below() {
    for demotes in [true, false] {
        let rules = Rules {
            demotes,
            ..Rules::default()
        };
        let bench = Bench::with_room(64 << 20, Gated::open(), rules);
        for n in 0..2_000 {
            bench.set(&format!("k{n}"), &[1; 1000]);
        }
        bench.settle();
        bench.tier.kept.lock().clear();
        bench.tenant().set_memory(1 << 20);
        while bench.engine.maintain(NOW) {}
        bench.settle();
        let gone = (0..2_000).filter(|n| {
            let name = format!("k{n}");
            bench.tenant().peek(key(&name), NOW, |_| ()).is_none()
        });
        let gone = gone.count();
        assert!(gone > 500, "{gone}");
        let below = bench.tier.kept.lock().len();
        assert_eq!(below, if demotes { gone } else { 0 });
        assert_eq!(bench.stack.demotions(), below as u64);
    }
}

#[test]
fn a_stack_that_stops_has_written_everything() {
    let bench = Bench::new(Gated::open(), Rules::default());
    for n in 0..1_000 {
        bench.set(&format!("k{n}"), b"v");
    }
    bench.stack.stop();
    assert_eq!(bench.tier.kept.lock().len(), 1_000);
    let figures = &bench.stack.figures()[0];
    assert_eq!(
        (figures.writes, figures.write_errors, figures.queued_bytes),
        (1_000, 0, 0)
    );
}

#[test]
fn a_ready_poll_is_all_that_waiting_takes() {
    let bench = Bench::new(Gated::open(), Rules::default());
    assert!(bench.below().settled().is_none(), "nothing is on its way");
    bench.set("k", b"v");
    bench.settle();
    let mut cx = Context::from_waker(Waker::noop());
    let settled = bench.below().settled();
    assert!(settled.is_none_or(|mut settled| settled.as_mut().poll(&mut cx) == Poll::Ready(())));
}
