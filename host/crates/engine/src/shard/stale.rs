//! Entries that are kept beyond their expiry: stale values, for who asks for them. To all others they are gone.

use larder_sdk::{Removal, Slot};

use super::state::{At, State, hash};
use crate::changes::Change;
use crate::entry::{Entry, Key, Millis};

impl State {
    /// Has an entry go whose expiry has passed. One that is kept beyond it stays where it is, which is told and
    /// counted once, as if it had gone; evictors go on deciding over it.
    #[cold]
    pub(super) fn lapse(&mut self, slot: Slot, now: Millis) {
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

    /// Drops what is kept of a key beyond its expiry. There must be no live entry.
    #[inline]
    pub(super) fn drop_stale(&mut self, at: &At<'_>) {
        if self.stats.stale > 0
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
        // What is not kept any more is gone after this.
        let _ = self.live_slot(at);
        let slot = self.slot_of(at)?;
        self.show_or_lose(slot, |entry| {
            let expiry = entry.expires_at().unwrap_or(at.now);
            read(entry, at.now.saturating_sub(expiry))
        })
    }
}
