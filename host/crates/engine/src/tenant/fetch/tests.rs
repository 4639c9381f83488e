use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::below::Loaded;
use crate::tenant::tests::{engine_of, s3_fifo, tenant};
use crate::tier::Answer;
use crate::{Access, Edit, Engine, Entry, Expiry, FlushCursor, Store, TenantConfig};

const NOW: Millis = 1_000_000;
const MEMORY_BYTES: u64 = 4 << 20;

type Kept = HashMap<(u8, Vec<u8>), Arc<Stored>>;

/// Keeps what it is told, at once.
#[derive(Default)]
struct Shelf {
    kept: Mutex<Kept>,
    evicted: AtomicU64,
    clears: AtomicU64,
    takes_all: AtomicBool,
    refuses: AtomicBool,
}

impl Shelf {
    fn value(&self, key: &[u8]) -> Option<Vec<u8>> {
        let kept = self.kept.lock().unwrap();
        kept.get(&(0, key.to_vec()))
            .map(|stored| stored.value.to_vec())
    }

    fn keep(&self, key: Key<'_>, entry: Entry<'_>) {
        let stored = Stored {
            value: entry.value().into(),
            expires_at: entry.expires_at(),
            priority: entry.label().priority,
            note: entry.label().note.into(),
            times: entry.label().times,
        };
        let mut kept = self.kept.lock().unwrap();
        kept.insert((key.db, key.bytes.to_vec()), Arc::new(stored));
    }
}

impl Below for Shelf {
    fn put(&self, key: Key<'_>, entry: Entry<'_>) -> bool {
        self.keep(key, entry);
        !self.takes_all.load(Ordering::Relaxed)
    }

    fn delete(&self, key: Key<'_>) {
        let mut kept = self.kept.lock().unwrap();
        kept.remove(&(key.db, key.bytes.to_vec()));
    }

    fn evicted(&self, key: Key<'_>, entry: Entry<'_>) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
        self.keep(key, entry);
    }

    fn clear(&self, db: Option<u8>) {
        self.clears.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap();
        kept.retain(|(of, _), _| db.is_some_and(|db| db != *of));
    }

    fn clear_prefix(&self, db: u8, prefix: &[u8]) -> Result<(), TierError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(TierError::Refused("no more".to_owned()));
        }
        self.clears.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap();
        kept.retain(|(of, key), _| db != *of || !key.starts_with(prefix));
        Ok(())
    }

    fn clears(&self) -> u64 {
        self.clears.load(Ordering::Relaxed)
    }

    fn sight(&self, key: Key<'_>, _: Reach, now: Millis) -> Sight {
        let kept = self.kept.lock().unwrap();
        match kept.get(&(key.db, key.bytes.to_vec())) {
            Some(stored) if !stored.is_expired(now) => Sight::There(Arc::clone(stored)),
            _ => Sight::Absent,
        }
    }

    fn load(&self, _: Key<'_>, _: Reach, _: Millis) -> Answer<'static, Loaded> {
        unreachable!("what is kept is at hand")
    }

    fn load_here(&self, _: Key<'_>, _: Millis, _: Duration) -> Loaded {
        unreachable!("what is kept is at hand")
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

fn engine(shelf: &Arc<Shelf>) -> Engine {
    engine_that_evicts(shelf, false)
}

fn engine_that_evicts(shelf: &Arc<Shelf>, volatile_only: bool) -> Engine {
    let shelved = TenantConfig {
        below: Some(Arc::<Shelf>::clone(shelf)),
        ..tenant("default", MEMORY_BYTES, s3_fifo())
    };
    engine_of(volatile_only, NOW, vec![shelved])
}

fn key(bytes: &[u8]) -> Key<'_> {
    Key::new(0, bytes)
}

fn set(tenant: &Tenant, name: &[u8], value: &[u8]) {
    edit(tenant, name, Edit::put(value, Expiry::Never));
}

fn edit(tenant: &Tenant, name: &[u8], edit: Edit<'_>) {
    tenant
        .update(key(name), NOW, Access::Write, 0, |_| (edit.clone(), ()))
        .unwrap();
}

fn value(tenant: &Tenant, name: &[u8]) -> Option<Vec<u8>> {
    tenant.get(key(name), NOW, |entry| entry.value().to_vec())
}

/// Has the tenant forget a key that stays below.
fn forget(tenant: &Tenant, shelf: &Shelf, name: &[u8]) {
    shelf.takes_all.store(true, Ordering::Relaxed);
    edit(tenant, name, Edit::Append(b""));
    shelf.takes_all.store(false, Ordering::Relaxed);
    assert_eq!(value(tenant, name), None);
}

fn fetch(tenant: &Arc<Tenant>, shelf: &Shelf, name: &[u8], meanwhile: impl FnOnce()) {
    let ticket = tenant.ticket(key(name), NOW);
    let Sight::There(stored) = shelf.sight(key(name), Reach::Cache, NOW) else {
        panic!("nothing is below");
    };
    meanwhile();
    let mut held = tenant.lock([key(name)], 0, NOW).unwrap();
    held.admit(&ticket, Ok(Some(&stored)), NOW).unwrap();
}

#[test]
fn every_change_goes_down_as_it_stands_afterwards() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    set(tenant, b"k", b"0123");
    assert_eq!(shelf.value(b"k").unwrap(), b"0123");
    edit(tenant, b"k", Edit::Append(b"45"));
    assert_eq!(shelf.value(b"k").unwrap(), b"012345");
    // Over the end, at once beyond it, and far from it, where nothing was before.
    let patch = |at, bytes: &'static [u8]| Edit::Patch {
        at,
        bytes: bytes.into(),
    };
    edit(tenant, b"k", patch(4, b"abcd"));
    assert_eq!(shelf.value(b"k").unwrap(), b"0123abcd");
    edit(tenant, b"k", patch(9, b"z"));
    assert_eq!(shelf.value(b"k").unwrap(), b"0123abcd\0z");
    edit(tenant, b"new", patch(2, b"x"));
    assert_eq!(shelf.value(b"new").unwrap(), b"\0\0x");
    edit(tenant, b"k", Edit::Expire(Some(NOW + 5)));
    let expires_at = |shelf: &Shelf| match shelf.sight(key(b"k"), Reach::Cache, NOW) {
        Sight::There(stored) => stored.expires_at,
        other => panic!("{other:?}"),
    };
    assert_eq!(expires_at(&shelf), Some(NOW + 5));
    edit(tenant, b"k", Edit::Expire(None));
    assert_eq!(expires_at(&shelf), None);
    assert!(tenant.remove(key(b"k"), NOW));
    assert_eq!(shelf.value(b"k"), None);
}

#[test]
fn what_is_below_alone_goes_too_when_it_is_removed_or_outlived() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    for name in [&b"removed"[..], b"past"] {
        set(tenant, name, b"v");
        forget(tenant, &shelf, name);
        assert!(tenant.lacks(key(name), Reach::Cache, NOW));
    }
    assert!(!tenant.remove(key(b"removed"), NOW), "it was not in memory");
    edit(tenant, b"past", Edit::put(&b"w"[..], Expiry::At(NOW)));
    assert_eq!(shelf.value(b"removed"), None);
    assert_eq!(shelf.value(b"past"), None);
}

#[test]
fn what_is_fetched_is_as_it_was_and_counts_as_no_change() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    let label = crate::Label {
        priority: 9,
        note: b"note",
        times: Times {
            stale_ms: 7,
            ..Times::NONE
        },
    };
    edit(
        tenant,
        b"k",
        Edit::Put {
            value: b"value"[..].into(),
            expiry: Expiry::At(NOW + 9),
            label: Some(label),
        },
    );
    forget(tenant, &shelf, b"k");
    let watch = tenant.watch(key(b"k"), NOW);
    fetch(tenant, &shelf, b"k", || ());
    let seen = tenant.get(key(b"k"), NOW, |entry| {
        let label = entry.label();
        let of = (label.priority, label.note.to_vec());
        (entry.value().to_vec(), entry.expires_at(), of)
    });
    let expected = (b"value".to_vec(), Some(NOW + 9), (9, b"note".to_vec()));
    assert_eq!(seen, Some(expected));
    let mut held = tenant.lock([key(b"k")], 0, NOW).unwrap();
    assert!(held.is_unchanged(&watch, NOW));
}

#[test]
fn what_comes_into_memory_behind_the_back_of_a_read_was_missed() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    set(tenant, b"k", b"v");
    forget(tenant, &shelf, b"k");
    let keys = [key(b"k"), key(b"none")];
    let mut store = Store::open(tenant, false);
    let mut read = || {
        for key in keys {
            store.get(key, NOW, |_| ());
        }
        store.take_missed()
    };
    let missed = read();
    assert!(
        tenant.may_have(&keys, missed, Reach::Cache, NOW),
        "it is below"
    );
    // As another client does, or prediction, before anybody can look.
    fetch(tenant, &shelf, b"k", || ());
    assert!(!keys.iter().any(|key| tenant.lacks(*key, Reach::Cache, NOW)));
    assert_eq!(missed, 2);
    assert!(tenant.may_have(&keys, missed, Reach::Cache, NOW), "it was");
    let missed = read();
    assert_eq!(missed, 1);
    assert!(!tenant.may_have(&keys, missed, Reach::Cache, NOW));
}

#[test]
fn what_was_changed_meanwhile_does_not_come_back() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    let prepare = || {
        set(tenant, b"k", b"old");
        forget(tenant, &shelf, b"k");
    };
    prepare();
    fetch(tenant, &shelf, b"k", || set(tenant, b"k", b"new"));
    assert_eq!(value(tenant, b"k").unwrap(), b"new");
    prepare();
    fetch(tenant, &shelf, b"k", || {
        tenant.remove(key(b"k"), NOW);
    });
    assert_eq!(value(tenant, b"k"), None);
    prepare();
    fetch(tenant, &shelf, b"k", || {
        set(tenant, b"k", b"new");
        tenant.remove(key(b"k"), NOW);
    });
    assert_eq!(value(tenant, b"k"), None);
    prepare();
    fetch(tenant, &shelf, b"k", || {
        Store::open(tenant, false).flush(None);
    });
    assert_eq!(value(tenant, b"k"), None);
}

#[test]
fn what_goes_while_its_database_is_emptied_does_not_go_down() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    let name = |number: u32| number.to_be_bytes();
    for number in 0..8_000 {
        set(tenant, &name(number), &[0; 400]);
    }
    let begun = tenant.flush(Some(0), FlushCursor::default());
    assert!(begun.is_some(), "one step does not empty it");
    // Another one is emptied meanwhile, from its beginning to its end.
    let mut other = tenant.flush(Some(1), FlushCursor::default());
    while let Some(at) = other {
        other = tenant.flush(Some(1), at);
    }
    assert!(shelf.kept.lock().unwrap().is_empty());
    let before = shelf.evicted.load(Ordering::Relaxed);
    tenant.set_memory(1 << 20);
    while engine.maintain(NOW) {}
    assert_eq!(shelf.evicted.load(Ordering::Relaxed), before);
    assert!(shelf.kept.lock().unwrap().is_empty());
}

#[test]
fn room_is_made_for_what_comes_and_what_goes_for_it_goes_down() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    let name = |number: u32| number.to_be_bytes();
    for number in 0..20_000 {
        set(tenant, &name(number), &[1; 400]);
    }
    assert!(shelf.evicted.load(Ordering::Relaxed) > 0);
    let absent: Vec<u32> = (0..20_000)
        .filter(|number| tenant.lacks(key(&name(*number)), Reach::Cache, NOW))
        .collect();
    assert!(absent.len() > 8_000, "{}", absent.len());
    for number in absent {
        fetch(tenant, &shelf, &name(number), || ());
        assert_eq!(value(tenant, &name(number)).unwrap(), [1; 400]);
    }
    let stats = tenant.stats();
    assert!(stats.used_bytes <= stats.budget_bytes);
}

#[test]
fn what_went_down_between_a_look_and_a_change_is_not_changed_as_if_it_were_nowhere() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    set(tenant, b"k", b"v");
    forget(tenant, &shelf, b"k");
    let mut store = Store::open(tenant, false);
    let append = |store: &mut Store<'_>| {
        let edit = |_: Option<Entry<'_>>| (Edit::Append(b"x"), ());
        store.update(key(b"k"), NOW, Access::Write, 1, edit)
    };
    store.look_below(true);
    assert_eq!(append(&mut store), Err(Error::Lacking));
    assert!(store.take_lacked() && !store.take_lacked());
    let locked = store.lock([key(b"a"), key(b"k")], 0, NOW);
    assert_eq!(locked.err(), Some(Error::Lacking));
    assert!(store.take_lacked());
    assert_eq!(shelf.value(b"k").unwrap(), b"v");
    // What is nowhere is written, and so is what is here.
    fetch(tenant, &shelf, b"k", || ());
    assert_eq!(append(&mut store), Ok(()));
    assert_eq!(shelf.value(b"k").unwrap(), b"vx");
    tenant.remove(key(b"k"), NOW);
    assert_eq!(append(&mut store), Ok(()));
    assert!(!store.take_lacked());
}

#[test]
fn what_has_no_place_in_memory_is_seen_and_removed_all_the_same() {
    let shelf = Arc::<Shelf>::default();
    let engine = engine_that_evicts(&shelf, true);
    let tenant = engine.default_tenant();
    let large = vec![7; 40_000];
    set(tenant, b"k", &large);
    forget(tenant, &shelf, b"k");
    let fill = |number: u32| {
        let edit = || Edit::put(&[0; 400][..], Expiry::Never);
        let name = number.to_be_bytes();
        tenant.update(key(&name), NOW, Access::Write, 0, |_| (edit(), ()))
    };
    // Nothing that is here may go.
    assert!((0..20_000).any(|number| fill(number).is_err()));

    let ticket = tenant.ticket(key(b"k"), NOW);
    let Sight::There(stored) = shelf.sight(key(b"k"), Reach::Cache, NOW) else {
        panic!("it is below");
    };
    let mut held = tenant.lock([key(b"k")], 0, NOW).unwrap();
    assert_eq!(held.admit(&ticket, Ok(Some(&stored)), NOW), Ok(true));
    assert!(!held.lacks(key(b"k"), Reach::Cache, NOW));
    let read = held.get(key(b"k"), NOW, |entry| entry.value().to_vec());
    assert_eq!(read.as_ref(), Some(&large));
    assert_eq!(held.peek(key(b"other"), NOW, |_| ()), None);
    let appended = held.update(key(b"k"), NOW, Access::Write, |entry| {
        assert!(entry.is_some());
        (Edit::Append(b"x"), ())
    });
    assert_eq!(appended, Err(Error::OutOfMemory));
    let put = |value: &'static [u8]| Edit::Put {
        value: value.into(),
        expiry: Expiry::Never,
        label: Some(crate::Label::NONE),
    };
    let written = held.update(key(b"k"), NOW, Access::Write, |_| (put(&[0; 40_000]), ()));
    assert_eq!(written, Err(Error::OutOfMemory));
    assert!(held.peek(key(b"k"), NOW, |_| ()).is_some());
    assert!(held.remove(key(b"k"), NOW));
    assert_eq!(held.peek(key(b"k"), NOW, |_| ()), None);
    assert!(!held.remove(key(b"k"), NOW));
    drop(held);
    assert_eq!(shelf.value(b"k"), None);
}

#[test]
fn what_is_being_removed_does_not_go_down_and_what_is_refused_stays() {
    let shelf = Arc::new(Shelf::default());
    let engine = engine(&shelf);
    let tenant = engine.default_tenant();
    let keys: Vec<_> = (0..3000).map(|n| format!("a:{n}")).collect();
    for key in &keys {
        set(tenant, key.as_bytes(), &[1; 400]);
    }
    let ticket = tenant.ticket(Key::new(0, b"a:none"), NOW);
    shelf.refuses.store(true, Ordering::Relaxed);
    let start = FlushCursor::default();
    assert!(tenant.flush_prefix(0, b"a:", start).is_err());
    assert!(shelf.value(b"a:1").is_some());
    shelf.refuses.store(false, Ordering::Relaxed);
    let mut at = tenant.flush_prefix(0, b"a:", start).unwrap();
    assert_eq!(shelf.value(b"a:1"), None);
    // What is evicted meanwhile is about to go.
    for n in 0..15_000 {
        set(tenant, format!("b:{n}").as_bytes(), &[1; 400]);
    }
    let kept = shelf.kept.lock().unwrap();
    assert!(!kept.keys().any(|(_, key)| key.starts_with(b"a:")));
    drop(kept);
    assert!(tenant.stats().evictions > 0);
    while let Some(cursor) = at {
        at = tenant.flush_prefix(0, b"a:", cursor).unwrap();
    }
    let gone = |key: &String| {
        tenant
            .peek(Key::new(0, key.as_bytes()), NOW, |_| ())
            .is_none()
    };
    assert!(keys.iter().all(gone));
    // What was looked for before it comes too late.
    let mut held = tenant.lock([ticket.key()], 100, NOW).unwrap();
    assert!(!held.admit(&ticket, Ok(None), NOW).unwrap());
    drop(held);
}
