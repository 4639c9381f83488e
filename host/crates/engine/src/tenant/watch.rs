//! Optimistic transactions: a key is watched, and later asked whether it was changed.

use std::sync::Arc;

use super::{Locked, Tenant};
use crate::entry::{Key, Millis};

/// A watched key. Ends when dropped, which locks its shard.
pub struct Watch {
    tenant: Arc<Tenant>,
    db: u8,
    key: Box<[u8]>,
    /// By the place that its database had when the watch began.
    hash: u64,
    changes: u64,
}

impl Tenant {
    /// Begins to watch a key.
    pub fn watch(self: &Arc<Self>, key: Key<'_>, now: Millis) -> Watch {
        let mut at = self.at(key, now);
        let (_, mut state) = self.enter(key, &mut at);
        // What has expired is gone before the watch begins, and does not count as a change.
        state.peek(&at, |_| ());
        Watch {
            tenant: Arc::clone(self),
            db: key.db,
            key: key.bytes.into(),
            hash: at.hash,
            changes: state.watches().add(at.hash, at.key.db),
        }
    }
}

impl Watch {
    /// The key that is watched.
    pub fn key(&self) -> Key<'_> {
        Key::new(self.db, &self.key)
    }
}

impl Locked<'_> {
    /// Whether a watched key, which must be among those locked, is as it was. One that has expired
    /// meanwhile is not, nor is one whose database has changed places.
    pub fn is_unchanged(&mut self, watch: &Watch, now: Millis) -> bool {
        self.peek(watch.key(), now, |_| ());
        let state = self.state(watch.hash);
        state.and_then(|state| state.watches().changes(watch.hash)) == Some(watch.changes)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tenant
            .shard_of(self.hash)
            .state
            .lock()
            .watches()
            .remove(self.hash);
    }
}
