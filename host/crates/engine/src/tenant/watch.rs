//! Optimistic transactions: a key is watched, and later asked whether it was changed.

use super::{Locked, Tenant};
use crate::entry::{Key, Millis};

/// A watched key. Ends when dropped.
pub struct Watch<'t> {
    tenant: &'t Tenant,
    hash: u64,
    changes: u64,
}

impl Tenant {
    /// Begins to watch a key.
    pub fn watch(&self, key: Key<'_>, now: Millis) -> Watch<'_> {
        let at = self.at(key, now);
        let mut state = self.shard_of(at.hash).state.lock();
        // What has expired is gone before the watch begins, and does not count as a change.
        state.peek(&at, |_| ());
        Watch {
            tenant: self,
            hash: at.hash,
            changes: state.watches().add(at.hash),
        }
    }
}

impl Locked<'_> {
    /// Whether a watched key, which must be among those locked, is as it was.
    pub fn is_unchanged(&mut self, watch: &Watch<'_>) -> bool {
        let state = self.state(watch.hash);
        state.and_then(|state| state.watches().changes(watch.hash)) == Some(watch.changes)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.tenant
            .shard_of(self.hash)
            .state
            .lock()
            .watches()
            .remove(self.hash);
    }
}
