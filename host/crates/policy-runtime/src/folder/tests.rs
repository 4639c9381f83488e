use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode};

use super::*;
use crate::folder::scan::Found;

const MODULE_BYTES_MAX: usize = 1000;
/// Longer than any test: looks happen when a test says so, or an event comes.
const NEVER_MS: u64 = u64::MAX;

struct Place {
    dir: tempfile::TempDir,
    folder: Folder,
    now_ms: u64,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policies.d");
        fs::create_dir(&path).unwrap();
        Self {
            folder: Folder::new(path, NEVER_MS, MODULE_BYTES_MAX),
            dir,
            now_ms: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn look(&mut self) -> Vec<Change> {
        self.now_ms += LOOK_MS_MIN;
        self.folder.look(self.now_ms).unwrap()
    }

    /// What settles while nothing is touched any more, by stem; those that are gone with a minus.
    fn settle(&mut self) -> Vec<String> {
        let changes: Vec<_> = (0..3).flat_map(|_| self.look()).collect();
        let name = |change: &Change| match change {
            Change::Settled(seen) => seen.stem.clone(),
            Change::Gone(stem) => format!("-{stem}"),
        };
        changes.iter().map(name).collect()
    }

    fn settled(&mut self) -> Vec<Seen> {
        let changes = (0..3).flat_map(|_| self.look()).collect::<Vec<_>>();
        let seen = |change| match change {
            Change::Settled(seen) => Some(seen),
            Change::Gone(_) => None,
        };
        changes.into_iter().filter_map(seen).collect()
    }

    /// Waits until an event makes a look due.
    fn await_event(&self) {
        let started = Instant::now();
        while !self.folder.is_due(self.now_ms + LOOK_MS_MIN, false) {
            assert!(started.elapsed() < Duration::from_secs(20), "no event came");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_half_written_file_is_not_taken() {
    let mut place = Place::new();
    let mut file = OpenOptions::new()
        .create_new(true)
        .append(true)
        .open(place.path("a.wasm"))
        .unwrap();
    file.write_all(b"half").unwrap();
    assert_eq!(place.look(), []);
    file.write_all(b" and half").unwrap();
    assert_eq!(place.look(), []);
    assert!(!place.folder.is_settled());
    assert_eq!(place.folder.unsettled().count(), 1);
    let seen = place.settled();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        place.folder.read(&seen[0]).unwrap().module,
        b"half and half"
    );
}

#[test]
fn modules_count_and_each_takes_its_side_car_along() {
    let mut place = Place::new();
    for name in [
        ".a.wasm",
        "a.wasm~",
        "a.wasm.tmp",
        "a.wasm.swp",
        "a.wasm.part",
        "README",
    ] {
        place.write(name, b"x");
    }
    place.write("20-b.wasm", b"module");
    place.write("20-b.toml", b"enabled = true");
    place.write("10-a.wasm", b"other");
    let seen = place.settled();
    let stems: Vec<_> = seen.iter().map(|seen| &*seen.stem).collect();
    assert_eq!(stems, ["10-a", "20-b"]);
    let dropped = place.folder.read(&seen[1]).unwrap();
    assert_eq!(
        (&*dropped.module, &*dropped.side_car),
        (&b"module"[..], "enabled = true")
    );
    assert_eq!(place.folder.read(&seen[0]).unwrap().side_car, "");
    place.write("20-b.toml", b"enabled = false");
    assert_eq!(place.settle(), ["20-b"], "a new side-car is a change");
}

#[test]
fn a_side_car_without_a_module_is_refused_and_keeps_no_policy() {
    let mut place = Place::new();
    place.write("a_b.toml", b"enabled = true");
    let seen = place.settled();
    let Err(ReadError::Refused(why)) = place.folder.read(&seen[0]) else {
        panic!("{seen:?} is read");
    };
    assert_eq!(why, "a_b.toml: there is no a_b.wasm that it could be for");
    place.write("a_b.wasm", b"module");
    assert_eq!(place.settle(), ["a_b", "-a_b.toml"]);
    fs::remove_file(place.path("a_b.wasm")).unwrap();
    assert_eq!(place.settle(), ["-a_b", "a_b.toml"]);
}

#[test]
fn what_can_be_no_module_is_refused_with_the_reason() {
    let mut place = Place::new();
    fs::create_dir(place.path("folder.wasm")).unwrap();
    symlink("nowhere", place.path("dangling.wasm")).unwrap();
    symlink("/proc/self/mem", place.path("unreadable.wasm")).unwrap();
    let fifo = place.path("fifo.wasm");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    place.write("long.wasm", &[0; MODULE_BYTES_MAX + 1]);
    place.write("odd name.wasm", b"x");
    place.write("text.wasm", b"x");
    place.write("text.toml", &[0xff]);
    let seen = place.settled();
    let mut refusals: Vec<_> = seen
        .iter()
        .map(|seen| match place.folder.read(seen) {
            Err(ReadError::Refused(why)) => why,
            other => panic!("{seen:?}: {other:?}"),
        })
        .collect();
    refusals.sort();
    let expected = [
        "dangling.wasm: it is a dangling link",
        "fifo.wasm: it is no ordinary file",
        "folder.wasm: it is a folder",
        "long.wasm: it has 1001 bytes; 1000 are allowed",
        "odd name.wasm: a policy's file is named with",
        "text.toml: it is not text in UTF-8",
        "unreadable.wasm: it cannot be read",
    ];
    assert_eq!(refusals.len(), expected.len());
    for (refusal, expected) in refusals.iter().zip(expected) {
        assert!(refusal.starts_with(expected), "{refusal}");
    }
}

#[test]
fn links_are_followed() {
    let mut place = Place::new();
    let target = place.dir.path().join("elsewhere");
    fs::write(&target, "module").unwrap();
    symlink(&target, place.path("a.wasm")).unwrap();
    let seen = place.settled();
    assert_eq!(place.folder.read(&seen[0]).unwrap().module, b"module");
    fs::write(&target, "another module").unwrap();
    assert_eq!(place.settle(), ["a"], "what it points to changed");
}

#[test]
fn a_file_that_is_replaced_at_once_changed_and_was_never_gone() {
    let mut place = Place::new();
    place.write("a.wasm", b"one");
    let before = place.settled().remove(0);
    fs::remove_file(place.path("a.wasm")).unwrap();
    place.write("new", b"two");
    fs::rename(place.path("new"), place.path("a.wasm")).unwrap();
    let after = place.settled();
    assert_eq!(after.len(), 1);
    assert!(before.is_rewritten(&after[0]));
    assert_eq!(place.folder.read(&after[0]).unwrap().module, b"two");
    fs::remove_file(place.path("a.wasm")).unwrap();
    assert_eq!(place.settle(), ["-a"]);
}

#[test]
fn what_changes_while_it_is_read_is_read_later() {
    let mut place = Place::new();
    place.write("a.wasm", b"one");
    let seen = place.settled().remove(0);
    place.write("a.wasm", b"longer");
    assert!(matches!(place.folder.read(&seen), Err(ReadError::Changed)));
    fs::remove_file(place.path("a.wasm")).unwrap();
    assert!(matches!(place.folder.read(&seen), Err(ReadError::Changed)));
}

#[test]
fn a_folder_that_goes_keeps_what_it_had_and_is_heard_again_when_it_returns() {
    let mut place = Place::new();
    place.write("a.wasm", b"one");
    assert_eq!(place.settle(), ["a"]);
    let (here, away) = (place.path(""), place.dir.path().join("away"));
    fs::rename(&here, &away).unwrap();
    for _ in 0..3 {
        place.now_ms += LOOK_MS_MIN;
        let refusal = place.folder.look(place.now_ms).unwrap_err();
        assert!(refusal.contains("cannot be read"), "{refusal}");
    }
    fs::rename(&away, &here).unwrap();
    assert_eq!(place.settle(), [""; 0], "nothing changed but its absence");
    fs::remove_dir_all(&here).unwrap();
    fs::create_dir(&here).unwrap();
    assert_eq!(place.settle(), ["-a"]);
    place.write("b.wasm", b"two");
    place.await_event();
    assert_eq!(place.settle(), ["b"]);
}

#[test]
fn thousands_of_touches_are_one_look() {
    let mut place = Place::new();
    place.look();
    for round in 0..2000_u32 {
        place.write("a.wasm", &round.to_le_bytes());
    }
    place.await_event();
    assert!(!place.folder.is_due(place.now_ms + LOOK_MS_MIN - 1, true));
    assert_eq!(place.settle(), ["a"]);
}

#[test]
fn more_policies_than_are_allowed_are_refused() {
    let mut place = Place::new();
    for number in 0..scan::POLICIES_MAX + 5 {
        place.write(&format!("{number:03}.wasm"), b"x");
    }
    let seen = place.settled();
    assert_eq!(seen.len(), scan::POLICIES_MAX + 1);
    let faults = seen
        .iter()
        .filter(|seen| matches!(seen.module, Found::Fault(_)));
    let faults: Vec<_> = faults.map(|seen| &*seen.stem).collect();
    assert_eq!(faults, ["256"]);
}
