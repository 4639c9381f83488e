use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_engine::tier::{Stored, TierChange, TierError, TierKey};

use super::support::{Act, Faults, Faulty, NOW, ROOMY, Store};
use crate::codec::Heat;
use crate::conformance::{key, put};
use crate::disk::open::Unrestored;
use crate::{Encoding, Plain};

fn faulty(path: &Path) -> (Store, Faults) {
    let faults = Faults::default();
    let store = Store::try_open(Faulty::open(path, &faults), ROOMY).unwrap();
    (store, faults)
}

fn unavailable(result: &Result<(), TierError>) -> &str {
    match result {
        Err(TierError::Unavailable(text)) => text,
        other => panic!("{other:?} where nothing could be written"),
    }
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> = files.filter(|path| path.extension().is_some()).collect();
    segments.sort();
    segments
}

#[test]
fn on_a_full_disk_the_oldest_goes_for_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, faults) = faulty(folder.path());
    for n in 0..40_u64 {
        store.wrote(&[put(n.to_le_bytes(), [7; 1000])]);
    }
    faults.fail(Act::Create, ErrorKind::StorageFull, 3);
    for n in 40..44_u64 {
        store.wrote(&[put(n.to_le_bytes(), [7; 1000])]);
    }
    assert_eq!(store.value(&key(0_u64.to_le_bytes())), None);
    for n in 30..44_u64 {
        assert!(store.value(&key(n.to_le_bytes())).is_some(), "{n}");
    }
    // With nothing left to go, it says what is wrong.
    faults.fail(Act::Create, ErrorKind::StorageFull, usize::MAX);
    let failed = (0..9_u64).find_map(|n| {
        let results = store.write(&[put(n.to_le_bytes(), [7; 1000])]);
        results[0]
            .is_err()
            .then(|| unavailable(&results[0]).to_owned())
    });
    assert!(failed.unwrap().contains("make room there"));
    faults.mend();
    store.wrote(&[put("k", "v")]);
}

#[test]
fn a_write_that_fails_takes_what_it_was_to_replace_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, faults) = faulty(folder.path());
    store.wrote(&[put("a", "old"), put("b", "old"), put("c", "old")]);
    // The write, and the two that end the segment.
    faults.fail(Act::Write, ErrorKind::Other, 1);
    let results = store.write(&[put("a", "new"), TierChange::Delete(key("b"))]);
    assert!(
        unavailable(&results[0]).contains("look at the disk"),
        "{results:?}"
    );
    assert!(results[1].is_err());
    assert_eq!(
        (store.value(&key("a")), store.value(&key("b"))),
        (None, None)
    );
    assert_eq!(store.value(&key("c")), Some(b"old".to_vec()));
    // The next batch that succeeds tells the disk.
    store.wrote(&[put("d", "new")]);
    drop(store);
    let store = Store::open(folder.path(), ROOMY);
    assert_eq!(
        (store.value(&key("a")), store.value(&key("b"))),
        (None, None)
    );
    assert_eq!(store.value(&key("c")), Some(b"old".to_vec()));
    assert_eq!(store.value(&key("d")), Some(b"new".to_vec()));
}

#[test]
fn a_disk_that_fails_for_long_brings_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, faults) = faulty(folder.path());
    store.wrote(&[put("a", "old"), put("b", "old")]);
    faults.fail(Act::Write, ErrorKind::ReadOnlyFilesystem, usize::MAX);
    faults.fail(Act::Replace, ErrorKind::ReadOnlyFilesystem, usize::MAX);
    faults.fail(Act::Create, ErrorKind::ReadOnlyFilesystem, usize::MAX);
    for _ in 0..3 {
        let results = store.write(&[put("a", "new")]);
        assert!(
            unavailable(&results[0]).contains("let the server write there"),
            "{results:?}"
        );
    }
    assert!(store.reader.shared.figures().trouble.is_some());
    assert_eq!(store.value(&key("a")), None);
    assert_eq!(store.value(&key("b")), Some(b"old".to_vec()));
    let results = store.write(&[TierChange::Clear("t".into(), None)]);
    unavailable(&results[0]);
    assert_eq!(store.value(&key("b")), None);
    faults.mend();
    store.wrote(&[put("c", "new")]);
    assert_eq!(store.reader.shared.figures().trouble, None);
    drop(store);
    let store = Store::open(folder.path(), ROOMY);
    assert_eq!(
        (store.value(&key("a")), store.value(&key("b"))),
        (None, None)
    );
    assert_eq!(store.value(&key("c")), Some(b"new".to_vec()));
}

#[test]
fn a_read_that_fails_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, faults) = faulty(folder.path());
    store.wrote(&[put("a", "v")]);
    faults.fail(Act::Read, ErrorKind::Other, 1);
    assert!(matches!(
        store.read(&key("a")),
        Err(TierError::Unavailable(_))
    ));
    assert_eq!(store.value(&key("a")), Some(b"v".to_vec()));
    assert_eq!(store.reader.shared.figures().errors, 1);
}

#[test]
fn what_is_damaged_is_forgotten_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), ROOMY);
    store.wrote(&[put("a", "old")]);
    store.wrote(&[put("a", "new"), put("b", "v")]);
    let segment = &segments(folder.path())[0];
    let whole = fs::read(segment).unwrap();
    let mut wrong = whole.clone();
    let at = whole
        .windows(3)
        .rposition(|window| window == b"new")
        .unwrap();
    wrong[at] ^= 1;
    fs::write(segment, &wrong).unwrap();
    assert!(matches!(store.read(&key("a")), Err(TierError::Damaged(_))));
    assert_eq!(store.value(&key("a")), None);
    assert_eq!(store.value(&key("b")), Some(b"v".to_vec()));
    assert_eq!(store.reader.shared.figures().damaged, 1);
    store.wrote(&[put("c", "v")]);
    assert_eq!(store.writer.log.ledger.entries(), 2);
    // Even where the damage is mended.
    let mut mended = fs::read(segment).unwrap();
    mended[at] ^= 1;
    fs::write(segment, &mended).unwrap();
    drop(store);
    assert_eq!(Store::open(folder.path(), ROOMY).value(&key("a")), None);
}

#[test]
fn a_folder_that_is_gone_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let mut store = Store::open(&path, ROOMY);
    store.wrote(&[put("a", "v")]);
    fs::remove_dir_all(&path).unwrap();
    let results = store.write(&[put("a", "new")]);
    let text = unavailable(&results[0]);
    assert!(
        text.contains(path.to_str().unwrap()) && text.contains("restart the server"),
        "{text}"
    );
    assert_eq!(store.value(&key("a")), None);
}

#[test]
fn a_folder_that_was_moved_stays_its_own_and_the_one_in_its_place_anothers() {
    let parent = tempfile::tempdir().unwrap();
    let (path, moved) = (parent.path().join("disk"), parent.path().join("moved"));
    let mut first = Store::open(&path, ROOMY);
    first.wrote(&[put("a", "1")]);
    fs::rename(&path, &moved).unwrap();
    let mut second = Store::open(&path, ROOMY);
    second.wrote(&[put("a", "2")]);
    // Both make new files, and write down what these are.
    for n in 0..20_u64 {
        first.wrote(&[put(n.to_le_bytes(), [1; 1000])]);
        second.wrote(&[put(n.to_le_bytes(), [2; 1000])]);
    }
    drop((first, second));
    for (path, value) in [(moved, 1), (path, 2)] {
        let store = Store::open(&path, ROOMY);
        assert_eq!(store.reader.shared.figures().damaged, 0);
        assert_eq!(store.value(&key("a")), Some(value.to_string().into()));
        for n in 0..20_u64 {
            assert_eq!(store.value(&key(n.to_le_bytes())), Some(vec![value; 1000]));
        }
    }
}

#[test]
fn a_later_form_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path(), ROOMY).wrote(&[put("a", "v")]);
    let manifest = folder.path().join("manifest");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("disk 1", "disk 3", 1)).unwrap();
    let opened = Store::try_open(Arc::new(super::support::folder(folder.path())), ROOMY);
    assert!(matches!(opened, Err(Unrestored::Newer(3))));
    fs::write(&manifest, text).unwrap();
    assert_eq!(
        Store::open(folder.path(), ROOMY).value(&key("a")),
        Some(b"v".to_vec())
    );
}

/// [`Plain`], called otherwise.
struct Renamed;

impl Encoding for Renamed {
    fn name(&self) -> &'static str {
        "plain 2"
    }

    fn encode(
        &self,
        key: TierKey<'_>,
        stored: &Stored,
        heat: Heat,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        Plain.encode(key, stored, heat, out)
    }

    fn decode(&self, key: TierKey<'_>, bytes: &[u8]) -> Result<Stored, String> {
        Plain.decode(key, bytes)
    }
}

#[test]
fn a_folder_with_another_form_of_values_begins_anew() {
    let renamed = |path: &Path| {
        let volume = Arc::new(super::support::folder(path));
        Store::with(volume, Arc::new(Renamed), ROOMY).unwrap()
    };
    // One that names another form, and one from before they were named.
    for before in [
        |text: String| text,
        |text: String| text.replace("\"form\":\"plain 1\",", ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        Store::open(folder.path(), ROOMY).wrote(&[put("a", "old")]);
        let manifest = folder.path().join("manifest");
        let text = before(fs::read_to_string(&manifest).unwrap());
        let lines = &text[..text.len() - 17];
        let sum = xxhash_rust::xxh3::xxh3_64(lines.as_bytes());
        fs::write(&manifest, format!("{lines}{sum:016x}\n")).unwrap();
        let mut store = renamed(folder.path());
        assert_eq!(store.value(&key("a")), None);
        assert!(segments(folder.path()).is_empty(), "they are removed");
        assert_eq!(store.reader.shared.figures().damaged, 0);
        store.wrote(&[put("a", "new")]);
        drop(store);
        assert_eq!(
            renamed(folder.path()).value(&key("a")),
            Some(b"new".to_vec())
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    faults.fail(Act::Replace, ErrorKind::ReadOnlyFilesystem, 1);
    let opened = Store::try_open(Faulty::open(folder.path(), &faults), ROOMY);
    assert!(matches!(opened, Err(Unrestored::Io(_))));
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["notes.txt", "1.seg", "00000000000000zz.seg"];
    for name in names {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    let mut store = Store::open(folder.path(), ROOMY);
    store.wrote(&[put("a", "v")]);
    store
        .writer
        .apply(&[TierChange::Clear("t".into(), None)], NOW);
    for name in names {
        assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"mine");
    }
}
