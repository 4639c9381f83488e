//! Fuzz body of the disk: any changes, and any damage to its files while it is closed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_engine::tier::{Stored, Tier, TierChange, TierError, TierKey, TierKeyBuf};
use larder_tiers::Plain;
use larder_tiers::conformance::tell;
use larder_tiers::disk::{BYTES_MIN, Disk, DiskOptions, OpenError};
use tokio::runtime::{Builder, Runtime};

const NOW: u64 = 1_700_000_000_000;

/// Takes four bytes for each operation, and compares with a model: whatever happens to the files, a value that was
/// replaced, deleted or cleared never comes back, and what is found damaged is gone for good.
///
/// # Panics
/// When a wrong value is read, or one is lost without damage.
pub fn disk(data: &[u8]) {
    let mut world = World::new();
    for operation in data.as_chunks::<4>().0 {
        world.step(*operation);
    }
    world.reopen(|_| ());
}

struct World {
    folder: tempfile::TempDir,
    runtime: Runtime,
    disk: Option<Disk>,
    /// What is under each key, where anything is.
    model: HashMap<TierKeyBuf, Box<[u8]>>,
    version: u64,
}

fn key(number: u8) -> TierKeyBuf {
    let bytes = &[number % 8];
    let (tenant, db) = (if number & 8 == 0 { "a" } else { "b" }, number >> 4 & 1);
    TierKey { tenant, db, bytes }.to_owned()
}

fn open(path: &Path) -> Result<Disk, OpenError> {
    let options = DiskOptions {
        folder: path.into(),
        bytes_max: BYTES_MIN,
        index_bytes_max: u64::MAX,
        sync_every: None,
    };
    Disk::open(&options, Arc::new(Plain), NOW)
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Builder::new_current_thread().enable_time().build();
        Self {
            disk: Some(open(folder.path()).expect("an empty folder opens")),
            runtime: runtime.expect("a runtime"),
            model: HashMap::new(),
            version: 0,
            folder,
        }
    }

    fn step(&mut self, [what, a, b, c]: [u8; 4]) {
        let at = u16::from_le_bytes([b, c]);
        match what % 16 {
            0..8 => self.put(key(a), usize::from(at) % 3000),
            8..11 => {
                self.model.remove(&key(a));
                self.write(TierChange::Delete(key(a)));
            }
            11 => {
                let TierKeyBuf { tenant, db, .. } = key(a);
                self.model
                    .retain(|key, _| (&key.tenant, key.db) != (&tenant, db));
                self.write(TierChange::Clear(tenant, Some(db)));
            }
            12 => self.reopen(|_| ()),
            13 => self.damage(a, |bytes| {
                if let Some(byte) = bytes.get_mut(usize::from(at)) {
                    *byte ^= 1 << ((what >> 4) % 8);
                }
            }),
            14 => self.damage(a, |bytes| bytes.truncate(usize::from(at))),
            _ => self.damage(a, |bytes| {
                let from = usize::from(at).min(bytes.len());
                bytes.truncate(from);
                bytes.extend([what, a, b, c].repeat(64));
            }),
        }
    }

    fn put(&mut self, key: TierKeyBuf, value_bytes: usize) {
        self.version += 1;
        let mut value = self.version.to_le_bytes().to_vec();
        value.resize(8 + value_bytes, 7);
        let stored = Stored {
            value: value.into(),
            ..Stored::default()
        };
        self.model.insert(key.clone(), stored.value.clone());
        self.write(TierChange::Put(key, Arc::new(stored)));
    }

    fn write(&self, change: TierChange) {
        let disk = self.disk.as_ref().expect("it is open");
        let results = self.runtime.block_on(tell(disk, &[change], NOW));
        assert_eq!(results, [Ok(())]);
    }

    fn read(&self, key: &TierKeyBuf) -> Option<Box<[u8]>> {
        let disk = self.disk.as_ref().expect("it is open");
        match self.runtime.block_on(disk.read(key, NOW)) {
            Ok(found) => found.map(|stored| stored.value),
            Err(TierError::Damaged(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Closes it, has something done to its files and opens it again. Everything is as it was.
    fn reopen(&mut self, between: impl FnOnce(&Path)) {
        if let Some(disk) = self.disk.take() {
            self.runtime.block_on(disk.close());
        }
        between(self.folder.path());
        self.disk = Some(open(self.folder.path()).expect("it opens again"));
        for key in (0..32).map(key) {
            assert_eq!(self.read(&key), self.model.get(&key).cloned(), "{key:?}");
        }
    }

    /// The same, but what is gone may be gone.
    fn damage(&mut self, which: u8, damage: impl FnOnce(&mut Vec<u8>)) {
        let model = std::mem::take(&mut self.model);
        let mut path = PathBuf::new();
        let mut whole = Vec::new();
        if let Some(disk) = self.disk.take() {
            self.runtime.block_on(disk.close());
        }
        let mut files: Vec<_> = fs::read_dir(self.folder.path())
            .expect("its folder")
            .map(|file| file.expect("a file").path())
            .filter(|file| !file.ends_with("lock"))
            .collect();
        files.sort();
        if let Some(file) = files.get(usize::from(which) % files.len()) {
            whole = fs::read(file).expect("its file");
            let mut bytes = whole.clone();
            damage(&mut bytes);
            fs::write(file, bytes).expect("its file");
            path.clone_from(file);
        }
        self.disk = match open(self.folder.path()) {
            // The version of the format was changed, and with it put back all is as before.
            Err(OpenError::Newer(..)) => {
                fs::write(&path, whole).expect("its file");
                open(self.folder.path()).ok()
            }
            opened => opened.ok(),
        };
        for (key, value) in model {
            if let Some(found) = self.read(&key) {
                assert_eq!(found, value, "{key:?}");
                self.model.insert(key, value);
            }
        }
    }
}
