//! Which keys a loader has just brought: no level has them, and one that is shared with others cannot say so.

use std::collections::HashSet;

use larder_engine::tier::TierKey;
use parking_lot::Mutex;

use crate::queue::hash_of;

/// Keys that wait to be admitted to memory. What is forgotten is in memory alone.
const KEYS_MAX: usize = 16_384;

/// See the module.
#[derive(Default)]
pub(crate) struct Brought(Mutex<HashSet<u64>>);

impl Brought {
    /// A loader brought the key of that hash.
    pub(crate) fn add(&self, hash: u64) {
        let mut keys = self.0.lock();
        if keys.len() == KEYS_MAX {
            // Nobody has taken them up.
            keys.clear();
        }
        keys.insert(hash);
    }

    /// Whether a loader brought it; the next time it did not.
    pub(crate) fn take(&self, key: TierKey<'_>) -> bool {
        self.0.lock().remove(&hash_of(key))
    }
}
