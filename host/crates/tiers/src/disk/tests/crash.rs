//! Any changes, with crashes and damage between them, against a model.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_engine::tier::{TierChange, TierError, TierKey, TierKeyBuf};
use proptest::prelude::*;

use super::support::{NOW, ROOMY, Store};
use crate::conformance::{key, put, stored};
use crate::disk::Surveyed;
use crate::disk::open::Unrestored;

const KEYS: u8 = 12;
const DBS: u8 = 2;

#[derive(Debug, Clone)]
enum Change {
    /// Key, database, bytes of the value.
    Put(u8, u8, usize),
    Delete(u8, u8),
    Clear(u8),
    /// What begins with a key.
    ClearPrefix(u8, u8),
}

#[derive(Debug, Clone)]
enum Damage {
    /// Which file, in percent, and which bit, in millionths.
    Flip(usize, u64),
    Truncate(usize, u64),
    Remove(usize),
}

#[derive(Debug, Clone)]
enum Step {
    Batch(Vec<Change>),
    Close,
    Crash,
    Survey,
    Damage(Damage),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => (0..KEYS, 0..DBS, 0..900_usize).prop_map(|(k, db, len)| Change::Put(k, db, len)),
        4 => (0..KEYS, 0..DBS).prop_map(|(k, db)| Change::Delete(k, db)),
        1 => (0..DBS).prop_map(Change::Clear),
        2 => (0..KEYS, 0..DBS).prop_map(|(k, db)| Change::ClearPrefix(k, db)),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    let file = 0..100_usize;
    let at = 0..1_000_000_u64;
    prop_oneof![
        4 => (file.clone(), at.clone()).prop_map(|(file, at)| Damage::Flip(file, at)),
        1 => (file.clone(), at).prop_map(|(file, at)| Damage::Truncate(file, at)),
        1 => file.prop_map(Damage::Remove),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => prop::collection::vec(change(), 1..8).prop_map(Step::Batch),
        1 => Just(Step::Close),
        1 => Just(Step::Survey),
        2 => Just(Step::Crash),
        2 => damage().prop_map(Step::Damage),
    ]
}

fn key_of(k: u8, db: u8) -> TierKeyBuf {
    TierKey {
        tenant: "t",
        db,
        bytes: &[k],
    }
    .to_owned()
}

/// What is under each key, where anything is.
type Model = HashMap<(u8, u8), Vec<u8>>;

fn all_keys() -> impl Iterator<Item = (u8, u8)> {
    (0..KEYS).flat_map(|k| (0..DBS).map(move |db| (k, db)))
}

fn apply(change: &Change, version: u64, model: &mut Model) -> TierChange {
    match *change {
        Change::Put(k, db, len) => {
            let mut value = version.to_le_bytes().to_vec();
            value.resize(8 + len, k);
            model.insert((k, db), value.clone());
            TierChange::Put(key_of(k, db), Arc::new(stored(&value)))
        }
        Change::Delete(k, db) => {
            model.remove(&(k, db));
            TierChange::Delete(key_of(k, db))
        }
        Change::Clear(db) => {
            model.retain(|(_, of), _| *of != db);
            TierChange::Clear("t".into(), Some(db))
        }
        Change::ClearPrefix(k, db) => {
            model.remove(&(k, db));
            TierChange::ClearPrefix(key_of(k, db))
        }
    }
}

/// Everything is as the model says.
fn compare(store: &Store, model: &Model) -> Result<(), TestCaseError> {
    for (k, db) in all_keys() {
        let found = store.value(&key_of(k, db));
        prop_assert_eq!(found.as_ref(), model.get(&(k, db)), "key {} in {}", k, db);
    }
    let (entries, there) = (store.writer.log.ledger.entries(), model.len() as u64);
    // What was cleared by its prefix counts until a survey has come by.
    let is_swept = store.reader.shared.prefixes.read().is_empty();
    prop_assert!(entries == there || (!is_swept && entries > there));
    Ok(())
}

/// Damage may take entries away, and they are gone for good then; it brings nothing back.
fn adopt(store: &mut Store, model: &mut Model) -> Result<(), TestCaseError> {
    for (k, db) in all_keys() {
        match store.read(&key_of(k, db)) {
            Ok(Some(found)) => {
                let value = model.get(&(k, db)).map(Vec::as_slice);
                prop_assert_eq!(Some(&*found.value), value, "key {} in {}", k, db);
            }
            Ok(None) | Err(TierError::Damaged(_)) => _ = model.remove(&(k, db)),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
    store.wrote(&[]);
    Ok(())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|file| !file.ends_with("lock"));
    files.sort();
    files
}

fn flip(file: &Path, at: u64) {
    let mut bytes = fs::read(file).unwrap();
    let bit = at as usize * bytes.len() * 8 / 1_000_000;
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(file, bytes).unwrap();
}

fn damaged(folder: &Path, damage: &Damage) -> Store {
    let files = files(folder);
    let (Damage::Flip(file, _) | Damage::Truncate(file, _) | Damage::Remove(file)) = damage;
    let file = &files[file * files.len() / 100];
    match damage {
        Damage::Flip(_, at) => flip(file, *at),
        Damage::Truncate(_, at) => {
            let bytes = fs::metadata(file).unwrap().len() * at / 1_000_000;
            OpenOptions::new()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(bytes)
                .unwrap();
        }
        Damage::Remove(_) => fs::remove_file(file).unwrap(),
    }
    match Store::try_open(Arc::new(super::support::folder(folder)), ROOMY) {
        Ok(store) => store,
        // The bit that says so was flipped.
        Err(Unrestored::Newer(_)) => {
            if let Damage::Flip(_, at) = damage {
                flip(file, *at);
            }
            Store::open(folder, ROOMY)
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), ROOMY);
    let mut model = Model::new();
    let mut version = 0;
    for step in steps {
        match step {
            Step::Batch(changes) => {
                let changes: Vec<_> = changes
                    .iter()
                    .map(|change| {
                        version += 1;
                        apply(change, version, &mut model)
                    })
                    .collect();
                store.wrote(&changes);
                continue;
            }
            Step::Survey => {
                while !matches!(store.writer.survey(false, 4096, NOW), Surveyed::Done(_)) {}
                prop_assert!(store.reader.shared.prefixes.read().is_empty());
                compare(&store, &model)?;
                continue;
            }
            Step::Close => store.writer.close(),
            Step::Crash | Step::Damage(_) => {}
        }
        drop(store);
        if let Step::Damage(damage) = step {
            store = damaged(folder.path(), damage);
            adopt(&mut store, &mut model)?;
        } else {
            store = Store::open(folder.path(), ROOMY);
        }
        compare(&store, &model)?;
    }
    compare(&store, &model)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_crash_loses_anything_and_no_damage_brings_anything_back(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        run(&steps)?;
    }
}

/// Wherever a batch was cut off, what it did until then is there, and what it did not do has left no trace.
#[test]
fn a_batch_that_is_cut_off_is_there_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), ROOMY);
    let names = ["a", "b", "c", "d"];
    store.wrote(&names.map(|name| put(name, "old")));
    let file = files(folder.path()).remove(0);
    let before = fs::read(&file).unwrap();
    let changes = [
        put("a", "new"),
        TierChange::Delete(key("b")),
        put("c", ""),
        put("d", [0; 64]),
    ];
    store.wrote(&changes);
    drop(store);
    let after = fs::read(&file).unwrap();
    let changed: Vec<usize> = (0..after.len())
        .filter(|at| before[*at] != after[*at])
        .collect();
    let (start, end) = (changed[0] / 8 * 8, changed[changed.len() - 1] + 1);
    let news = [
        Some(b"new".to_vec()),
        None,
        Some(Vec::new()),
        Some(vec![0; 64]),
    ];
    let mut most = 0;
    // Pages are cut, never the eight bytes at a record's end.
    for cut in (start..end).step_by(8) {
        let torn = [&after[..cut], &before[cut..]].concat();
        fs::write(&file, torn).unwrap();
        let store = Store::open(folder.path(), ROOMY);
        let found = names.map(|name| store.value(&key(name)));
        let done = (0..=4).find(|done| {
            (0..4).all(|n| match n < *done {
                true => found[n] == news[n],
                false => found[n].as_deref() == Some(b"old"),
            })
        });
        let done = done.unwrap_or_else(|| panic!("cut at {cut}: {found:?}"));
        assert!(
            done >= most && done < 4,
            "cut at {cut}: {done} after {most}"
        );
        assert_eq!(store.reader.shared.figures().damaged, 0, "cut at {cut}");
        most = done;
    }
    assert_eq!(most, 3);
}

/// A bit that flips in what was written last is no cut: the older value does not come back.
#[test]
fn a_flipped_bit_at_the_end_of_the_log_brings_no_older_value_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), ROOMY);
    store.wrote(&[put("a", "old"), put("b", "v")]);
    let file = files(folder.path()).remove(0);
    let before = fs::read(&file).unwrap();
    store.wrote(&[put("a", "new")]);
    drop(store);
    let after = fs::read(&file).unwrap();
    let end = (0..after.len())
        .rfind(|at| before[*at] != after[*at])
        .unwrap()
        + 1;
    let start = (0..end).find(|at| before[*at] != after[*at]).unwrap();
    for bit in start * 8..end * 8 {
        let mut wrong = after.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, wrong).unwrap();
        let store = Store::open(folder.path(), ROOMY);
        assert_eq!(store.value(&key("a")), None, "bit {bit}");
        assert_eq!(store.reader.shared.figures().damaged, 1, "bit {bit}");
        // The manifest went on with the segment that was deleted.
        drop(store);
        fs::write(&file, &after).unwrap();
    }
}
