use std::cell::Cell;
use std::sync::atomic::AtomicU64;

use larder_engine::below::Reach;
use larder_engine::{Engine, EngineConfig, SizeClasses, TenantConfig, native};
use larder_policy_s3_fifo::S3Fifo;
use larder_predict::{Model, ModelError};
use larder_tiers::loader::{LoadLimits, LoadRule};
use larder_tiers::{Rules, Stack, StackConfig};
use tokio::runtime::Runtime;
use tokio::task::yield_now;

use super::trainer::{Ended, save};
use super::*;

const START: Millis = 1_700_000_000_000;
const MEMORY_BYTES: u64 = 4 << 20;

thread_local! {
    /// The time, for the thread of a test.
    static NOW: Cell<Millis> = const { Cell::new(START) };
}

/// What keys are loaded from.
#[derive(Default)]
struct Origin {
    asked: AtomicU64,
    is_down: AtomicBool,
}

/// Two tenants over an origin, with prediction for both.
struct Run {
    runtime: Runtime,
    engine: Engine,
    seers: Vec<Seer>,
    origin: Arc<Origin>,
    stack: Arc<Stack>,
    hits: u64,
}

fn rules(origin: &Arc<Origin>) -> Rules {
    let origin = Arc::clone(origin);
    let load = move |_| {
        origin.asked.fetch_add(1, Ordering::Relaxed);
        let is_down = origin.is_down.load(Ordering::Relaxed);
        async move {
            match is_down {
                false => Ok(Some(vec![7; 1_000].into())),
                true => Err(crate::LoadError::new(crate::LoadFailure::Status, "down")),
            }
        }
    };
    let limits = LoadLimits {
        ttl: None,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        early_percent: 0,
        absent_ttl: Duration::ZERO,
        timeout: Duration::from_secs(60),
        value_bytes_max: 1 << 20,
        in_flight_max: 64,
        note_of: |_| Vec::new(),
    };
    let rule = LoadRule {
        name: "*".into(),
        fits: Arc::new(|_| true),
        loader: Arc::new(load),
        limits,
    };
    Rules {
        loaders: vec![rule],
        ..Rules::default()
    }
}

impl Run {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let origin = Arc::<Origin>::default();
        let config = StackConfig {
            seed: 1,
            end_timeout: Duration::from_secs(1),
        };
        let stack = Stack::start(Vec::new(), &config, || START).unwrap();
        let tenant = |name: &str| TenantConfig {
            name: name.to_owned(),
            memory_bytes: MEMORY_BYTES,
            evictor: native("s3-fifo", S3Fifo::default),
            below: Some(stack.below(name, rules(&origin))),
            vault: None,
        };
        let engine = Engine::new(EngineConfig {
            memory_bytes: 2 * MEMORY_BYTES,
            threads: 1,
            seed: 7,
            size_classes: SizeClasses::Sixteen,
            start_ms: START,
            volatile_only: false,
            tenants: vec![tenant("a"), tenant("b")],
        });
        let engine = engine.unwrap();
        let config = Config {
            memory_bytes_max: 24 << 20,
            samples_min: 500,
            samples_max: 4_000,
            ..Config::default()
        };
        let tenants = engine.tenants().iter();
        let seers = tenants.map(|tenant| Seer::new(tenant, config, 10, None, || NOW.get()));
        Self {
            seers: seers.collect(),
            runtime,
            engine,
            origin,
            stack,
            hits: 0,
        }
    }

    fn prediction(&self, tenant: usize) -> Prediction {
        self.seers[tenant].shown.prediction()
    }

    /// A client of the first tenant asks for a key; every few requests prediction has a turn.
    fn ask(&mut self, key: &str) {
        NOW.set(NOW.get() + 1);
        let now = NOW.get();
        let tenant = Arc::clone(self.engine.default_tenant());
        let key = Key::new(0, key.as_bytes());
        if tenant.get(key, now, |_| ()).is_some() {
            self.hits += 1;
        } else {
            let fetched = tenant.fetch(key, Reach::Origin, || now, |_| ());
            // Its origin may be down.
            let _ = self.runtime.block_on(fetched);
        }
        if now.is_multiple_of(4) {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.engine.maintain(NOW.get());
        let Self { runtime, seers, .. } = self;
        runtime.block_on(async {
            for (number, seer) in seers.iter_mut().enumerate() {
                if let Some(training) = seer.turn() {
                    seer.trained(Some(Ended {
                        number,
                        trained: training.run(),
                        took_ms: 1,
                    }));
                }
                while seer.shown.is_busy() {
                    yield_now().await;
                }
            }
        });
    }

    /// Albums of 40 tracks, in order, each from anywhere.
    fn albums(&mut self, count: u64) {
        for album in 0..count {
            let first = mixed(album) % 1_000_000;
            (first..first + 40).for_each(|track| self.ask(&format!("track:{track}")));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stack.stop();
    }
}

fn mixed(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7
}

#[test]
fn sequences_are_fetched_from_the_origin_before_they_are_asked_for_and_others_learn_nothing() {
    let mut run = Run::new();
    run.albums(150);
    let before = run.prediction(0);
    assert!(before.is_on, "{before:?}");
    let (hits, used) = (run.hits, before.ahead.used);
    run.albums(300);
    let told = run.prediction(0);
    let used = told.ahead.used - used;
    // Those asked for once are asked for again: memory has long lost them.
    assert!(run.hits - hits > 6_000 && used > 6_000, "{told:?}");
    assert!(told.precision() > 0.5 && told.recall() > 0.3, "{told:?}");
    assert!(told.ahead.bytes <= MEMORY_BYTES / 10, "{told:?}");
    let other = run.prediction(1);
    assert_eq!((other.heard, other.asked, other.trained), (0, 0, 0));
    assert_eq!((other.is_on, other.ahead.fetched), (false, 0));
}

#[test]
fn what_cannot_be_foretold_is_not_fetched() {
    let mut run = Run::new();
    for number in 0..12_000 {
        run.ask(&format!(
            "{:x}-",
            mixed(number % 6_000) ^ mixed(number / 6_000)
        ));
    }
    let told = run.prediction(0);
    assert!(!told.is_on && told.ahead.fetched == 0, "{told:?}");
    assert!(told.heard > 12_000 && !told.why.is_empty(), "{told:?}");
}

#[test]
fn an_origin_that_fails_is_left_alone_for_a_while() {
    let mut run = Run::new();
    run.albums(150);
    assert!(run.prediction(0).is_on);
    run.origin.is_down.store(true, Ordering::Relaxed);
    let (asked, undone) = (
        run.origin.asked.load(Ordering::Relaxed),
        run.prediction(0).undone,
    );
    run.albums(50);
    let told = run.prediction(0);
    let failed = told.undone[3] - undone[3];
    assert!((1..100).contains(&failed), "{told:?}");
    // A client's own requests are asked for as ever: 2,000, of which a few were in memory.
    let asked = run.origin.asked.load(Ordering::Relaxed) - asked;
    assert!(asked < 2_000 + 100, "{asked}");
}

#[test]
fn a_model_is_kept_and_what_is_no_model_is_left_out() {
    let mut run = Run::new();
    run.albums(150);
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(folder.path(), "a");
    assert!(load(&file).is_none(), "there is none yet");
    let predictor = run.seers[0].shown.predictor.lock();
    let model = predictor.model().unwrap();
    save(&file, model).unwrap();
    save(&file, model).unwrap();
    assert!(load(&file).is_some());
    let bytes = std::fs::read(&file).unwrap();
    let wrong = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        std::fs::write(&file, &bytes).unwrap();
        assert!(load(&file).is_none());
        Model::from_bytes(&bytes).unwrap_err()
    };
    let cut = wrong(&|bytes| bytes.truncate(bytes.len() / 2));
    let other = wrong(&|bytes| bytes[0] = b'x');
    assert!(matches!(
        (cut, other),
        (ModelError::Damaged, ModelError::Foreign)
    ));
}
