use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::changes::Change;
use crate::tenant::tests::{NOW, changes, engine, get, put, s3_fifo};
use crate::{Access, Edit, Error, Expiry, FlushCursor, LEASES_MAX, Label, Times};

const KEY: Key<'static> = Key::new(0, b"k");

/// A value that expires at `NOW + 10` and is kept for `stale_ms` beyond that.
fn keep(tenant: &Tenant, value: &[u8], stale_ms: u32) {
    let times = Times {
        stale_ms,
        ..Times::NONE
    };
    let put = || Edit::Put {
        value: value.into(),
        expiry: Expiry::At(NOW + 10),
        label: Some(Label {
            times,
            ..Label::NONE
        }),
    };
    let write = |_: Option<Entry<'_>>| (put(), ());
    tenant
        .update(KEY, NOW, Access::Write, value.len(), write)
        .unwrap();
}

fn stale(tenant: &Tenant, now: Millis) -> Option<(Vec<u8>, Millis)> {
    tenant.peek_stale(KEY, now, |entry, late_ms| (entry.value().to_vec(), late_ms))
}

fn lease(tenant: &Tenant, now: Millis, time_ms: Millis) -> Lease {
    tenant.lock([KEY], 0, now).unwrap().lease(KEY, now, time_ms)
}

#[track_caller]
fn won(lease: Lease) -> u64 {
    match lease {
        Lease::Won(token) => token,
        other => panic!("{other:?}"),
    }
}

fn put_by(tenant: &Tenant, token: u64, now: Millis) -> Result<(), Error> {
    let write = |_: Option<Entry<'_>>| (Edit::put(&b"made"[..], Expiry::Never), ());
    tenant.update(KEY, now, Access::Lease(token), 4, write)
}

#[test]
fn a_stale_value_is_seen_by_who_asks_for_it_alone() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    keep(tenant, b"v", 100);
    assert_eq!(stale(tenant, NOW), Some((b"v".to_vec(), 0)));
    let late = NOW + 60;
    assert_eq!(get(tenant, "k", late), None);
    assert_eq!(stale(tenant, late), Some((b"v".to_vec(), 50)));
    assert!(tenant.peek(KEY, late, |_| ()).is_none());
    assert!(tenant.random(0, late, |_| ()).is_none() && tenant.standing(KEY, late).is_none());
    assert_eq!(
        tenant.scan(0, 0, 1000, late, &mut |_| panic!("it expired")),
        0
    );
    let stats = tenant.stats();
    assert_eq!((stats.expired, stats.stale, tenant.len(0)), (1, 1, 1));
    assert_eq!(stale(tenant, NOW + 109), Some((b"v".to_vec(), 99)));
    assert_eq!(stale(tenant, NOW + 110), None);
    let stats = tenant.stats();
    assert_eq!((stats.expired, stats.stale, tenant.len(0)), (1, 0, 0));
}

#[test]
fn an_expiry_is_told_when_it_comes_and_what_is_stale_goes_silently() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let notes = changes::connect(tenant);
    keep(tenant, b"v", 100);
    while engine.maintain(NOW + 20) {}
    let told = |change| ("0:k".to_owned(), Some(change));
    let expected = [told(Change::Written), told(Change::Expired)];
    assert_eq!((notes.take(), tenant.len(0)), (expected.to_vec(), 1));
    while engine.maintain(NOW + 109) {}
    assert_eq!(tenant.len(0), 1);
    while engine.maintain(NOW + 110) {}
    assert_eq!((notes.take(), tenant.len(0)), (vec![], 0));
    assert_eq!(tenant.stats().expired, 1);
}

#[test]
fn a_write_or_removal_drops_what_is_stale() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let late = NOW + 20;
    let lapsed = |value: &[u8]| {
        keep(tenant, value, 1000);
        assert!(get(tenant, "k", late).is_none() && stale(tenant, late).is_some());
    };
    lapsed(b"1");
    put(tenant, "k", b"2", Expiry::At(late + 5)).unwrap();
    assert_eq!(stale(tenant, late), Some((b"2".to_vec(), 0)));
    assert_eq!(stale(tenant, late + 5), None);
    lapsed(b"3");
    let append = |_: Option<Entry<'_>>| (Edit::Append(b"4"), ());
    tenant.update(KEY, late, Access::Write, 1, append).unwrap();
    assert_eq!(get(tenant, "k", late).as_deref(), Some(&b"4"[..]));
    lapsed(b"5");
    assert!(!tenant.remove(KEY, late) && stale(tenant, late).is_none());
    lapsed(b"6");
    let mut at = FlushCursor::default();
    while let Some(next) = tenant.flush(None, at) {
        at = next;
    }
    assert_eq!((stale(tenant, late), tenant.stats().stale), (None, 0));
    assert_eq!(tenant.stats().data_bytes, 0);
}

#[test]
fn that_a_stale_value_goes_is_no_change() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = &engine.tenants()[0];
    keep(tenant, b"v", 100);
    let live = tenant.watch(KEY, NOW);
    let lapsed = tenant.watch(KEY, NOW + 20);
    assert!(stale(tenant, NOW + 500).is_none());
    let mut locked = tenant.lock([KEY], 0, NOW).unwrap();
    assert!(locked.is_unchanged(&lapsed, NOW + 500) && !locked.is_unchanged(&live, NOW + 500));
    drop(locked);
}

#[test]
fn by_a_clock_that_lags_an_entry_is_written_on_as_if_it_had_not_expired() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    keep(tenant, b"v", 100);
    assert_eq!(get(tenant, "k", NOW + 10), None);
    let later = |_: Option<Entry<'_>>| (Edit::Expire(Some(NOW + 50)), ());
    tenant
        .update(KEY, NOW + 9, Access::Write, 0, later)
        .unwrap();
    assert_eq!(get(tenant, "k", NOW + 49).as_deref(), Some(&b"v"[..]));
    assert_eq!(tenant.stats().stale, 0);
    assert_eq!(stale(tenant, NOW + 149), Some((b"v".to_vec(), 99)));
    while engine.maintain(NOW + 150) {}
    assert_eq!((tenant.len(0), tenant.stats().stale), (0, 0));
}

#[test]
fn one_wins_the_lease_and_writes_by_it_once() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let token = won(lease(tenant, NOW, 100));
    let other = lease(tenant, NOW + 99, 100);
    let Lease::Taken { until, ended } = other else {
        panic!("{other:?}");
    };
    assert_eq!(until, NOW + 100);
    let mut ended = pin!(ended);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(ended.as_mut().poll(&mut cx).is_pending());
    assert_eq!(put_by(tenant, token ^ 1, NOW), Err(Error::LeaseOver));
    assert!(ended.as_mut().poll(&mut cx).is_pending());
    assert_eq!(put_by(tenant, token, NOW + 99), Ok(()));
    assert_eq!(ended.as_mut().poll(&mut cx), Poll::Ready(()));
    assert_eq!(get(tenant, "k", NOW).as_deref(), Some(&b"made"[..]));
    assert_eq!(put_by(tenant, token, NOW + 99), Err(Error::LeaseOver));
    let stats = tenant.stats();
    assert_eq!((stats.leases, stats.leases_over), (1, 2));
}

#[test]
fn whatever_is_done_to_the_key_ends_its_lease() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = &engine.tenants()[0];
    let ends: [(&str, &dyn Fn()); 6] = [
        ("written", &|| {
            put(tenant, "k", b"v", Expiry::Never).unwrap()
        }),
        ("removed", &|| _ = tenant.remove(KEY, NOW)),
        ("flushed", &|| {
            let mut at = FlushCursor::default();
            while let Some(next) = tenant.flush(Some(0), at) {
                at = next;
            }
        }),
        ("flushed at once", &|| {
            crate::Store::held(tenant.lock_all(), false).flush(None);
        }),
        ("elsewhere", &|| tenant.lock_all().exchange(0, 1)),
        ("found", &|| {
            let ticket = tenant.ticket(KEY, NOW);
            let found = crate::tier::Stored::default();
            let mut locked = tenant.lock([KEY], 0, NOW).unwrap();
            assert_eq!(locked.admit(&ticket, Ok(Some(&found)), NOW), Ok(true));
        }),
    ];
    for (what, end) in ends {
        tenant.remove(KEY, NOW);
        let token = won(lease(tenant, NOW, 100));
        end();
        assert_eq!(put_by(tenant, token, NOW), Err(Error::LeaseOver), "{what}");
    }
    // What is done to others does not.
    tenant.remove(KEY, NOW);
    let token = won(lease(tenant, NOW, 100));
    put(tenant, "other", b"v", Expiry::Never).unwrap();
    tenant.remove(Key::new(1, b"k"), NOW);
    assert_eq!(put_by(tenant, token, NOW), Ok(()));
}

#[test]
fn a_lease_ends_by_its_time_and_another_wins_the_next() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let first = won(lease(tenant, NOW, 100));
    assert_eq!(put_by(tenant, first, NOW + 100), Err(Error::LeaseOver));
    let second = won(lease(tenant, NOW + 100, 100));
    assert_ne!(first, second);
    assert_eq!(put_by(tenant, first, NOW + 101), Err(Error::LeaseOver));
    assert_eq!(put_by(tenant, second, NOW + 101), Ok(()));
}

#[test]
fn leases_have_a_bound_and_make_room_for_each_other_when_their_time_is_up() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let ask = |n: usize, now| {
        let name = format!("k{n}");
        let key = Key::new(0, name.as_bytes());
        tenant.lock([key], 0, now).unwrap().lease(key, now, 100)
    };
    let leases_max = tenant.shards() * LEASES_MAX;
    let refused = (0..=leases_max).find(|n| matches!(ask(*n, NOW), Lease::Refused));
    let n = refused.expect("more than there may be");
    won(ask(n, NOW + 100));
    // Their memory counts.
    assert!(tenant.stats().used_bytes > (n * 32) as u64);
}

#[test]
fn what_is_stale_is_evicted_and_counts_for_the_budget_as_all_else() {
    let engine = engine(4 << 20, s3_fifo());
    let tenant = Arc::clone(&engine.tenants()[0]);
    let times = Times {
        stale_ms: u32::MAX,
        ..Times::NONE
    };
    for n in 0..20_000_u64 {
        let (name, now) = (format!("k{n}"), NOW + n);
        let put = || Edit::Put {
            value: (&[7; 300][..]).into(),
            expiry: Expiry::At(now + 10),
            label: Some(Label {
                times,
                ..Label::NONE
            }),
        };
        let write = |_: Option<Entry<'_>>| (put(), ());
        let key = Key::new(0, name.as_bytes());
        tenant.update(key, now, Access::Write, 300, write).unwrap();
        if n % 100 == 0 {
            while engine.maintain(now) {}
        }
    }
    let stats = tenant.stats();
    assert!(stats.used_bytes <= stats.budget_bytes, "{stats:?}");
    assert!(stats.evictions > 10_000 && stats.stale > 1_000, "{stats:?}");
    assert_eq!(stats.entries[0], 20_000 - stats.evictions);
    assert!(stats.stale <= stats.entries[0], "{stats:?}");
}
