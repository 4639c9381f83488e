//! Walks over all slots: SCAN and FLUSH; and a look at any of them.

use super::Tenant;
use crate::entry::{Entry, Key, Millis};
use crate::shard::Shard;

/// Bits of a cursor that name the shard; the slot stands above them.
const SHARD_BITS: u32 = 12;
/// Slots looked at for each entry wanted, where few are occupied.
const LOOKS_AN_ENTRY: usize = 16;
const LOOKS_MIN: usize = 256;
/// Slots flushed in one step.
const FLUSH_SLOTS: u32 = 1024;

/// How far a flush has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushCursor {
    shard: usize,
    slot: u32,
}

impl Tenant {
    /// Visits about `count` live entries of `db` from `cursor` on (0: the beginning) and returns
    /// where to go on (0: done), below 2^53. An entry that is there from the first call to the last
    /// is visited; one that comes or goes meanwhile may be. `visit` runs under the shard's lock.
    pub fn scan(
        &self,
        db: u8,
        cursor: u64,
        count: usize,
        now: Millis,
        visit: &mut dyn FnMut(Entry<'_>),
    ) -> u64 {
        let db = Key::new(db, b"").db;
        let mut shard = (cursor & ((1 << SHARD_BITS) - 1)) as usize;
        let mut slot = u32::try_from(cursor >> SHARD_BITS).unwrap_or(u32::MAX);
        let mut looks = count.saturating_mul(LOOKS_AN_ENTRY).max(LOOKS_MIN);
        let mut visited = 0;
        while let Some(at) = self.shards.get(shard) {
            let state = at.state.lock();
            while slot < state.slots() {
                if visited == count.max(1) || looks == 0 {
                    return u64::from(slot) << SHARD_BITS | shard as u64;
                }
                looks -= 1;
                if let Some(entry) = state.visit(slot, db, now) {
                    visited += 1;
                    visit(entry);
                }
                slot += 1;
            }
            shard += 1;
            slot = 0;
        }
        0
    }

    /// A live entry of `db` by chance; `None` where there is none. Leaves no trace. `read` runs under the
    /// shard's lock. All slots of a shard are looked at where entries are few among them, one shard after
    /// another.
    pub fn random<R>(
        &self,
        db: u8,
        now: Millis,
        mut read: impl FnMut(Entry<'_>) -> R,
    ) -> Option<R> {
        let db = Key::new(db, b"").db;
        let draw = |shard: &Shard| shard.state.lock().next_random() as usize;
        let first = self.shards.first().map_or(0, draw);
        let shards = (0..self.shards.len()).map(|turn| (first + turn) % self.shards.len());
        let mut found = shards.filter_map(|shard| {
            let mut state = self.shards[shard].state.lock();
            state.random_entry(db, now).map(&mut read)
        });
        found.next()
    }

    /// One bounded step of removing every entry of `db` (or of all databases). Returns where to go
    /// on, `None` when all is done. What is written meanwhile may stay.
    pub fn flush(&self, db: Option<u8>, at: FlushCursor) -> Option<FlushCursor> {
        let db = db.map(|db| Key::new(db, b"").db);
        let shard = self.shards.get(at.shard)?;
        let mut state = shard.state.lock();
        state.flush(db, at.slot, FLUSH_SLOTS);
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
                shard: at.shard,
                slot,
            },
            false => FlushCursor {
                shard: at.shard + 1,
                slot: 0,
            },
        };
        (next.shard < self.shards.len()).then_some(next)
    }
}
