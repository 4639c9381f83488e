//! Reading entries under the shard's lock.

use larder_sdk::{Event, EventKind, Slot};

use super::state::{At, State};
use crate::entry::{Entry, Millis, stamp};
use crate::foresight::AskedFor;
use crate::recording::Kind;

impl State {
    /// The slot of a key, expired or not.
    #[inline]
    pub(crate) fn slot_of(&self, at: &At<'_>) -> Option<Slot> {
        let is_it = |slot| {
            self.slab
                .get(slot)
                .is_some_and(|block| block.is_key(at.key))
        };
        self.index.find(at.hash, is_it)
    }

    /// The slot of a key, expired or not, unless what lies below has to be asked for it.
    #[inline]
    fn trusted_slot_of(&mut self, at: &At<'_>) -> Option<Slot> {
        if self.is_unheard(at.now) {
            self.distrust_unheard(at.now);
        }
        let slot = self.slot_of(at)?;
        (!self.is_hidden(slot, at.now)).then_some(slot)
    }

    /// The slot of a key that has not expired and is not void. One that is goes, unless it is kept for who asks for
    /// stale values.
    #[inline]
    pub(crate) fn live_slot(&mut self, at: &At<'_>) -> Option<Slot> {
        let slot = self.trusted_slot_of(at)?;
        let block = self.slab.get(slot)?;
        let expiry = block.expiry();
        if expiry != 0 && expiry <= at.now || self.is_void(block) {
            self.lapse(slot, at.now);
            return None;
        }
        Some(slot)
    }

    /// A read that counts. The entry is shown as it was before this read touched it.
    #[inline]
    pub(crate) fn get<R>(&mut self, at: &At<'_>, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        let found = self.trusted_slot_of(at);
        let start_ms = self.config.start_ms;
        if let Some((slot, block)) = found.and_then(|slot| Some((slot, self.slab.get_mut(slot)?))) {
            let expiry = block.expiry();
            let label = block.label();
            if (expiry == 0 || expiry > at.now) && !self.tags.is_void(label.note) {
                if block.is_shut() {
                    return self.get_shut(slot, at, read);
                }
                let was_loaded = label.times.cost_ms > 0;
                let result = read(Entry {
                    block,
                    opened: None,
                    start_ms,
                });
                block.set_stamp(stamp(at.now, start_ms));
                self.count_hit(slot, at);
                if was_loaded {
                    self.tell_read(slot, at);
                }
                return Some(result);
            }
            self.lapse(slot, at.now);
        }
        self.count_miss(at);
        None
    }

    /// What was loaded may be due to be loaded anew.
    #[cold]
    pub(super) fn tell_read(&self, slot: Slot, at: &At<'_>) {
        if let Some(below) = &self.below {
            self.show(slot, |entry| below.was_read(at.key, entry, at.now));
        }
    }

    /// A look that leaves no trace.
    pub(crate) fn peek<R>(&mut self, at: &At<'_>, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        let slot = self.live_slot(at)?;
        self.show_or_lose(slot, read)
    }

    /// Counts a hit and notes it for the evictor and whoever records.
    #[inline]
    pub(super) fn count_hit(&mut self, slot: Slot, at: &At<'_>) {
        self.stats.hits += 1;
        let was_ahead = self.ahead.is_some() && self.use_ahead(slot, at);
        if !was_ahead && self.may_evict(slot) {
            self.note_if_room(Event::new(EventKind::Hit, slot, at.hash as u32));
        }
        self.record(Kind::Hit, at, Some(slot));
        self.tell_asked(slot, at, was_ahead);
    }

    /// Counts a miss and notes it for an evictor that wants to know, and whoever records.
    pub(super) fn count_miss(&mut self, at: &At<'_>) {
        self.stats.misses += 1;
        if self.wants_misses {
            self.note_if_room(Event::new(EventKind::Miss, 0, at.hash as u32));
        }
        self.record(Kind::Miss, at, None);
        self.tell(AskedFor::Miss, at, 0);
    }

    pub(super) fn touch(&mut self, slot: Slot, now: Millis) {
        let stamp = stamp(now, self.config.start_ms);
        if let Some(block) = self.slab.get_mut(slot) {
            block.set_stamp(stamp);
        }
    }
}
