//! The port to the file system: as much of a folder as the log needs, so that tests can break it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, FallocateFlags, Mode, OFlags, fallocate, openat, renameat, unlinkat,
};
use rustix::io::Errno;

/// A folder.
pub(super) trait Volume: Send + Sync {
    /// How people know it.
    fn path(&self) -> &Path;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new file of zeros, which has its place on the disk.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn VolumeFile>>;
    /// A file that is there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn VolumeFile>>;
    fn remove(&self, name: &str) -> io::Result<()>;
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Replaces a file by another, all of it at once.
    fn replace(&self, name: &str, contents: &[u8], is_synced: bool) -> io::Result<()>;
}

/// A file of a [`Volume`].
pub(super) trait VolumeFile: Send + Sync {
    /// Fills `bytes` from an offset.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// The same without waiting for the disk: `false` when the bytes are not in memory, or that cannot be known.
    fn read_cached_at(&self, _bytes: &mut [u8], _offset: u64) -> bool {
        false
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Whether it has a name still; what is written to one without is gone with the process.
    fn has_name(&self) -> io::Result<bool>;
}

/// A folder of the operating system, locked against other processes. It is held open: should it be moved, another may
/// be at its path, which is none of ours.
pub(super) struct Folder {
    path: PathBuf,
    folder: File,
    _lock: File,
}

impl Folder {
    /// Makes and locks it.
    ///
    /// # Errors
    /// `WouldBlock` when another process has it, and what the file system says.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        let folder = File::open(path)?;
        folder.set_permissions(fs::Permissions::from_mode(0o700))?;
        let lock = file_in(&folder, "lock", OFlags::CREATE | OFlags::WRONLY)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        Ok(Self {
            path: path.into(),
            folder,
            _lock: lock,
        })
    }

    fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        file_in(&self.folder, name, flags)
    }
}

/// Opens a file; one that is made is for its user alone.
fn file_in(folder: &File, name: &str, flags: OFlags) -> io::Result<File> {
    let private = Mode::RUSR | Mode::WUSR;
    Ok(openat(folder, name, flags | OFlags::CLOEXEC, private)?.into())
}

impl Volume for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let files = Dir::read_from(&self.folder)?;
        // Names that are no text are none of ours.
        let name = |file: rustix::fs::DirEntry| Some(file.file_name().to_str().ok()?.to_owned());
        files
            .filter_map(|file| file.map(name).map_err(io::Error::from).transpose())
            .collect()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn VolumeFile>> {
        let file = self.file(name, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR)?;
        let placed = match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            // Some file systems cannot: there a full disk shows when records are written.
            Err(Errno::OPNOTSUPP) => file.set_len(bytes),
            placed => placed.map_err(io::Error::from),
        };
        if let Err(error) = placed {
            // If this fails as well, the next start finds a file without records.
            let _ = self.remove(name);
            return Err(error);
        }
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn VolumeFile>> {
        Ok(Arc::new(self.file(name, OFlags::RDWR)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        let mut file = self.file(name, OFlags::RDONLY)?;
        file.read_to_end(&mut contents)?;
        Ok(contents)
    }

    fn replace(&self, name: &str, contents: &[u8], is_synced: bool) -> io::Result<()> {
        let unfinished = format!("{name}.new");
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY;
        let file = self.file(&unfinished, flags)?;
        file.write_all_at(contents, 0)?;
        if is_synced {
            file.sync_all()?;
        }
        renameat(&self.folder, unfinished, &self.folder, name)?;
        if is_synced {
            self.folder.sync_all()?;
        }
        Ok(())
    }
}

impl VolumeFile for File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    #[cfg(target_os = "linux")]
    fn read_cached_at(&self, bytes: &mut [u8], offset: u64) -> bool {
        let wanted = bytes.len();
        let parts = &mut [io::IoSliceMut::new(bytes)];
        let read = rustix::io::preadv2(self, parts, offset, rustix::io::ReadWriteFlags::NOWAIT);
        read == Ok(wanted)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn has_name(&self) -> io::Result<bool> {
        Ok(self.metadata()?.nlink() > 0)
    }
}
