//! How an entry stands: what an operator wants to know who asks why it is still there.

use super::{Locked, Tenant};
use crate::entry::{Key, Millis};

/// Entries that one is compared with.
const SAMPLES: usize = 100;

/// How an entry stands for eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its shard, from 0.
    pub shard: usize,
    /// Its slot there.
    pub slot: u32,
    /// Bytes it takes.
    pub bytes: usize,
    /// Milliseconds since it was last read or written, in steps of 16.
    pub idle_ms: u64,
    /// Entries of its shard that it was compared with, drawn at random.
    pub samples: usize,
    /// Of them, those idle for longer.
    pub idle_longer: usize,
}

impl Tenant {
    /// How the entry of `key` stands, if it is there. Leaves no trace.
    pub fn standing(&self, key: Key<'_>, now: Millis) -> Option<Standing> {
        let mut at = self.at(key, now);
        let (_, mut state) = self.enter(key, &mut at);
        let shard = self.shard_index(at.hash);
        state
            .standing(&at, SAMPLES)
            .map(|standing| Standing { shard, ..standing })
    }
}

impl Locked<'_> {
    /// As [`Tenant::standing`].
    pub fn standing(&mut self, key: Key<'_>, now: Millis) -> Option<Standing> {
        let at = self.tenant().at(key, now);
        let shard = self.tenant().shard_index(at.hash);
        self.state(at.hash)?
            .standing(&at, SAMPLES)
            .map(|standing| Standing { shard, ..standing })
    }
}
