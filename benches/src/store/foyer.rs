//! The memory of foyer with S3-FIFO, otherwise its defaults.

use std::sync::Arc;

use foyer::{Cache, CacheBuilder, CacheProperties, S3FifoConfig};

use super::{Shape, Store, VALUE_BYTES, copy, weigh};

/// The cache.
pub(crate) struct Foyer(Cache<Box<[u8]>, Arc<[u8]>>);

impl Foyer {
    pub(crate) fn new(shape: Shape) -> Self {
        let builder = CacheBuilder::new(shape.weight_max() as usize)
            .with_eviction_config(S3FifoConfig::default())
            .with_weighter(weigh::<Box<[u8]>, Arc<[u8]>>);
        Self(builder.build::<CacheProperties>())
    }
}

impl Store for Foyer {
    #[inline]
    fn get(&self, key: &[u8], _now: u64, out: &mut [u8; VALUE_BYTES]) -> bool {
        let entry = self.0.get(key);
        entry.is_some_and(|entry| copy(entry.value(), out))
    }

    #[inline]
    fn insert(&self, key: &[u8], value: &[u8], _now: u64) {
        self.0.insert(key.into(), value.into());
    }

    #[inline]
    fn remove(&self, key: &[u8], _now: u64) -> bool {
        self.0.remove(key).is_some()
    }

    fn entries(&self) -> u64 {
        self.0.entries() as u64
    }
}
