//! Entries that may be older than what others have written below since. They stay where they are and are not found, until
//! what lies below was asked; where it cannot be, they are as good as ever.

use larder_sdk::{Removal, Slot};

use super::state::{At, State};
use crate::changes::Change;

const WORD_BITS: u32 = u64::BITS;

/// The slots of such entries, a bit each.
pub(crate) struct Suspects {
    words: Box<[u64]>,
    left: u32,
    /// Whether those that nobody asks for go.
    are_to_go: bool,
    /// Words before this one were gone through for that.
    gone_through: usize,
}

impl Suspects {
    #[inline]
    fn has(&self, slot: Slot) -> bool {
        let word = self.words.get((slot / WORD_BITS) as usize);
        word.is_some_and(|word| word >> (slot % WORD_BITS) & 1 == 1)
    }

    fn clear(&mut self, slot: Slot) {
        if self.has(slot) {
            self.words[(slot / WORD_BITS) as usize] &= !(1 << (slot % WORD_BITS));
            self.left -= 1;
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.words)
    }
}

impl State {
    /// Every entry there is becomes a suspect, and whoever watches any key takes it for changed. `are_to_go`: those that
    /// nobody asks for go in time.
    pub(crate) fn distrust(&mut self, are_to_go: bool) {
        let slots = self.slots();
        let mut words = vec![0_u64; slots.div_ceil(WORD_BITS) as usize].into_boxed_slice();
        let mut left = 0;
        for slot in (0..slots).filter(|slot| self.slab.get(*slot).is_some()) {
            words[(slot / WORD_BITS) as usize] |= 1 << (slot % WORD_BITS);
            left += 1;
        }
        self.suspects = (left > 0).then(|| {
            Box::new(Suspects {
                words,
                left,
                are_to_go,
                gone_through: 0,
            })
        });
        self.watches.all_changed(None);
        self.end_leases(None);
    }

    /// Whether the entry in `slot` is one.
    #[inline]
    pub(super) fn is_suspect(&self, slot: Slot) -> bool {
        let suspects = self.suspects.as_ref();
        suspects.is_some_and(|suspects| suspects.has(slot))
    }

    /// Whether the entry in `slot` is not to be found: it is one, and there is somebody to ask.
    #[inline]
    pub(super) fn is_hidden(&self, slot: Slot) -> bool {
        let can_tell = || self.below.as_ref().is_some_and(|below| below.can_tell());
        self.is_suspect(slot) && can_tell()
    }

    /// The entry in `slot` is none any more.
    pub(super) fn clear_suspect(&mut self, slot: Slot) {
        if let Some(suspects) = &mut self.suspects {
            suspects.clear(slot);
            if suspects.left == 0 {
                self.suspects = None;
            }
        }
    }

    /// What lies below could not be asked for a key: what is here of it is all there is.
    pub(crate) fn trust(&mut self, at: &At<'_>) {
        if self.suspects.is_some()
            && let Some(slot) = self.slot_of(at)
        {
            self.clear_suspect(slot);
        }
    }

    /// What lies below was asked for a key and has something else.
    pub(crate) fn drop_suspect(&mut self, at: &At<'_>) {
        if self.suspects.is_some()
            && let Some(slot) = self.slot_of(at).filter(|slot| self.is_suspect(*slot))
        {
            self.empty_slot(slot, Removal::Evicted);
        }
    }

    /// Another host has changed a key: what is here of it goes, and nothing is made of what was found below before.
    pub(crate) fn forget(&mut self, at: &At<'_>) {
        self.end_lease(at.hash);
        self.watches.changed(at.hash);
        self.changes.tell(self.places, at.key, Change::Elsewhere);
        if let Some(slot) = self.slot_of(at) {
            self.empty_slot(slot, Removal::Deleted);
        }
    }

    /// Has suspects go that nobody has asked for, if they are to, so many at most.
    pub(crate) fn drop_suspects(&mut self, count: u32) {
        for _ in 0..count {
            let Some(suspects) = self.suspects.as_mut().filter(|own| own.are_to_go) else {
                return;
            };
            let rest = &suspects.words[suspects.gone_through..];
            let Some(word) = rest.iter().position(|word| *word != 0) else {
                return;
            };
            suspects.gone_through += word;
            let bits = suspects.words[suspects.gone_through];
            let slot = suspects.gone_through as u32 * WORD_BITS + bits.trailing_zeros();
            self.empty_slot(slot, Removal::Evicted);
        }
    }
}

#[cfg(test)]
impl State {
    /// Whether they are counted, and entries all of them.
    pub(crate) fn check_suspects(&self) {
        let Some(suspects) = &self.suspects else {
            return;
        };
        let slots = suspects.words.len() as u32 * WORD_BITS;
        let marked = || (0..slots).filter(|slot| suspects.has(*slot));
        assert_eq!(marked().count() as u32, suspects.left);
        assert!(suspects.left > 0);
        assert!(marked().all(|slot| self.slab.get(slot).is_some()));
    }
}
