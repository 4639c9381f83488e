//! The disk without its threads, and a folder that can be broken.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use larder_engine::tier::{Stored, TierChange, TierError, TierKeyBuf};
use parking_lot::Mutex;

use crate::disk::log::Limits;
use crate::disk::open::{Unrestored, restore};
use crate::disk::reader::{Looked, Reader};
use crate::disk::volume::{Folder, Volume, VolumeFile};
use crate::disk::writer::Writer;
use crate::disk::{Disk, DiskOptions, OpenError};
use crate::encoding::{Encoding, Plain};

pub(super) const NOW: u64 = 1_700_000_000_000;

/// Large enough that nothing is evicted.
pub(super) const ROOMY: Limits = Limits {
    bytes_max: 8 << 20,
    segment_bytes: 4096,
    entries_max: usize::MAX,
    is_synced: false,
};

/// Repeats what fails because a folder is locked. Another test may be starting a process, which has all files open for a
/// moment, and with them the lock.
fn unlocked<T, E>(
    mut open: impl FnMut() -> Result<T, E>,
    is_locked: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match open() {
            Err(error) if is_locked(&error) && Instant::now() < deadline => thread::yield_now(),
            opened => return opened,
        }
    }
}

/// Opens a folder that was closed.
pub(super) fn folder(path: &Path) -> Folder {
    let is_locked = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
    unlocked(|| Folder::open(path), is_locked).unwrap()
}

/// Opens a tier that was closed.
pub(super) fn opened(options: &DiskOptions) -> Disk {
    opened_with(options, Arc::new(Plain))
}

/// The same, with another form of entries.
pub(super) fn opened_with(options: &DiskOptions, encoding: Arc<dyn Encoding>) -> Disk {
    let is_locked = |error: &OpenError| matches!(error, OpenError::InUse(_));
    unlocked(|| Disk::open(options, encoding.clone(), NOW), is_locked).unwrap()
}

/// What the threads work with. Dropping it is what a crash is: nothing is ended.
pub(super) struct Store {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
}

impl Store {
    pub(super) fn open(path: &Path, limits: Limits) -> Self {
        Self::try_open(Arc::new(folder(path)), limits).unwrap()
    }

    pub(super) fn try_open(volume: Arc<dyn Volume>, limits: Limits) -> Result<Self, Unrestored> {
        Self::with(volume, Arc::new(Plain), limits)
    }

    /// The same, with another form of entries.
    pub(super) fn with(
        volume: Arc<dyn Volume>,
        encoding: Arc<dyn Encoding>,
        limits: Limits,
    ) -> Result<Self, Unrestored> {
        let (log, damaged) = restore(volume, encoding.clone(), limits, NOW)?;
        let shared = log.shared.clone();
        shared
            .damaged
            .store(damaged, std::sync::atomic::Ordering::Relaxed);
        Ok(Self {
            reader: Reader { shared, encoding },
            writer: Writer::new(log, None),
        })
    }

    pub(super) fn write(&mut self, changes: &[TierChange]) -> Vec<Result<(), TierError>> {
        self.writer.apply(changes, NOW)
    }

    pub(super) fn wrote(&mut self, changes: &[TierChange]) {
        assert_eq!(self.write(changes), vec![Ok(()); changes.len()]);
    }

    pub(super) fn read(&self, key: &TierKeyBuf) -> Result<Option<Stored>, TierError> {
        match self.reader.look(key.borrow(), NOW, false) {
            Looked::Done(found) => found,
            Looked::Waits => panic!("a read that may wait has"),
        }
    }

    /// The value under a key, if there is one.
    pub(super) fn value(&self, key: &TierKeyBuf) -> Option<Vec<u8>> {
        self.read(key).unwrap().map(|stored| stored.value.into())
    }
}

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Act {
    Create,
    Read,
    Write,
    Remove,
    Replace,
    Sync,
}

/// Which of a folder's acts fail, and how.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<HashMap<Act, (io::ErrorKind, usize)>>>);

impl Faults {
    /// The next acts of this kind fail, so many of them.
    pub(super) fn fail(&self, act: Act, kind: io::ErrorKind, times: usize) {
        self.0.lock().insert(act, (kind, times));
    }

    pub(super) fn mend(&self) {
        self.0.lock().clear();
    }

    fn check(&self, act: Act) -> io::Result<()> {
        match self.0.lock().get_mut(&act) {
            Some((kind, times)) if *times > 0 => {
                *times -= 1;
                Err((*kind).into())
            }
            _ => Ok(()),
        }
    }
}

/// A folder some of whose acts fail.
pub(super) struct Faulty {
    folder: Folder,
    faults: Faults,
}

impl Faulty {
    pub(super) fn open(path: &Path, faults: &Faults) -> Arc<Self> {
        Arc::new(Self {
            folder: folder(path),
            faults: faults.clone(),
        })
    }

    fn file(&self, file: Arc<dyn VolumeFile>) -> Arc<dyn VolumeFile> {
        let faults = self.faults.clone();
        Arc::new(FaultyFile { file, faults })
    }
}

impl Volume for Faulty {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.folder.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn VolumeFile>> {
        self.faults.check(Act::Create)?;
        Ok(self.file(self.folder.create(name, bytes)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn VolumeFile>> {
        Ok(self.file(self.folder.open(name)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.faults.check(Act::Remove)?;
        self.folder.remove(name)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.folder.read(name)
    }

    fn replace(&self, name: &str, contents: &[u8], is_synced: bool) -> io::Result<()> {
        self.faults.check(Act::Replace)?;
        self.folder.replace(name, contents, is_synced)
    }
}

struct FaultyFile {
    file: Arc<dyn VolumeFile>,
    faults: Faults,
}

impl VolumeFile for FaultyFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.faults.check(Act::Read)?;
        self.file.read_at(bytes, offset)
    }

    /// A write that fails has done half of its work.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.faults.check(Act::Write).inspect_err(|_| {
            self.file
                .write_at(&bytes[..bytes.len() / 16 * 8], offset)
                .unwrap();
        })?;
        self.file.write_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.faults.check(Act::Write)?;
        self.file.truncate(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.check(Act::Sync)?;
        self.file.sync()
    }

    fn has_name(&self) -> io::Result<bool> {
        self.file.has_name()
    }
}
