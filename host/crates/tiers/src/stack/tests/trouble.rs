//! Tiers that are slow, hang or are away.

use larder_engine::Label;
use larder_engine::tier::Circuit;

use super::*;
use crate::conformance::tell;
use crate::queue::{Coming, Overflow};
use crate::testing::MemoryTier;

/// A tier under the memory, and another below it.
struct Troubled {
    tiers: [Arc<MemoryTier>; 2],
    stack: Arc<Stack>,
    engine: Engine,
    clock: Arc<AtomicU64>,
}

fn config() -> LevelConfig {
    patient(64 << 10)
}

impl Troubled {
    fn new(config: LevelConfig, rules: Rules) -> Self {
        let tiers = [(); 2].map(|()| Arc::new(MemoryTier::new(16 << 20)));
        let clock = Arc::new(AtomicU64::new(NOW));
        let told = Arc::clone(&clock);
        let settings = StackConfig {
            seed: 7,
            end_timeout: Duration::from_millis(50),
        };
        let levels = tiers.iter().zip([config, patient(1 << 20)]);
        let levels = levels.map(|(tier, config)| {
            let tier: Arc<dyn Tier> = Arc::<MemoryTier>::clone(tier);
            (tier, config)
        });
        let stack = Stack::start(levels.collect(), &settings, move || {
            told.load(Ordering::Relaxed)
        });
        let stack = stack.unwrap();
        let engine = engine_over(stack.below("default", rules), MEMORY_BYTES, NOW);
        Self {
            tiers,
            stack,
            engine,
            clock,
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
        self.tenant()
            .update(key(name), NOW, Access::Write, 0, |_| (edit.clone(), ()))
            .unwrap();
    }

    fn figures(&self, level: usize) -> LevelFigures {
        self.stack.figures()[level].clone()
    }

    /// Waits until all that was told is with the tier of a level.
    fn empty(&self, level: usize) {
        if let Some(emptied) = self.stack.levels[level].queue.emptied() {
            wait(emptied);
        }
    }

    fn held(&self, level: usize, name: &str) -> Option<Vec<u8>> {
        let own = TierKey::new("default", key(name)).to_owned();
        let read = self.tiers[level].read(&own, NOW);
        wait(read).unwrap().map(|stored| stored.value.to_vec())
    }

    /// The breakers of the first level have been open for long enough.
    fn recover(&self) {
        self.clock.fetch_add(3_600_000, Ordering::Relaxed);
    }
}

#[test]
fn who_writes_waits_no_longer_than_the_deadline_for_a_tier_that_hangs() {
    let mut config = config();
    config.guard.deadline = Duration::from_millis(5);
    let troubled = Troubled::new(config, Rules::default());
    troubled.set("k", b"old");
    troubled.empty(0);
    troubled.tiers[0].hang(true);
    troubled.set("k", b"new");
    troubled.tenant().remove(key("k"), NOW);
    troubled.set("l", b"1");
    // It would wait for ever.
    while let Some(settled) = troubled.below().settled() {
        wait(settled);
    }
    assert!(troubled.figures(0).is_away);
    assert_eq!(troubled.figures(0).state(), "trouble");
    assert_eq!(
        troubled.below().sight(key("k"), Reach::Cache, NOW),
        Sight::Absent
    );
    troubled.tiers[0].hang(false);
    troubled.empty(0);
    assert_eq!(troubled.held(0, "k"), None);
    assert_eq!(troubled.held(0, "l").unwrap(), b"1");
    until(|| troubled.figures(0).state() == "ok");
}

#[test]
fn what_a_tier_misses_while_it_is_away_is_done_in_order_when_it_is_back() {
    let troubled = Troubled::new(config(), Rules::default());
    for name in ["k", "l", "m"] {
        troubled.set(name, b"old");
    }
    troubled.empty(0);
    troubled.tiers[0].lose_with(Some("it is away"));
    troubled.set("k", b"new");
    until(|| troubled.below().settled().is_none());
    troubled.tenant().remove(key("l"), NOW);
    troubled.set("n", b"new");
    until(|| troubled.figures(0).writes_to.circuit == Circuit::Open);
    // What was not replaced yet is not seen.
    assert_eq!(value(wait(load(&troubled, "k"))).unwrap(), b"new");
    assert_eq!(value(wait(load(&troubled, "l"))), None);
    let figures = troubled.figures(0);
    assert!(figures.deferred >= 3, "{figures:?}");
    assert!(!troubled.below().is_full() && !troubled.below().refuses());
    troubled.tiers[0].lose_with(None);
    troubled.recover();
    troubled.empty(0);
    let held = ["k", "l", "m", "n"].map(|name| troubled.held(0, name));
    let [new, old] = ["new", "old"].map(|value| Some(value.as_bytes().to_vec()));
    assert_eq!(held, [new.clone(), None, old, new]);
    // Those who write wait again.
    troubled.tiers[0].hang(true);
    troubled.set("k", b"last");
    assert!(troubled.below().settled().is_some());
    troubled.tiers[0].hang(false);
}

fn load(troubled: &Troubled, name: &str) -> Answer<'static, Loaded> {
    troubled.below().load(key(name), Reach::Cache, NOW)
}

#[test]
fn the_next_level_answers_for_one_that_is_away() {
    let troubled = Troubled::new(config(), Rules::default());
    for n in 0..20 {
        troubled.set(&format!("k{n}"), b"v");
    }
    troubled.empty(0);
    troubled.empty(1);
    troubled.tiers[0].lose_with(Some("it is away"));
    for n in 0..20 {
        let name = format!("k{n}");
        assert_eq!(value(wait(load(&troubled, &name))).unwrap(), b"v");
    }
    assert_eq!(troubled.figures(0).reads.circuit, Circuit::Open);
    assert_eq!(troubled.figures(0).state(), "open");
    // It may hold something, but is not asked: whether there is what the next one has not is answered with an error.
    let own = TierKey::new("default", key("k1")).to_owned();
    let removal = [TierChange::Delete(own)];
    wait(tell(&*troubled.tiers[1], &removal, NOW));
    let asked = troubled.tiers[0].asked();
    let sight = |name| troubled.below().sight(key(name), Reach::Cache, NOW);
    let sights = [sight("k1"), sight("none")];
    assert_eq!(sights, [Sight::Maybe, Sight::Absent]);
    let error = wait(load(&troubled, "k1")).unwrap_err().to_string();
    assert!(error.contains("are not tried"), "{error}");
    assert_eq!(troubled.tiers[0].asked(), asked);
    assert!(troubled.figures(0).passed_over > 0);
    // Removing something is told all the same.
    let told = troubled.below().told();
    troubled.tenant().remove(key("k1"), NOW);
    assert_ne!(troubled.below().told(), told);
}

#[test]
fn more_than_may_wait_for_a_tier_leaves_nothing_old_there() {
    let troubled = Troubled::new(config(), Rules::default());
    for n in 0..1_000 {
        troubled.set(&format!("k{n}"), b"old");
    }
    troubled.empty(0);
    troubled.tiers[0].lose_with(Some("it is away"));
    troubled.set("k0", b"new");
    until(|| troubled.figures(0).is_away);
    for n in 0..1_000 {
        troubled.set(&format!("k{n}"), &[1; 300]);
    }
    let figures = troubled.figures(0);
    assert!(figures.queued_bytes <= 96 << 10, "{figures:?}");
    assert!(figures.collapses > 0, "{figures:?}");
    assert!(figures.shed[Shed::Oldest as usize] > 0, "{figures:?}");
    // The level below has all of it.
    troubled.empty(1);
    assert_eq!(value(wait(load(&troubled, "k3"))).unwrap(), [1; 300]);
    troubled.tiers[0].lose_with(None);
    troubled.recover();
    troubled.empty(0);
    for n in 0..1_000 {
        let held = troubled.held(0, &format!("k{n}"));
        assert!(held.is_none_or(|held| held == [1; 300]), "k{n}");
    }
}

#[test]
fn writes_are_refused_where_that_is_wanted() {
    let mut config = config();
    config.overflow = Overflow::Fail;
    let troubled = Troubled::new(config, Rules::default());
    troubled.tiers[0].lose_with(Some("it is away"));
    troubled.set("k", &[1; 100 << 10]);
    until(|| troubled.below().refuses());
    assert!(!troubled.below().await_room_here(Duration::from_millis(1)));
    troubled.tiers[0].lose_with(None);
    troubled.recover();
    until(|| !troubled.below().refuses());
    assert_eq!(troubled.held(0, "k").unwrap(), [1; 100 << 10]);
}

#[test]
fn what_can_be_done_without_goes_first() {
    let rules = Rules {
        demotes: true,
        write: WritePolicy::Behind,
        ..Rules::default()
    };
    let bench = Bench::new(Gated::new(0, 0), rules);
    let put = |name: &str, priority: u8, bytes: usize| {
        let edit = Edit::Put {
            value: vec![1; bytes].into(),
            expiry: Expiry::Never,
            label: Some(Label {
                priority,
                ..Label::NONE
            }),
        };
        let tenant = bench.tenant();
        tenant
            .update(key(name), NOW, Access::Write, 0, |_| (edit.clone(), ()))
            .unwrap();
    };
    let shed = || bench.stack.figures()[0].shed;
    put("low", 1, 1);
    for n in 0..100 {
        put(&format!("k{n}"), 100, 100);
    }
    put("large", 100, 30 << 10);
    assert_eq!(shed(), [0; 4]);
    let coming = |name| {
        let key = TierKey::new("default", key(name));
        bench.stack.levels[0].queue.coming(key)
    };
    assert!(matches!(coming("low"), Some(Coming::Put(_))));
    // Three quarters are taken: what is of less worth is left out, and what was before is not to be there.
    put("low", 1, 2);
    assert_eq!(coming("low"), Some(Coming::Nothing));
    put("high", 100, 2);
    assert!(matches!(coming("high"), Some(Coming::Put(_))));
    assert_eq!(shed(), [0, 0, 1, 0]);
    // So is what goes from memory, though nothing is below.
    let gone = TierKey::new("default", key("gone")).to_owned();
    let stored = Arc::new(Stored::default());
    assert!(
        !bench
            .stack
            .offer(Shed::Demotion, &TierChange::Put(gone, stored))
    );
    assert_eq!((shed(), coming("gone")), ([1, 0, 1, 0], None));
    bench.tier.writes.add_permits(8);
}

#[test]
fn a_stack_stops_though_a_tier_hangs_or_is_away() {
    for hangs in [true, false] {
        let troubled = Troubled::new(config(), Rules::default());
        troubled.tiers[0].hang(hangs);
        troubled.tiers[0].lose_with(Some("it is away"));
        for n in 0..10 {
            troubled.set(&format!("k{n}"), b"v");
        }
        troubled.stack.stop();
        assert!(troubled.figures(0).queued_bytes > 0);
        assert_eq!(troubled.figures(1).queued_bytes, 0);
        assert_eq!(troubled.held(1, "k3").unwrap(), b"v");
    }
}
