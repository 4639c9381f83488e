//! quick_cache with its defaults.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Shape, Store, VALUE_BYTES, copy, weigh};

#[derive(Clone)]
struct Bytes;

impl Weighter<Box<[u8]>, Arc<[u8]>> for Bytes {
    fn weight(&self, key: &Box<[u8]>, value: &Arc<[u8]>) -> u64 {
        weigh(key, value) as u64
    }
}

/// The cache.
pub(crate) struct Quick(Cache<Box<[u8]>, Arc<[u8]>, Bytes>);

impl Quick {
    pub(crate) fn new(shape: Shape) -> Self {
        let entries = shape.held.unwrap_or(shape.keys) as usize;
        Self(Cache::with_weighter(entries, shape.weight_max(), Bytes))
    }
}

impl Store for Quick {
    #[inline]
    fn get(&self, key: &[u8], _now: u64, out: &mut [u8; VALUE_BYTES]) -> bool {
        self.0.get(key).is_some_and(|value| copy(&value, out))
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
        self.0.len() as u64
    }
}
