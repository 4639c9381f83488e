//! moka with its defaults.

use std::sync::Arc;

use moka::sync::Cache;

use super::{Shape, Store, VALUE_BYTES, copy, weigh};

/// The cache.
pub(crate) struct Moka(Cache<Box<[u8]>, Arc<[u8]>>);

impl Moka {
    pub(crate) fn bounded(shape: Shape) -> Self {
        let builder = Cache::builder().weigher(|key, value| weigh(key, value) as u32);
        Self(builder.max_capacity(shape.weight_max()).build())
    }

    pub(crate) fn unbounded() -> Self {
        Self(Cache::builder().build())
    }
}

impl Store for Moka {
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
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}
