//! foyer's hybrid cache, with as little memory as it makes sense to give it.

use std::path::Path;

use anyhow::Result;
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy,
};
use tokio::runtime::{Builder, Runtime};

use super::store::{Store, key, number, value};

const MEMORY_BYTES: usize = 16 << 20;

pub(super) struct Foyer {
    cache: HybridCache<Vec<u8>, Vec<u8>>,
    runtime: Runtime,
    value_bytes: u64,
}

impl Foyer {
    pub(super) fn open(folder: &Path, bytes_max: u64, value_bytes: u64) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let cache = runtime.block_on(async {
            let device = FsDeviceBuilder::new(folder)
                .with_capacity(bytes_max as usize)
                .build()?;
            HybridCacheBuilder::new()
                .with_policy(HybridCachePolicy::WriteOnInsertion)
                .memory(MEMORY_BYTES)
                .with_weighter(|key: &Vec<u8>, value: &Vec<u8>| key.len() + value.len())
                .storage()
                .with_engine_config(BlockEngineConfig::new(device).with_tombstone_log(true))
                .build()
                .await
        })?;
        Ok(Self {
            cache,
            runtime,
            value_bytes,
        })
    }
}

impl Store for Foyer {
    fn put(&self, numbers: &[u64]) -> Result<()> {
        for number in numbers {
            self.cache
                .insert(key(*number), value(*number, self.value_bytes));
        }
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
