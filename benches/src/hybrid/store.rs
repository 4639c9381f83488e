//! The caches, each as a program would call it.

use std::path::Path;

use anyhow::Result;
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy,
};
use larder::Cache;
use tokio::runtime::{Builder, Runtime};

use super::Options;
use crate::disk::{key, number, value};

/// A cache of memory and disk.
pub(super) trait Store {
    /// Keeps an entry.
    fn put(&self, number: u64) -> Result<()>;

    /// The number that the entry's value tells, if there is one.
    fn get(&self, number: u64) -> Result<Option<u64>>;

    /// Ends it well.
    fn close(self: Box<Self>) -> Result<()>;
}

/// Which cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `larder::Cache`: what is written is on disk when the call is over.
    Larder,
    /// foyer's hybrid cache, writing to its disk on insertion, some time later.
    Foyer,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Larder, Self::Foyer];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Larder => "larder::Cache s3-fifo",
            Self::Foyer => "foyer hybrid lru",
        }
    }

    pub(super) fn open(self, folder: &Path, options: &Options) -> Result<Box<dyn Store>> {
        let memory_bytes = options.memory_mib << 20;
        let disk_bytes = (options.entries * (options.value_bytes + 100) * 2).max(64 << 20);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let value_bytes = options.value_bytes;
        Ok(match self {
            Self::Larder => Box::new(Larder {
                cache: Cache::builder(memory_bytes)
                    .disk(folder, disk_bytes)
                    // As the other's, which leaves values as they are.
                    .compress(false)
                    .build()?,
                runtime,
                value_bytes,
            }),
            Self::Foyer => {
                let device = FsDeviceBuilder::new(folder).with_capacity(disk_bytes as usize);
                let builder = HybridCacheBuilder::new()
                    .with_policy(HybridCachePolicy::WriteOnInsertion)
                    .memory(memory_bytes as usize)
                    .with_weighter(|key: &Vec<u8>, value: &Vec<u8>| key.len() + value.len())
                    .storage()
                    .with_engine_config(BlockEngineConfig::new(device.build()?));
                Box::new(Foyer {
                    cache: runtime.block_on(builder.build())?,
                    runtime,
                    value_bytes,
                })
            }
        })
    }
}

struct Larder {
    cache: Cache,
    runtime: Runtime,
    value_bytes: u64,
}

impl Store for Larder {
    fn put(&self, number: u64) -> Result<()> {
        let (key, value) = (key(number), value(number, self.value_bytes));
        let set = self.cache.set(&key, &value, None);
        Ok(self.runtime.block_on(set)?)
    }

    fn get(&self, wanted: u64) -> Result<Option<u64>> {
        let found = self.runtime.block_on(self.cache.get(&key(wanted)))?;
        Ok(found.and_then(|found| number(&found)))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

struct Foyer {
    cache: HybridCache<Vec<u8>, Vec<u8>>,
    runtime: Runtime,
    value_bytes: u64,
}

impl Store for Foyer {
    fn put(&self, number: u64) -> Result<()> {
        self.cache
            .insert(key(number), value(number, self.value_bytes));
        Ok(())
    }

    fn get(&self, wanted: u64) -> Result<Option<u64>> {
        let found = self
            .runtime
            .block_on(async { self.cache.get(&key(wanted)).await })?;
        Ok(found.and_then(|found| number(found.value())))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.runtime.block_on(self.cache.close())?)
    }
}
