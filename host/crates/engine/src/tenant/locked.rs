//! Several keys at once: what must be atomic over them holds all their shards.

use larder_sdk::Slot;
use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::guest::Guests;
use super::{Tenant, check_key};
use crate::edit::{Access, Edit};
use crate::entry::{Entry, Key, Millis};
use crate::error::Error;
use crate::shard::{At, Garbage, Refusal, State};

/// The shards of some keys, locked until dropped. Operations are as on [`Tenant`]; on other keys
/// they find nothing and change nothing.
pub struct Locked<'t> {
    tenant: &'t Tenant,
    /// In ascending order of the shards, which keeps two of them from waiting for each other.
    pub(super) states: SmallVec<[(usize, MutexGuard<'t, State>); 8]>,
    /// Reserved for what is to be written, and not used for it yet.
    room_bytes: usize,
    /// Reads leave no trace.
    pub(super) is_quiet: bool,
    /// How often an entry was looked for and not found.
    pub(super) missed: usize,
    /// What was found below and has no place in memory.
    pub(super) guests: Guests,
}

impl Tenant {
    /// Locks the shards of all `keys`, in ascending order. `bytes_hint` is the sum of the values
    /// that are to be written; room for them is made first.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::OutOfMemory`].
    pub fn lock<'k>(
        &self,
        keys: impl IntoIterator<Item = Key<'k>>,
        bytes_hint: usize,
        now: Millis,
    ) -> Result<Locked<'_>, Error> {
        let mut shards: SmallVec<[usize; 16]> = SmallVec::new();
        let mut first = None;
        let places = self.places.look();
        for key in keys {
            check_key(key)?;
            let at = self.at_by(places, key, now);
            first.get_or_insert(at.hash);
            shards.push(self.shard_index(at.hash));
        }
        let mut room_bytes = 0;
        if let Some(hash) = first.filter(|_| bytes_hint > 0) {
            // What exceeds one entry's bound is made room for as it is written.
            let bytes = bytes_hint.min(self.entry_bytes_max());
            let at = At {
                hash,
                key: Key::new(0, b""),
                now,
            };
            room_bytes = self.reserve(&at, bytes, None)?.keep();
        }
        shards.sort_unstable();
        shards.dedup();
        let locked = self.hold(shards.into_iter(), room_bytes);
        let is_where_it_was = |(_, state): &(_, MutexGuard<'_, State>)| state.places() == places;
        if locked.states.first().is_none_or(is_where_it_was) {
            return Ok(locked);
        }
        // Databases have changed places meanwhile: wherever the keys are now, it is among all.
        drop(locked);
        Ok(self.lock_all())
    }

    /// Locks all shards, in ascending order.
    pub fn lock_all(&self) -> Locked<'_> {
        self.hold(0..self.shards.len(), 0)
    }

    /// Locks the shards of those numbers, which ascend.
    fn hold(&self, shards: impl Iterator<Item = usize>, room_bytes: usize) -> Locked<'_> {
        Locked {
            tenant: self,
            states: shards
                .map(|number| (number, self.shards[number].state.lock()))
                .collect(),
            room_bytes,
            is_quiet: false,
            missed: 0,
            guests: Guests::new(),
        }
    }
}

impl<'t> Locked<'t> {
    pub(super) fn tenant(&self) -> &'t Tenant {
        self.tenant
    }

    /// Whether a key's shard is among those held.
    pub fn holds(&self, key: Key<'_>) -> bool {
        let hash = self.tenant.at(key, 0).hash;
        self.holds_shard(self.tenant.shard_index(hash))
    }

    /// Whether all shards are held.
    pub fn holds_all(&self) -> bool {
        self.states.len() == self.tenant.shards.len()
    }

    /// Takes the shards that are not held yet, as far as nobody else holds them; it waits for none, as
    /// whoever holds one may wait for ours. Whether all are held now.
    pub fn try_hold_all(&mut self) -> bool {
        for (number, shard) in self.tenant.shards.iter().enumerate() {
            if !self.holds_shard(number) {
                let Some(state) = shard.state.try_lock() else {
                    break;
                };
                self.states.push((number, state));
            }
        }
        self.states.sort_unstable_by_key(|(number, _)| *number);
        self.holds_all()
    }

    /// Has two databases change places: what was in the one is in the other. All shards have to be held, and
    /// nothing may lie below, where entries are found by the numbers of their databases.
    pub fn exchange(&mut self, one: u8, other: u8) {
        debug_assert!(self.holds_all() && self.tenant.below().is_none());
        for (_, state) in &mut self.states {
            state.exchange(one, other);
        }
        let places = self.tenant.places.look().exchanged(one, other);
        self.tenant.places.change(places);
    }

    fn holds_shard(&self, number: usize) -> bool {
        self.states.iter().any(|(held, _)| *held == number)
    }

    /// As [`Tenant::get`].
    pub fn get<R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let at = self.tenant.at(key, now);
        if let Some(guest) = self.guest(&at) {
            return Some(read(guest));
        }
        let is_quiet = self.is_quiet;
        let found = self.state(at.hash).and_then(|state| match is_quiet {
            true => state.peek(&at, read),
            false => state.get(&at, read),
        });
        self.missed += usize::from(found.is_none());
        found
    }

    /// As [`Tenant::peek`].
    pub fn peek<R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let at = self.tenant.at(key, now);
        if let Some(guest) = self.guest(&at) {
            return Some(read(guest));
        }
        self.state(at.hash)?.peek(&at, read)
    }

    /// As [`Tenant::remove`].
    pub fn remove(&mut self, key: Key<'_>, now: Millis) -> bool {
        let at = self.tenant.at(key, now);
        let was_guest = self.dismiss(&at);
        let state = self.state(at.hash);
        state.is_some_and(|state| state.remove(&at)) || was_guest
    }

    /// As [`Tenant::update`]; if room is short, the fallback makes it.
    ///
    /// # Errors
    /// As [`Tenant::update`]; [`Error::OutOfMemory`] too where the key was not locked.
    pub fn update<'v, R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        access: Access,
        mut edit: impl FnMut(Option<Entry<'_>>) -> (Edit<'v>, R),
    ) -> Result<R, Error> {
        check_key(key)?;
        let at = self.tenant.at(key, now);
        let access = if self.is_quiet {
            access.quiet()
        } else {
            access
        };
        if let Some(guest) = self.guest(&at) {
            let (edit, result) = edit(Some(guest));
            return self.update_guest(&at, access, &edit).map(|()| result);
        }
        self.with_room(&at, |state, room_bytes| {
            state.update(&at, access, room_bytes, &mut edit)
        })
    }

    /// Has `write` change the state of a key's shard, and makes the room that it turns out to need.
    pub(super) fn with_room<R>(
        &mut self,
        at: &At<'_>,
        mut write: impl FnMut(&mut State, usize) -> Result<R, Refusal>,
    ) -> Result<R, Error> {
        let mut needed = 0;
        // The first try learns what is needed; the second has it, as nothing else moves meanwhile.
        for _ in 0..2 {
            if needed > self.room_bytes {
                self.make_room(at, needed - self.room_bytes)?;
            }
            let room_bytes = self.room_bytes;
            let state = self.state(at.hash).ok_or(Error::OutOfMemory)?;
            let outcome = write(state, room_bytes);
            let change = state.settle();
            self.room_bytes -= change.clamp(0, room_bytes as i64) as usize;
            self.tenant
                .use_bytes(change - (room_bytes - self.room_bytes) as i64);
            match outcome {
                Ok(result) => return Ok(result),
                Err(Refusal::Never(error)) => return Err(error),
                Err(Refusal::Short { bytes }) => needed = bytes,
            }
        }
        Err(Error::OutOfMemory)
    }

    pub(super) fn state(&mut self, hash: u64) -> Option<&mut State> {
        let shard = self.tenant.shard_index(hash);
        let found = self.states.binary_search_by_key(&shard, |(i, _)| *i).ok()?;
        Some(&mut *self.states[found].1)
    }

    /// Reserves `bytes` more, evicting from the fullest of the shards held, then from the others, then from those that
    /// are free. Were it always the same one, it would be emptied for all that is written while they are held.
    fn make_room(&mut self, at: &At<'_>, bytes: usize) -> Result<(), Error> {
        self.tenant.use_bytes(bytes as i64);
        let held = 0..self.states.len();
        let fullest = held
            .clone()
            .max_by_key(|place| self.states[*place].1.block_bytes());
        for place in fullest.into_iter().chain(held) {
            let (_, state) = &mut self.states[place];
            let keep = state.slot_of(at);
            self.tenant.evict_over(state, keep);
        }
        for (i, shard) in self.tenant.shards.iter().enumerate() {
            if self.tenant.over_bytes() == 0 {
                break;
            }
            if self
                .states
                .binary_search_by_key(&i, |(held, _)| *held)
                .is_ok()
            {
                continue;
            }
            if let Some(mut state) = shard.state.try_lock() {
                self.tenant.evict_over(&mut state, None);
            }
        }
        if self.tenant.over_bytes() > 0 {
            self.tenant.use_bytes(-(bytes as i64));
            if let Some(state) = self.state(at.hash) {
                state.count_refused();
            }
            return Err(Error::OutOfMemory);
        }
        self.room_bytes += bytes;
        Ok(())
    }
}

impl Tenant {
    /// Evicts from a shard until the budget is kept or nothing is left but `keep`. More than once, as
    /// the removals are noted, and what they are noted in may grow.
    fn evict_over(&self, state: &mut State, keep: Option<Slot>) {
        loop {
            let over = self.over_bytes();
            if over == 0 || state.evict_fallback(over, keep) == 0 {
                return;
            }
            self.use_bytes(state.settle());
            // At once, lock or not: what follows may write as much again.
            state.take_garbage().free();
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        for block in std::mem::take(&mut self.guests).into_values() {
            block.free(self.tenant.classes);
        }
        let mut change = -(self.room_bytes as i64);
        let mut garbage: SmallVec<[Garbage; 8]> = SmallVec::new();
        let mut waiting: SmallVec<[(usize, usize); 8]> = SmallVec::new();
        for (i, mut state) in self.states.drain(..) {
            state.trusted = Vec::new();
            change += state.settle();
            garbage.push(state.take_garbage());
            waiting.push((i, state.events_waiting()));
        }
        self.tenant.use_bytes(change);
        garbage.into_iter().for_each(Garbage::free);
        for (i, waiting) in waiting {
            // Of several shards those that are not prompt would take several times the time of one.
            let shard = &self.tenant.shards[i];
            let due = match shard.is_prompt() {
                true => State::NOTES_DUE,
                false => State::EVENTS_MAX,
            };
            if waiting >= due {
                self.tenant.deliver(shard, waiting);
            }
        }
    }
}
