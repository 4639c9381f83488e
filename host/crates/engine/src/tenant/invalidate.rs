//! Many entries that go at once.

use std::sync::atomic::Ordering;

use super::Tenant;
use crate::stats::Invalidation;
use crate::tags::{Invalidated, KNOWN_MAX};

/// A tag that is known may take this part of its tenant's memory.
const TAG_PART: u64 = 2048;
/// Slots looked at for void entries while a shard is locked, and how often in a step of maintenance.
const SWEPT_SLOTS: u32 = 1024;
const SWEPT_LOCKS: usize = 4;

/// How far void entries were removed that nobody has asked for.
pub(super) struct Sweep {
    /// The stamp of the last invalidation before it began.
    begun: u64,
    /// Shard and slot where it goes on; `None` when it is done.
    at: Option<(usize, u32)>,
}

impl Sweep {
    /// One that is done: there were no entries at that stamp.
    pub(super) fn new(now: u64) -> Self {
        Self {
            begun: now,
            at: None,
        }
    }
}

impl Tenant {
    /// Every entry that has one of these tags, and was written before, is void: it is found no more, and removed in
    /// maintenance. What is below is as void. Locks no shard.
    pub fn invalidate_tags<'t>(&self, tags: impl IntoIterator<Item = &'t [u8]>) {
        let tags: Vec<_> = tags.into_iter().collect();
        let change = self.tags.invalidate(tags.iter().copied(), self.known_max());
        self.use_bytes(change);
        self.count_invalidation(Invalidation::Tag);
        if let Some(below) = &self.below {
            below.tags_invalidated(&tags);
        }
    }

    /// Another host has invalidated tags, or the same is told again.
    pub fn learn_tags(&self, learned: &Invalidated) {
        let Some(change) = self.tags.learn(learned, self.known_max()) else {
            return;
        };
        self.use_bytes(change);
        if let Some(below) = &self.below {
            below.tags_learned();
        }
    }

    /// The stamp of the last invalidation that is known.
    pub fn tags_now(&self) -> u64 {
        self.tags.now()
    }

    fn known_max(&self) -> usize {
        (self.share_bytes / TAG_PART).clamp(1, KNOWN_MAX as u64) as usize
    }

    /// Counts an invalidation.
    pub fn count_invalidation(&self, kind: Invalidation) {
        self.invalidations[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn invalidations(&self) -> [u64; Invalidation::ALL.len()] {
        Invalidation::ALL.map(|kind| self.invalidations[kind as usize].load(Ordering::Relaxed))
    }

    /// One bounded step of removing void entries, if something was invalidated since all were looked at.
    pub(super) fn sweep(&self) {
        let mut sweep = self.sweep.lock();
        let now = self.tags.now();
        if sweep.at.is_none() && sweep.begun != now {
            *sweep = Sweep {
                begun: now,
                at: Some((0, 0)),
            };
        }
        for _ in 0..SWEPT_LOCKS {
            let Some((number, slot)) = sweep.at else {
                return;
            };
            let Some(shard) = self.shards.get(number) else {
                sweep.at = None;
                return;
            };
            let mut state = shard.state.lock();
            state.sweep(slot, SWEPT_SLOTS);
            let (change, slots) = (state.settle(), state.slots());
            let garbage = state.take_garbage();
            drop(state);
            self.use_bytes(change);
            garbage.free();
            let next = slot.saturating_add(SWEPT_SLOTS);
            sweep.at = Some(match next < slots {
                true => (number, next),
                false => (number + 1, 0),
            });
        }
    }
}

#[cfg(test)]
mod tests;
