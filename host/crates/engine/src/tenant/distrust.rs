//! What others have changed below, or may have.

use super::{Locked, Tenant};
use crate::entry::{Key, Millis};

impl Tenant {
    /// Another host has changed a key below. What is in memory of it goes, without a word to what lies below; those who
    /// watch it, follow it or wait for its lease are told, and what was found below before does not come into memory.
    pub fn forget(&self, key: Key<'_>, now: Millis) {
        if let Some(below) = &self.below {
            below.changed_elsewhere(Some(key));
        }
        let mut at = self.at(key, now);
        let (_, mut state) = self.enter(key, &mut at);
        state.forget(&at);
        let (change, garbage) = (state.settle(), state.take_garbage());
        drop(state);
        self.use_bytes(change);
        garbage.free();
    }

    /// Others may have changed anything below. No entry that is in memory now is found again before what lies below was asked
    /// for it; where that cannot be asked, it stays. `are_to_go`: it can be, so entries that nobody asks for go in time.
    pub fn distrust(&self, are_to_go: bool) {
        if let Some(below) = &self.below {
            below.changed_elsewhere(None);
        }
        for shard in &self.shards {
            let mut state = shard.state.lock();
            state.distrust(are_to_go);
            let (change, garbage) = (state.settle(), state.take_garbage());
            drop(state);
            self.use_bytes(change);
            garbage.free();
        }
        self.changes.tell_emptied(None);
    }
}

impl Locked<'_> {
    /// What lies below was asked for a key, which must be among those locked, and has nothing.
    pub fn drop_suspect(&mut self, key: Key<'_>, now: Millis) {
        let at = self.tenant().at(key, now);
        if let Some(state) = self.state(at.hash) {
            state.drop_suspect(&at);
        }
    }

    /// What lies below could not be asked for a key, which must be among those locked: what memory has of it is as good as
    /// ever. Whether it has something.
    pub fn trust(&mut self, key: Key<'_>, now: Millis) -> bool {
        let at = self.tenant().at(key, now);
        let state = self.state(at.hash);
        state.is_some_and(|state| {
            state.trust(&at);
            state.live_slot(&at).is_some()
        })
    }
}

#[cfg(test)]
mod tests;
