//! What others have changed below, or may have.

use parking_lot::MutexGuard;

use super::{Locked, Tenant};
use crate::entry::{Key, Millis};
use crate::shard::State;

impl Tenant {
    /// Another host has changed a key below. What is in memory of it goes; those who watch it, follow it or wait for its
    /// lease are told, and what was found below before does not come into memory. Whether it is done: where it is not to
    /// wait, not while somebody holds the key's shard.
    pub fn forget(&self, key: Key<'_>, now: Millis, waits: bool) -> bool {
        // Nothing exchanges databases where something lies below.
        let at = self.at(key, now);
        let shard = self.shard_of(at.hash);
        let state = match waits {
            true => Some(shard.state.lock()),
            false => shard.state.try_lock(),
        };
        let Some(mut state) = state else {
            return false;
        };
        if let Some(below) = &self.below {
            below.changed_elsewhere(Some(key));
        }
        state.forget(&at);
        self.give_back(state);
        true
    }

    /// Others may have changed anything below. No entry that is in memory now is found again before what lies below was asked
    /// for it; where that cannot be asked, it is found as ever, for as long as it says ([`crate::below::Below::stale_ms_max`]).
    /// `are_to_go`: it can be, so entries that nobody asks for go in time.
    pub fn distrust(&self, are_to_go: bool, now: Millis) {
        if let Some(below) = &self.below {
            below.changed_elsewhere(None);
        }
        self.doubt(None, |state| state.distrust(are_to_go, now));
    }

    /// As [`Self::distrust`], of what came into memory while nobody tells what others do. What goes on meanwhile, loads,
    /// leases and watches, does so: it would never end otherwise.
    pub fn distrust_again(&self, now: Millis) {
        self.doubt(None, |state| state.suspect_all(false, now));
    }

    /// As [`Self::distrust`], where others have removed keys of a database, or of all, that begin so: of these alone.
    pub fn distrust_cleared(&self, db: Option<u8>, prefix: &[u8], now: Millis) {
        if let Some(below) = &self.below {
            below.changed_elsewhere(None);
        }
        self.doubt(db, |state| state.distrust_cleared(db, prefix, now));
    }

    /// Those shards come last that are held by somebody for longer.
    fn doubt(&self, db: Option<u8>, doubt: impl Fn(&mut State)) {
        let mut held = Vec::new();
        for shard in &self.shards {
            match shard.state.try_lock() {
                None => held.push(shard),
                Some(mut state) => {
                    doubt(&mut state);
                    self.give_back(state);
                }
            }
        }
        for shard in held {
            let mut state = shard.state.lock();
            doubt(&mut state);
            self.give_back(state);
        }
        self.changes.tell_emptied(db);
    }

    fn give_back(&self, mut state: MutexGuard<'_, State>) {
        let (change, garbage) = (state.settle(), state.take_garbage());
        drop(state);
        self.use_bytes(change);
        garbage.free();
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

    /// What lies below could not be asked for a key, which must be among those locked: what memory has of it is found until
    /// the shards are given back, if it may still be answered. Whether it has something.
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
