//! Room: every byte is reserved before it is written, and victims go before the newcomer comes.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use larder_sdk::{Entry, Request};

use super::Tenant;
use crate::entry::Millis;
use crate::error::Error;
use crate::evictor::Unfit;
use crate::shard::{At, Evicted, Shard, State};

/// An eviction frees this part of the tenant's memory beyond what is needed, so that not every write
/// has to evict; at least what a buffer of events takes when it grows, so that the evictor who was
/// asked need not be asked again.
const AHEAD_PART: u64 = 4096;
const AHEAD_BYTES_MIN: u64 = 16 * 1024;
const AHEAD_BYTES_MAX: u64 = 64 * 1024;

/// The least part of its share that a tenant may be left with.
const MEMORY_PART_MIN: u64 = 4;

/// Steps of the wheel, each of up to sixteen entries, a shard and a step of maintenance.
const EXPIRY_STEPS_MAX: usize = 64;
/// Bytes that a step of maintenance evicts at most, a tenant: what an evictor names in one answer, as
/// long as entries are not tiny.
const STEP_BYTES_MAX: u64 = 256 * 1024;

/// Bytes counted as used ahead of being written.
pub(super) struct Reserved<'t> {
    tenant: &'t Tenant,
    bytes: usize,
    /// An evictor that is not prompt was asked for them.
    pub(super) took_time: bool,
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

    /// Reserves `bytes` for a write at `at`, evicting for them if need be. `offered` is the priority
    /// of a write that the eviction policy may refuse.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; [`Error::Refused`] where the policy refuses it.
    pub(super) fn reserve(
        &self,
        at: &At<'_>,
        bytes: usize,
        offered: Option<u8>,
    ) -> Result<Reserved<'_>, Error> {
        let reserved = |bytes, took_time| Reserved {
            tenant: self,
            bytes,
            took_time,
        };
        // What is too large is refused by the shard with the right figures; nothing is evicted for it.
        if bytes == 0 || bytes > self.entry_bytes_max() {
            return Ok(reserved(0, false));
        }
        let used = self.used_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if used <= self.ceiling_bytes.load(Ordering::Relaxed) {
            return Ok(reserved(bytes, false));
        }
        let own = self.shard_index(at.hash);
        let is_new = || self.shards[own].state.lock().slot_of(at).is_none();
        let newcomer = offered.filter(|_| is_new()).map(|priority| Entry {
            hash: at.hash as u32,
            size: u32::try_from(bytes).unwrap_or(u32::MAX),
            priority,
        });
        match self.make_room(own, newcomer) {
            Ok(took_time) => Ok(reserved(bytes, took_time)),
            Err(error) => {
                self.use_bytes(-(bytes as i64));
                if error == Error::OutOfMemory {
                    self.shards[own].state.lock().count_refused();
                }
                Err(error)
            }
        }
    }

    /// Evicts until the ceiling is kept: from the fuller of shard `own` and another one, then from
    /// the others, round after round while that frees anything. After an offence of one evictor the
    /// others are not asked, and of those that are not prompt only one is, so that nobody waits for
    /// more than one. Whether one was asked that is not prompt. Only the evictor of the newcomer's own
    /// shard is told of it, as no other knows its hash.
    fn make_room(&self, own: usize, newcomer: Option<Entry>) -> Result<bool, Error> {
        let ahead = self.ahead_bytes();
        let first = self.fuller(own);
        let (mut may_ask, mut took_time, mut has_evicted) = (true, false, false);
        loop {
            let mut freed_bytes = 0;
            for turn in 0..self.shards.len() {
                let over = self.over_bytes();
                if over == 0 {
                    return Ok(took_time);
                }
                let number = (first + turn) % self.shards.len();
                let newcomer = newcomer.filter(|_| number == own && !has_evicted);
                let evicted = self.evict(&self.shards[number], over + ahead, newcomer, may_ask);
                if evicted.is_refused {
                    return Err(Error::Refused);
                }
                may_ask &= !evicted.is_offence && !evicted.took_time;
                took_time |= evicted.took_time;
                freed_bytes += evicted.freed_bytes;
                has_evicted |= evicted.freed_bytes > 0;
            }
            if freed_bytes == 0 {
                return match self.over_bytes() {
                    0 => Ok(took_time),
                    _ => Err(Error::OutOfMemory),
                };
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

    /// Evicts `bytes` from one shard, if it has them.
    fn evict(&self, shard: &Shard, bytes: u64, newcomer: Option<Entry>, may_ask: bool) -> Evicted {
        let free = self
            .ceiling_bytes
            .load(Ordering::Relaxed)
            .saturating_sub(self.used());
        let held = shard.state.lock().block_bytes();
        let capacity_bytes = held + free / self.shards.len() as u64;
        let request = Request {
            bytes,
            capacity_bytes,
            newcomer,
        };
        let evicted = shard.evict(&request, may_ask);
        self.use_bytes(evicted.used_change);
        evicted
    }

    fn ahead_bytes(&self) -> u64 {
        (self.memory_bytes() / AHEAD_PART).clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX)
    }

    /// Bytes counted against the budget, without a look at any shard.
    pub fn used(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of the budget that are not in use.
    pub fn free_bytes(&self) -> u64 {
        self.budget().saturating_sub(self.used())
    }

    /// Bytes in use above the ceiling: what whoever writes has to make room for.
    pub(super) fn over_bytes(&self) -> u64 {
        self.used()
            .saturating_sub(self.ceiling_bytes.load(Ordering::Relaxed))
    }

    /// Bytes in use above the budget: what maintenance has to evict.
    pub(crate) fn excess_bytes(&self) -> u64 {
        self.used().saturating_sub(self.budget())
    }

    /// Tells a shard's evictor what happened, if it is free to listen. One that was too busy to hear of
    /// more events than may be left behind is given up, or waited for if it is prompt.
    pub(super) fn deliver(&self, shard: &Shard, waiting: usize) {
        if waiting < State::EVENTS_MAX {
            self.deliver_if_free(shard);
            return;
        }
        let is_prompt = shard.is_prompt();
        let free = shard.evictor.try_lock();
        let was_busy = free.is_none();
        let mut side = free.unwrap_or_else(|| shard.evictor.lock());
        let still_waiting = shard.state.lock().events_waiting();
        let is_behind = was_busy && !is_prompt && still_waiting >= State::EVENTS_MAX;
        if is_behind && side.unfit().is_none() {
            let unfit = Unfit(format!(
                "it is too slow: {still_waiting} events wait for it"
            ));
            shard.give_up(&mut side, unfit);
        }
        self.use_bytes(shard.drain(&mut side));
    }

    /// Tells a shard's evictor what happened, if it is free to listen.
    fn deliver_if_free(&self, shard: &Shard) {
        if let Some(mut side) = shard.evictor.try_lock() {
            self.use_bytes(shard.drain(&mut side));
        }
    }

    /// One bounded step of maintenance: expires, tells the evictors, removes what is void or suspect, evicts what the budget no
    /// longer allows. Whether more is waiting.
    pub(crate) fn maintain(&self, now: Millis) -> bool {
        let mut more = false;
        for shard in &self.shards {
            let mut state = shard.state.lock();
            more |= state.expire(now, EXPIRY_STEPS_MAX);
            state.drop_late(now);
            state.drop_suspects(now);
            let change = state.settle();
            let (waiting, garbage) = (state.events_waiting(), state.take_garbage());
            drop(state);
            self.use_bytes(change);
            garbage.free();
            if waiting > 0 {
                self.deliver_if_free(shard);
            }
        }
        self.sweep();
        let excess = self.excess_bytes().min(STEP_BYTES_MAX);
        if excess > 0 {
            let next = self.next_shard.fetch_add(1, Ordering::Relaxed);
            let shard = &self.shards[next as usize % self.shards.len()];
            let evicted = self.evict(shard, excess, None, true);
            self.lower_ceiling(evicted.used_change.min(0).unsigned_abs());
        } else {
            // What clients removed themselves is no room for others.
            self.lower_ceiling(0);
        }
        more || self.excess_bytes() > 0 && self.has_evictable()
    }

    fn has_evictable(&self) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|shard| {
            let state = shard.state.lock();
            state.evictable() + state.ahead() > 0
        })
    }

    /// What [`Self::set_memory`] takes: from a quarter of the share to all of it, for which shards, evictors
    /// and the longest entry were made.
    pub fn memory_bounds(&self) -> RangeInclusive<u64> {
        self.share_bytes / MEMORY_PART_MIN..=self.share_bytes
    }

    /// Has the tenant do with other memory from now on. What is too much goes step by step, in
    /// maintenance. Whether that much is allowed.
    pub fn set_memory(&self, bytes: u64) -> bool {
        let is_allowed = self.memory_bounds().contains(&bytes);
        if is_allowed {
            self.memory_bytes.store(bytes, Ordering::Relaxed);
            self.set_budget(bytes);
        }
        is_allowed
    }

    /// Sets what the tenant may use at the moment. Where it uses more, maintenance brings it there.
    pub(crate) fn set_budget(&self, bytes: u64) {
        self.budget_bytes.store(bytes, Ordering::Relaxed);
        self.lower_ceiling(0);
    }

    /// Has the ceiling follow what was freed, down to the budget; what writers took meanwhile is theirs to
    /// make up for. It is never below the budget nor, but for that, below what is in use: so nobody who
    /// writes evicts more than their own need, however far the budget went down.
    fn lower_ceiling(&self, freed_bytes: u64) {
        let (budget, used) = (self.budget(), self.used());
        let lower = |ceiling: u64| Some(budget.max(used.min(ceiling.saturating_sub(freed_bytes))));
        // The closure always answers.
        let _ = self
            .ceiling_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower);
    }

    pub(crate) fn budget(&self) -> u64 {
        self.budget_bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
