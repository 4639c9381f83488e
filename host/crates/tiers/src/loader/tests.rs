use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder_engine::below::{Below, Loaded, Reach, Sight};
use larder_engine::loader::{Fetched, LoadError, LoadFailure};
use larder_engine::tags::{TAG_PART, UNSTAMPED};
use larder_engine::tier::{Answer, Levels, LoaderFigures, Tier, TierKeyBuf};
use larder_engine::{Access, Edit, Engine, Expiry, Key, LABEL_NOTE_BYTES_MAX, Millis, Tenant};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{MemoryTier, engine_over, patient};
use crate::{Rules, Stack, StackConfig};

const NOW: Millis = 1_000_000;
const MEMORY_BYTES: u64 = 4 << 20;
pub(super) const LIMITS: LoadLimits = LoadLimits {
    ttl: Some(Duration::from_secs(60)),
    stale_while_revalidate: Duration::ZERO,
    stale_if_error: Duration::ZERO,
    early_percent: 0,
    absent_ttl: Duration::from_secs(3600),
    timeout: Duration::from_secs(60),
    value_bytes_max: 100,
    in_flight_max: 64,
    note_of,
};

fn note_of(fetched: &Fetched) -> Vec<u8> {
    let mut note = Vec::new();
    for tag in &fetched.tags {
        if note.is_empty() {
            note.extend_from_slice(&UNSTAMPED);
        }
        note.push(TAG_PART);
        note.extend_from_slice(&(tag.len() as u16).to_le_bytes());
        note.extend_from_slice(tag);
    }
    note.extend_from_slice(fetched.data_type.as_deref().unwrap_or_default().as_bytes());
    note
}

/// An origin that answers when it is let, with the key: for `…:none` with nothing, for `…:large` with a long value, for
/// `…:count` with how often it was asked, for `…:tagged` with a tag besides; `…:panic` makes it panic, of `…:never` it says nothing.
pub(super) struct Origin {
    asked: AtomicU64,
    pub(super) lets: Semaphore,
    pub(super) fails: AtomicBool,
    pub(super) is_empty: AtomicBool,
}

impl Origin {
    async fn answer(&self, key: TierKeyBuf) -> Result<Option<Fetched>, LoadError> {
        let asked = 1 + self.asked.fetch_add(1, Ordering::Relaxed);
        self.lets.acquire().await.unwrap().forget();
        if self.fails.load(Ordering::Relaxed) {
            return Err(LoadError::new(LoadFailure::Status, "503"));
        }
        let name = str::from_utf8(&key.bytes).unwrap();
        match name.split_once(':').unwrap().1 {
            _ if self.is_empty.load(Ordering::Relaxed) => Ok(None),
            "none" => Ok(None),
            "count" => Ok(Some(asked.to_string().into_bytes().into())),
            "tagged" => Ok(Some(Fetched {
                tags: vec![b"tag".as_slice().into()],
                ..asked.to_string().into_bytes().into()
            })),
            "wordy" => Ok(Some(Fetched {
                tags: vec![vec![b't'; LABEL_NOTE_BYTES_MAX].into()],
                ..Fetched::default()
            })),
            "large" => Ok(Some(vec![0; 101].into())),
            "panic" => panic!("the loader panics"),
            "never" => pending().await,
            _ => Ok(Some(Fetched {
                value: key.bytes.clone(),
                ttl: name.ends_with("brief").then_some(Duration::ZERO),
                data_type: Some("page".into()),
                tags: Vec::new(),
            })),
        }
    }
}

pub(super) struct Bench {
    pub(super) origin: Arc<Origin>,
    tier: Option<Arc<MemoryTier>>,
    pub(super) stack: Arc<Stack>,
    engine: Engine,
    clock: Arc<AtomicU64>,
}

impl Bench {
    pub(super) fn new(lets: usize, limits: LoadLimits, has_tier: bool) -> Self {
        let origin = Arc::new(Origin {
            asked: AtomicU64::new(0),
            lets: Semaphore::new(lets),
            fails: AtomicBool::new(false),
            is_empty: AtomicBool::new(false),
        });
        let clock = Arc::new(AtomicU64::new(NOW));
        let told = Arc::clone(&clock);
        let tier = has_tier.then(|| Arc::new(MemoryTier::unsure(1 << 20)));
        let tiers = tier.iter();
        let tiers = tiers.map(|tier| {
            let tier: Arc<dyn Tier> = Arc::<MemoryTier>::clone(tier);
            (tier, patient(1 << 20))
        });
        let settings = StackConfig {
            seed: 7,
            end_timeout: Duration::from_secs(60),
        };
        let stack = Stack::start(tiers.collect(), &settings, move || {
            told.load(Ordering::Relaxed)
        });
        let stack = stack.unwrap();
        let asked = Arc::clone(&origin);
        let rule = LoadRule {
            name: "page:*".into(),
            fits: Arc::new(|key| key.starts_with(b"page:")),
            loader: Arc::new(move |key| {
                let origin = Arc::clone(&asked);
                async move { origin.answer(key).await }
            }),
            limits,
        };
        let rules = Rules {
            loaders: vec![rule],
            ..Rules::default()
        };
        let engine = engine_over(stack.below("default", rules), MEMORY_BYTES, NOW);
        stack.serve(engine.tenants());
        Self {
            origin,
            tier,
            stack,
            engine,
            clock,
        }
    }

    fn open() -> Self {
        Self::new(1 << 20, LIMITS, false)
    }

    pub(super) fn tenant(&self) -> &Arc<Tenant> {
        self.engine.default_tenant()
    }

    fn below(&self) -> &dyn Below {
        &**self.tenant().below().unwrap()
    }

    fn load(&self, name: &str) -> Answer<'static, Loaded> {
        self.below().load(key(name), Reach::Origin, self.now())
    }

    pub(super) fn sight(&self, name: &str) -> Sight {
        self.below().sight(key(name), Reach::Origin, NOW)
    }

    /// What a load comes to: a value, nothing, or why it failed.
    pub(super) fn loaded(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let loaded = wait(self.load(name));
        let value = |stored: Arc<larder_engine::tier::Stored>| stored.value.to_vec();
        loaded
            .map(|stored| stored.map(value))
            .map_err(|error| error.to_string())
    }

    fn set(&self, name: &str) {
        let edit = Edit::put(b"set", Expiry::Never);
        self.tenant()
            .update(key(name), NOW, Access::Write, 0, |_| (edit.clone(), ()))
            .unwrap();
    }

    pub(super) fn asked(&self) -> u64 {
        self.origin.asked.load(Ordering::Relaxed)
    }

    pub(super) fn figures(&self) -> LoaderFigures {
        self.stack.loaders().remove(0)
    }

    /// So long after [`NOW`].
    pub(super) fn now(&self) -> Millis {
        self.clock.load(Ordering::Relaxed)
    }

    pub(super) fn set_time(&self, ms: Millis) {
        self.clock.store(NOW + ms, Ordering::Relaxed);
    }

    /// Loads a key and puts what came into memory. Whether there is a value afterwards.
    pub(super) fn fetch(&self, name: &str) -> bool {
        let (tenant, now) = (self.tenant(), self.now());
        let ticket = tenant.ticket(key(name), now);
        let loaded = wait(self.load(name));
        let mut held = tenant.lock([key(name)], 0, now).unwrap();
        let stored = loaded.as_ref().ok().and_then(Option::as_deref);
        assert!(held.admit(&ticket, Ok(stored), now).unwrap());
        if loaded.is_err() {
            held.prolong(key(name), now).unwrap();
        }
        held.peek(key(name), now, |_| ()).is_some()
    }

    /// What is in memory under a key, read as clients do.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let read = |entry: larder_engine::Entry<'_>| entry.value().to_vec();
        let value = self.tenant().get(key(name), self.now(), read)?;
        Some(String::from_utf8(value).unwrap())
    }

    fn failures(&self, failure: LoadFailure) -> u64 {
        self.figures().failures[failure as usize]
    }
}

pub(super) fn key(name: &str) -> Key<'_> {
    Key::new(0, name.as_bytes())
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(answer)
}

pub(super) fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

#[test]
fn fifty_who_want_a_key_share_a_load_and_other_keys_make_none() {
    let bench = Bench::new(0, LIMITS, false);
    let loads: Vec<_> = (0..50).map(|_| bench.load("page:1")).collect();
    until(|| bench.asked() > 0);
    wait(bench.stack.turns());
    assert_eq!(bench.figures().in_flight, 1);
    bench.origin.lets.add_permits(50);
    for load in loads {
        let stored = wait(load).unwrap().unwrap();
        assert_eq!(*stored.value, *b"page:1");
        assert_eq!(stored.expires_at, Some(NOW + 60_000));
        assert_eq!(*stored.note, *b"page");
    }
    assert_eq!(bench.asked(), 1);
    assert_eq!(bench.sight("other:1"), Sight::Absent);
    assert_eq!(bench.loaded("other:1"), Ok(None));
    let cached = bench.below().sight(key("page:2"), Reach::Cache, NOW);
    assert_eq!(cached, Sight::Absent, "only reads of values load");
    assert_eq!(bench.asked(), 1);
    let figures = bench.figures();
    assert_eq!((figures.values, figures.value_bytes), (1, 6));
    assert_eq!((&*figures.pattern, figures.in_flight), ("page:*", 0));
}

#[test]
fn an_absence_is_remembered_until_the_key_changes() {
    let bench = Bench::open();
    assert_eq!(bench.sight("page:none"), Sight::Maybe);
    assert_eq!(bench.loaded("page:none"), Ok(None));
    assert_eq!(bench.sight("page:none"), Sight::Absent);
    assert_eq!(bench.figures().absences, 1);
    bench.set("page:none");
    bench.tenant().remove(key("page:none"), NOW);
    assert_eq!(bench.sight("page:none"), Sight::Maybe);

    let forgets = LoadLimits {
        absent_ttl: Duration::ZERO,
        ..LIMITS
    };
    let bench = Bench::new(8, forgets, false);
    assert_eq!(bench.loaded("page:none"), Ok(None));
    assert_eq!(bench.sight("page:none"), Sight::Maybe);
}

#[test]
fn an_absence_that_nobody_has_asked_for_is_not_remembered_but_where_a_read_waits_for_it_too() {
    let bench = Bench::new(0, LIMITS, false);
    let ahead = || {
        let below = bench.below();
        below.load_ahead(key("page:none"), Reach::Origin, bench.now())
    };
    let early = ahead();
    bench.origin.lets.add_permits(1);
    assert_eq!(wait(early), Ok(None));
    assert_eq!(bench.sight("page:none"), Sight::Maybe);
    let (early, read) = (ahead(), bench.load("page:none"));
    wait(bench.stack.turns());
    bench.origin.lets.add_permits(1);
    assert_eq!((wait(early), wait(read)), (Ok(None), Ok(None)));
    assert_eq!(bench.sight("page:none"), Sight::Absent);
    assert_eq!(bench.asked(), 2, "the read and what was early share a load");
}

#[test]
fn a_load_that_fails_or_panics_never_spoils_the_next() {
    let bench = Bench::open();
    bench.origin.fails.store(true, Ordering::Relaxed);
    assert_eq!(bench.loaded("page:1"), Err("503".to_owned()));
    assert_eq!(bench.failures(LoadFailure::Status), 1);
    bench.origin.fails.store(false, Ordering::Relaxed);
    assert_eq!(bench.loaded("page:1"), Ok(Some(b"page:1".to_vec())));
    assert!(bench.loaded("page:panic").is_err());
    assert!(bench.loaded("page:panic").is_err());
    assert_eq!(bench.asked(), 4);
    assert_eq!(bench.figures().in_flight, 0);
    assert_eq!(bench.loaded("page:1"), Ok(Some(b"page:1".to_vec())));
}

#[test]
fn what_is_too_slow_or_too_large_is_given_up() {
    let brief = LoadLimits {
        timeout: Duration::from_millis(10),
        ..LIMITS
    };
    let bench = Bench::new(8, brief, false);
    let slow = bench.loaded("page:never").unwrap_err();
    assert_eq!(slow, "no answer within 10ms");
    assert_eq!(bench.failures(LoadFailure::Timeout), 1);
    let bench = Bench::open();
    let large = bench.loaded("page:large").unwrap_err();
    assert_eq!(large, "the value has 101 bytes, 100 are allowed");
    assert_eq!(bench.failures(LoadFailure::TooLarge), 1);
    let wordy = bench.loaded("page:wordy").unwrap_err();
    let bytes = LABEL_NOTE_BYTES_MAX + UNSTAMPED.len() + 3;
    let expected = format!("its type and tags have {bytes} bytes, 32768 are allowed");
    assert_eq!(wordy, expected);
    assert_eq!(bench.figures().values, 0);
}

#[test]
fn what_has_tags_goes_by_them_also_while_it_is_loaded() {
    let bench = Bench::new(1, LIMITS, true);
    let (tenant, name) = (bench.tenant(), "page:tagged");
    let invalidate = |tag: &[u8]| tenant.invalidate_tags([tag]);
    invalidate(b"tag");
    assert!(bench.fetch(name));
    invalidate(b"other");
    assert_eq!(bench.value(name).as_deref(), Some("1"));
    invalidate(b"tag");
    assert_eq!(bench.value(name), None);
    // Whether the level below holds what is void is its own affair.
    let sight = bench.below().sight(key(name), Reach::Cache, NOW);
    assert!(!matches!(sight, Sight::There(_)));

    let ticket = tenant.ticket(key(name), NOW);
    let loading = bench.load(name);
    until(|| bench.asked() == 2);
    invalidate(b"tag");
    bench.origin.lets.add_permits(2);
    let late = wait(loading).unwrap();
    let mut held = tenant.lock([key(name)], 0, NOW).unwrap();
    held.admit(&ticket, Ok(late.as_deref()), NOW).unwrap();
    assert_eq!(held.peek(key(name), NOW, |_| ()), None);
    drop((held, ticket));
    assert!(bench.fetch(name));
    assert_eq!(bench.value(name).as_deref(), Some("3"));
}

#[test]
fn so_many_loads_go_on_so_many_wait_and_more_fail() {
    let narrow = LoadLimits {
        in_flight_max: 1,
        ..LIMITS
    };
    let bench = Bench::new(0, narrow, false);
    let loads: Vec<_> = (0..1025)
        .map(|n| bench.load(&format!("page:{n}")))
        .collect();
    until(|| bench.figures().waiting == 1024);
    assert_eq!((bench.figures().in_flight, bench.asked()), (1, 1));
    let crowded = bench.loaded("page:more").unwrap_err();
    assert_eq!(crowded, "1025 loads go on or wait already");
    bench.origin.lets.add_permits(1025);
    for load in loads {
        assert!(wait(load).unwrap().is_some());
    }
    assert_eq!((bench.figures().in_flight, bench.figures().waiting), (0, 0));
    assert_eq!(bench.asked(), 1025);
}

#[test]
fn what_was_loaded_goes_into_memory_and_down_unless_the_key_changed_meanwhile() {
    let bench = Bench::new(8, LIMITS, true);
    let tenant = bench.tenant();
    for (name, changes) in [("page:1", false), ("page:2", true)] {
        let ticket = tenant.ticket(key(name), NOW);
        let loaded = wait(bench.load(name)).unwrap();
        if changes {
            tenant.remove(key(name), NOW);
        }
        let mut held = tenant.lock([key(name)], 0, NOW).unwrap();
        let is_valid = held.admit(&ticket, Ok(loaded.as_deref()), NOW).unwrap();
        drop(held);
        assert_eq!(is_valid, !changes);
        let is_here = tenant.peek(key(name), NOW, |_| ()).is_some();
        assert_eq!(is_here, !changes);
    }
    // What a tier has is not told to it again.
    if let Some(settled) = bench.below().settled() {
        wait(settled);
    }
    let written = || bench.stack.figures()[0].writes;
    let before = written();
    assert!(bench.fetch("page:1"));
    bench.stack.stop();
    assert_eq!(
        (bench.tier.as_ref().unwrap().figures().entries, written()),
        (1, before)
    );
}

#[test]
fn the_origin_says_how_long_a_value_is_good_and_a_second_it_is() {
    let bench = Bench::open();
    let stored = wait(bench.load("page:brief")).unwrap().unwrap();
    assert_eq!(stored.expires_at, Some(NOW + 1_000));
    let kept = LoadLimits {
        ttl: None,
        ..LIMITS
    };
    let bench = Bench::new(8, kept, false);
    let stored = wait(bench.load("page:1")).unwrap().unwrap();
    assert_eq!(stored.expires_at, None);
}

#[test]
fn what_another_tenant_changes_makes_nobody_forget_what_there_is_not() {
    let bench = Bench::open();
    assert_eq!(bench.loaded("page:none"), Ok(None));
    let other = bench.stack.below("other", Rules::default());
    // So many that all groups are among them.
    for n in 0..100_000_u32 {
        other.delete(Key::new(0, &n.to_le_bytes()));
    }
    other.clear(None);
    other.changed_elsewhere(None);
    assert_eq!(bench.sight("page:none"), Sight::Absent);
    bench.below().delete(key("page:none"));
    assert_eq!(bench.sight("page:none"), Sight::Maybe);
}

#[test]
fn what_nobody_has_asked_for_leaves_half_of_the_places_free() {
    let limits = LoadLimits {
        in_flight_max: 4,
        ..LIMITS
    };
    let bench = Bench::new(0, limits, false);
    let below = bench.below();
    let place = || below.place_ahead(key("page:1"), Reach::Origin).unwrap();
    let held = [wait(place()), wait(place())];
    let mut third = place();
    let is_free = |place: &mut Answer<'static, Box<dyn Send>>| {
        let mut waking = std::task::Context::from_waker(std::task::Waker::noop());
        place.as_mut().poll(&mut waking).is_ready()
    };
    assert!(!is_free(&mut third));
    drop(held);
    assert!(is_free(&mut third));
    assert!(below.place_ahead(key("page:1"), Reach::Cache).is_none());
    assert!(below.place_ahead(key("other:1"), Reach::Origin).is_none());
}
