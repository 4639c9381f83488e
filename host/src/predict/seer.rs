//! Prediction for one tenant: what it hears is learnt from, and what will be asked for is fetched.

use std::cell::RefCell;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{SystemTime, UNIX_EPOCH};

use larder_engine::below::Reach;
use larder_engine::foresight::{Listener, Prediction};
use larder_engine::{AheadFigures, Key, Millis, Tenant, Waits};
use larder_predict::{
    Access, Cache, Config, Counts, Fetch, Kind, Model, Outcome, Place, Predictor, State, Trained,
    Training, View,
};
use parking_lot::Mutex;

use super::ear::{Ear, NOTES_BYTES_MAX, NOTES_MAX, Name, Note};
use super::fetches::{Fetches, Fetching};
use super::names::Names;
use super::trainer::Ended;

/// Names of keys take this part of the memory.
const NAMES_PART: usize = 8;
/// What waits takes all of its room when it takes more than this many sixteenths: another one hardly fits.
const FULL_SIXTEENTHS: u64 = 15;
/// While nothing is evicted, entries stay for as long as one likes.
const LIFETIME_MS: u64 = 60_000;
/// How often it is looked at how long entries stay.
const TURNOVER_MS: u64 = 1_000;
/// How often it says whether a model rules, and why.
const TOLD_EVERY_MS: u64 = 100;
/// How often it has a turn while nothing is heard.
const IDLE_TURN_MS: u64 = 50;

/// What others see of it, and its fetches work on.
pub(super) struct Shown {
    pub(super) tenant: Arc<Tenant>,
    pub(super) predictor: Mutex<Predictor>,
    clock: fn() -> Millis,
    share_percent: u64,
    memory_bytes: u64,
    ear: Arc<Ear>,
    told: Mutex<Told>,
    pub(super) fetches: Arc<Fetches>,
    asked: AtomicU64,
    heard: AtomicU64,
    training_ms: AtomicU64,
    failed_trainings: AtomicU64,
    /// When the model was trained; 0 without one.
    trained_at_ms: AtomicU64,
}

/// What the predictor says of itself, from time to time, so that nobody waits for it.
struct Told {
    at_ms: Millis,
    /// Whether a model rules, and why.
    state: State,
    counts: Counts,
}

impl Told {
    fn of(predictor: &Predictor, at_ms: Millis) -> Self {
        Self {
            at_ms,
            state: predictor.state(),
            counts: predictor.counts(),
        }
    }

    /// The counts at once, as what becomes of fetches is counted at once too; the reason is a long text.
    fn renew(&mut self, predictor: &Predictor, now: Millis) {
        self.counts = predictor.counts();
        if now.abs_diff(self.at_ms) >= TOLD_EVERY_MS {
            *self = Self::of(predictor, now);
        }
    }
}

impl Shown {
    /// How it stands.
    pub(super) fn prediction(&self) -> Prediction {
        let now = (self.clock)();
        let told = self.told.lock();
        let (state, counts) = (&told.state, told.counts);
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let trained_at = Some(of(&self.trained_at_ms)).filter(|at| *at > 0);
        Prediction {
            is_on: state.is_on(),
            why: self.why(state, now),
            ahead: self.tenant.ahead(),
            asked: of(&self.asked),
            planned: counts.fetched,
            undone: self.fetches.undone(),
            heard: of(&self.heard),
            unheard: counts.skipped + self.ear.lost(),
            trained: counts.trained,
            failed_trainings: of(&self.failed_trainings),
            training_ms: of(&self.training_ms),
            model_age_ms: trained_at.map(|at| now.saturating_sub(at)),
            memory_bytes: self.memory_bytes,
        }
    }

    /// The most that it takes of memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    fn share_bytes(&self) -> u64 {
        self.tenant.memory_bytes() / 100 * self.share_percent
    }

    /// Why a model rules, or not; and if it does, what keeps it from having anything fetched.
    fn why(&self, state: &State, now: Millis) -> String {
        if !state.is_on() {
            return state.why().to_owned();
        }
        match self.fetches.why_paused(now).or_else(|| self.why_full()) {
            Some(paused) => format!("paused, as {paused}"),
            None => state.why().to_owned(),
        }
    }

    fn why_full(&self) -> Option<String> {
        let (bytes, bytes_max) = (self.tenant.ahead().bytes, self.share_bytes());
        let is_full = bytes >= bytes_max / 16 * FULL_SIXTEENTHS;
        is_full.then(|| {
            format!("what was fetched and waits to be asked for takes {bytes} of {bytes_max} bytes")
        })
    }

    /// Fetches a key that nobody has asked for yet.
    async fn fetch(self: Arc<Self>, fetching: Fetching, name: Name, until: Millis) {
        let waits = Waits {
            until,
            bytes_max: self.share_bytes(),
        };
        let fetched = self
            .tenant
            .prewarm(name.key(), Reach::Origin, Some(waits), self.clock)
            .await;
        fetching.end(&fetched, (self.clock)());
    }
}

/// See the module.
pub(super) struct Seer {
    pub(super) shown: Arc<Shown>,
    notes: Receiver<Note>,
    names: RefCell<Names>,
    accesses: Vec<Access>,
    accesses_per_second_max: u32,
    /// The second, and accesses in it.
    pace: (u64, u32),
    turnover: Turnover,
    ahead: AheadFigures,
    /// Of the fetches that found nothing, those that the predictor knows of.
    in_vain: u64,
    is_training: bool,
    turned_ms: Millis,
}

/// How long entries stay that nobody asks for.
struct Turnover {
    lifetime_ms: u64,
    since_ms: Millis,
    evictions: u64,
}

impl Seer {
    /// One that listens to a tenant from now on. `share_percent` of its memory may wait to be asked for.
    pub(super) fn new(
        tenant: &Arc<Tenant>,
        config: Config,
        share_percent: u64,
        model: Option<(Model, SystemTime)>,
        clock: fn() -> Millis,
    ) -> Self {
        let hasher = RandomState::new();
        let (ear, notes) = Ear::new(hasher.clone());
        let ear = Arc::new(ear);
        let names_bytes = config.memory_bytes_max / NAMES_PART;
        let heard_bytes = NOTES_BYTES_MAX + NOTES_MAX * size_of::<Access>();
        let own_bytes = names_bytes + heard_bytes + Fetches::BYTES;
        let mut predictor = Predictor::new(Config {
            memory_bytes_max: config.memory_bytes_max.saturating_sub(own_bytes),
            ..config
        });
        let now = clock();
        let mut trained_at_ms = 0;
        if let Some((model, kept)) = model {
            predictor.restore(model);
            let kept = kept.duration_since(UNIX_EPOCH).unwrap_or_default();
            let kept_ms = Millis::try_from(kept.as_millis()).unwrap_or(now);
            // The clock may have been set since.
            trained_at_ms = kept_ms.clamp(1, now.max(1));
        }
        let shown = Shown {
            tenant: Arc::clone(tenant),
            clock,
            share_percent,
            memory_bytes: (predictor.bytes() + own_bytes) as u64,
            told: Mutex::new(Told::of(&predictor, now)),
            predictor: Mutex::new(predictor),
            ear: Arc::clone(&ear),
            fetches: Arc::new(Fetches::new()),
            asked: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            training_ms: AtomicU64::new(0),
            failed_trainings: AtomicU64::new(0),
            trained_at_ms: AtomicU64::new(trained_at_ms),
        };
        let listener: Arc<dyn Listener> = ear;
        tenant.listen(Some(&listener));
        Self {
            shown: Arc::new(shown),
            notes,
            names: RefCell::new(Names::new(names_bytes, hasher)),
            accesses: Vec::new(),
            accesses_per_second_max: config.accesses_per_second_max,
            pace: (0, 0),
            turnover: Turnover {
                lifetime_ms: LIFETIME_MS,
                since_ms: now,
                evictions: 0,
            },
            ahead: AheadFigures::default(),
            in_vain: 0,
            is_training: false,
            turned_ms: 0,
        }
    }

    /// Takes in what was heard, and has fetched what it makes of it. Returns a model that is to be trained.
    pub(super) fn turn(&mut self) -> Option<Training> {
        let shown = Arc::clone(&self.shown);
        let now = (shown.clock)();
        self.listen(now);
        if self.accesses.is_empty() && now.abs_diff(self.turned_ms) < IDLE_TURN_MS {
            return None;
        }
        self.turned_ms = now;
        self.turnover.look(&shown.tenant, now);
        let sight = Sight {
            tenant: &shown.tenant,
            names: &self.names,
            now,
        };
        let (ahead, in_vain) = (shown.tenant.ahead(), shown.fetches.in_vain());
        let view = View {
            now_ms: now,
            lifetime_ms: self.turnover.lifetime_ms,
            room_bytes: shown.share_bytes().saturating_sub(ahead.bytes),
        };
        let mut predictor = shown.predictor.lock();
        predictor.observe(&self.accesses, &sight);
        let known = self.ahead;
        for (outcome, known, now) in [
            (Outcome::Came, known.fetched, ahead.fetched),
            (Outcome::Used, known.used, ahead.used),
            (Outcome::Wasted, known.wasted, ahead.wasted),
            // A client that asks for what is nowhere asks for what was foretold, and gains nothing by it.
            (Outcome::Nowhere, self.in_vain, in_vain),
        ] {
            (known..now).for_each(|_| predictor.told(outcome));
        }
        let fetches = predictor.tick(&view, &sight);
        let training = match self.is_training {
            true => None,
            false => predictor.training(),
        };
        shown.told.lock().renew(&predictor, now);
        drop(predictor);
        self.accesses.clear();
        (self.ahead, self.in_vain) = (ahead, in_vain);
        self.is_training |= training.is_some();
        for fetch in fetches {
            self.fetch(&fetch, now);
        }
        training
    }

    /// A training of its has ended, or was not begun.
    pub(super) fn trained(&mut self, ended: Option<Ended>) {
        self.is_training = false;
        let Some(ended) = ended else {
            return;
        };
        let shown = &self.shown;
        shown.training_ms.store(ended.took_ms, Ordering::Relaxed);
        let now = (shown.clock)();
        match &ended.trained {
            Ok(_) => shown.trained_at_ms.store(now, Ordering::Relaxed),
            Err(_) => _ = shown.failed_trainings.fetch_add(1, Ordering::Relaxed),
        }
        let mut predictor = shown.predictor.lock();
        predictor.judge(ended.trained);
        *shown.told.lock() = Told::of(&predictor, now);
    }

    /// A training of another tenant's has ended that learnt from this one's samples as well.
    pub(super) fn taught(&mut self, trained: Trained) {
        let shown = &self.shown;
        let now = (shown.clock)();
        shown.trained_at_ms.store(now, Ordering::Relaxed);
        let mut predictor = shown.predictor.lock();
        predictor.share(trained);
        *shown.told.lock() = Told::of(&predictor, now);
    }

    fn listen(&mut self, now: Millis) {
        let names = self.names.get_mut();
        let mut misses = 0;
        for Note { access, name } in self.notes.try_iter().take(NOTES_MAX) {
            self.shown.ear.forget(name.as_ref());
            misses += u64::from(access.kind == Kind::Miss);
            if let Some(name) = name {
                names.keep(access.key, name);
            }
            self.accesses.push(access);
        }
        let heard = self.accesses.len();
        self.shown.asked.fetch_add(misses, Ordering::Relaxed);
        self.shown.heard.fetch_add(heard as u64, Ordering::Relaxed);
        let second = now / 1_000;
        if self.pace.0 != second {
            self.pace = (second, 0);
        }
        self.pace.1 += heard as u32;
        self.shown
            .ear
            .open(self.pace.1 < self.accesses_per_second_max);
    }

    fn fetch(&self, fetch: &Fetch, now: Millis) {
        let shown = &self.shown;
        let names = self.names.borrow();
        let Some(name) = names.get(fetch.key) else {
            return;
        };
        if let Some(fetching) = shown.fetches.begin(fetch.key, now) {
            tokio::spawn(Arc::clone(shown).fetch(fetching, name.clone(), fetch.until_ms));
        }
    }
}

impl Drop for Seer {
    fn drop(&mut self) {
        self.shown.tenant.listen(None);
        self.shown.told.lock().state = State::Off("it has ended".to_owned());
    }
}

impl Turnover {
    /// Of what is there, so much went since the last look.
    fn look(&mut self, tenant: &Tenant, now: Millis) {
        let passed = now.saturating_sub(self.since_ms);
        if passed < TURNOVER_MS && now >= self.since_ms {
            return;
        }
        let stats = tenant.stats();
        let evictions = stats.evictions.saturating_sub(tenant.ahead().wasted);
        let gone = evictions.saturating_sub(self.evictions);
        (self.since_ms, self.evictions) = (now, evictions);
        let stays = stats
            .entries_total()
            .saturating_mul(passed)
            .checked_div(gone);
        self.lifetime_ms = stays.map_or(LIFETIME_MS, |stays| stays.min(LIFETIME_MS));
    }
}

/// What the predictor sees of the cache: what has a name.
struct Sight<'a> {
    tenant: &'a Tenant,
    names: &'a RefCell<Names>,
    now: Millis,
}

impl Cache for Sight<'_> {
    fn key_at(&self, place: Place) -> Option<u64> {
        let hash_of = |key: Key<'_>| self.tenant.hash_of(key);
        self.names.borrow_mut().at(place, hash_of)
    }

    fn is_absent(&self, key: u64) -> bool {
        self.names.borrow().get(key).is_some() && !self.tenant.holds(key, self.now)
    }
}
