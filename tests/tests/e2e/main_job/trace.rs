//! The trace: a recorded one where there is one, or else a made-up one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, io};

use e2e::harness::announce;
use larder::trace::{Generator, RECORD_BYTES, write};
use tempfile::TempDir;

const RECORDED: &str = "scarab_recs.oracleGeneral.zst";

/// A trace, and what it asks for.
pub(crate) struct Trace {
    pub(crate) path: PathBuf,
    /// The objects asked for, one after another.
    pub(crate) ids: Vec<u64>,
    /// Holds a trace that was made.
    _folder: Option<TempDir>,
}

/// The folder with recorded traces.
pub(crate) fn folder() -> Option<PathBuf> {
    env::var_os("LARDER_TRACES").map(PathBuf::from)
}

impl Trace {
    /// The recorded trace in the folder that `LARDER_TRACES` names; without that variable a made
    /// one, which is announced.
    ///
    /// # Panics
    /// When the variable is set and the trace cannot be read.
    #[track_caller]
    pub(crate) fn load() -> Self {
        match folder() {
            Some(folder) => Self::recorded(&folder),
            None => {
                announce(&format!(
                    "SKIPPED {RECORDED}: LARDER_TRACES is not set; a made trace instead"
                ));
                Self::made()
            }
        }
    }

    #[track_caller]
    pub(crate) fn recorded(folder: &Path) -> Self {
        let path = folder.join(RECORDED);
        let records = File::open(&path).and_then(zstd::decode_all);
        let records = records.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            path,
            ids: ids(&records),
            _folder: None,
        }
    }

    fn made() -> Self {
        let made = Generator {
            requests: 600_000,
            objects: 200_000,
            ..Generator::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.oracleGeneral");
        let written = File::create(&path).map(io::BufWriter::new);
        write(&made.records(), &mut written.unwrap()).unwrap();
        let ids = ids(&fs::read(&path).unwrap());
        Self {
            path,
            ids,
            _folder: Some(folder),
        }
    }
}

/// Of each record the eight bytes behind the time.
#[track_caller]
fn ids(records: &[u8]) -> Vec<u64> {
    let (records, rest) = records.as_chunks::<RECORD_BYTES>();
    assert!(
        !records.is_empty() && rest.is_empty(),
        "the trace is cut off"
    );
    let id = |record: &[u8; RECORD_BYTES]| record[4..12].try_into().map(u64::from_le_bytes);
    records
        .iter()
        .filter_map(|record| id(record).ok())
        .collect()
}
