//! How often the keys of one tenant have changed: who asks for a key takes part in a load of it as it is now, and in no older
//! one.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::Key;
use larder_engine::tier::TierKeyBuf;
use siphasher::sip::SipHasher13;

use crate::loads::Wanted;

/// Groups of keys that are told apart.
const GROUPS: usize = 4096;

/// See the module. What another tenant changes has no part in it: its loads are shared, and what is known to be absent stays
/// so, whatever others do.
pub(crate) struct Epochs {
    /// Who chooses keys is not to choose which share a group.
    seed: u64,
    groups: Box<[AtomicU64]>,
    /// How often all of them have.
    all: AtomicU64,
}

impl Epochs {
    /// Nothing has changed yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            groups: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
            all: AtomicU64::new(0),
        }
    }

    fn group(&self, key: Key<'_>) -> &AtomicU64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed, !self.seed);
        hasher.write_u8(key.db);
        hasher.write(key.bytes);
        &self.groups[hasher.finish() as usize % GROUPS]
    }

    /// A change of a key is on its way: whoever looks for it from now on takes no part in an older load. Not before: who
    /// comes with a change takes part in loads that were begun since, and these have to see it.
    pub(super) fn turn(&self, key: Key<'_>) {
        self.group(key).fetch_add(1, Ordering::Release);
    }

    /// Likewise of any key.
    pub(super) fn turn_all(&self) {
        self.all.fetch_add(1 << 32, Ordering::Release);
    }

    /// A key as it is now.
    pub(crate) fn wanted(&self, key: TierKeyBuf) -> Wanted {
        let all = self.all.load(Ordering::Acquire);
        let own = self.group(Key::new(key.db, &key.bytes));
        let own = own.load(Ordering::Acquire);
        (key, all.wrapping_add(own))
    }
}
