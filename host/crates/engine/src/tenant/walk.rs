//! Walks over all slots: SCAN and FLUSH; a look at any of them; figures.

use parking_lot::MutexGuard;

use super::{Locked, Tenant};
use crate::entry::Millis;
use crate::shard::{Scope, Shard, State};
use crate::stats::{Invalidation, TenantStats};
use crate::tier::TierError;

/// Bits of a cursor that name the shard; the slot stands above them.
const SHARD_BITS: u32 = 12;
/// Slots looked at for each entry wanted, where few are occupied.
const LOOKS_AN_ENTRY: usize = 16;
const LOOKS_MIN: usize = 256;
/// Bytes of keys that a visit shows: what is done with them takes its time under the shard's lock.
const KEY_BYTES: usize = 64 * 1024;
/// Slots flushed in one step.
const FLUSH_SLOTS: u32 = 1024;

/// How far a flush has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushCursor {
    /// Of the database that is emptied, as it was found: it is emptied there, wherever it goes.
    place: Option<u8>,
    shard: usize,
    slot: u32,
}

/// A cursor on its way.
struct Walk {
    db: u8,
    shard: usize,
    slot: u32,
    now: Millis,
    /// Entries and slots that may still be visited.
    count: usize,
    looks: usize,
    key_bytes: usize,
}

impl Walk {
    fn new(db: u8, cursor: u64, count: usize, now: Millis) -> Self {
        Self {
            db,
            shard: (cursor & ((1 << SHARD_BITS) - 1)) as usize,
            slot: u32::try_from(cursor >> SHARD_BITS).unwrap_or(u32::MAX),
            now,
            count: count.max(1),
            looks: count.saturating_mul(LOOKS_AN_ENTRY).max(LOOKS_MIN),
            key_bytes: KEY_BYTES,
        }
    }

    /// Visits what is left of the shard it is at, and goes on to the next. Where it ended before that, the cursor.
    fn visit(&mut self, state: &State, visit: &mut dyn FnMut(&[u8])) -> Option<u64> {
        while self.slot < state.slots() {
            if self.count == 0 || self.looks == 0 || self.key_bytes == 0 {
                return Some(u64::from(self.slot) << SHARD_BITS | self.shard as u64);
            }
            self.looks -= 1;
            if let Some(key) = state.visit(self.slot, self.db, self.now) {
                self.count -= 1;
                self.key_bytes = self.key_bytes.saturating_sub(key.len());
                visit(key);
            }
            self.slot += 1;
        }
        self.shard += 1;
        self.slot = 0;
        None
    }
}

impl Tenant {
    /// Visits the keys of about `count` live entries of `db`, less where keys are long, from `cursor` on (0: the beginning) and returns
    /// where to go on (0: done), below 2^53. An entry that is there from the first call to the last
    /// is visited; one that comes or goes meanwhile may be. `visit` runs under the shard's lock.
    pub fn scan(
        &self,
        db: u8,
        cursor: u64,
        count: usize,
        now: Millis,
        visit: &mut dyn FnMut(&[u8]),
    ) -> u64 {
        let mut walk = Walk::new(db, cursor, count, now);
        while let Some(shard) = self.shards.get(walk.shard) {
            if let Some(cursor) = walk.visit(&shard.state.lock(), visit) {
                return cursor;
            }
        }
        0
    }

    /// The key of a live entry of `db` by chance; `None` where there is none. Leaves no trace. `read` runs under the
    /// shard's lock. All slots of a shard are looked at where entries are few among them, one shard after
    /// another.
    pub fn random<R>(&self, db: u8, now: Millis, mut read: impl FnMut(&[u8]) -> R) -> Option<R> {
        let draw = |shard: &Shard| shard.state.lock().next_random() as usize;
        let first = self.shards.first().map_or(0, draw);
        let shards = (0..self.shards.len()).map(|turn| (first + turn) % self.shards.len());
        let mut found = shards.filter_map(|shard| {
            let mut state = self.shards[shard].state.lock();
            state.random_key(db, now).map(&mut read)
        });
        found.next()
    }

    /// One bounded step of removing every entry of `db` (or of all databases). Returns where to go
    /// on, `None` when all is done. What is written meanwhile may stay.
    pub fn flush(&self, db: Option<u8>, at: FlushCursor) -> Option<FlushCursor> {
        if at == FlushCursor::default()
            && let Some(below) = &self.below
        {
            self.begin_clearing(db, b"");
            below.clear(db);
        }
        let (place, next) = self.clear(db, b"", at)?;
        if next.is_none() {
            let db = place.map(|place| self.places.look().database_at(place));
            self.changes.tell_emptied(db);
        }
        next
    }

    /// As [`Self::flush`], of the keys of `db` that begin so.
    ///
    /// # Errors
    /// [`TierError::Refused`] where as many prefixes are being removed below as may be: nothing has changed.
    pub fn flush_prefix(
        &self,
        db: u8,
        prefix: &[u8],
        at: FlushCursor,
    ) -> Result<Option<FlushCursor>, TierError> {
        if at == FlushCursor::default() {
            if let Some(below) = &self.below {
                let scope = self.begin_clearing(Some(db), prefix);
                below.clear_prefix(db, prefix).inspect_err(|_| {
                    for shard in &self.shards {
                        shard.state.lock().end_clearing(scope);
                    }
                })?;
            }
            self.count_invalidation(Invalidation::Prefix);
        }
        Ok(self.clear(Some(db), prefix, at).and_then(|(_, next)| next))
    }

    /// What lies below is emptied first, so that what is written meanwhile stays there, too. Where something does, databases
    /// do not change places.
    fn begin_clearing<'p>(&self, db: Option<u8>, prefix: &'p [u8]) -> Scope<'p> {
        let scope = Scope { place: db, prefix };
        for shard in &self.shards {
            shard.state.lock().begin_clearing(scope);
        }
        scope
    }

    /// A step of it: in which place, and where to go on.
    fn clear(
        &self,
        db: Option<u8>,
        prefix: &[u8],
        at: FlushCursor,
    ) -> Option<(Option<u8>, Option<FlushCursor>)> {
        let shard = self.shards.get(at.shard)?;
        let mut state = shard.state.lock();
        let place = db.map(|db| at.place.unwrap_or(state.places().place_of(db)));
        state.clear(Scope { place, prefix }, at.slot, FLUSH_SLOTS);
        let change = state.settle();
        let (slots, waiting, garbage) =
            (state.slots(), state.events_waiting(), state.take_garbage());
        drop(state);
        self.use_bytes(change);
        garbage.free();
        self.deliver(shard, waiting);
        let slot = at.slot.saturating_add(FLUSH_SLOTS);
        let next = match slot < slots {
            true => FlushCursor {
                place,
                shard: at.shard,
                slot,
            },
            false => FlushCursor {
                place,
                shard: at.shard + 1,
                slot: 0,
            },
        };
        let next = Some(next).filter(|next| next.shard < self.shards.len());
        Some((place, next))
    }
}

/// As on [`Tenant`], over the shards that are held.
impl Locked<'_> {
    pub(super) fn scan(
        &mut self,
        db: u8,
        cursor: u64,
        count: usize,
        now: Millis,
        visit: &mut dyn FnMut(&[u8]),
    ) -> u64 {
        let mut walk = Walk::new(db, cursor, count, now);
        for (number, state) in &self.states {
            if *number < walk.shard {
                continue;
            }
            if *number > walk.shard {
                (walk.shard, walk.slot) = (*number, 0);
            }
            if let Some(cursor) = walk.visit(state, visit) {
                return cursor;
            }
        }
        0
    }

    pub(super) fn random<R>(
        &mut self,
        db: u8,
        now: Millis,
        mut read: impl FnMut(&[u8]) -> R,
    ) -> Option<R> {
        let count = self.states.len();
        let first = self.states.first_mut()?.1.next_random() as usize;
        (0..count).find_map(|turn| {
            let (_, state) = &mut self.states[(first + turn) % count];
            state.random_key(db, now).map(&mut read)
        })
    }

    pub(super) fn flush(&mut self, db: Option<u8>) {
        let tenant = self.tenant();
        if let Some(below) = tenant.below() {
            below.clear(db);
        }
        for (_, state) in &mut self.states {
            let place = db.map(|db| state.places().place_of(db));
            state.clear(Scope { place, prefix: b"" }, 0, u32::MAX);
            tenant.use_bytes(state.settle());
        }
        tenant.changes.tell_emptied(db);
    }

    pub(super) fn len(&self, db: u8) -> u64 {
        let place = usize::from(self.tenant().places.look().place_of(db));
        let entries = |(_, state): &(usize, MutexGuard<'_, State>)| state.stats().entries[place];
        self.states.iter().map(entries).sum()
    }

    pub(super) fn stats(&self) -> TenantStats {
        let mut sum = self.tenant().stats_beside_shards();
        for (_, state) in &self.states {
            sum.add(state.stats());
        }
        sum.name(self.tenant().places.look());
        sum
    }
}
