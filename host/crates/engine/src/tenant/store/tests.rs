use std::collections::HashSet;
use std::sync::Arc;

use super::super::tests::{NOW, engine, get, put, s3_fifo};
use super::*;
use crate::Expiry;

fn key(name: &str) -> Key<'_> {
    Key::new(0, name.as_bytes())
}

#[test]
fn what_is_held_is_seen_and_changed_as_what_is_open() {
    let engine = engine(64 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    assert!(tenant.shards() > 1);
    for n in 0..1000 {
        put(tenant, &format!("k{n}"), b"v", Expiry::Never).unwrap();
    }
    put(tenant, "gone", b"v", Expiry::At(NOW + 1)).unwrap();
    let mut seen = Vec::new();
    for is_held in [false, true] {
        let mut store = match is_held {
            true => Store::held(tenant.lock_all(), false),
            false => Store::open(tenant, false),
        };
        let (mut names, mut cursor) = (HashSet::new(), 0);
        loop {
            cursor = store.scan(0, cursor, 7, NOW + 1, &mut |found| {
                names.insert(found.to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        let random = store.random(0, NOW + 1, |found| names.contains(found));
        assert_eq!((names.len(), random), (1000, Some(true)));
        assert!(store.standing(key("k1"), NOW).is_some());
        let mut several = store.lock([key("k1"), key("k2")], 0, NOW).unwrap();
        assert!(several.get(key("k1"), NOW, |_| ()).is_some());
        drop(several);
        let (len, stats) = (store.len(0), store.stats());
        seen.push((len, stats.entries_total(), stats.used_bytes, stats.shards));
        assert!(store.remove(key("k0"), NOW));
        let back = |_: Option<Entry<'_>>| (Edit::put(&b"v"[..], Expiry::Never), ());
        store
            .update(key("k0"), NOW, Access::Write, 1, back)
            .unwrap();
    }
    assert_eq!(seen[0], seen[1]);
    Store::held(tenant.lock_all(), false).flush(Some(0));
    assert_eq!(tenant.stats().data_bytes, 0);
    assert!(Store::open(tenant, false).is_empty(0));
}

#[test]
fn a_key_that_is_not_held_is_not_there() {
    let engine = engine(64 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let names: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    for name in &names {
        put(tenant, name, b"v", Expiry::Never).unwrap();
    }
    let mut store = Store::held(tenant.lock([key("k0")], 0, NOW).unwrap(), false);
    let there = names
        .iter()
        .filter(|name| store.get(key(name), NOW, |_| ()).is_some());
    assert!((1..100).contains(&there.count()));
    assert_eq!(store.tenant().name(), "a");
}

#[test]
fn more_than_fits_keeps_the_budget_while_all_is_held() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let mut store = Store::held(tenant.lock_all(), false);
    let value = vec![1; 100_000];
    for n in 0..200 {
        let name = format!("k{n}");
        let edit = |_: Option<Entry<'_>>| (Edit::put(&value[..], Expiry::Never), ());
        store
            .update(key(&name), NOW, Access::Write, 0, edit)
            .unwrap();
        let stats = store.stats();
        assert!(
            stats.used_bytes <= stats.budget_bytes + 64 * 1024,
            "{stats:?}"
        );
    }
    drop(store);
    assert_eq!(get(tenant, "k199", NOW), Some(value));
    assert!(tenant.stats().evictions > 0);
}

#[test]
fn a_watch_sees_that_its_key_expired() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    put(tenant, "k", b"v", Expiry::At(NOW + 10)).unwrap();
    let (early, late) = (
        tenant.watch(key("k"), NOW),
        tenant.watch(key("k"), NOW + 10),
    );
    let mut locked = tenant.lock([early.key()], 0, NOW).unwrap();
    assert!(!locked.is_unchanged(&early, NOW + 10));
    assert!(locked.is_unchanged(&late, NOW + 10));
    drop(locked);
    assert_eq!(Arc::strong_count(tenant), 3);
}
