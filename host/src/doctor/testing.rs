//! Machines made up for tests.

use std::fs;

use tempfile::TempDir;

use super::machine::{Machine, Unreadable};
use super::{Judged, Verdict};
use crate::config::{self, Config, Sources};

/// A machine that has these files and no others; it lives as long as the folder.
pub(super) fn machine(files: &[(&str, &str)]) -> (TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let machine = Machine::new(root.path());
    (root, machine)
}

/// A configuration that these flags make.
pub(super) fn config(flags: &[(&str, &str)]) -> Config {
    let flags = flags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let sources = Sources {
        flags: flags.collect(),
        ..Sources::default()
    };
    config::load(sources).unwrap().config
}

/// Asserts that all is fine, and that this is said.
#[track_caller]
pub(super) fn assert_fine(judged: Judged, said: &str) {
    match judged {
        Ok(Verdict::Fine(found)) => assert!(found.contains(said), "{found}"),
        other => panic!("not fine: {other:?}"),
    }
}

/// Asserts that something is wrong, and how it is mended.
#[track_caller]
pub(super) fn assert_wrong(judged: Judged, said: &str, mended: &str) {
    match judged {
        Ok(Verdict::Wrong { found, mend }) => {
            assert!(found.contains(said), "{found}");
            assert!(mend.contains(mended), "{mend}");
        }
        other => panic!("not wrong: {other:?}"),
    }
}

/// Asserts that nothing can be said, and why.
#[track_caller]
pub(super) fn assert_unknown(judged: Judged, said: &str) {
    match judged.map_err(|unreadable: Unreadable| unreadable.to_string()) {
        Err(why) => assert!(why.contains(said), "{why}"),
        other => panic!("known: {other:?}"),
    }
}
