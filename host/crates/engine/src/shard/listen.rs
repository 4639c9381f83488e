//! What is told of accesses to whoever foretells what will be asked for.

use std::sync::Arc;

use larder_sdk::Slot;

use super::ahead::is_ending;
use super::state::{At, State, hash};
use crate::entry::{Key, Millis};
use crate::foresight::{Asked, AskedFor, Listener};

impl State {
    /// Has accesses be told from now on; `None` ends that.
    pub(crate) fn listen(&mut self, listener: Option<Arc<dyn Listener>>) {
        self.listener = listener;
    }

    /// Whether there is a key of that hash which has not expired by then, nor is about to and can be loaded anew.
    pub(crate) fn holds(&self, sought: u64, now: Millis) -> bool {
        let is_it = |slot: Slot| {
            self.slab.get(slot).is_some_and(|block| {
                let key = Key::new(block.db(), block.key());
                hash(self.config.hash_seed, key) == sought
                    && self.is_live(block, now)
                    && !is_ending(block, now)
            })
        };
        self.index.find(sought, is_it).is_some()
    }

    /// Tells that a read found the entry in `slot`. Of one that was fetched ahead that counts as if it had not been here.
    #[inline]
    pub(super) fn tell_asked(&self, slot: Slot, at: &At<'_>, was_ahead: bool) {
        if let Some(listener) = &self.listener
            && (was_ahead || listener.hears_hits())
        {
            let what = match was_ahead {
                true => AskedFor::Miss,
                false => AskedFor::Hit,
            };
            self.tell(what, at, self.bytes(slot));
        }
    }

    /// Tells of an access.
    #[inline]
    pub(super) fn tell(&self, what: AskedFor, at: &At<'_>, bytes: usize) {
        if let Some(listener) = &self.listener {
            listener.hear(&Asked {
                what,
                hash: at.hash,
                key: self.places.named(at.key),
                bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                now: at.now,
            });
        }
    }
}
