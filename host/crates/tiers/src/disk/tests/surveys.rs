use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use larder_engine::tier::{PREFIXES_MAX, Stored, TierChange, TierError, TierKey};

use super::support::{Act, Faults, Faulty, NOW, ROOMY, Store, folder};
use crate::codec::{Census, Form, Heat, KeyId, Named};
use crate::conformance::{key, put};
use crate::disk::Surveyed;
use crate::disk::log::Limits;
use crate::disk::segment::{START_BYTES, Segment};
use crate::encoding::{Encoding, Plain};

const KEYS: u64 = 300;
/// Forms of this generation are not read any more.
const VOID: u8 = 1;
/// While it is the turn of this one all forms are as good.
const LENIENT: u8 = 7;

/// Entries as they are, behind the generation of their form.
struct Generations(AtomicU8);

impl Generations {
    fn current(&self) -> u8 {
        self.0.load(Relaxed)
    }
}

impl Encoding for Generations {
    fn name(&self) -> &'static str {
        "generations"
    }

    fn encode(
        &self,
        key: TierKey<'_>,
        stored: &Stored,
        heat: Heat,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        out.push(self.current());
        // Forms of different length.
        out.resize(out.len() + usize::from(self.current()) * 8, 0);
        Plain.encode(key, stored, heat, out)
    }

    fn decode(&self, key: TierKey<'_>, bytes: &[u8]) -> Result<Stored, String> {
        Plain.decode(key, &bytes[1 + usize::from(bytes[0]) * 8..])
    }

    fn form(&self, bytes: &[u8]) -> Form {
        match bytes[0] {
            _ if self.current() == LENIENT => Form::Current,
            current if current == self.current() => Form::Current,
            VOID => Form::Void,
            _ => Form::Outdated,
        }
    }

    fn named(&self, bytes: &[u8]) -> Named {
        Named {
            key: Some(id(bytes[0])),
            dictionary: None,
        }
    }
}

fn id(generation: u8) -> KeyId {
    format!("{generation:08x}").parse().unwrap()
}

fn open(path: &Path, generations: &Arc<Generations>) -> Store {
    Store::with(Arc::new(folder(path)), generations.clone(), ROOMY).unwrap()
}

fn fill(store: &mut Store, keys: std::ops::Range<u64>) {
    for n in keys {
        store.wrote(&[put(n.to_le_bytes(), n.to_le_bytes().repeat(10))]);
    }
}

/// How many are there, as they were written.
fn count(store: &Store) -> u64 {
    let is_there = |n: &u64| match store.value(&key(n.to_le_bytes())) {
        None => false,
        Some(value) => {
            assert_eq!(value, n.to_le_bytes().repeat(10));
            true
        }
    };
    (0..KEYS).filter(is_there).count() as u64
}

/// A survey in steps, and how many these were.
fn survey(store: &mut Store) -> (Census, u32) {
    let mut steps = 0;
    loop {
        steps += 1;
        match store.writer.survey(steps == 1, 2048, NOW) {
            Surveyed::Ongoing(_) => {}
            Surveyed::Done(census) => return (census, steps),
            Surveyed::Stuck => panic!("there is room"),
        }
    }
}

#[test]
fn what_is_outdated_is_written_anew_and_the_old_files_go() {
    let folder = tempfile::tempdir().unwrap();
    let generations = Arc::new(Generations(AtomicU8::new(3)));
    let mut store = open(folder.path(), &generations);
    fill(&mut store, 0..KEYS);
    let (census, steps) = survey(&mut store);
    assert_eq!(census.keys(), [(Some(id(3)), KEYS)]);
    assert!(steps > 10, "{steps}");
    let files = |store: &Store| {
        let numbers = store.writer.log.sealed.iter();
        numbers
            .map(|sealed| sealed.segment.number)
            .collect::<Vec<_>>()
    };
    let before = files(&store);

    generations.0.store(5, Relaxed);
    // What changes while it goes on is not brought back.
    assert!(matches!(
        store.writer.survey(true, 2048, NOW),
        Surveyed::Ongoing(left) if left > 0
    ));
    fill(&mut store, 100..101);
    store.wrote(&[TierChange::Delete(key((KEYS - 1).to_le_bytes()))]);
    let (census, _) = survey(&mut store);
    assert_eq!(census.keys(), [(Some(id(5)), KEYS - 1)]);
    let ledger = (
        store.writer.log.ledger.entries(),
        store.writer.log.ledger.live_bytes(),
    );
    assert_eq!((count(&store), ledger.0), (KEYS - 1, KEYS - 1));
    let after = files(&store);
    assert!(after.iter().all(|number| !before.contains(number)));
    drop(store);

    let mut store = open(folder.path(), &generations);
    assert_eq!(count(&store), KEYS - 1);
    let reopened = &store.writer.log.ledger;
    assert_eq!((reopened.entries(), reopened.live_bytes()), ledger);
    assert_eq!(survey(&mut store).0.keys(), [(Some(id(5)), KEYS - 1)]);
}

#[test]
fn what_is_damaged_holds_up_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let generations = Arc::new(Generations(AtomicU8::new(3)));
    let mut store = open(folder.path(), &generations);
    fill(&mut store, 0..KEYS);
    let oldest = Segment::name(store.writer.log.sealed[0].segment.number);
    let file = File::options()
        .write(true)
        .open(folder.path().join(&oldest));
    // Within the first record's value.
    file.unwrap().write_all_at(b"?", START_BYTES + 100).unwrap();
    generations.0.store(5, Relaxed);
    let (census, _) = survey(&mut store);
    assert_eq!(census.keys(), [(Some(id(5)), KEYS - 1)]);
    assert_eq!(
        (count(&store), store.value(&key(0_u64.to_le_bytes()))),
        (KEYS - 1, None)
    );
    assert_eq!(store.writer.log.ledger.entries(), KEYS - 1);
    assert!(!folder.path().join(&oldest).exists());
}

#[test]
fn what_will_not_be_read_again_is_deleted_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let generations = Arc::new(Generations(AtomicU8::new(VOID)));
    let mut store = open(folder.path(), &generations);
    fill(&mut store, 0..KEYS / 2);
    generations.0.store(2, Relaxed);
    fill(&mut store, KEYS / 2..KEYS);
    let (census, _) = survey(&mut store);
    assert_eq!(census.keys(), [(Some(id(2)), KEYS / 2)]);
    assert_eq!(count(&store), KEYS / 2);
    assert_eq!(store.writer.log.ledger.entries(), KEYS / 2);
    drop(store);
    assert_eq!(count(&open(folder.path(), &generations)), KEYS / 2);
}

#[test]
fn what_is_reclaimed_before_its_turn_comes_is_counted_once() {
    let folder_path = tempfile::tempdir().unwrap();
    let generations = Arc::new(Generations(AtomicU8::new(3)));
    let tight = Limits {
        bytes_max: 1 << 20,
        segment_bytes: 16 << 10,
        ..ROOMY
    };
    let volume = Arc::new(folder(folder_path.path()));
    let mut store = Store::with(volume, generations.clone(), tight).unwrap();
    let cold = 10 * KEYS;
    fill(&mut store, 0..cold);
    generations.0.store(LENIENT, Relaxed);
    let first = store.writer.survey(true, 2048, NOW);
    assert!(matches!(first, Surveyed::Ongoing(_)), "{first:?}");
    let last = store.writer.log.manifest.newest;
    // So much is written that all there was is passed over.
    while store.writer.log.sealed[0].segment.number <= last {
        fill(&mut store, cold..cold + 100);
    }
    let census = match store.writer.survey(false, u64::MAX, NOW) {
        Surveyed::Done(census) => census,
        other => panic!("{other:?}"),
    };
    assert_eq!(census.keys(), [(Some(id(3)), cold)]);
    assert_eq!(store.writer.log.ledger.entries(), cold + 100);
}

#[test]
fn a_survey_of_nothing_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let generations = Arc::new(Generations(AtomicU8::new(2)));
    let (census, steps) = survey(&mut open(folder.path(), &generations));
    assert_eq!((census.keys(), steps), (Vec::new(), 1));
}

#[test]
fn what_was_cleared_by_its_prefix_is_deleted_and_the_prefix_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(folder.path(), ROOMY);
    let mut store = open();
    let names = || (0..KEYS).map(|n| format!("{}:{n}", ["a", "b"][n as usize % 2]));
    for name in names() {
        store.wrote(&[put(&name, "v")]);
    }
    let entries = |store: &Store| store.writer.log.ledger.entries();
    store.wrote(&[TierChange::ClearPrefix(key("a:"))]);
    store.wrote(&[put("a:0", "new"), put("a:2", "new")]);
    let check = |store: &Store| {
        for (n, name) in names().enumerate() {
            let expected = match n {
                0 | 2 => Some(b"new".to_vec()),
                n if n % 2 == 0 => None,
                _ => Some(b"v".to_vec()),
            };
            assert_eq!(store.value(&key(&name)), expected, "{name}");
            let shared = &store.reader.shared;
            let (space, hash) = shared.find("t", 0, name.as_bytes()).unwrap();
            let may_hold = shared.may_hold(space, hash, name.as_bytes());
            assert_eq!(may_hold, expected.is_some(), "{name}");
        }
    };
    check(&store);
    assert_eq!(entries(&store), KEYS);
    // It outlasts the process, however it ends.
    drop(store);
    let mut store = open();
    check(&store);
    survey(&mut store);
    check(&store);
    assert_eq!(entries(&store), KEYS / 2 + 2);
    assert!(store.reader.shared.prefixes.read().is_empty());
    store.wrote(&[]);
    drop(store);
    let store = open();
    assert!(store.reader.shared.prefixes.read().is_empty());
    check(&store);
    assert_eq!(entries(&store), KEYS / 2 + 2);
}

#[test]
fn a_prefix_is_known_until_its_deletions_are_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let limits = Limits {
        is_synced: true,
        ..ROOMY
    };
    let mut store = Store::try_open(Faulty::open(folder.path(), &faults), limits).unwrap();
    store.wrote(&[put("a:1", "v"), put("b:1", "v")]);
    store.wrote(&[TierChange::ClearPrefix(key("a:"))]);
    let known = |store: &Store| store.reader.shared.prefixes.read().len();
    let survey = |store: &mut Store| {
        let mut steps = (0..9).map(|_| store.writer.survey(false, u64::MAX, NOW));
        steps.find(|surveyed| !matches!(surveyed, Surveyed::Ongoing(_)))
    };
    for act in [Act::Write, Act::Sync] {
        faults.fail(act, ErrorKind::Other, usize::MAX);
        assert!(
            matches!(survey(&mut store), Some(Surveyed::Stuck)),
            "{act:?}"
        );
        assert_eq!(known(&store), 1, "{act:?}");
        faults.mend();
    }
    assert!(matches!(survey(&mut store), Some(Surveyed::Done(_))));
    assert_eq!(known(&store), 0);
    assert_eq!(store.value(&key("a:1")), None);
    drop(store);
    let store = Store::open(folder.path(), ROOMY);
    assert_eq!((known(&store), store.value(&key("a:1"))), (0, None));
    assert!(store.value(&key("b:1")).is_some());
}

#[test]
fn of_too_many_prefixes_the_last_takes_all_of_the_database_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), ROOMY);
    store.wrote(&[put("b:1", "v")]);
    for n in 0..PREFIXES_MAX {
        store.wrote(&[TierChange::ClearPrefix(key(n.to_be_bytes()))]);
    }
    let one_more = store.write(&[TierChange::ClearPrefix(key("a:"))]);
    assert!(matches!(&one_more[..], [Err(TierError::Refused(_))]));
    assert_eq!(store.value(&key("b:1")), None);
    drop(store);
    assert_eq!(Store::open(folder.path(), ROOMY).value(&key("b:1")), None);
}
