mod setbacks;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use larder_policy_lru::Lru;
use larder_sdk::{Event, EventKind, Foretold, NEWCOMER, Request, Slot};
use parking_lot::Mutex;

use crate::evictor::{Evictor, EvictorFactory, Unfit, WrongAnswer, native};
use crate::tenant::Tenant;
use crate::tenant::tests::{NOW, engine, engine_that, get, put, s3_fifo};
use crate::{Access, Edit, Error, Expiry, Key, Label, Millis};

/// What one evictor has been told, and what it shall answer.
#[derive(Default)]
struct Seen {
    /// Slots that are resident, with hash, size and priority.
    residents: BTreeMap<Slot, (u32, u32, u8)>,
    /// Events that contradict what was told before.
    contradictions: usize,
    inserts_in_order: Vec<Slot>,
}

impl Seen {
    fn take(&mut self, event: &Event) {
        let entry = (event.hash, event.size, event.priority);
        let is_sound = match event.kind {
            EventKind::Insert => {
                self.inserts_in_order.push(event.slot);
                self.residents.insert(event.slot, entry).is_none()
            }
            EventKind::Update => self.residents.insert(event.slot, entry).is_some(),
            EventKind::Remove => self.residents.remove(&event.slot).is_some(),
            EventKind::Hit => self.residents.contains_key(&event.slot),
            EventKind::Miss => true,
        };
        self.contradictions += usize::from(!is_sound);
    }
}

/// Keeps a record, names the lowest slots, and fails when it is told to.
struct Recorder {
    seen: Arc<Mutex<Seen>>,
    fails: Arc<AtomicBool>,
    stumbles: Arc<AtomicUsize>,
}

/// Counts down; whether there was something left.
fn take_one(count: &AtomicUsize) -> bool {
    let less = |count: usize| count.checked_sub(1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        .is_ok()
}

impl Evictor for Recorder {
    fn deliver(&mut self, events: &[Event]) -> Result<(), Unfit> {
        if take_one(&self.stumbles) {
            return Err(Unfit("it stumbled".into()));
        }
        if self.fails.load(Ordering::Relaxed) {
            return Err(Unfit("told to fail".into()));
        }
        let mut seen = self.seen.lock();
        events.iter().for_each(|event| seen.take(event));
        Ok(())
    }

    fn victims(
        &mut self,
        request: &Request,
        _: &[Foretold],
        out: &mut Vec<Slot>,
    ) -> Result<(), Unfit> {
        let (seen, mut named) = (self.seen.lock(), 0);
        for (slot, (_, size, _)) in &seen.residents {
            if named >= request.bytes {
                break;
            }
            named += u64::from(*size);
            out.push(*slot);
        }
        Ok(())
    }

    fn reproach(&mut self, wrong: WrongAnswer) {
        panic!("{wrong}");
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

#[derive(Default)]
struct Recorders {
    made: Mutex<Vec<Arc<Mutex<Seen>>>>,
    fails: Arc<AtomicBool>,
    /// Deliveries that fail before all goes well.
    stumbles: Arc<AtomicUsize>,
    /// Evictors to make before no other can be made.
    left: Option<AtomicUsize>,
}

impl EvictorFactory for Recorders {
    fn name(&self) -> &str {
        "recorder"
    }

    fn build(&self, _seed: u64, _share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        if self.left.as_ref().is_some_and(|left| !take_one(left)) {
            return Err(Unfit("no more of them".into()));
        }
        let seen = Arc::default();
        self.made.lock().push(Arc::clone(&seen));
        Ok(Box::new(Recorder {
            seen,
            fails: Arc::clone(&self.fails),
            stumbles: Arc::clone(&self.stumbles),
        }))
    }
}

fn name(n: u32) -> String {
    format!("key{n}")
}

#[test]
fn a_successor_is_told_of_the_residents_in_the_order_of_their_last_access() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..3000 {
        let label = Label {
            priority: (n % 200) as u8,
            ..Label::NONE
        };
        let edit = Edit::Put {
            value: (&[0; 30][..]).into(),
            expiry: Expiry::Never,
            label: Some(label),
        };
        let key = name(n);
        let at = NOW + u64::from(n) * 100;
        tenant
            .update(Key::new(0, key.as_bytes()), at, Access::Write, 40, |_| {
                (edit.clone(), ())
            })
            .unwrap();
    }
    let late = NOW + 1_000_000;
    (0..3000).step_by(10).for_each(|n| {
        get(tenant, &name(n), late);
    });
    let recorders = Arc::new(Recorders::default());
    tenant.install(recorders.clone(), late).unwrap();
    assert_eq!(tenant.eviction(), "recorder");
    let mut total = 0;
    for seen in recorders.made.lock().iter() {
        let seen = seen.lock();
        assert_eq!(seen.contradictions, 0);
        total += seen.residents.len();
        // Read last: at the end. Slots of the rest rise with their age.
        let hot = seen.residents.len() / 10;
        let rest = &seen.inserts_in_order[..seen.inserts_in_order.len() - 2 * hot];
        assert!(rest.is_sorted(), "{rest:?}");
    }
    assert_eq!(total, 3000);
    let priorities = recorders.made.lock()[0].lock().residents.clone();
    assert!(priorities.values().any(|(_, _, priority)| *priority > 100));
}

#[test]
fn swaps_under_load_lose_nothing_and_leave_the_successor_with_the_whole_truth() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let rounds: u32 = if cfg!(miri) { 50 } else { 60_000 };
    let is_done = AtomicBool::new(false);
    let last = Mutex::new(None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                tenant.install(native("lru", Lru::default), NOW).unwrap();
                let recorders = Arc::new(Recorders::default());
                tenant.install(recorders.clone(), NOW).unwrap();
                *last.lock() = Some(recorders);
            }
        });
        let mut model = HashMap::new();
        for n in 0..rounds {
            let key = name(n.wrapping_mul(2_654_435_761) % 30_000);
            if n % 5 == 0 {
                tenant.remove(Key::new(0, key.as_bytes()), NOW);
                model.remove(&key);
            } else {
                let value = vec![n as u8; n as usize % 300];
                put(tenant, &key, &value, Expiry::Never).unwrap();
                model.insert(key.clone(), value);
            }
            let found = get(tenant, &key, NOW);
            assert_eq!(found.as_ref(), model.get(&key), "{key}");
            if n % 500 == 0 {
                engine.maintain(NOW);
            }
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert_eq!(tenant.eviction(), "recorder");
    assert_eq!(tenant.unfit_shards(), 0);
    while engine.maintain(NOW) {}
    let last = last.lock().take().unwrap();
    let told: usize = last
        .made
        .lock()
        .iter()
        .map(|seen| {
            let seen = seen.lock();
            assert_eq!(seen.contradictions, 0);
            seen.residents.len()
        })
        .sum();
    assert_eq!(told as u64, tenant.stats().entries_total());
    let stats = tenant.stats();
    assert!(stats.evictions > 0 || cfg!(miri), "{stats:?}");
    assert!(
        stats.used_bytes <= stats.budget_bytes + 64 * 1024,
        "{stats:?}"
    );
}

#[test]
fn a_ruler_that_fails_is_replaced_by_the_fallback_until_it_is_repaired() {
    let engine = engine(4 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let recorders = Arc::new(Recorders::default());
    tenant.install(recorders.clone(), NOW).unwrap();
    let fill = |round: u32| {
        for n in 0..20_000 {
            let key = name(n + round * 20_000);
            put(tenant, &key, &[1; 100], Expiry::Never).unwrap();
            assert!(get(tenant, &key, NOW).is_some());
            // As often as every ten milliseconds, at some thousand writes a second and shard.
            if n % 20 == 0 {
                engine.maintain(NOW);
            }
        }
    };
    fill(0);
    let by_fallback = tenant.stats().fallback_evictions;
    assert!(by_fallback < 200, "{by_fallback} of 20,000");
    recorders.fails.store(true, Ordering::Relaxed);
    fill(1);
    assert!(tenant.stats().fallback_evictions > 1000);
    assert_eq!(tenant.unfit_shards(), tenant.shards());
    assert_eq!(tenant.unfit_reason().as_deref(), Some("told to fail"));
    assert!(tenant.repair(NOW).is_err(), "it still fails");
    recorders.fails.store(false, Ordering::Relaxed);
    assert_eq!(tenant.repair(NOW), Ok(tenant.shards()));
    assert_eq!(tenant.unfit_shards(), 0);
    let before = tenant.stats().fallback_evictions;
    fill(2);
    let by_fallback = tenant.stats().fallback_evictions - before;
    assert!(by_fallback < 200, "{by_fallback} of 20,000");
    let stats = tenant.stats();
    assert!(
        stats.used_bytes <= stats.budget_bytes + 64 * 1024,
        "{stats:?}"
    );
}

/// Never gives anything up for a newcomer of a priority below 100.
struct Snob(Lru);

impl larder_sdk::Eviction for Snob {
    fn insert(&mut self, slot: Slot, entry: larder_sdk::Entry) {
        self.0.insert(slot, entry);
    }
    fn remove(&mut self, slot: Slot, hash: u32, why: larder_sdk::Removal) {
        self.0.remove(slot, hash, why);
    }
    fn victims(&mut self, request: &Request, victims: &mut larder_sdk::Victims<'_>) {
        match request.newcomer {
            Some(newcomer) if newcomer.priority < 100 => victims.refuse_newcomer(),
            _ => self.0.victims(request, victims),
        }
    }
    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

impl larder_sdk::Policy for Snob {
    type Parameters = ();
    fn new((): (), seed: u64) -> Result<Self, String> {
        Lru::new((), seed).map(Snob)
    }
}

#[test]
fn a_newcomer_can_be_refused_where_it_is_offered_and_only_there() {
    let engine = engine(4 << 20, native("snob", || Snob(Lru::default())));
    let tenant = engine.default_tenant();
    let offer = |n: u32, access: Access| {
        let key = name(n);
        tenant.update(Key::new(0, key.as_bytes()), NOW, access, 100, |_| {
            (Edit::put(&[1; 100][..], Expiry::Never), ())
        })
    };
    let first_refused = (0..50_000)
        .find(|&n| offer(n, Access::Offer(1)) == Err(Error::Refused))
        .expect("the memory is full some time");
    assert!(get(tenant, &name(first_refused), NOW).is_none());
    assert!(get(tenant, &name(0), NOW).is_some());
    assert_eq!(offer(0, Access::Offer(1)), Ok(()), "it is there already");
    assert_eq!(offer(60_000, Access::Offer(100)), Ok(()));
    assert_eq!(offer(60_001, Access::Write), Ok(()));
    assert!(get(tenant, &name(60_001), NOW).is_some());
    let stats = tenant.stats();
    assert!(
        stats.refused_newcomers >= 1 && stats.fallback_evictions == 0,
        "{stats:?}"
    );
    assert_eq!(NEWCOMER, Slot::MAX);
}

/// Changes an expiry; `None`: it never expires.
fn expire(tenant: &Tenant, name: &str, expiry: Option<Millis>) {
    let edit = |_: Option<crate::Entry<'_>>| (Edit::Expire(expiry), ());
    let key = Key::new(0, name.as_bytes());
    tenant.update(key, NOW, Access::Write, 0, edit).unwrap();
}

#[test]
fn an_evictor_knows_of_what_expires_alone_where_nothing_else_may_go() {
    let engine = engine_that(true, 4 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let soon = Expiry::At(NOW + 1000);
    let names: Vec<_> = (0..400).map(name).collect();
    for (n, name) in names.iter().enumerate() {
        let expiry = [Expiry::Never, soon][n % 2];
        put(tenant, name, &[1; 50], expiry).unwrap();
    }
    let recorders = Arc::new(Recorders::default());
    tenant.install(recorders.clone(), NOW).unwrap();
    let told = || {
        while engine.maintain(NOW) {}
        let made = recorders.made.lock();
        let seen = made.iter().map(|seen| seen.lock());
        let (mut residents, mut contradictions) = (0, 0);
        for seen in seen {
            residents += seen.residents.len();
            contradictions += seen.contradictions;
        }
        assert_eq!(contradictions, 0);
        residents
    };
    assert_eq!(told(), 200, "as many as expire");
    for (n, name) in names.iter().enumerate() {
        match n % 8 {
            // They come to expire, and are read, written and written over.
            0 => expire(tenant, name, Some(NOW + 5)),
            2 => put(tenant, name, &[2; 500], soon).unwrap(),
            4 => put(tenant, name, &[2; 500], Expiry::Keep).unwrap(),
            // They come to stay.
            1 => expire(tenant, name, None),
            3 => put(tenant, name, &[2; 500], Expiry::Never).unwrap(),
            5 => put(tenant, name, &[2; 500], Expiry::Keep).unwrap(),
            // They go.
            _ => assert!(tenant.remove(Key::new(0, name.as_bytes()), NOW)),
        }
        get(tenant, name, NOW);
    }
    assert_eq!(told(), 50 * 3, "the first two, and the one that is kept");
    assert_eq!(tenant.stats().entries_with_ttl[0], 150);
    for name in names.iter().step_by(8) {
        expire(tenant, name, None);
    }
    let slots = tenant.stats().entries_total();
    for n in 0..10_000 {
        // Slots that no evictor was told of come back at once.
        put(tenant, "one", &[3; 10], Expiry::Never).unwrap();
        assert!(tenant.remove(Key::new(0, b"one"), NOW), "{n}");
    }
    assert_eq!((told(), tenant.stats().entries_total()), (100, slots));
}
