use std::collections::HashMap;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use larder_sdk::{Event, EventKind, Request, Slot};

use super::*;
use crate::below::{Below, Loaded, Sight};
use crate::evictor::{Evictor, EvictorFactory, Unfit, WrongAnswer};
use crate::tenant::tests::{NOW, engine_of, put, s3_fifo, tenant};
use crate::tier::{Answer, TierError};
use crate::{Engine, Entry, Expiry, TenantConfig};

type Meanwhile = Box<dyn FnOnce() + Send>;

/// Has what the tests put there, whatever is told.
#[derive(Default)]
struct Store {
    held: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Happens during the next load.
    meanwhile: Mutex<Option<Meanwhile>>,
    /// Happens while it is waited for a place.
    while_waiting: Mutex<Option<Meanwhile>>,
    /// Whoever has a place has one of it.
    place: Arc<()>,
    renewed: Mutex<Vec<Vec<u8>>>,
}

impl Below for Store {
    fn put(&self, _: Key<'_>, _: Entry<'_>) -> bool {
        true
    }

    fn delete(&self, _: Key<'_>) {}

    fn evicted(&self, _: Key<'_>, _: Entry<'_>) {}

    fn clear(&self, _: Option<u8>) {}

    fn clear_prefix(&self, _: u8, _: &[u8]) -> Result<(), TierError> {
        Ok(())
    }

    fn clears(&self) -> u64 {
        0
    }

    fn sight(&self, key: Key<'_>, _: Reach, _: Millis) -> Sight {
        match self.held.lock().unwrap().contains_key(key.bytes) || key.bytes == b"broken" {
            true => Sight::Maybe,
            false => Sight::Absent,
        }
    }

    fn load(&self, key: Key<'_>, _: Reach, _: Millis) -> Answer<'static, Loaded> {
        let value = self.held.lock().unwrap().get(key.bytes).cloned();
        let meanwhile = self.meanwhile.lock().unwrap().take();
        Box::pin(async move {
            if let Some(meanwhile) = meanwhile {
                meanwhile();
            }
            let value = value.ok_or(TierError::Unavailable("away".to_owned()))?;
            Ok(Some(Arc::new(Stored {
                value: value.into(),
                ..Stored::default()
            })))
        })
    }

    fn place_ahead(&self, _: Key<'_>, _: Reach) -> Option<Answer<'static, Box<dyn Send>>> {
        let place: Box<dyn Send> = Box::new(Arc::clone(&self.place));
        let meanwhile = self.while_waiting.lock().unwrap().take();
        Some(Box::pin(async move {
            if let Some(meanwhile) = meanwhile {
                meanwhile();
            }
            place
        }))
    }

    fn renew(&self, key: Key<'_>) {
        self.renewed.lock().unwrap().push(key.bytes.to_vec());
    }

    fn load_here(&self, _: Key<'_>, _: Millis, _: Duration) -> Loaded {
        unreachable!("nobody waits here")
    }

    fn told(&self) -> u64 {
        0
    }

    fn settled(&self) -> Option<Answer<'static, ()>> {
        None
    }

    fn is_full(&self) -> bool {
        false
    }

    fn await_room_here(&self, _: Duration) -> bool {
        true
    }
}

/// Notes what it is told, and wants to hear of misses.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<EventKind>>>);

impl Evictor for Listener {
    fn deliver(&mut self, events: &[Event]) -> Result<(), Unfit> {
        let kinds = events.iter().map(|event| event.kind);
        self.0.lock().unwrap().extend(kinds);
        Ok(())
    }

    fn victims(
        &mut self,
        _: &Request,
        _: &[larder_sdk::Foretold],
        _: &mut Vec<Slot>,
    ) -> Result<(), Unfit> {
        Err(Unfit("it only listens".to_owned()))
    }

    fn reproach(&mut self, _: WrongAnswer) {}

    fn memory_bytes(&self) -> usize {
        0
    }

    fn wants_misses(&self) -> bool {
        true
    }

    fn is_prompt(&self) -> bool {
        true
    }
}

impl EvictorFactory for Listener {
    fn name(&self) -> &str {
        "listener"
    }

    fn build(&self, _: u64, _: u64) -> Result<Box<dyn Evictor>, Unfit> {
        Ok(Box::new(self.clone()))
    }
}

fn engine(evictor: Arc<dyn EvictorFactory>) -> (Engine, Arc<Store>) {
    engine_that(false, evictor)
}

fn engine_that(volatile_only: bool, evictor: Arc<dyn EvictorFactory>) -> (Engine, Arc<Store>) {
    let store = Arc::<Store>::default();
    let config = TenantConfig {
        below: Some(Arc::<Store>::clone(&store)),
        ..tenant("default", 4 << 20, evictor)
    };
    for n in 0..100 {
        let name = format!("below:{n}").into_bytes();
        store.held.lock().unwrap().insert(name, vec![7; 100]);
    }
    (engine_of(volatile_only, NOW, vec![config]), store)
}

const WAITS: Waits = Waits {
    until: NOW + 50,
    bytes_max: 1 << 20,
};

fn prewarm(
    tenant: &Arc<Tenant>,
    name: &str,
    waits: Option<Waits>,
) -> Result<Prewarmed, FetchError> {
    let key = Key::new(0, name.as_bytes());
    let prewarmed = tenant.prewarm(key, Reach::Cache, waits, || NOW);
    match pin!(prewarmed).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(prewarmed) => prewarmed,
        Poll::Pending => panic!("everything is at hand"),
    }
}

fn has(tenant: &Tenant, name: &str) -> bool {
    tenant
        .peek(Key::new(0, name.as_bytes()), NOW, |_| ())
        .is_some()
}

fn get(tenant: &Tenant, name: &str) -> bool {
    tenant
        .get(Key::new(0, name.as_bytes()), NOW, |_| ())
        .is_some()
}

#[test]
fn a_place_is_held_while_a_load_goes_on_and_what_came_before_it_was_free_is_not_loaded() {
    let (engine, store) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    let place = Arc::clone(&store.place);
    let held = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&held);
    let look = move || *seen.lock().unwrap() = Arc::strong_count(&place);
    *store.meanwhile.lock().unwrap() = Some(Box::new(look));
    assert_eq!(prewarm(tenant, "below:1", None), Ok(Prewarmed::Came));
    assert_eq!(
        *held.lock().unwrap(),
        3,
        "the store, who looks, and the load"
    );
    assert_eq!(Arc::strong_count(&store.place), 1, "it is given back");

    let other = Arc::clone(tenant);
    let come = move || put(&other, "below:2", b"newer", Expiry::Never).unwrap();
    *store.while_waiting.lock().unwrap() = Some(Box::new(come));
    let load = || unreachable!("it is there by then");
    *store.meanwhile.lock().unwrap() = Some(Box::new(load));
    assert_eq!(prewarm(tenant, "below:2", None), Ok(Prewarmed::Here));
}

#[test]
fn the_evictor_hears_of_it_when_somebody_asks_for_it_and_not_before() {
    let listener = Listener::default();
    let (engine, _) = engine(Arc::new(listener.clone()));
    let tenant = engine.default_tenant();
    let heard = || {
        engine.maintain(NOW);
        std::mem::take(&mut *listener.0.lock().unwrap())
    };
    assert_eq!(prewarm(tenant, "below:1", Some(WAITS)), Ok(Prewarmed::Came));
    assert_eq!(prewarm(tenant, "below:1", Some(WAITS)), Ok(Prewarmed::Here));
    assert_eq!(
        prewarm(tenant, "nowhere", Some(WAITS)),
        Ok(Prewarmed::Absent)
    );
    assert!(has(tenant, "below:1"), "a look is no request");
    assert_eq!(heard(), []);
    assert!(tenant.ahead().bytes > 100);
    assert!(get(tenant, "below:1"));
    assert_eq!(heard(), [EventKind::Miss, EventKind::Insert]);
    assert!(get(tenant, "below:1"));
    assert_eq!(heard(), [EventKind::Hit]);
    let used = AheadFigures {
        fetched: 1,
        used: 1,
        ..AheadFigures::default()
    };
    assert_eq!((tenant.ahead(), tenant.stats().hits), (used, 2));
    engine.maintain(WAITS.until);
    assert!(get(tenant, "below:1"), "it is like others now");
    // One that is to be like others is so at once.
    assert_eq!(prewarm(tenant, "below:2", None), Ok(Prewarmed::Came));
    assert_eq!(heard(), [EventKind::Hit, EventKind::Insert]);
    assert_eq!(tenant.ahead(), used);
}

#[test]
fn what_nobody_asks_for_goes_when_its_time_is_over() {
    let (engine, _) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..10 {
        let waits = Waits {
            until: NOW + 10 * n,
            ..WAITS
        };
        prewarm(tenant, &format!("below:{n}"), Some(waits)).unwrap();
    }
    engine.maintain(NOW + 45);
    let left = (0..10).filter(|n| has(tenant, &format!("below:{n}")));
    assert_eq!(left.collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    tenant.remove(Key::new(0, b"below:5"), NOW);
    put(tenant, "below:6", b"new", Expiry::Never).unwrap();
    engine.maintain(NOW + 1_000);
    assert!(get(tenant, "below:6"), "it was written since");
    let figures = AheadFigures {
        fetched: 10,
        wasted: 10,
        ..AheadFigures::default()
    };
    assert_eq!((tenant.ahead(), tenant.len(0)), (figures, 1));
    // The slots that were left have others in them now, which nobody has fetched ahead.
    for n in 0..20 {
        put(tenant, &format!("other:{n}"), b"v", Expiry::Never).unwrap();
    }
    engine.maintain(NOW + 2_000);
    assert_eq!((tenant.ahead(), tenant.len(0)), (figures, 21));
}

#[test]
fn what_waits_for_a_time_that_the_clock_went_back_from_goes_at_once() {
    let (engine, _) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..10 {
        prewarm(tenant, &format!("below:{n}"), Some(WAITS)).unwrap();
    }
    assert!(get(tenant, "below:0"));
    engine.maintain(NOW - 1_000);
    assert_eq!(tenant.ahead().wasted, 0, "a little disorder");
    engine.maintain(NOW - 3_600_000);
    assert_eq!((tenant.ahead().wasted, tenant.ahead().bytes), (9, 0));
    assert!(has(tenant, "below:0"), "somebody has asked for it");
}

#[test]
fn all_that_wait_take_no_more_than_they_may_and_go_first() {
    let (engine, _) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    let bytes_max = 1_000;
    let waits = Waits { bytes_max, ..WAITS };
    let came = (0..100).filter(|n| {
        let prewarmed = prewarm(tenant, &format!("below:{n}"), Some(waits));
        prewarmed == Ok(Prewarmed::Came)
    });
    let came = came.count() as u64;
    assert!((4..10).contains(&came), "{came}");
    assert!(tenant.ahead().bytes <= bytes_max);
    // Whoever writes several at once evicts without asking anybody.
    let names: Vec<_> = (0..3_000).map(|n| format!("own:{n}")).collect();
    let keys = || names.iter().map(|name| Key::new(0, name.as_bytes()));
    for name in &names {
        put(tenant, name, &[1; 1_300], Expiry::Never).unwrap();
    }
    let mut held = tenant.lock(keys(), 0, NOW).unwrap();
    for key in keys().take(100) {
        let edit = |_: Option<Entry<'_>>| (crate::Edit::put(vec![2; 2_500], Expiry::Never), ());
        held.update(key, NOW, crate::Access::Write, edit).unwrap();
    }
    drop(held);
    let figures = tenant.ahead();
    assert_eq!((figures.wasted, figures.bytes), (came, 0));
}

#[test]
fn a_change_meanwhile_counts_and_so_does_trouble() {
    let (engine, store) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    let own = Arc::clone(tenant);
    let change = move || put(&own, "below:1", b"new", Expiry::Never).unwrap();
    *store.meanwhile.lock().unwrap() = Some(Box::new(change));
    let prewarmed = prewarm(tenant, "below:1", Some(WAITS));
    assert_eq!(prewarmed, Ok(Prewarmed::Changed));
    let value = tenant.get(Key::new(0, b"below:1"), NOW, |entry| entry.value().to_vec());
    assert_eq!(value.unwrap(), b"new");

    store
        .held
        .lock()
        .unwrap()
        .insert(b"huge".to_vec(), vec![0; 1 << 20]);
    assert_eq!(prewarm(tenant, "huge", None), Ok(Prewarmed::NoRoom));
    let failed = prewarm(tenant, "broken", Some(WAITS));
    assert!(matches!(failed, Err(FetchError::Below(_))), "{failed:?}");
    assert_eq!(tenant.ahead(), AheadFigures::default());
}

#[test]
fn what_was_loaded_is_loaded_anew_before_its_time_is_over_and_nothing_else_is() {
    let (engine, store) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    let loaded = |name: &str, cost_ms, left_ms| {
        let label = crate::Label {
            times: crate::Times {
                cost_ms,
                ..crate::Times::NONE
            },
            ..crate::Label::NONE
        };
        let edit = crate::Edit::Put {
            value: b"v"[..].into(),
            expiry: Expiry::At(NOW + left_ms),
            label: Some(label),
        };
        let key = Key::new(0, name.as_bytes());
        let access = crate::Access::Write;
        let put = tenant.update(key, NOW, access, 0, |_| (edit.clone(), ()));
        put.unwrap();
        (
            prewarm(tenant, name, Some(WAITS)),
            tenant.holds(tenant.hash_of(key), NOW),
        )
    };
    assert_eq!(loaded("ending", 50, 250), (Ok(Prewarmed::Renewed), false));
    assert_eq!(loaded("young", 50, 350), (Ok(Prewarmed::Here), true));
    assert_eq!(loaded("written", 0, 250), (Ok(Prewarmed::Here), true));
    assert_eq!(*store.renewed.lock().unwrap(), [b"ending"]);
}

#[test]
fn nothing_waits_where_what_does_not_expire_may_not_go() {
    let (engine, _) = engine_that(true, s3_fifo());
    let tenant = engine.default_tenant();
    assert_eq!(
        prewarm(tenant, "below:1", Some(WAITS)),
        Ok(Prewarmed::NoRoom)
    );
    assert_eq!(prewarm(tenant, "below:1", None), Ok(Prewarmed::Came));
}

#[test]
fn who_missed_it_while_it_came_finds_it_and_it_counts_as_asked_for() {
    let (engine, _) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    let key = Key::new(0, b"below:1");
    let ticket = tenant.ticket(key, NOW);
    prewarm(tenant, "below:1", Some(WAITS)).unwrap();
    let stored = Stored {
        value: vec![7; 100].into(),
        ..Stored::default()
    };
    let mut held = tenant.lock([key], 0, NOW).unwrap();
    assert_eq!(held.admit(&ticket, Ok(Some(&stored)), NOW), Ok(true));
    drop(held);
    engine.maintain(NOW + 1_000);
    assert!(has(tenant, "below:1"));
    assert_eq!((tenant.ahead().used, tenant.ahead().wasted), (1, 0));
}

#[test]
fn what_waits_no_more_is_forgotten_though_another_one_waits_for_long() {
    let (engine, _) = engine(s3_fifo());
    let tenant = engine.default_tenant();
    let waits = Waits {
        until: NOW + 3_600_000,
        ..WAITS
    };
    for n in 0..50 {
        prewarm(tenant, &format!("below:{n}"), Some(waits)).unwrap();
    }
    for _ in 0..2_000 {
        assert_eq!(
            prewarm(tenant, "below:99", Some(waits)),
            Ok(Prewarmed::Came)
        );
        assert!(get(tenant, "below:99"));
        tenant.remove(Key::new(0, b"below:99"), NOW);
    }
    let order = |shard: &crate::shard::Shard| shard.state.lock().ahead_order();
    let places = tenant.shards.iter().map(order).max();
    assert!(places.is_some_and(|places| places <= 200), "{places:?}");
    engine.maintain(waits.until);
    assert_eq!((tenant.ahead().wasted, tenant.ahead().bytes), (50, 0));
}
