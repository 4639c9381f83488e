//! Eviction of what an evictor named: the whole answer is looked through before anything goes.

use larder_sdk::{Event, EventKind, Removal, Slot, VICTIMS_MAX};

use super::state::State;
use crate::evictor::WrongAnswer;

/// A bit for each slot: what an answer named already.
#[derive(Default)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    /// Covers slots below `slots`.
    fn cover(&mut self, slots: u32) {
        let words = (slots as usize).div_ceil(64);
        if words > self.0.len() {
            self.0.resize(words, 0);
        }
    }

    /// Marks a slot; whether it was not marked before.
    fn set(&mut self, slot: Slot) -> bool {
        let (word, bit) = (&mut self.0[slot as usize / 64], 1 << (slot % 64));
        let is_first = *word & bit == 0;
        *word |= bit;
        is_first
    }

    fn clear(&mut self, slots: &[Slot]) {
        for &slot in slots {
            if let Some(word) = self.0.get_mut(slot as usize / 64) {
                *word = 0;
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

impl State {
    /// Evicts, of the victims that an evictor named which knows of everything up to the last
    /// [`Self::hand_over`], as many as free `bytes`. Returns the bytes freed, and how the answer broke
    /// the rules, if it did: nothing was evicted then, unless it was only too little.
    pub(super) fn evict_named(&mut self, slots: &[Slot], bytes: u64) -> (u64, Option<WrongAnswer>) {
        let mut marks = std::mem::take(&mut self.marks);
        marks.cover(self.slots());
        let wrong = self.first_wrong(slots, bytes, &mut marks);
        marks.clear(slots);
        self.marks = marks;
        if let Some(wrong) = wrong {
            self.stats.wrong_victims += 1;
            return (0, Some(wrong));
        }
        let is_excused = self.has_unheard_changes();
        let mut freed_bytes = 0;
        for &slot in slots {
            if freed_bytes >= bytes {
                return (freed_bytes, None);
            }
            if self.may_evict(slot) {
                freed_bytes += self.remove_slot(slot, Removal::Evicted);
            }
        }
        let is_done = freed_bytes >= bytes || self.evictable() == 0;
        if is_done || is_excused || slots.len() >= VICTIMS_MAX {
            return (freed_bytes, None);
        }
        self.stats.wrong_victims += 1;
        let too_few = WrongAnswer::TooFew {
            freed_bytes,
            wanted_bytes: bytes,
        };
        (freed_bytes, Some(too_few))
    }

    /// The first of the victims needed for `bytes` that cannot be one.
    fn first_wrong(&self, slots: &[Slot], bytes: u64, marks: &mut Marks) -> Option<WrongAnswer> {
        let mut freed_bytes = 0;
        for &slot in slots {
            if freed_bytes >= bytes {
                return None;
            }
            if slot >= self.slots() {
                return Some(WrongAnswer::Foreign(slot));
            }
            if !marks.set(slot) {
                return Some(WrongAnswer::Duplicate(slot));
            }
            match self.slab.get(slot).filter(|_| self.may_evict(slot)) {
                Some(block) => freed_bytes += block.bytes(self.config.classes) as u64,
                // It went after the evictor was told, which is nobody's fault.
                None if self.retired.contains(&slot) || self.was_withdrawn(slot) => {}
                None => return Some(WrongAnswer::Dead(slot)),
            }
        }
        None
    }

    /// Whether the evictor has yet to be told that it has nothing to do with the entry in `slot` any more.
    fn was_withdrawn(&self, slot: Slot) -> bool {
        let is_removal = |event: &Event| event.kind == EventKind::Remove && event.slot == slot;
        self.log.iter().any(is_removal)
    }

    /// Whether something happened to entries that the evictor has not been told.
    fn has_unheard_changes(&self) -> bool {
        self.log.iter().any(|event| event.kind != EventKind::Hit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ShardConfig;
    use super::super::state::{Around, At, hash};
    use super::*;
    use crate::{Access, Edit, Expiry, Key, SizeClasses};

    const ENTRIES: u32 = 100;

    fn state() -> State {
        state_that(false)
    }

    /// Entries in slots from 0 on, the last of them gone since the evictor was told.
    fn state_that(volatile_only: bool) -> State {
        let config = ShardConfig {
            classes: SizeClasses::Jemalloc,
            share_bytes: 1 << 20,
            entry_bytes_max: 1 << 16,
            hash_seed: 1,
            random_seed: 1,
            start_ms: 1,
            volatile_only,
        };
        let mut state = State::new(config, false, Around::nothing());
        for n in 0..ENTRIES {
            update(&mut state, n, &Edit::put(&[1; 50][..], Expiry::At(9)));
        }
        state.hand_over(&mut Vec::new(), &mut Vec::new());
        state.remove_slot(ENTRIES - 1, Removal::Deleted);
        state
    }

    fn update(state: &mut State, n: u32, edit: &Edit<'_>) {
        let name = n.to_le_bytes();
        let key = Key::new(0, &name);
        let at = At {
            hash: hash(1, key),
            key,
            now: 1,
        };
        let mut edit = |_: Option<crate::Entry<'_>>| (edit.clone(), ());
        let updated = state.update(&at, Access::Write, 4096, &mut edit);
        assert!(updated.is_ok());
    }

    fn left(state: &State) -> u64 {
        state.stats().entries_total()
    }

    #[test]
    fn an_answer_with_a_mistake_at_its_end_evicts_nothing() {
        let mut state = state();
        for (end, wrong) in [
            (1, WrongAnswer::Duplicate(1)),
            (1 << 30, WrongAnswer::Foreign(1 << 30)),
            (ENTRIES, WrongAnswer::Foreign(ENTRIES)),
        ] {
            let answer = [0, 1, 70, ENTRIES - 1, end];
            assert_eq!(state.evict_named(&answer, 10_000), (0, Some(wrong)));
            assert_eq!(left(&state), u64::from(ENTRIES) - 1);
        }
        state.hand_over(&mut Vec::new(), &mut Vec::new());
        let answer = [0, 1, ENTRIES - 1];
        let dead = WrongAnswer::Dead(ENTRIES - 1);
        assert_eq!(state.evict_named(&answer, 10_000), (0, Some(dead)));
        assert_eq!(left(&state), u64::from(ENTRIES) - 1);
        assert_eq!(state.stats().wrong_victims, 4);
    }

    #[test]
    fn a_right_one_goes_as_far_as_needed_and_what_went_meanwhile_is_no_mistake() {
        let mut state = state();
        // Beyond what is needed nothing is looked at.
        let (freed_bytes, wrong) = state.evict_named(&[ENTRIES - 1, 3, 4, 4], 100);
        assert!(
            freed_bytes >= 100 && wrong.is_none(),
            "{freed_bytes} {wrong:?}"
        );
        assert_eq!(
            left(&state),
            u64::from(ENTRIES) - 2 - u64::from(freed_bytes > 150)
        );
        state.hand_over(&mut Vec::new(), &mut Vec::new());
        let (freed_bytes, wrong) = state.evict_named(&[50], 10_000);
        let wanted_bytes = 10_000;
        let too_few = WrongAnswer::TooFew {
            freed_bytes,
            wanted_bytes,
        };
        assert!(freed_bytes > 0);
        assert_eq!(wrong, Some(too_few));
    }

    #[test]
    fn what_came_to_stay_stays_and_is_a_mistake_once_the_evictor_knows() {
        let mut state = state_that(true);
        update(&mut state, 5, &Edit::Expire(None));
        let (freed_bytes, wrong) = state.evict_named(&[5, 6], 50);
        assert!(freed_bytes > 0 && wrong.is_none(), "{wrong:?}");
        assert_eq!(left(&state), u64::from(ENTRIES) - 2);
        state.hand_over(&mut Vec::new(), &mut Vec::new());
        let dead = (0, Some(WrongAnswer::Dead(5)));
        assert_eq!(state.evict_named(&[5, 7], 50), dead);
        assert_eq!(left(&state), u64::from(ENTRIES) - 2);
    }
}
