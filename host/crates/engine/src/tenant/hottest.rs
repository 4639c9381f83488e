//! The hottest keys of a tenant: those that were read most often of late, as far as the evictor counts that, and of several
//! such the ones that were used last.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Tenant;
use crate::entry::Millis;

/// Slots that are looked at in a step: their keys are copied under the shard's lock.
const STEP_SLOTS: u32 = 256;
/// What a key takes here beside its bytes: its place in the heap, and what the allocator adds.
const ITEM_BYTES: usize = 48;
/// The bits of how long an entry has been idle; the reads stand above them.
const IDLE_BITS: u32 = 48;

/// How hot an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heat(u64);

impl Heat {
    /// One that was read so often of late, and last so long ago.
    pub(crate) fn new(reads: u32, idle_ms: u64) -> Self {
        let idle_max = (1 << IDLE_BITS) - 1;
        let reads = u64::from(reads).min(u64::MAX >> IDLE_BITS);
        Self(reads << IDLE_BITS | (idle_max - idle_ms.min(idle_max)))
    }
}

/// A key among the hottest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HotKey {
    /// Its database.
    pub db: u8,
    /// Its name.
    pub key: Box<[u8]>,
}

impl HotKey {
    /// What it counts for among [`Hottest`].
    pub fn bytes(&self) -> usize {
        self.key.len() + ITEM_BYTES
    }
}

/// The hottest keys of those that were offered: so many, and so many bytes, at most.
#[derive(Debug)]
pub struct Hottest {
    /// The coldest on top.
    keys: BinaryHeap<Reverse<(Heat, HotKey)>>,
    count_max: usize,
    bytes_max: usize,
    bytes: usize,
}

impl Hottest {
    /// Of none so far.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self {
            keys: BinaryHeap::new(),
            count_max,
            bytes_max,
            bytes: 0,
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The hottest first.
    pub fn into_keys(self) -> Vec<HotKey> {
        let sorted = self.keys.into_sorted_vec();
        sorted.into_iter().map(|Reverse((_, key))| key).collect()
    }

    pub(crate) fn offer(&mut self, heat: Heat, db: u8, key: &[u8]) {
        let bytes = key.len() + ITEM_BYTES;
        if bytes > self.bytes_max {
            return;
        }
        let is_full = self.keys.len() >= self.count_max || self.bytes + bytes > self.bytes_max;
        let coldest = self.keys.peek().map(|Reverse((coldest, _))| *coldest);
        if is_full && coldest.is_none_or(|coldest| heat <= coldest) {
            return;
        }
        self.bytes += bytes;
        let key = key.into();
        self.keys.push(Reverse((heat, HotKey { db, key })));
        while self.keys.len() > self.count_max || self.bytes > self.bytes_max {
            let Some(Reverse((_, coldest))) = self.keys.pop() else {
                return;
            };
            self.bytes -= coldest.key.len() + ITEM_BYTES;
        }
    }
}

/// How far a look at all entries has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HotCursor {
    shard: usize,
    slot: u32,
}

impl Tenant {
    /// One bounded step of looking for the hottest keys of a database, or of all. Returns where to go on, `None` when all
    /// was looked at. What comes or goes meanwhile may be missed.
    pub fn offer_hottest(
        &self,
        db: Option<u8>,
        at: HotCursor,
        now: Millis,
        hottest: &mut Hottest,
    ) -> Option<HotCursor> {
        let shard = self.shards.get(at.shard)?;
        let end = at.slot.saturating_add(STEP_SLOTS);
        self.use_bytes(shard.offer_hottest(at.slot..end, db, now, hottest));
        let next = match end < shard.state.lock().slots() {
            true => HotCursor { slot: end, ..at },
            false => HotCursor {
                shard: at.shard + 1,
                slot: 0,
            },
        };
        Some(next).filter(|next| next.shard < self.shards.len())
    }
}

#[cfg(test)]
mod tests;
