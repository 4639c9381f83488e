//! Room: every byte is reserved before it is written, and victims go before the newcomer comes.

use std::sync::atomic::Ordering;

use larder_sdk::{Entry, Request};

use super::Tenant;
use crate::entry::Millis;
use crate::error::Error;
use crate::shard::{At, Shard, State};

/// An eviction frees this part of the tenant's memory beyond what is needed, so that not every write
/// has to evict.
const AHEAD_PART: u64 = 4096;
const AHEAD_BYTES_MIN: u64 = 4 * 1024;
const AHEAD_BYTES_MAX: u64 = 64 * 1024;

/// Steps of the wheel, each of up to sixteen entries, a shard and a step of maintenance.
const EXPIRY_STEPS_MAX: usize = 64;
/// Bytes that a step of maintenance evicts at most, a tenant.
const STEP_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes counted as used ahead of being written.
pub(super) struct Reserved<'t> {
    tenant: &'t Tenant,
    bytes: usize,
}

impl Reserved<'_> {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The reserved bytes, which the caller settles himself.
    pub(super) fn keep(self) -> usize {
        self.bytes
    }

    /// Replaces the reservation by what was written in fact.
    pub(super) fn settle(self, change: i64) {
        self.tenant.use_bytes(change - self.bytes as i64);
    }
}

impl Tenant {
    /// Counts a change of the bytes in use.
    pub(super) fn use_bytes(&self, change: i64) {
        if change != 0 {
            self.used_bytes.fetch_add(change as u64, Ordering::Relaxed);
        }
    }

    /// Reserves `bytes` for a write at `at`, evicting for them if need be.
    pub(super) fn reserve(&self, at: &At<'_>, bytes: usize) -> Result<Reserved<'_>, Error> {
        let reserved = Reserved {
            tenant: self,
            bytes,
        };
        if bytes == 0 {
            return Ok(reserved);
        }
        if bytes > self.entry_bytes_max() {
            // Refused by the shard with the right figures; nothing is evicted for it.
            return Ok(Reserved {
                tenant: self,
                bytes: 0,
            });
        }
        let used = self.used_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if used <= self.budget_bytes.load(Ordering::Relaxed) {
            return Ok(reserved);
        }
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        let newcomer = Entry {
            hash: at.hash as u32,
            size,
            priority: 0,
        };
        if self.make_room(self.shard_index(at.hash), Some(newcomer)) {
            return Ok(reserved);
        }
        reserved.settle(0);
        Err(Error::OutOfMemory)
    }

    /// Evicts until the budget is kept: from the fuller of shard `own` and another one, then from
    /// the others, round after round while that frees anything. Whether the budget is kept.
    fn make_room(&self, own: usize, newcomer: Option<Entry>) -> bool {
        let ahead = self.ahead_bytes();
        let first = self.fuller(own);
        loop {
            let mut freed_bytes = 0;
            for turn in 0..self.shards.len() {
                let over = self.over_bytes();
                if over == 0 {
                    return true;
                }
                let shard = &self.shards[(first + turn) % self.shards.len()];
                freed_bytes += self.evict(shard, over + ahead, newcomer);
            }
            if freed_bytes == 0 {
                return self.over_bytes() == 0;
            }
        }
    }

    /// Shard `own`, or another one in turn if that holds more: were it always the own one, nothing
    /// would keep the shards alike, and some would drift until they hold next to nothing.
    fn fuller(&self, own: usize) -> usize {
        let held = |shard: usize| self.shards[shard].state.lock().block_bytes();
        let next = self.next_shard.fetch_add(1, Ordering::Relaxed);
        let other = next as usize % self.shards.len();
        if held(other) > held(own) { other } else { own }
    }

    /// Evicts `bytes` from one shard, if it has them. Returns the bytes freed.
    fn evict(&self, shard: &Shard, bytes: u64, newcomer: Option<Entry>) -> u64 {
        let free = self
            .budget_bytes
            .load(Ordering::Relaxed)
            .saturating_sub(self.used());
        let held = shard.state.lock().block_bytes();
        let capacity_bytes = held + free / self.shards.len() as u64;
        let evicted = shard.evict(&Request {
            bytes,
            capacity_bytes,
            newcomer,
        });
        self.use_bytes(evicted.used_change);
        evicted.freed_bytes
    }

    fn ahead_bytes(&self) -> u64 {
        (self.memory_bytes / AHEAD_PART).clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn over_bytes(&self) -> u64 {
        self.used()
            .saturating_sub(self.budget_bytes.load(Ordering::Relaxed))
    }

    /// Tells a shard's evictor what happened, if it is free to listen; waits for it only where more
    /// events are waiting than may be left behind.
    pub(super) fn deliver(&self, shard: &Shard, waiting: usize) {
        let side = match waiting < State::EVENTS_MAX {
            true => shard.evictor.try_lock(),
            false => Some(shard.evictor.lock()),
        };
        if let Some(mut side) = side {
            self.use_bytes(shard.drain(&mut side));
        }
    }

    /// One bounded step of maintenance: expires, tells the evictors, evicts what the budget no
    /// longer allows. Whether more is waiting.
    pub(crate) fn maintain(&self, now: Millis) -> bool {
        let mut more = false;
        for shard in &self.shards {
            let mut state = shard.state.lock();
            more |= state.expire(now, EXPIRY_STEPS_MAX);
            let change = state.settle();
            let (waiting, garbage) = (state.events_waiting(), state.take_garbage());
            drop(state);
            self.use_bytes(change);
            garbage.free();
            if waiting > 0 {
                self.deliver(shard, waiting);
            }
        }
        let over = self.over_bytes().min(STEP_BYTES_MAX);
        if over > 0 {
            let next = self.next_shard.fetch_add(1, Ordering::Relaxed);
            let shard = &self.shards[next as usize % self.shards.len()];
            self.evict(shard, over, None);
        }
        more || self.over_bytes() > 0 && self.stats_entries() > 0
    }

    fn stats_entries(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.state.lock().stats().entries_total())
            .sum()
    }

    /// Sets what the tenant may use at the moment.
    pub(crate) fn set_budget(&self, bytes: u64) {
        self.budget_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn budget(&self) -> u64 {
        self.budget_bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
