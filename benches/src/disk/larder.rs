//! Larder's disk tier.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use larder_engine::tier::{Stored, Tier, TierChange, TierKey, TierKeyBuf, Told};
use larder_tiers::Plain;
use larder_tiers::disk::{Disk, DiskOptions};
use tokio::runtime::{Builder, Runtime};

use super::store::{Store, number, value};

const NOW: u64 = 1_700_000_000_000;

/// A tier in a folder, and what it needs to be waited for.
pub(super) struct Larder {
    disk: Disk,
    runtime: Runtime,
    value_bytes: u64,
}

impl Larder {
    pub(super) fn open(folder: &Path, bytes_max: u64, value_bytes: u64) -> Result<Self> {
        let options = DiskOptions {
            folder: folder.into(),
            bytes_max,
            index_bytes_max: u64::MAX,
            sync_every: None,
        };
        Ok(Self {
            disk: Disk::open(&options, Arc::new(Plain), NOW)?,
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .enable_time()
                .build()?,
            value_bytes,
        })
    }
}

impl Store for Larder {
    fn put(&self, numbers: &[u64]) -> Result<()> {
        let put = |number: &u64| {
            let stored = Stored {
                value: value(*number, self.value_bytes).into(),
                ..Stored::default()
            };
            Told {
                change: TierChange::Put(key(*number), Arc::new(stored)),
                at: Instant::now(),
            }
        };
        let changes: Vec<_> = numbers.iter().map(put).collect();
        for result in self.runtime.block_on(self.disk.write(&changes, NOW)) {
            result?;
        }
        Ok(())
    }

    fn get(&self, wanted: u64) -> Result<Option<u64>> {
        let found = self.runtime.block_on(self.disk.read(&key(wanted), NOW))?;
        Ok(found.and_then(|found| number(&found.value)))
    }

    fn index_bytes(&self) -> Option<u64> {
        Some(self.disk.figures().index_bytes)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.runtime.block_on(self.disk.close());
        Ok(())
    }
}

fn key(number: u64) -> TierKeyBuf {
    TierKey {
        tenant: "t",
        db: 0,
        bytes: &super::store::key(number),
    }
    .to_owned()
}
