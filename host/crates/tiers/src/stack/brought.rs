//! Which keys a loader has just brought: a level that is shared with others cannot say whether it has them.

use std::collections::HashMap;

use larder_engine::below::Origin;
use larder_engine::tier::TierKey;
use parking_lot::Mutex;

use crate::queue::hash_of;

/// Keys that wait to be admitted to memory. What is forgotten is in memory alone.
const KEYS_MAX: usize = 16_384;

/// See the module.
#[derive(Default)]
pub(crate) struct Brought(Mutex<HashMap<u64, bool>>);

impl Brought {
    /// A loader brought the key of that hash, which no level has, if that is known.
    pub(crate) fn add(&self, hash: u64, is_known_absent: bool) {
        let mut keys = self.0.lock();
        if keys.len() == KEYS_MAX {
            // Nobody has taken them up.
            keys.clear();
        }
        keys.insert(hash, is_known_absent);
    }

    /// Where it came from; the next time no loader brought it.
    pub(crate) fn take(&self, key: TierKey<'_>) -> Origin {
        let brought = self.0.lock().remove(&hash_of(key));
        brought.map_or(Origin::Levels, |is_known_absent| Origin::Loader {
            is_known_absent,
        })
    }
}
