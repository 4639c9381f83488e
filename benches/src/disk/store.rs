//! What the stores have in common: entries that are numbered, with values that tell their number.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{fjall, foyer, larder};

/// Bytes of a key.
pub(super) const KEY_BYTES: u64 = 16;

/// A store on disk.
pub(super) trait Store: Sync {
    /// Puts the entries with these numbers, and returns when they are answered for, as far as the store ever does.
    fn put(&self, numbers: &[u64]) -> Result<()>;

    /// The number that the entry's value tells, if there is one.
    fn get(&self, number: u64) -> Result<Option<u64>>;

    /// Ends it well.
    fn close(self: Box<Self>) -> Result<()>;

    /// Memory of its index, where it tells.
    fn index_bytes(&self) -> Option<u64> {
        None
    }

    /// 1 if the entry is there, else 0.
    fn has(&self, number: u64) -> Result<u64> {
        Ok(u64::from(self.get(number)? == Some(number)))
    }
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Larder's disk tier.
    Larder,
    /// foyer's hybrid cache, with 16 MiB of memory, writing to its disk on insertion.
    Foyer,
    /// fjall, a tree of sorted files, which hands each batch to the operating system.
    Fjall,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Larder => "larder",
            Self::Foyer => "foyer",
            Self::Fjall => "fjall",
        }
    }

    /// The least bound that makes sense.
    pub(super) fn bytes_min(self) -> u64 {
        match self {
            Self::Larder => 1 << 20,
            Self::Foyer | Self::Fjall => 64 << 20,
        }
    }

    pub(super) fn open(
        self,
        folder: &Path,
        bytes_max: u64,
        value_bytes: u64,
    ) -> Result<Box<dyn Store>> {
        Ok(match self {
            Self::Larder => Box::new(larder::Larder::open(folder, bytes_max, value_bytes)?),
            Self::Foyer => Box::new(foyer::Foyer::open(folder, bytes_max, value_bytes)?),
            Self::Fjall => Box::new(fjall::Fjall::open(folder, value_bytes)?),
        })
    }
}

pub(crate) fn key(number: u64) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

/// Bytes that nothing can make shorter, behind the number.
pub(crate) fn value(number: u64, value_bytes: u64) -> Vec<u8> {
    let mut value = number.to_le_bytes().to_vec();
    let mut random = StdRng::seed_from_u64(number);
    value.resize_with(value_bytes as usize, || random.random());
    value
}

/// The number that a value tells.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*value.first_chunk()?))
}
