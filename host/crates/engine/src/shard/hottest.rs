//! A look at some entries of a shard, for who wants to know the hottest.

use std::ops::Range;

use larder_sdk::Slot;

use super::state::State;
use super::{EvictorSide, Shard};
use crate::entry::{Millis, idle_ms};
use crate::tenant::{Heat, Hottest};

/// An entry that was looked at; its key is a part of [`Look::keys`].
struct Seen {
    slot: Slot,
    db: u8,
    idle_ms: u64,
    key: Range<usize>,
}

/// What a step saw, copied out under the shard's lock.
#[derive(Default)]
struct Look {
    seen: Vec<Seen>,
    keys: Vec<u8>,
}

impl Shard {
    /// Offers what lives in some slots, of one database or of all. The change of used bytes. An evictor that is not prompt is
    /// not asked: it takes its time, and others may wait for it.
    pub(crate) fn offer_hottest(
        &self,
        slots: Range<Slot>,
        db: Option<u8>,
        now: Millis,
        hottest: &mut Hottest,
    ) -> i64 {
        let look = self.state.lock().look(slots, db, now);
        if look.seen.is_empty() {
            return 0;
        }
        let mut side = self.is_prompt().then(|| self.evictor.lock());
        // It knows what was seen then, or that it has gone.
        let change = side.as_mut().map_or(0, |side| self.drain(side));
        let side = side.as_deref();
        for Seen {
            slot,
            db,
            idle_ms,
            key,
        } in look.seen
        {
            let reads = side.map_or(0, |side| side.reads(slot));
            hottest.offer(Heat::new(reads, idle_ms), db, &look.keys[key]);
        }
        change
    }
}

impl EvictorSide {
    fn reads(&self, slot: Slot) -> u32 {
        match self.unfit {
            None => self.evictor.reads(slot),
            Some(_) => 0,
        }
    }
}

impl State {
    fn look(&self, slots: Range<Slot>, db: Option<u8>, now: Millis) -> Look {
        let mut look = Look::default();
        let end = slots.end.min(self.slots());
        for slot in slots.start..end {
            let Some(block) = self.slab.get(slot).filter(|_| !self.is_hidden(slot, now)) else {
                continue;
            };
            let own = self.places.database_at(block.db());
            let wanted = db.is_none_or(|db| db == own);
            if let Some(key) = self.visit(slot, own, now).filter(|_| wanted) {
                let start = look.keys.len();
                look.keys.extend_from_slice(key);
                look.seen.push(Seen {
                    slot,
                    db: own,
                    idle_ms: idle_ms(block, self.config.start_ms, now),
                    key: start..look.keys.len(),
                });
            }
        }
        look
    }
}
