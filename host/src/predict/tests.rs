mod odd;

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use larder_engine::below::Reach;
use larder_engine::loader::{Fetched, LoadError, LoadFailure};
use larder_engine::tier::TierKeyBuf;
use larder_engine::{Engine, EngineConfig, SizeClasses, TenantConfig, native};
use larder_policy_s3_fifo::S3Fifo;
use larder_predict::{Model, ModelError};
use larder_tiers::loader::{LoadLimits, LoadRule};
use larder_tiers::{Rules, Stack, StackConfig};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use super::trainer::{Ended, save};
use super::*;

mod origin;

const START: Millis = 1_700_000_000_000;
const MEMORY_BYTES: u64 = 4 << 20;

thread_local! {
    /// The time, for the thread of a test.
    static NOW: Cell<Millis> = const { Cell::new(START) };
}

/// What keys are loaded from: it has them all, unless it has nothing.
struct Origin {
    asked: AtomicU64,
    is_down: AtomicBool,
    is_empty: AtomicBool,
    /// What it did not have.
    missed: Mutex<Vec<Vec<u8>>>,
    hangs: AtomicBool,
    /// One for each answer of one that hangs.
    lets: Semaphore,
}

impl Origin {
    fn new() -> Self {
        Self {
            asked: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
            is_empty: AtomicBool::new(false),
            missed: Mutex::default(),
            hangs: AtomicBool::new(false),
            lets: Semaphore::new(0),
        }
    }

    async fn load(&self, key: &[u8]) -> Result<Option<Fetched>, LoadError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            self.lets.acquire().await.unwrap().forget();
        }
        if self.is_down.load(Ordering::Relaxed) {
            return Err(LoadError::new(LoadFailure::Status, "down"));
        }
        if self.is_empty.load(Ordering::Relaxed) {
            self.missed.lock().unwrap().push(key.to_vec());
            return Ok(None);
        }
        Ok(Some(vec![7; 1_000].into()))
    }
}

/// Two tenants over an origin, with prediction for both.
struct Run {
    runtime: Runtime,
    engine: Engine,
    seers: Seers,
    /// Whose client asks.
    asking: usize,
    origin: Arc<Origin>,
    stack: Arc<Stack>,
    /// Trains in place of the test's own thread.
    trainer: Option<Trainer>,
    hits: u64,
}

fn rules(origin: &Arc<Origin>) -> Rules {
    let origin = Arc::clone(origin);
    let load = move |key: TierKeyBuf| {
        let origin = Arc::clone(&origin);
        async move { origin.load(&key.bytes).await }
    };
    let limits = LoadLimits {
        ttl: None,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        early_percent: 0,
        absent_ttl: Duration::from_secs(3_600),
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
        Self::with(10, false)
    }

    /// With prediction that has such a part of the memory, and perhaps one model for both.
    fn with(share_percent: u64, is_shared: bool) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let origin = Arc::new(Origin::new());
        let config = StackConfig {
            seed: 1,
            end_timeout: Duration::from_secs(1),
        };
        let stack = Stack::start(Vec::new(), &config, || START).unwrap();
        let tenant = |name: &str| TenantConfig {
            name: name.to_owned(),
            memory_bytes: MEMORY_BYTES,
            evictor: native("s3-fifo", S3Fifo::default),
            reuse: None,
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
        let seers =
            tenants.map(|tenant| Seer::new(tenant, config, share_percent, None, || NOW.get()));
        Self {
            seers: Seers::new(seers.collect(), is_shared),
            asking: 0,
            runtime,
            engine,
            origin,
            stack,
            trainer: None,
            hits: 0,
        }
    }

    fn prediction(&self, tenant: usize) -> Prediction {
        self.seers.all[tenant].shown.prediction()
    }

    /// A client asks for a key; every few requests prediction has a turn.
    fn ask(&mut self, key: &str) {
        self.read(key.as_bytes());
        if NOW.get().is_multiple_of(4) {
            self.turn();
        }
    }

    /// Whether a client finds something.
    fn read(&mut self, key: &[u8]) -> bool {
        let is_here = self.look(key);
        self.hits += u64::from(is_here);
        let (tenant, now) = (&self.engine.tenants()[self.asking], NOW.get());
        let fetched = tenant.fetch(Key::new(0, key), Reach::Origin, || now, |_| ());
        // Its origin may be down.
        is_here
            || self
                .runtime
                .block_on(fetched)
                .is_ok_and(|found| found.is_some())
    }

    /// A client asks for what is in memory, and waits for nothing else.
    fn look(&mut self, key: &[u8]) -> bool {
        NOW.set(NOW.get() + 1);
        let tenant = &self.engine.tenants()[self.asking];
        tenant.get(Key::new(0, key), NOW.get(), |_| ()).is_some()
    }

    /// Prediction has a turn, and what it fetches comes.
    fn turn(&mut self) {
        self.begin_turn();
        let Self { runtime, seers, .. } = self;
        runtime.block_on(async {
            while seers
                .all
                .iter()
                .any(|seer| seer.shown.fetches.in_flight() > 0)
            {
                yield_now().await;
            }
        });
        assert!(self.prediction(0).coverage() <= 1.0);
    }

    /// Prediction has a turn. What it fetches may be on its way.
    fn begin_turn(&mut self) {
        self.engine.maintain(NOW.get());
        let Self {
            runtime,
            seers,
            trainer,
            ..
        } = self;
        runtime.block_on(async {
            let mut ordered = Vec::new();
            seers.turn(|number, training| {
                ordered.push((number, training));
                true
            });
            for (number, training) in ordered {
                let ended = match trainer {
                    Some(trainer) => {
                        assert!(trainer.order(number, training));
                        Some(ended(trainer))
                    }
                    None => Some(Ended {
                        number,
                        trained: training.run(),
                        took_ms: 1,
                    }),
                };
                ended.into_iter().for_each(|ended| seers.trained(ended));
            }
            yield_now().await;
        });
    }

    fn is_on(&self) -> bool {
        self.prediction(0).is_on
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

/// What has become of the training that goes on.
fn ended(trainer: &Trainer) -> Ended {
    let began = Instant::now();
    loop {
        if let Some(ended) = trainer.ended() {
            return ended;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "it never ends");
        thread::yield_now();
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
fn what_one_tenant_has_taught_the_others_know_where_the_model_is_shared() {
    for is_shared in [false, true] {
        let mut run = Run::with(10, is_shared);
        run.albums(150);
        assert!(run.is_on());
        let other = run.prediction(1);
        assert_eq!((other.heard, other.trained), (0, 0));
        assert_eq!(other.is_on, is_shared, "{other:?}");
        run.asking = 1;
        run.albums(8);
        let other = run.prediction(1);
        assert_eq!(other.trained, 0, "too little to learn from");
        assert_eq!(other.ahead.used > 100, is_shared, "{other:?}");
    }
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
fn a_model_is_kept_and_what_is_no_model_is_left_out() {
    let mut run = Run::new();
    run.albums(150);
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(folder.path(), "a");
    assert!(load(&file).is_none(), "there is none yet");
    let predictor = run.seers.all[0].shown.predictor.lock();
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
    let long = vec![b' '; 20 << 20];
    std::fs::write(&file, [&bytes[..], &long].concat()).unwrap();
    assert!(load(&file).is_none());
    let cut = wrong(&|bytes| bytes.truncate(bytes.len() / 2));
    let other = wrong(&|bytes| bytes[0] = b'x');
    assert!(matches!(
        (cut, other),
        (ModelError::Damaged, ModelError::Foreign)
    ));
}

#[test]
fn where_what_waits_has_no_room_nothing_is_fetched_and_it_says_so() {
    let mut run = Run::with(0, false);
    run.albums(150);
    let told = run.prediction(0);
    assert!(told.is_on && told.ahead.fetched == 0, "{told:?}");
    let why = "paused, as what was fetched and waits to be asked for takes 0 of 0 bytes";
    assert_eq!(told.why, why);
}

#[test]
fn a_training_that_panics_is_counted_and_said_and_the_next_one_comes() {
    static IS_SOUND: AtomicBool = AtomicBool::new(false);
    let folder = tempfile::tempdir().unwrap();
    let files = vec![file_of(folder.path(), "a"), file_of(folder.path(), "b")];
    let way = |training: &Training| match IS_SOUND.load(Ordering::Relaxed) {
        true => training.run(),
        false => panic!("the forest has no trees"),
    };
    let mut run = Run::new();
    run.trainer = Some(Trainer::start(files.clone(), way).unwrap());
    run.albums(150);
    let told = run.prediction(0);
    assert!(!told.is_on && told.failed_trainings > 0, "{told:?}");
    assert!(told.why.contains("the last training failed: "), "{told:?}");
    assert!(told.why.contains("it panicked"), "{told:?}");
    // What a file of another kind holds is written over by the next model.
    std::fs::create_dir_all(files[0].parent().unwrap()).unwrap();
    std::fs::write(&files[0], b"no model").unwrap();
    assert!(load(&files[0]).is_none());
    IS_SOUND.store(true, Ordering::Relaxed);
    NOW.set(NOW.get() + 60_000);
    run.albums(150);
    let told = run.prediction(0);
    assert!(
        told.is_on && told.trained > told.failed_trainings,
        "{told:?}"
    );
    assert!(load(&files[0]).is_some());
}
