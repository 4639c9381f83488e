use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use larder_engine::tier::{Stored, TierKey};

use super::support::{NOW, ROOMY, Store, folder};
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
    store.wrote(&[larder_engine::tier::TierChange::Delete(key(
        (KEYS - 1).to_le_bytes()
    ))]);
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
