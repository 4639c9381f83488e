//! Entries whose time is over. Some are kept beyond their expiry: stale values, for who asks for them; to all others they
//! are gone.

use larder_sdk::{Removal, Slot};

use super::block::Block;
use super::state::{At, State, hash};
use crate::changes::Change;
use crate::entry::{Entry, Key, Millis};

impl State {
    /// Whether an entry is void, by a tag of its own.
    #[inline]
    pub(super) fn is_void(&self, block: &Block) -> bool {
        self.tags.is_void(block.label().note)
    }

    /// Whether an entry has not expired and is not void.
    pub(crate) fn is_live(&self, block: &Block, now: Millis) -> bool {
        block.expires_at().is_none_or(|expiry| expiry > now) && !self.is_void(block)
    }

    /// Has an entry go that was invalidated. What lies below is not told: there it is void as well, or was told before.
    pub(super) fn drop_invalidated(&mut self, slot: Slot) {
        if let Some(block) = self.slab.get(slot).filter(|block| !block.is_lapsed()) {
            let key = Key::new(block.db(), block.key());
            self.changes.tell(self.places, key, Change::Invalidated);
        }
        self.stats.invalidated += 1;
        self.empty_slot(slot, Removal::Deleted);
    }

    /// Has void entries go, among so many slots from one on.
    pub(crate) fn sweep(&mut self, from: Slot, count: u32) {
        for slot in from..from.saturating_add(count).min(self.slots()) {
            if self.slab.get(slot).is_some_and(|block| self.is_void(block)) {
                self.drop_invalidated(slot);
            }
        }
    }

    /// Has an entry go that is void, or whose expiry has passed. One that is kept beyond it stays where it is, which is told and
    /// counted once, as if it had gone; evictors go on deciding over it.
    #[cold]
    pub(super) fn lapse(&mut self, slot: Slot, now: Millis) {
        if self.slab.get(slot).is_some_and(|block| self.is_void(block)) {
            self.drop_invalidated(slot);
            return;
        }
        let Some(block) = self.slab.get_mut(slot) else {
            return;
        };
        if block.goes_at() <= now {
            self.remove_slot(slot, Removal::Expired);
            return;
        }
        if block.is_lapsed() {
            return;
        }
        block.set_lapsed(true);
        let key = Key::new(block.db(), block.key());
        self.stats.expired += 1;
        self.stats.stale += 1;
        self.changes.tell(self.places, key, Change::Expired);
        self.watches.changed(hash(self.config.hash_seed, key));
    }

    /// Drops what is kept of a key beyond its expiry, or is suspect. There must be no live entry.
    #[inline]
    pub(super) fn drop_stale(&mut self, at: &At<'_>) {
        if (self.stats.stale > 0 || self.suspects.is_some())
            && let Some(slot) = self.slot_of(at)
        {
            self.empty_slot(slot, Removal::Deleted);
        }
    }

    /// As [`Self::peek`], and where the entry has expired and is kept, that; with how long ago it expired.
    pub(crate) fn peek_stale<R>(
        &mut self,
        at: &At<'_>,
        read: impl FnOnce(Entry<'_>, Millis) -> R,
    ) -> Option<R> {
        // What is void or not kept any more is gone after this.
        let _ = self.live_slot(at);
        let slot = self
            .slot_of(at)
            .filter(|slot| !self.is_hidden(*slot, at.now))?;
        self.show_or_lose(slot, |entry| {
            let expiry = entry.expires_at().unwrap_or(at.now);
            read(entry, at.now.saturating_sub(expiry))
        })
    }
}
