//! Opening a folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use larder_engine::Millis;
use parking_lot::{Mutex, RwLock};
use rand::TryRng;
use rand::rngs::SysRng;
use tracing::warn;

use super::Disk;
use super::index::Index;
use super::log::{Limits, Log};
use super::manifest::{self, Fault, Manifest};
use super::prefixes::Prefixes;
use super::reader::Reader;
use super::recover::recover;
use super::segment::Segment;
use super::shared::Shared;
use super::spaces::{Ledger, Spaces};
use super::threads::Threads;
use super::volume::{Folder, Volume};
use super::writer::Writer;
use crate::encoding::Encoding;

/// The smallest bound.
pub const BYTES_MIN: u64 = 1 << 20;
/// The largest bound: each 64 MiB are an open file, and half as many may be open besides.
pub const BYTES_MAX: u64 = 512 << 30;

const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// What finding an entry takes at most, in memory.
const INDEX_BYTES: u64 = 32;
const SEGMENTS: u64 = 64;
/// The lock, the manifest as it is replaced, the segment that is written to, and some that are gone but are still read.
const FILES_BESIDE: u64 = 16;

/// What a disk tier is made from.
#[derive(Debug, Clone)]
pub struct DiskOptions {
    /// The folder, for this tier alone.
    pub folder: PathBuf,
    /// Bytes that its segments may take, [`BYTES_MIN`] to [`BYTES_MAX`]. Manifest and lock are a few KiB beside.
    pub bytes_max: u64,
    /// Bytes of memory that finding entries may take, at 32 an entry; beyond that the oldest go.
    pub index_bytes_max: u64,
    /// How often what was written is brought to the disk itself, so that it outlasts the machine. `None`: the operating
    /// system does as it likes.
    pub sync_every: Option<Duration>,
}

/// Why a folder was not opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the disk tier's folder {0} is in use by another process; stop that, or choose another folder"
    )]
    InUse(PathBuf),
    /// It was written by a later version.
    #[error(
        "the disk tier's folder {0} has version {1} of the format, this program knows version {known}; \
         start the later version, or remove the folder",
        known = manifest::VERSION
    )]
    Newer(PathBuf, u32),
    /// The bound is out of bounds.
    #[error("the disk tier cannot have {0} bytes; choose a size from {BYTES_MIN} to {BYTES_MAX}")]
    Size(u64),
    /// What the operating system says.
    #[error(
        "the disk tier's folder {path} cannot be opened: {source}; let the server write there, or choose another"
    )]
    Io {
        /// The folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl Disk {
    /// Opens or makes a folder. What is unreadable there is deleted and counted.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing has changed in the folder then, but for [`OpenError::Io`].
    pub fn open(
        options: &DiskOptions,
        encoding: Arc<dyn Encoding>,
        now: Millis,
    ) -> Result<Self, OpenError> {
        if !(BYTES_MIN..=BYTES_MAX).contains(&options.bytes_max) {
            return Err(OpenError::Size(options.bytes_max));
        }
        let path = &options.folder;
        let volume = Folder::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => OpenError::InUse(path.clone()),
            _ => io_error(path, error),
        })?;
        let limits = limits(options);
        let (log, damaged) = restore(Arc::new(volume), encoding.clone(), limits, now).map_err(
            |fault| match fault {
                Unrestored::Newer(version) => OpenError::Newer(path.clone(), version),
                Unrestored::Io(error) => io_error(path, error),
            },
        )?;
        let shared = log.shared.clone();
        shared
            .damaged
            .store(damaged, std::sync::atomic::Ordering::Relaxed);
        let reader = Arc::new(Reader {
            shared: shared.clone(),
            encoding,
        });
        let writer = Writer::new(log, options.sync_every);
        let threads = Threads::start(path.clone(), &reader, writer);
        Ok(Self {
            shared,
            reader,
            threads: threads.map_err(|error| io_error(path, error))?,
        })
    }
}

impl DiskOptions {
    /// Files that the tier may have open.
    pub fn files_max(&self) -> u64 {
        limits(self).segments_max() + FILES_BESIDE
    }
}

fn limits(options: &DiskOptions) -> Limits {
    let bytes_max = options.bytes_max;
    let index_entries = options.index_bytes_max / INDEX_BYTES;
    Limits {
        bytes_max,
        segment_bytes: (bytes_max / SEGMENTS).min(SEGMENT_BYTES_MAX),
        entries_max: usize::try_from(index_entries).unwrap_or(usize::MAX),
        is_synced: options.sync_every.is_some(),
    }
}

/// Why there is no log.
#[derive(Debug)]
pub(super) enum Unrestored {
    Newer(u32),
    Io(io::Error),
}

impl From<io::Error> for Unrestored {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The log as the folder has it, and what was damaged.
pub(super) fn restore(
    volume: Arc<dyn Volume>,
    encoding: Arc<dyn Encoding>,
    limits: Limits,
    now: Millis,
) -> Result<(Log, u64), Unrestored> {
    let form = encoding.name();
    let (found, is_damaged) = manifest_of(volume.as_ref(), form)?;
    let (manifest, spaces, prefixes) = match found {
        Some(found) => found,
        None => {
            let manifest = Manifest::new(form, secrets()?);
            (manifest, Spaces::default(), Prefixes::default())
        }
    };
    let index = Index::new();
    let mut ledger = Ledger::default();
    for (_, _, number) in spaces.iter() {
        ledger.open(number);
    }
    let found = recover(volume.as_ref(), &manifest, &index, &mut ledger, now)?;
    let segments = found.sealed.iter().map(|sealed| &sealed.segment);
    let shared = Shared {
        path: volume.path().to_path_buf(),
        hash_key: manifest.hash_key,
        index,
        spaces: RwLock::new(spaces),
        prefixes: RwLock::new(prefixes),
        segments: RwLock::new(
            segments
                .map(|segment| (segment.short(), segment.clone()))
                .collect(),
        ),
        forgotten: Mutex::default(),
        damaged: 0.into(),
        errors: 0.into(),
        figures: Mutex::default(),
    };
    let damaged = found.damaged + u64::from(is_damaged);
    let mut log = Log::new(
        Arc::new(shared),
        volume,
        encoding,
        limits,
        manifest,
        ledger,
        found.sealed,
    );
    log.now = now;
    // Now it shows whether the folder can be written.
    log.is_manifest_due = true;
    log.save_manifest()?;
    // The bounds may be smaller ones than before.
    while (log.used_bytes > limits.bytes_max || log.is_crowded()) && log.reclaim_oldest(true) {}
    Ok((log, damaged))
}

/// What the manifest says, unless there is none or the folder begins anew, and whether it was damaged or lost.
fn manifest_of(volume: &dyn Volume, form: &str) -> Result<(Option<Found>, bool), Unrestored> {
    let is_damaged = match volume.read(manifest::NAME) {
        Ok(bytes) => match Manifest::parse(&bytes) {
            Ok(found) => return Ok((of_form(found, form, volume.path()), false)),
            Err(Fault::Newer(version)) => return Err(Unrestored::Newer(version)),
            Err(Fault::Damaged) => true,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let names = volume.list()?;
            names.iter().any(|name| Segment::number_of(name).is_some())
        }
        Err(error) => return Err(error.into()),
    };
    if is_damaged {
        warn!(
            folder = %volume.path().display(),
            file = manifest::NAME,
            "the disk tier's manifest is missing or not what was written: without it nothing can be told of the rest, which is removed"
        );
    }
    Ok((None, is_damaged))
}

/// What is true of the whole folder.
type Found = (Manifest, Spaces, Prefixes);

/// What was found, where its values have the form that is written now. Else the folder begins anew.
fn of_form(found: Found, form: &str, path: &Path) -> Option<Found> {
    let was = &*found.0.form;
    if was == form {
        return Some(found);
    }
    let was = match was {
        "" => "an earlier one",
        named => named,
    };
    warn!(
        folder = %path.display(),
        was,
        is = form,
        "the disk tier's values are kept in another form now: it begins anew, and what it held is removed"
    );
    None
}

/// From the operating system, once in a folder's life.
fn secrets() -> io::Result<[u64; 3]> {
    let mut secrets = [0; 3];
    for secret in &mut secrets {
        *secret = SysRng.try_next_u64().map_err(io::Error::other)?;
    }
    Ok(secrets)
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.into(),
        source,
    }
}
