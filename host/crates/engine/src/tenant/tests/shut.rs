//! Values that are kept shut.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::*;
use crate::{Label, Vault};

/// Shuts what has a note: with the key and a bar, and turned.
#[derive(Default)]
struct Chest {
    is_stuck: AtomicBool,
    is_full: AtomicBool,
    opened: AtomicU64,
}

fn head(key: Key<'_>) -> Vec<u8> {
    [&[key.db], key.bytes, b"|"].concat()
}

impl Vault for Chest {
    fn shut(&self, key: Key<'_>, note: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if note.is_empty() {
            return Ok(None);
        }
        if self.is_full.load(Ordering::Relaxed) {
            return Err(Error::NotSealed("full".to_owned()));
        }
        let turned = value.iter().map(|byte| !byte);
        Ok(Some(head(key).into_iter().chain(turned).collect()))
    }

    fn open(&self, key: Key<'_>, shut: &[u8]) -> Option<Vec<u8>> {
        if self.is_stuck.load(Ordering::Relaxed) {
            return None;
        }
        self.opened.fetch_add(1, Ordering::Relaxed);
        let turned = shut.strip_prefix(&*head(key))?;
        Some(turned.iter().map(|byte| !byte).collect())
    }
}

fn engine_over(chest: &Arc<Chest>) -> Engine {
    let shut = TenantConfig {
        vault: Some(Arc::<Chest>::clone(chest)),
        ..tenant("a", 8 << 20, s3_fifo())
    };
    engine_of(false, NOW, vec![shut])
}

const MARKED: Label<'static> = Label {
    note: b"marked",
    ..Label::NONE
};

fn edit(tenant: &Tenant, name: &str, edit: &Edit<'_>) -> Result<(), Error> {
    let write = |_: Option<Entry<'_>>| (edit.clone(), ());
    tenant.update(key(name.as_bytes()), NOW, Access::Write, 0, write)
}

fn put_marked(tenant: &Tenant, name: &str, value: &[u8]) -> Result<(), Error> {
    let put = Edit::Put {
        value: value.into(),
        expiry: Expiry::Never,
        label: Some(MARKED),
    };
    edit(tenant, name, &put)
}

/// Bytes of all values, as they lie there, and of their keys.
fn data_bytes(tenant: &Tenant) -> u64 {
    tenant.stats().data_bytes
}

#[test]
fn a_marked_value_is_shut_for_whoever_looks_at_memory_and_open_for_whoever_reads() {
    let chest = Arc::new(Chest::default());
    let engine = engine_over(&chest);
    let tenant = engine.default_tenant();
    put(tenant, "k", b"plain", Expiry::Never).unwrap();
    assert_eq!(data_bytes(tenant), 1 + 5);
    put_marked(tenant, "k", b"secret").unwrap();
    // Key and bar, and the database, stand before what is shut.
    assert_eq!(data_bytes(tenant), 1 + 3 + 6);
    assert_eq!(get(tenant, "k", NOW).as_deref(), Some(&b"secret"[..]));
    let stats = tenant.stats();
    assert_eq!((stats.hits, stats.misses), (1, 0));
    let label = tenant.peek(key(b"k"), NOW, |entry| entry.label() == MARKED);
    assert_eq!(label, Some(true));
    let opened = chest.opened.load(Ordering::Relaxed);
    assert_eq!(tenant.random(0, NOW, <[u8]>::to_vec), Some(b"k".to_vec()));
    assert!(tenant.standing(key(b"k"), NOW).is_some());
    assert_eq!(
        opened,
        chest.opened.load(Ordering::Relaxed),
        "keys are open"
    );
    put(tenant, "k", b"plain", Expiry::Never).unwrap();
    assert_eq!(data_bytes(tenant), 1 + 5);
    assert_eq!(get(tenant, "k", NOW).as_deref(), Some(&b"plain"[..]));
}

#[test]
fn what_changes_a_part_of_a_shut_value_leaves_it_marked_and_shut() {
    let chest = Arc::new(Chest::default());
    let engine = engine_over(&chest);
    let tenant = engine.default_tenant();
    let patch = |at, bytes: &'static [u8]| Edit::Patch {
        at,
        bytes: bytes.into(),
    };
    put_marked(tenant, "k", b"abc").unwrap();
    let steps: [(Edit<'_>, &[u8]); 6] = [
        (Edit::Append(b"def"), b"abcdef"),
        (patch(1, b"X"), b"aXcdef"),
        (patch(7, b"g"), b"aXcdef\0g"),
        (patch(9, b""), b"aXcdef\0g\0"),
        (Edit::Expire(Some(NOW + 5)), b"aXcdef\0g\0"),
        (Edit::put(&b"new"[..], Expiry::Keep), b"new"),
    ];
    for (step, expected) in steps {
        edit(tenant, "k", &step).unwrap();
        assert_eq!(get(tenant, "k", NOW).as_deref(), Some(expected));
        assert_eq!(data_bytes(tenant), 1 + 3 + expected.len() as u64);
        let note = tenant.peek(key(b"k"), NOW, |entry| entry.label().note.to_vec());
        assert_eq!(note.as_deref(), Some(MARKED.note));
    }
    assert_eq!(get(tenant, "k", NOW + 5), None);
    put_marked(tenant, "k", b"abc").unwrap();
    let far = tenant.entry_bytes_max();
    for step in [patch(far, b"x"), patch(usize::MAX, b"x")] {
        let refused = edit(tenant, "k", &step);
        assert!(
            matches!(refused, Err(Error::EntryTooLarge { .. })),
            "{refused:?}"
        );
    }
    let long = vec![0; far];
    assert!(edit(tenant, "k", &Edit::Append(&long)).is_err());
    assert!(put_marked(tenant, "k", &long).is_err());
    assert_eq!(get(tenant, "k", NOW).as_deref(), Some(&b"abc"[..]));
}

#[test]
fn databases_that_change_places_leave_values_readable() {
    let chest = Arc::new(Chest::default());
    let engine = engine_over(&chest);
    let tenant = engine.default_tenant();
    put_marked(tenant, "k", b"secret").unwrap();
    tenant.lock_all().exchange(0, 3);
    let read = |entry: Entry<'_>| entry.value().to_vec();
    assert_eq!(get(tenant, "k", NOW), None);
    let found = tenant.get(Key::new(3, b"k"), NOW, read);
    assert_eq!(found.as_deref(), Some(&b"secret"[..]));
}

#[test]
fn what_cannot_be_shut_is_refused_and_what_cannot_be_opened_is_gone() {
    let chest = Arc::new(Chest::default());
    let engine = engine_over(&chest);
    let tenant = engine.default_tenant();
    put_marked(tenant, "k", b"old").unwrap();
    chest.is_full.store(true, Ordering::Relaxed);
    let refused = Err(Error::NotSealed("full".to_owned()));
    assert_eq!(put_marked(tenant, "k", b"new"), refused);
    assert_eq!(edit(tenant, "k", &Edit::Append(b"more")), refused);
    assert_eq!(get(tenant, "k", NOW).as_deref(), Some(&b"old"[..]));
    chest.is_full.store(false, Ordering::Relaxed);
    type Look<'a> = (&'a str, &'a dyn Fn(&str) -> Option<Vec<u8>>);
    let looks: [Look<'_>; 3] = [
        ("get", &|name| get(tenant, name, NOW)),
        ("peek", &|name| {
            tenant.peek(key(name.as_bytes()), NOW, |entry| entry.value().to_vec())
        }),
        ("stale", &|name| {
            let read = |entry: Entry<'_>, _| entry.value().to_vec();
            tenant.peek_stale(key(name.as_bytes()), NOW, read)
        }),
    ];
    for (name, look) in looks {
        put_marked(tenant, name, b"old").unwrap();
        chest.is_stuck.store(true, Ordering::Relaxed);
        assert_eq!(look(name), None, "{name}");
        chest.is_stuck.store(false, Ordering::Relaxed);
        assert_eq!(look(name), None, "{name} comes back");
    }
    put_marked(tenant, "k", b"old").unwrap();
    chest.is_stuck.store(true, Ordering::Relaxed);
    edit(tenant, "k", &Edit::Append(b"new")).unwrap();
    assert_eq!(get(tenant, "k", NOW).as_deref(), Some(&b"new"[..]));
    assert_eq!(tenant.stats().entries_total(), 1);
    assert_eq!(tenant.stats().misses, 2);
}
