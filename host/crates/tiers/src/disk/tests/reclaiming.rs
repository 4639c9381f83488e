use std::sync::Arc;

use larder_engine::tier::TierChange;

use super::support::{NOW, ROOMY, Store};
use crate::conformance::{key, put, stored};
use crate::disk::log::Limits;

const TIGHT: Limits = Limits {
    bytes_max: 1 << 20,
    segment_bytes: 16 << 10,
    entries_max: usize::MAX,
    is_synced: false,
};
const VALUE_BYTES: usize = 440;
/// With head, key, tail and the footer's line.
const ENTRY_BYTES: u64 = 520;

fn value(version: u64) -> Vec<u8> {
    version.to_le_bytes().repeat(VALUE_BYTES / 8)
}

fn fill(store: &mut Store, keys: std::ops::Range<u64>, version: u64) {
    for n in keys {
        store.wrote(&[put(n.to_le_bytes(), value(version))]);
        let used_bytes = store.writer.log.used_bytes;
        assert!(used_bytes <= TIGHT.bytes_max, "{used_bytes} bytes");
    }
}

#[test]
fn nothing_is_lost_while_there_is_room_for_what_lives() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), TIGHT);
    // Three fifths of the bound are written once and have to be passed over again and again.
    let cold = TIGHT.bytes_max * 3 / 5 / ENTRY_BYTES;
    fill(&mut store, 0..cold, 1);
    for version in 2..100 {
        fill(&mut store, cold..cold + 100, version);
    }
    let check = |store: &Store| {
        assert_eq!(store.writer.log.ledger.entries(), cold + 100);
        for n in 0..cold + 100 {
            let version = if n < cold { 1 } else { 99 };
            assert_eq!(
                store.value(&key(n.to_le_bytes())),
                Some(value(version)),
                "{n}"
            );
        }
    };
    check(&store);
    assert_eq!(store.writer.log.evictions, 0);
    let amplification = store.writer.log.written_bytes / (98 * 100 * ENTRY_BYTES);
    assert!(amplification < 5, "{amplification} bytes written for one");
    drop(store);
    check(&Store::open(folder.path(), TIGHT));
}

#[test]
fn what_is_read_stays_when_the_rest_is_evicted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), TIGHT);
    fill(&mut store, 0..100, 1);
    for round in 0..60 {
        for hot in 0..100_u64 {
            assert!(
                store.value(&key(hot.to_le_bytes())).is_some(),
                "{hot} in round {round}"
            );
        }
        fill(&mut store, 1000 + round * 100..1100 + round * 100, 1);
    }
    assert!(store.writer.log.evictions > 3000);
    assert_eq!(store.value(&key(1000_u64.to_le_bytes())), None);
    // Of what is never read again the newest stays.
    let live = store.writer.log.ledger.entries();
    assert!(
        live * ENTRY_BYTES > TIGHT.bytes_max * 3 / 4,
        "{live} entries"
    );
}

#[test]
fn what_has_expired_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), TIGHT);
    let mut written = 0;
    for n in 0..10_000_u64 {
        let mut entry = stored(&value(1));
        entry.expires_at = Some(NOW - 1000 + n % 2);
        store.wrote(&[TierChange::Put(key(n.to_le_bytes()), Arc::new(entry))]);
        written += ENTRY_BYTES;
    }
    assert_eq!(store.writer.log.evictions, 0);
    let written_bytes = store.writer.log.written_bytes;
    assert!(
        written_bytes < written + written / 20,
        "{written_bytes} for {written}"
    );
}

#[test]
fn deletions_hold_when_what_they_delete_is_reclaimed_and_when_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), TIGHT);
    for round in 0..30 {
        fill(&mut store, 0..300, round);
        let changes: Vec<_> = (0..300_u64)
            .map(|n| TierChange::Delete(key(n.to_le_bytes())))
            .collect();
        store.wrote(&changes);
        fill(&mut store, 1000..1020, round);
        store = {
            drop(store);
            Store::open(folder.path(), TIGHT)
        };
        assert_eq!(store.writer.log.ledger.entries(), 20, "round {round}");
        for n in 0..300_u64 {
            assert_eq!(store.value(&key(n.to_le_bytes())), None, "{n}");
        }
    }
}

#[test]
fn clearing_what_lives_gives_back_the_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), TIGHT);
    fill(&mut store, 0..1000, 1);
    let index_bytes = store.reader.shared.index.memory_bytes();
    store.wrote(&[
        put("staged", "v"),
        TierChange::Clear("t".into(), None),
        put("after", "v"),
    ]);
    assert_eq!(store.writer.log.ledger.entries(), 1);
    assert!(store.writer.log.used_bytes <= TIGHT.segment_bytes);
    assert!(store.reader.shared.index.memory_bytes() < index_bytes);
    assert_eq!(store.value(&key("after")), Some(b"v".to_vec()));
    drop(store);
    let store = Store::open(folder.path(), TIGHT);
    assert_eq!(store.writer.log.ledger.entries(), 1);
    assert_eq!(store.value(&key(1_u64.to_le_bytes())), None);
}

#[test]
fn a_smaller_bound_holds_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), TIGHT);
    fill(&mut store, 0..1500, 1);
    drop(store);
    let smaller = Limits {
        bytes_max: 1 << 18,
        segment_bytes: 4096,
        ..TIGHT
    };
    let mut store = Store::open(folder.path(), smaller);
    assert!(store.writer.log.used_bytes <= 1 << 18);
    assert_eq!(store.value(&key(1499_u64.to_le_bytes())), Some(value(1)));
    store.wrote(&[put("k", "v")]);
    assert!(store.writer.log.used_bytes <= 1 << 18);
}

#[test]
fn files_are_few_however_small_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let listed = Limits {
        bytes_max: 8 << 20,
        segment_bytes: 128 << 10,
        entries_max: 1000,
        ..TIGHT
    };
    let mut store = Store::open(folder.path(), listed);
    store.wrote(&[put("cold", "v")]);
    for version in 0..1_500_u64 {
        let changes: Vec<_> = (0..10_u64)
            .map(|n| put(n.to_le_bytes(), version.to_le_bytes()))
            .collect();
        store.wrote(&changes);
        let files = store.writer.log.sealed.len() as u64;
        assert!(files <= listed.segments_max(), "{files} files");
    }
    assert_eq!(listed.segments_max(), 160);
    assert_eq!(store.writer.log.evictions, 0);
    assert_eq!(store.value(&key("cold")), Some(b"v".to_vec()));
    // A start that ends soon leaves a file as well.
    for n in 0..200_u64 {
        drop(store);
        store = Store::open(folder.path(), listed);
        store.wrote(&[put(n.to_le_bytes(), "v")]);
    }
    assert!(store.writer.log.sealed.len() <= 160);
    assert_eq!(store.value(&key("cold")), Some(b"v".to_vec()));
}

#[test]
fn what_finding_entries_may_take_bounds_how_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let crowded = Limits {
        entries_max: 1000,
        ..ROOMY
    };
    let mut store = Store::open(folder.path(), crowded);
    let name = |n: u64| n.to_le_bytes();
    for n in 0..20_000 {
        store.wrote(&[put(name(n), b"v")]);
        let held = store.writer.log.shared.index.len();
        // A segment goes at a time.
        assert!(held <= 1000 + 64, "{held} after {n}");
        // What is read stays.
        for hot in (0..=n.min(400)).step_by(40) {
            assert!(store.value(&key(name(hot))).is_some(), "{hot} after {n}");
        }
    }
    assert!(store.writer.log.used_bytes < ROOMY.bytes_max / 2);
    let live = store.writer.log.ledger.entries();
    assert!((800..=1064).contains(&live), "{live}");
    assert!((19_300..20_000).all(|n| store.value(&key(name(n))).is_some()));
    drop(store);
    let fewer = Limits {
        entries_max: 300,
        ..crowded
    };
    let store = Store::open(folder.path(), fewer);
    assert!(store.writer.log.shared.index.len() <= 300);
    assert!(store.value(&key(name(19_999))).is_some());
}
