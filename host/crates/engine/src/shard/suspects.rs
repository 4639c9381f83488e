//! Entries that may be older than what others have written below since. They stay where they are and are not found, until
//! what lies below was asked. Where it cannot be they are found for a while, and stay what they are.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_sdk::{Removal, Slot};

use super::block::Block;
use super::state::{At, State};
use crate::below::Below;
use crate::changes::Change;
use crate::entry::{Key, Millis};

const WORD_BITS: u32 = u64::BITS;
/// In this time all go that nobody asks for. Most are still good, and to be loaded again once they are gone: what lies below
/// is not to be asked for all of them at once.
const GOING_MS: Millis = 300_000;
/// The same where they are known to be gone below.
const CLEARED_GOING_MS: Millis = 2_000;
/// Words that are gone through at once, at most.
const WORDS_MAX: usize = 8;

/// While nobody says of what is in memory that it is good, it is doubted so often.
const UNHEARD_MS: Millis = 1_000;

/// Until when entries are as good as what is told of others. It passes where this host itself was stopped: then whoever looks
/// for an entry may come before those who find out that nothing was heard.
pub(crate) struct Hearing {
    until: Arc<AtomicU64>,
    /// When entries were last doubted because it had passed.
    doubted_at: Millis,
}

impl Hearing {
    pub(super) fn of(below: &dyn Below) -> Option<Self> {
        let until = below.good_until()?;
        Some(Self {
            until,
            doubted_at: 0,
        })
    }
}

#[inline]
fn has(words: &[u64], slot: Slot) -> bool {
    let word = words.get((slot / WORD_BITS) as usize);
    word.is_some_and(|word| word >> (slot % WORD_BITS) & 1 == 1)
}

/// The slots of such entries, a bit each.
#[derive(Default)]
pub(crate) struct Suspects {
    words: Box<[u64]>,
    left: u32,
    /// Those of them that were so when it was last looked, and have been since.
    old: Box<[u64]>,
    /// When that was, or when the first became one.
    looked_at: Millis,
    /// In what time all go that nobody asks for, if they do.
    going_ms: Option<Millis>,
    /// The word that is gone through next for that.
    hand: usize,
    /// When one last was.
    went_at: Option<Millis>,
}

impl Suspects {
    /// None so far.
    fn new(now: Millis) -> Self {
        Self {
            looked_at: now,
            ..Self::default()
        }
    }

    /// Twice in the time for which they may be answered: those that were so the last time and still are, which is for half of
    /// it at least and for all of it at most.
    fn too_old(&mut self, now: Millis, stale_ms_max: Millis) -> Vec<Slot> {
        // A clock that was set back gives nobody more time.
        self.looked_at = self.looked_at.min(now);
        if now - self.looked_at < stale_ms_max / 2 {
            return Vec::new();
        }
        self.looked_at = now;
        let slots = self.words.len() as u32 * WORD_BITS;
        let old = mem::replace(&mut self.old, self.words.clone());
        (0..slots)
            .filter(|slot| has(&old, *slot) && self.has(*slot))
            .collect()
    }

    #[inline]
    fn has(&self, slot: Slot) -> bool {
        has(&self.words, slot)
    }

    /// The words that are to be gone through now.
    fn due(&mut self, now: Millis) -> usize {
        let went_at = self.went_at.filter(|at| *at <= now);
        let since = *self.went_at.insert(went_at.unwrap_or(now));
        let going_ms = self.going_ms.unwrap_or(Millis::MAX);
        let due = (self.words.len() as u64).saturating_mul(now - since) / going_ms;
        if due > 0 {
            self.went_at = Some(now);
        }
        WORDS_MAX.min(self.words.len()).min(due as usize)
    }

    fn clear(&mut self, slot: Slot) {
        let (word, bit) = ((slot / WORD_BITS) as usize, 1 << (slot % WORD_BITS));
        if self.has(slot) {
            self.words[word] &= !bit;
            self.left -= 1;
        }
        if let Some(word) = self.old.get_mut(word) {
            *word &= !bit;
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.words) + size_of_val(&*self.old)
    }
}

impl State {
    /// Every entry there is becomes a suspect, whoever watches any key takes it for changed, and leases end. `are_to_go`:
    /// those that nobody asks for go in time.
    pub(crate) fn distrust(&mut self, are_to_go: bool, now: Millis) {
        self.suspect_all(are_to_go, now);
        self.watches.all_changed(None);
        self.end_leases(None);
    }

    /// Every entry there is becomes a suspect.
    pub(crate) fn suspect_all(&mut self, are_to_go: bool, now: Millis) {
        let slots = self.slots();
        let mut words = vec![0_u64; slots.div_ceil(WORD_BITS) as usize].into_boxed_slice();
        let mut left = 0;
        for slot in (0..slots).filter(|slot| self.slab.get(*slot).is_some()) {
            words[(slot / WORD_BITS) as usize] |= 1 << (slot % WORD_BITS);
            left += 1;
        }
        // What was on its way out goes on, however often there is a reason to doubt.
        let before = self.suspects.take().map(|before| *before);
        let before = before.unwrap_or_else(|| Suspects::new(now));
        self.suspects = (left > 0).then(|| {
            Box::new(Suspects {
                words,
                left,
                going_ms: are_to_go.then_some(GOING_MS),
                ..before
            })
        });
    }

    /// Whether it is later than what was heard is good for.
    #[inline]
    pub(super) fn is_unheard(&self, now: Millis) -> bool {
        let hearing = self.hearing.as_ref();
        hearing.is_some_and(|hearing| now > hearing.until.load(Ordering::Relaxed))
    }

    /// As [`Self::distrust`], unless that was done a moment ago: what came since was asked for.
    #[cold]
    pub(super) fn distrust_unheard(&mut self, now: Millis) {
        let Some(hearing) = &mut self.hearing else {
            return;
        };
        // A clock that was set back ends it, too.
        if now.wrapping_sub(hearing.doubted_at) < UNHEARD_MS {
            return;
        }
        hearing.doubted_at = now;
        if let Some(below) = &self.below {
            below.changed_elsewhere(None);
        }
        self.distrust(true, now);
    }

    /// As [`Self::distrust`], of the entries of a database, or of all, whose keys begin so.
    pub(crate) fn distrust_cleared(&mut self, db: Option<u8>, prefix: &[u8], now: Millis) {
        let is_first = self.suspects.is_none();
        let is_there =
            |block: &Block| db.is_none_or(|db| db == block.db()) && block.key().starts_with(prefix);
        // The last one first: so there is room for all.
        for slot in (0..self.slots()).rev() {
            if self.slab.get(slot).is_some_and(is_there) {
                self.suspect(slot, now);
            }
        }
        if let Some(suspects) = self.suspects.as_mut().filter(|_| is_first) {
            suspects.going_ms = Some(CLEARED_GOING_MS);
        }
        self.watches.all_changed(db);
        self.end_leases(db);
    }

    /// The entry of a key becomes a suspect.
    pub(super) fn suspect(&mut self, slot: Slot, now: Millis) {
        let new = || Box::new(Suspects::new(now));
        let suspects = self.suspects.get_or_insert_with(new);
        let word = (slot / WORD_BITS) as usize;
        if suspects.words.len() <= word {
            let mut words = mem::take(&mut suspects.words).into_vec();
            words.resize(word + 1, 0);
            suspects.words = words.into_boxed_slice();
        }
        if !suspects.has(slot) {
            suspects.words[word] |= 1 << (slot % WORD_BITS);
            suspects.left += 1;
        }
    }

    /// Whether the entry in `slot` is one.
    #[inline]
    pub(super) fn is_suspect(&self, slot: Slot) -> bool {
        let suspects = self.suspects.as_ref();
        suspects.is_some_and(|suspects| suspects.has(slot))
    }

    /// Whether the entry in `slot` is not to be found: it is one, and there is somebody to ask, or was nobody for too long.
    #[inline]
    pub(super) fn is_hidden(&self, slot: Slot, now: Millis) -> bool {
        self.is_suspect(slot)
            && !self.trusted.contains(&slot)
            && (self.can_tell(slot) || self.are_too_stale(now))
    }

    /// Whether some may have been one for longer than they may be answered, as nobody has looked.
    fn are_too_stale(&self, now: Millis) -> bool {
        let known = self.below.as_ref().zip(self.suspects.as_ref());
        known.is_some_and(|(below, suspects)| {
            now.saturating_sub(suspects.looked_at) >= below.stale_ms_max()
        })
    }

    /// Whether what lies below can be asked for the entry in `slot`.
    fn can_tell(&self, slot: Slot) -> bool {
        let known = self.below.as_ref().zip(self.slab.get(slot));
        known.is_some_and(|(below, block)| below.can_tell(Key::new(block.db(), block.key())))
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

    /// What lies below could not be asked for a key: what is here of it is all there is, until the lock is given back. Unless
    /// that is so for too long.
    pub(crate) fn trust(&mut self, at: &At<'_>) {
        if !self.are_too_stale(at.now) {
            self.trust_anyway(at);
        }
    }

    /// As [`Self::trust`], of what has just come.
    pub(super) fn trust_anyway(&mut self, at: &At<'_>) {
        if let Some(slot) = self.slot_of(at).filter(|slot| self.is_suspect(*slot)) {
            self.trusted.push(slot);
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

    /// Nothing is here of a key any more, and nobody is told.
    pub(crate) fn vacate(&mut self, at: &At<'_>) {
        if let Some(slot) = self.slot_of(at) {
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

    /// Has suspects go that nobody has asked for, if they are to and could be asked for; and at once those that have been one for
    /// as long as they may be answered.
    pub(crate) fn drop_suspects(&mut self, now: Millis) {
        if let Some((below, suspects)) = self.below.as_ref().zip(self.suspects.as_mut()) {
            for slot in suspects.too_old(now, below.stale_ms_max()) {
                self.empty_slot(slot, Removal::Evicted);
            }
        }
        let due = self.suspects.as_mut().map_or(0, |own| own.due(now));
        for _ in 0..due {
            let Some(suspects) = &mut self.suspects else {
                return;
            };
            let word = suspects.hand % suspects.words.len();
            suspects.hand = word + 1;
            let first = word as u32 * WORD_BITS;
            for slot in first..first + WORD_BITS {
                if self.is_suspect(slot) && self.can_tell(slot) {
                    self.empty_slot(slot, Removal::Evicted);
                }
            }
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
