//! Databases change places.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::changes::{Notes, connect};
use super::*;
use crate::changes::Change;
use crate::recording::{Plan, Salt, Threshold};
use crate::{FlushCursor, Watch};

fn write(tenant: &Tenant, db: u8, name: &str, value: &[u8]) {
    let edit = |_: Option<Entry<'_>>| (Edit::put(value, Expiry::Never), ());
    let key = Key::new(db, name.as_bytes());
    tenant
        .update(key, NOW, Access::Write, value.len(), edit)
        .unwrap();
}

fn read(tenant: &Tenant, db: u8, name: &str) -> Option<Vec<u8>> {
    let key = Key::new(db, name.as_bytes());
    tenant.get(key, NOW, |entry| entry.value().to_vec())
}

fn exchange(tenant: &Tenant, one: u8, other: u8) {
    tenant.lock_all().exchange(one, other);
}

fn scanned(tenant: &Tenant, db: u8) -> usize {
    let (mut count, mut cursor) = (0, 0);
    loop {
        cursor = tenant.scan(db, cursor, 100, NOW, &mut |_| count += 1);
        if cursor == 0 {
            return count;
        }
    }
}

#[test]
fn what_was_in_the_one_is_in_the_other_whoever_looks() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..300 {
        write(tenant, 0, &n.to_string(), b"first");
    }
    write(tenant, 3, "0", b"second");
    exchange(tenant, 0, 3);
    assert_eq!(read(tenant, 0, "0").as_deref(), Some(&b"second"[..]));
    assert_eq!(read(tenant, 3, "299").as_deref(), Some(&b"first"[..]));
    assert_eq!(read(tenant, 0, "299"), None);
    assert_eq!([tenant.len(0), tenant.len(3)], [1, 300]);
    assert_eq!([scanned(tenant, 0), scanned(tenant, 3)], [1, 300]);
    let entries = tenant.stats().entries;
    assert_eq!([entries[0], entries[1], entries[3]], [1, 0, 300]);
    let drawn = tenant.random(0, NOW, <[u8]>::to_vec);
    assert_eq!(drawn.as_deref(), Some(&b"0"[..]));
    assert!(tenant.standing(Key::new(3, b"7"), NOW).is_some());
    let mut held = tenant.lock_all();
    assert_eq!([held.len(0), held.len(3)], [1, 300]);
    assert_eq!(held.stats().entries[3], 300);
    assert!(held.peek(Key::new(3, b"7"), NOW, |_| ()).is_some());
    assert!(held.remove(Key::new(3, b"7"), NOW));
    drop(held);
    assert!(tenant.remove(Key::new(3, b"8"), NOW));
    write(tenant, 0, "new", b"");
    exchange(tenant, 3, 0);
    assert_eq!([tenant.len(0), tenant.len(3)], [298, 2]);
}

#[test]
fn a_database_is_emptied_wherever_it_goes() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..300 {
        write(tenant, 0, &n.to_string(), b"");
        write(tenant, 1, &n.to_string(), b"");
    }
    let mut at = tenant.flush(Some(0), FlushCursor::default());
    exchange(tenant, 0, 1);
    while let Some(next) = at {
        at = tenant.flush(Some(0), next);
    }
    assert_eq!([tenant.len(0), tenant.len(1)], [300, 0]);
    tenant.lock_all().flush(Some(0));
    assert_eq!(tenant.stats().entries_total(), 0);
}

#[test]
fn whoever_watches_one_of_both_takes_its_keys_for_changed() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    write(tenant, 0, "k", b"v");
    let is_unchanged = |watch: &Watch| {
        let mut locked = tenant.lock([watch.key()], 0, NOW).unwrap();
        locked.is_unchanged(watch, NOW)
    };
    let watches = [0, 1, 2].map(|db| tenant.watch(Key::new(db, b"k"), NOW));
    assert!(watches.iter().all(is_unchanged));
    exchange(tenant, 0, 1);
    assert_eq!(watches.each_ref().map(is_unchanged), [false, false, true]);
    exchange(tenant, 0, 1);
    assert_eq!(watches.each_ref().map(is_unchanged), [false, false, true]);
}

#[test]
fn others_are_told_the_number_that_clients_know() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let notes: Arc<Notes> = connect(tenant);
    let plan = |db| Plan {
        db,
        salt: Salt([1; 16]),
        threshold: Threshold::ALL,
        rate_max: 1000,
    };
    exchange(tenant, 0, 1);
    let recording = tenant.record(&plan(1)).unwrap();
    write(tenant, 1, "k", b"v");
    tenant.remove(Key::new(1, b"k"), NOW);
    write(tenant, 0, "other", b"v");
    put(tenant, "brief", b"v", Expiry::At(NOW + 10)).unwrap();
    exchange(tenant, 0, 1);
    while engine.maintain(NOW + 2000) {}
    tenant.lock_all().flush(Some(1));
    let told = [
        ("1:k", Some(Change::Written)),
        ("1:k", Some(Change::Removed)),
        ("0:other", Some(Change::Written)),
        ("0:brief", Some(Change::Written)),
        ("1:brief", Some(Change::Expired)),
        ("Some(1)", None),
    ];
    assert_eq!(
        notes.take(),
        told.map(|(name, change)| (name.to_owned(), change))
    );
    let mut records = Vec::new();
    assert_eq!(
        recording.take(100, &mut records).records,
        2,
        "the write and the removal"
    );
}

/// A value that tells after how many exchanges and in which database it was written.
fn value(exchanges: u64, db: u8) -> Vec<u8> {
    [&exchanges.to_le_bytes()[..], &[db]].concat()
}

/// Whether a value may be found in `db` after `from` to `to` exchanges of databases 0 and 1.
fn may_be_found(value: &[u8], db: u8, from: u64, to: u64) -> bool {
    let (exchanges, written_in) = value.split_at(8);
    let written = u64::from_le_bytes(exchanges.try_into().unwrap());
    let is_there = |now: u64| (now - written) % 2 == u64::from(db ^ written_in[0]);
    (written.max(from)..=to).any(is_there)
}

/// Says that all is over, also where an assertion failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What is found under a name in databases 0 and 1, looked up in several ways.
fn look(tenant: &Tenant, name: &str, way: usize) -> [Option<Vec<u8>>; 2] {
    let keys = || [0, 1].map(|db| Key::new(db, name.as_bytes()));
    let value = |entry: Entry<'_>| entry.value().to_vec();
    match way % 5 {
        0 => [tenant.get(keys()[0], NOW, value), None],
        1 => [None, tenant.peek(keys()[1], NOW, value)],
        2 => {
            let edit = |entry: Option<Entry<'_>>| (Edit::Keep, entry.map(value));
            let read = tenant.update(keys()[0], NOW, Access::Read, 9, edit);
            [read.unwrap(), None]
        }
        3 => {
            let mut locked = tenant.lock([keys()[0]], 0, NOW).unwrap();
            let found = locked.get(keys()[0], NOW, value);
            assert!(found.is_some(), "it is among the shards that are held");
            [found, None]
        }
        _ => {
            let mut locked = tenant.lock(keys(), 0, NOW).unwrap();
            let found = keys().map(|key| locked.get(key, NOW, value));
            assert!(
                found.iter().all(Option::is_some),
                "both are there at any moment"
            );
            found
        }
    }
}

#[test]
fn nothing_is_found_or_written_in_the_wrong_database() {
    const EXCHANGES: u64 = ROUNDS as u64 / 5;
    /// Several, so that of some the shard is another one after an exchange.
    const NAMES: [&str; 3] = ["a", "b", "c"];
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let (begun, done, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let write_all = |exchanges| {
        let both = |name| (0..2).for_each(|db| write(tenant, db, name, &value(exchanges, db)));
        NAMES.into_iter().for_each(both);
    };
    write_all(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let ways = (0..).take_while(|_| !is_over.load(Ordering::SeqCst));
            for way in ways {
                let from = done.load(Ordering::SeqCst);
                let found = look(tenant, NAMES[way % NAMES.len()], way);
                let to = begun.load(Ordering::SeqCst);
                for (db, found) in (0..).zip(found) {
                    let is_right = found
                        .as_ref()
                        .is_none_or(|is| may_be_found(is, db, from, to));
                    assert!(is_right, "{found:?} in database {db} after {from} to {to}");
                }
            }
        });
        scope.spawn(|| {
            let serials = (1u64..).take_while(|_| !is_over.load(Ordering::SeqCst));
            serials.for_each(|serial| write(tenant, 0, "written", &serial.to_le_bytes()));
        });
        let _over = Over(&is_over);
        for exchanges in 1..=EXCHANGES {
            begun.store(exchanges, Ordering::SeqCst);
            exchange(tenant, 0, 1);
            // What was written to database 0 is in database 1 now, where nobody writes.
            let left = read(tenant, 1, "written");
            write_all(exchanges);
            thread::yield_now();
            assert_eq!(read(tenant, 1, "written"), left);
            done.store(exchanges, Ordering::SeqCst);
        }
    });
}
