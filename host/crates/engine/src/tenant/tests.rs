pub(super) mod changes;
mod places;
mod several;
mod shut;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use larder_policy_s3_fifo::S3Fifo;

use super::*;
use crate::{Edit, Engine, EngineConfig, EvictorFactory, Expiry, SizeClasses, native};

pub(super) const NOW: Millis = 1_700_000_000_000;
/// Of what is repeated to provoke a race; Miri is a thousand times slower.
const ROUNDS: usize = if cfg!(miri) { 5 } else { 2000 };

pub(super) fn engine(memory_bytes: u64, evictor: Arc<dyn EvictorFactory>) -> Engine {
    engine_that(false, memory_bytes, evictor)
}

/// With one where nothing is evicted but what would expire anyway.
pub(super) fn engine_that(
    volatile_only: bool,
    memory_bytes: u64,
    evictor: Arc<dyn EvictorFactory>,
) -> Engine {
    let tenant = |name| tenant(name, memory_bytes / 2, Arc::clone(&evictor));
    engine_of(volatile_only, NOW, vec![tenant("a"), tenant("b")])
}

/// A tenant with nothing below it, whose values lie open.
pub(super) fn tenant(
    name: &str,
    memory_bytes: u64,
    evictor: Arc<dyn EvictorFactory>,
) -> TenantConfig {
    TenantConfig {
        name: name.to_owned(),
        memory_bytes,
        evictor,
        reuse: None,
        below: None,
        vault: None,
    }
}

/// With these tenants, who have all the memory.
pub(super) fn engine_of(
    volatile_only: bool,
    start_ms: Millis,
    tenants: Vec<TenantConfig>,
) -> Engine {
    Engine::new(EngineConfig {
        memory_bytes: tenants.iter().map(|tenant| tenant.memory_bytes).sum(),
        threads: 1,
        seed: 7,
        size_classes: SizeClasses::Jemalloc,
        start_ms,
        volatile_only,
        tenants,
    })
    .unwrap()
}

pub(super) fn s3_fifo() -> Arc<dyn EvictorFactory> {
    native("s3-fifo", S3Fifo::default)
}

fn key(bytes: &[u8]) -> Key<'_> {
    Key::new(0, bytes)
}

pub(super) fn put(tenant: &Tenant, name: &str, value: &[u8], expiry: Expiry) -> Result<(), Error> {
    tenant.update(
        key(name.as_bytes()),
        NOW,
        Access::Write,
        value.len(),
        |_| (Edit::put(value, expiry), ()),
    )
}

pub(super) fn get(tenant: &Tenant, name: &str, now: Millis) -> Option<Vec<u8>> {
    tenant.get(key(name.as_bytes()), now, |entry| entry.value().to_vec())
}

#[test]
fn expiry_is_exact_to_the_millisecond() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    put(tenant, "k", b"v", Expiry::At(NOW + 500)).unwrap();
    assert_eq!(get(tenant, "k", NOW + 499).as_deref(), Some(&b"v"[..]));
    assert_eq!(get(tenant, "k", NOW + 500), None);
    assert_eq!(tenant.stats().expired, 1);
}

#[test]
fn maintenance_removes_what_nobody_asks_for() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let empty = tenant.stats().used_bytes;
    for n in 0..20_000 {
        put(
            tenant,
            &format!("k{n}"),
            b"v",
            Expiry::At(NOW + 1 + n % 100),
        )
        .unwrap();
    }
    assert_eq!(tenant.len(0), 20_000);
    while engine.maintain(NOW + 100) {}
    assert_eq!((tenant.len(0), tenant.stats().expired), (0, 20_000));
    let left = tenant.stats().used_bytes - empty;
    assert!(
        left < 20_000 * 40,
        "{left} bytes stay for 20,000 removed entries"
    );
}

#[test]
fn a_put_keeps_or_replaces_the_expiry() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let expiry = || {
        tenant
            .peek(key(b"k"), NOW, |entry| entry.expires_at())
            .unwrap()
    };
    put(tenant, "k", b"1", Expiry::At(NOW + 9)).unwrap();
    put(tenant, "k", b"2", Expiry::Keep).unwrap();
    assert_eq!(expiry(), Some(NOW + 9));
    put(tenant, "k", &[3; 1000], Expiry::Keep).unwrap();
    assert_eq!(expiry(), Some(NOW + 9));
    tenant
        .update(key(b"k"), NOW, Access::Write, 0, |_| {
            (Edit::Append(b"xx"), ())
        })
        .unwrap();
    assert_eq!(
        (expiry(), get(tenant, "k", NOW).unwrap().len()),
        (Some(NOW + 9), 1002)
    );
    put(tenant, "k", b"4", Expiry::Never).unwrap();
    assert_eq!(expiry(), None);
    assert_eq!(tenant.stats().entries_with_ttl[0], 0);
    put(tenant, "k", b"5", Expiry::At(NOW)).unwrap();
    assert_eq!(get(tenant, "k", NOW), None);
}

#[test]
fn appends_grow_beyond_what_was_reserved() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for _ in 0..100 {
        let more = [7; 1000];
        tenant
            .update(key(b"k"), NOW, Access::Write, 0, |_| {
                (Edit::Append(&more), ())
            })
            .unwrap();
    }
    assert_eq!(get(tenant, "k", NOW), Some(vec![7; 100_000]));
}

#[test]
fn patches_write_over_fill_up_and_grow() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let mut expected = Vec::new();
    for (at, len) in [
        (3, 2),
        (0, 4),
        (4, 1),
        (5, 300),
        (304, 0),
        (400, 0),
        (100, 50),
        (2000, 9),
        (1, 2008),
    ] {
        let bytes = vec![b'a' + (at % 26) as u8; len];
        let patch = |_: Option<Entry<'_>>| {
            let bytes = (&bytes[..]).into();
            (Edit::Patch { at, bytes }, ())
        };
        let written = tenant.update(key(b"k"), NOW, Access::Write, 0, patch);
        written.unwrap();
        expected.resize(expected.len().max(at + len), 0);
        expected[at..at + len].copy_from_slice(&bytes);
        assert_eq!(get(tenant, "k", NOW).as_ref(), Some(&expected));
    }
    let stats = tenant.stats();
    assert_eq!(stats.data_bytes, 1 + expected.len() as u64);
    let far = |_: Option<Entry<'_>>| {
        let bytes = (&b"x"[..]).into();
        (
            Edit::Patch {
                at: usize::MAX,
                bytes,
            },
            (),
        )
    };
    let refused = tenant.update(key(b"k"), NOW, Access::Write, 0, far);
    assert!(matches!(refused, Err(Error::EntryTooLarge { .. })));
    assert_eq!(get(tenant, "k", NOW), Some(expected));
}

#[test]
fn any_entry_is_found_by_chance_and_none_of_another_database() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let draw = |db, now| tenant.random(db, now, <[u8]>::to_vec);
    assert_eq!(draw(0, NOW), None);
    for number in 0..1000 {
        put(tenant, &format!("gone:{number}"), b"v", Expiry::At(NOW + 1)).unwrap();
    }
    let names: HashSet<_> = (0..8).map(|number| format!("k:{number}")).collect();
    for name in &names {
        put(tenant, name, b"v", Expiry::Never).unwrap();
    }
    let drawn: HashSet<_> = (0..500)
        .filter_map(|_| String::from_utf8(draw(0, NOW + 1)?).ok())
        .collect();
    assert_eq!(drawn, names);
    assert_eq!(draw(1, NOW), None);
}

#[test]
fn what_is_too_large_is_refused_and_changes_nothing() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    put(tenant, "k", b"old", Expiry::Never).unwrap();
    let large = vec![0; tenant.entry_bytes_max()];
    assert!(matches!(
        put(tenant, "k", &large, Expiry::Never),
        Err(Error::EntryTooLarge { .. })
    ));
    assert_eq!(get(tenant, "k", NOW).as_deref(), Some(&b"old"[..]));
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    assert!(matches!(
        put(tenant, &long, b"", Expiry::Never),
        Err(Error::KeyTooLong { .. })
    ));
    let longest = "k".repeat(KEY_BYTES_MAX);
    put(tenant, &longest, b"v", Expiry::Never).unwrap();
    assert_eq!(get(tenant, &longest, NOW).as_deref(), Some(&b"v"[..]));
}

#[test]
fn tenants_and_databases_are_apart() {
    let engine = engine(8 << 20, s3_fifo());
    let (a, b) = (engine.default_tenant(), engine.tenant("b").unwrap());
    put(a, "k", b"a", Expiry::Never).unwrap();
    assert_eq!(get(b, "k", NOW), None);
    assert_eq!(a.get(Key::new(1, b"k"), NOW, |_| ()), None);
    let before = a.stats();
    for n in 0..20_000 {
        put(b, &format!("{n}"), &[0; 500], Expiry::Never).unwrap();
    }
    assert_eq!(a.stats(), before);
    assert!(b.stats().evictions > 0);
}

#[test]
fn scan_visits_all_that_stays_whatever_else_comes_and_goes() {
    let engine = engine(32 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..3000 {
        put(tenant, &format!("stay{n}"), b"v", Expiry::Never).unwrap();
        put(tenant, &format!("go{n}"), b"v", Expiry::Never).unwrap();
    }
    let (mut cursor, mut seen, mut step) = (0, HashSet::new(), 0);
    loop {
        cursor = tenant.scan(0, cursor, 10, NOW, &mut |found| {
            seen.insert(found.to_vec());
        });
        assert!(cursor < 1 << 53);
        if cursor == 0 {
            break;
        }
        tenant.remove(key(format!("go{step}").as_bytes()), NOW);
        put(
            tenant,
            &format!("stay{step}"),
            &vec![1; step % 300],
            Expiry::Never,
        )
        .unwrap();
        put(tenant, &format!("new{step}"), b"v", Expiry::Never).unwrap();
        step += 1;
    }
    assert!((0..3000).all(|n| seen.contains(format!("stay{n}").as_bytes())));
}

#[test]
fn flush_empties_one_database_or_all() {
    let engine = engine(32 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for db in 0..3 {
        for n in 0..4000u32 {
            let name = n.to_le_bytes();
            let edit = |_: Option<Entry<'_>>| (Edit::Append(b"v"), ());
            tenant
                .update(Key::new(db, &name), NOW, Access::Write, 1, edit)
                .unwrap();
        }
    }
    let flush = |db| {
        let mut at = FlushCursor::default();
        while let Some(next) = tenant.flush(db, at) {
            at = next;
        }
    };
    flush(Some(1));
    assert_eq!(
        [tenant.len(0), tenant.len(1), tenant.len(2)],
        [4000, 0, 4000]
    );
    flush(None);
    assert_eq!(tenant.stats().entries_total(), 0);
    assert_eq!(tenant.stats().data_bytes, 0);
}

#[test]
fn a_watch_sees_every_change_and_nothing_else() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    put(tenant, "k", b"v", Expiry::At(NOW + 1000)).unwrap();
    let unchanged_after = |change: &dyn Fn()| {
        let watch = tenant.watch(key(b"k"), NOW);
        change();
        tenant
            .lock([key(b"k")], 0, NOW)
            .unwrap()
            .is_unchanged(&watch, NOW)
    };
    assert!(unchanged_after(&|| ()));
    assert!(unchanged_after(&|| assert!(
        get(tenant, "k", NOW).is_some()
    )));
    assert!(unchanged_after(&|| put(
        tenant,
        "other",
        b"v",
        Expiry::Never
    )
    .unwrap()));
    assert!(!unchanged_after(
        &|| put(tenant, "k", b"v", Expiry::Keep).unwrap()
    ));
    let persist = || {
        tenant
            .update(key(b"k"), NOW, Access::Write, 0, |_| {
                (Edit::Expire(None), ())
            })
            .unwrap();
    };
    assert!(!unchanged_after(&persist));
    assert!(!unchanged_after(&|| assert!(tenant.remove(key(b"k"), NOW))));
    assert!(!unchanged_after(
        &|| put(tenant, "k", b"v", Expiry::Never).unwrap()
    ));
}

#[test]
fn two_threads_lose_nothing_and_keep_the_books() {
    let engine = engine(16 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    std::thread::scope(|scope| {
        for thread in 0..2u32 {
            scope.spawn(move || {
                for n in 0..60_000u32 {
                    let name = format!("{}", n.wrapping_mul(2_654_435_761) % 40_000);
                    match n % 7 {
                        0 => {
                            tenant.remove(key(name.as_bytes()), NOW);
                        }
                        1..4 => {
                            put(tenant, &name, name.repeat(30).as_bytes(), Expiry::Never).unwrap()
                        }
                        _ => {
                            let value = get(tenant, &name, NOW);
                            assert!(value.is_none_or(|value| value == name.repeat(30).as_bytes()));
                        }
                    }
                    if n % 1000 == 0 && thread == 0 {
                        engine_step(tenant);
                    }
                }
            });
        }
    });
    let stats = tenant.stats();
    assert!(
        stats.used_bytes <= stats.budget_bytes + 64 * 1024,
        "{stats:?}"
    );
    let mut counted = HashMap::new();
    let mut cursor = 0;
    loop {
        cursor = tenant.scan(0, cursor, 1000, NOW, &mut |found| {
            counted.insert(found.to_vec(), 0);
        });
        if cursor == 0 {
            break;
        }
    }
    for (name, len) in &mut counted {
        let found = tenant.peek(key(name), NOW, |entry| entry.value().len());
        *len = found.unwrap();
    }
    let data: usize = counted.iter().map(|(key, len)| key.len() + len).sum();
    assert_eq!(
        (stats.entries_total(), stats.data_bytes),
        (counted.len() as u64, data as u64)
    );
}

fn engine_step(tenant: &Tenant) {
    tenant.maintain(NOW);
}
