//! Watched keys: tells whether a key was changed since a client began to watch it.

use std::collections::HashMap;

/// The watched keys of a shard, by hash. Two keys with one hash are taken for one: a watcher may be
/// told of a change that was another key's, never the other way round.
#[derive(Default)]
pub(crate) struct Watches {
    keys: HashMap<u64, Watched>,
}

struct Watched {
    /// The place of its database.
    place: u8,
    watchers: usize,
    changes: u64,
}

impl Watches {
    /// Begins to watch; the answer is to be compared with [`Self::changes`] later.
    pub(crate) fn add(&mut self, hash: u64, place: u8) -> u64 {
        let watched = self.keys.entry(hash).or_insert(Watched {
            place,
            watchers: 0,
            changes: 0,
        });
        watched.watchers += 1;
        watched.changes
    }

    /// Changes since the first of those who watch the key now began.
    pub(crate) fn changes(&self, hash: u64) -> Option<u64> {
        self.keys.get(&hash).map(|watched| watched.changes)
    }

    /// Ends one watch.
    pub(crate) fn remove(&mut self, hash: u64) {
        if let Some(watched) = self.keys.get_mut(&hash) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                self.keys.remove(&hash);
            }
        }
    }

    /// Notes that a key was changed.
    #[inline]
    pub(crate) fn changed(&mut self, hash: u64) {
        if self.keys.is_empty() {
            return;
        }
        if let Some(watched) = self.keys.get_mut(&hash) {
            watched.changes += 1;
        }
    }

    /// Notes that all keys in a place, or in all, count as changed.
    pub(crate) fn all_changed(&mut self, place: Option<u8>) {
        let watched = self.keys.values_mut();
        let is_there = |watched: &&mut Watched| place.is_none_or(|place| place == watched.place);
        for watched in watched.filter(is_there) {
            watched.changes += 1;
        }
    }
}
