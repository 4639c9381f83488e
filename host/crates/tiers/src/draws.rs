//! Numbers that follow from a seed, for whoever asks next, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// See the module.
pub(crate) struct Draws {
    seed: u64,
    drawn: AtomicU64,
}

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: AtomicU64::new(0),
        }
    }

    /// A number, any as likely as others.
    pub(crate) fn next(&self) -> u64 {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        xxh3_64_with_seed(&number.to_le_bytes(), self.seed)
    }
}
