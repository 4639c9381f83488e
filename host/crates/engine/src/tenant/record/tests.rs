use super::*;
use crate::edit::{Access, Edit, Expiry};
use crate::entry::{Key, Millis};
use crate::recording::{Kind, Recorded, Salt, Threshold};
use crate::tenant::tests::{NOW, engine, get, put, s3_fifo};

fn plan() -> Plan {
    Plan {
        db: 0,
        salt: Salt([1; 16]),
        threshold: Threshold::ALL,
        rate_max: u64::MAX,
    }
}

fn take(recording: &Recording) -> Vec<Recorded> {
    let mut out = Vec::new();
    recording.take(usize::MAX, &mut out);
    let (records, _) = out.as_chunks();
    let records = records.iter().map(Recorded::from_bytes);
    records.collect::<Option<_>>().unwrap()
}

fn edit(tenant: &Tenant, name: &str, access: Access, edit: &Edit<'_>, now: Millis) {
    let key = Key::new(0, name.as_bytes());
    tenant
        .update(key, now, access, 8, |_| (edit.clone(), ()))
        .unwrap();
}

/// Kind, bytes and seconds to live, in order, of what `work` does.
fn told(work: impl FnOnce(&Tenant)) -> Vec<(Kind, u32, u32)> {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let recording = tenant.record(&plan()).unwrap();
    work(tenant);
    let records = take(&recording);
    assert!(records.windows(2).all(|w| w[0].hash == w[1].hash));
    let fields = |r: &Recorded| (r.kind, r.bytes, r.ttl_seconds);
    records.iter().map(fields).collect()
}

#[test]
fn a_look_aside_is_told_with_sizes_and_times_to_live() {
    let records = told(|tenant| {
        get(tenant, "k", NOW);
        put(tenant, "k", &[0; 100], Expiry::At(NOW + 9001)).unwrap();
        get(tenant, "k", NOW + 1);
        get(tenant, "k", NOW + 9001);
    });
    let expected = [
        (Kind::Miss, 0, 0),
        (Kind::Write, 128, 10),
        (Kind::Hit, 128, 9),
        (Kind::Miss, 0, 0),
    ];
    assert_eq!(records, expected);
}

#[test]
fn every_way_to_change_an_entry_is_told() {
    let records = told(|tenant| {
        put(tenant, "k", b"v", Expiry::Never).unwrap();
        edit(tenant, "k", Access::Write, &Edit::Append(&[0; 40]), NOW);
        let expire = Edit::Expire(Some(NOW + 500));
        edit(tenant, "k", Access::Read, &expire, NOW);
        edit(tenant, "k", Access::Write, &Edit::Expire(None), NOW);
        edit(tenant, "k", Access::Write, &Edit::Keep, NOW);
        edit(tenant, "k", Access::Read, &Edit::Remove, NOW);
        edit(tenant, "k", Access::Write, &expire, NOW);
        put(tenant, "k", b"v", Expiry::Never).unwrap();
        put(tenant, "k", b"v", Expiry::At(NOW)).unwrap();
        tenant.remove(Key::new(0, b"k"), NOW);
    });
    let expected = [
        (Kind::Write, 32, 0),
        (Kind::Write, 64, 0),
        (Kind::Hit, 64, 0),
        (Kind::Expire, 64, 1),
        (Kind::Expire, 64, 0),
        (Kind::Hit, 64, 0),
        (Kind::Remove, 64, 0),
        (Kind::Write, 32, 0),
        (Kind::Remove, 32, 0),
    ];
    assert_eq!(records, expected);
}

#[test]
fn several_keys_at_once_are_told_and_looks_are_not() {
    let records = told(|tenant| {
        let key = Key::new(0, b"k");
        let mut locked = tenant.lock([key], 1, NOW).unwrap();
        locked.get(key, NOW, |_| ());
        let put = Edit::put(&b"v"[..], Expiry::Never);
        locked
            .update(key, NOW, Access::Write, |_| (put.clone(), ()))
            .unwrap();
        locked.peek(key, NOW, |_| ());
        locked.remove(key, NOW);
        drop(locked);
        tenant.peek(key, NOW, |_| ());
    });
    let expected = [
        (Kind::Miss, 0, 0),
        (Kind::Write, 32, 0),
        (Kind::Remove, 32, 0),
    ];
    assert_eq!(records, expected);
}

#[test]
fn evictions_and_expiries_are_nobodys_accesses() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let recording = tenant.record(&plan()).unwrap();
    for n in 0..20_000 {
        put(tenant, &format!("{n}"), &[0; 500], Expiry::At(NOW + 1)).unwrap();
    }
    while engine.maintain(NOW + 1) {}
    assert!(tenant.stats().evictions > 0 && tenant.stats().expired > 0);
    let records = take(&recording);
    assert_eq!(records.len(), 20_000);
    assert!(records.iter().all(|record| record.kind == Kind::Write));
}

#[test]
fn there_is_one_recording_at_a_time_and_none_when_it_has_ended() {
    let engine = engine(8 << 20, s3_fifo());
    let (tenant, other) = (engine.default_tenant(), engine.tenant("b").unwrap());
    let mut first = tenant.record(&plan()).unwrap();
    assert!(tenant.record(&plan()).is_none());
    assert!(other.record(&plan()).is_some());
    get(tenant, "k", NOW);
    first.end();
    get(tenant, "k", NOW);
    assert_eq!(take(&first).len(), 1);
    let second = tenant.record(&plan()).unwrap();
    // The first is over: that it goes does not end the second.
    drop(first);
    get(tenant, "k", NOW);
    assert_eq!(take(&second).len(), 1);
    let recorder = Arc::downgrade(&second.recorder);
    drop(second);
    assert!(recorder.upgrade().is_none(), "a shard holds on to it");
}

#[test]
fn two_salts_give_hashes_that_have_nothing_in_common() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let hash = |salt| {
        let salt = Salt([salt; 16]);
        let recording = tenant.record(&Plan { salt, ..plan() }).unwrap();
        get(tenant, "k", NOW);
        take(&recording)[0].hash
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn what_two_threads_do_to_a_key_is_told_in_its_order() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let recording = tenant.record(&plan()).unwrap();
    let names: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
    std::thread::scope(|scope| {
        for seed in 0..2usize {
            let names = &names;
            scope.spawn(move || {
                for step in 0..2000 {
                    let name = &names[step * (seed + 3) % names.len()];
                    if get(tenant, name, NOW).is_none() {
                        put(tenant, name, b"v", Expiry::Never).unwrap();
                    } else if step % 3 == seed {
                        tenant.remove(Key::new(0, name.as_bytes()), NOW);
                    }
                }
            });
        }
    });
    // A hit is only possible after a write, a miss only before one or after a removal.
    let mut there = std::collections::HashSet::new();
    for record in take(&recording) {
        match record.kind {
            Kind::Hit => assert!(there.contains(&record.hash)),
            Kind::Miss => assert!(!there.contains(&record.hash)),
            Kind::Write => drop(there.insert(record.hash)),
            Kind::Remove => assert!(there.remove(&record.hash)),
            Kind::Expire => unreachable!("nobody changes an expiry"),
        }
    }
}
