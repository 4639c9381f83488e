//! Eviction without an evictor: of some entries drawn at random, the one of the lowest priority goes;
//! of several, the one idle for longest.

use larder_sdk::{Removal, Slot};

use super::block::Block;
use super::state::{At, State};
use super::wheel::GROUP;
use crate::entry::{Millis, idle_ms};
use crate::tenant::Standing;

/// Entries compared for one victim, as many as Redis compares.
const SAMPLES: usize = 5;
/// Slots looked at for them before every slot is.
const LOOKS_MAX: usize = 64;

impl State {
    /// Evicts until `bytes` are freed or nothing is left; `keep` stays. What nobody has asked for yet goes first.
    /// Returns the bytes freed.
    pub(crate) fn evict_fallback(&mut self, bytes: u64, keep: Option<Slot>) -> u64 {
        let mut freed = 0;
        while freed < bytes {
            match self.drop_ahead(keep) {
                0 => break,
                bytes => freed += bytes,
            }
        }
        while freed < bytes {
            let Some(slot) = self.sample(keep) else { break };
            freed += self.remove_slot(slot, Removal::Evicted);
            self.stats.fallback_evictions += 1;
        }
        freed
    }

    /// How the entry of a key stands beside `samples` others drawn at random. The shard's number is the
    /// caller's to say.
    pub(crate) fn standing(&mut self, at: &At<'_>, samples: usize) -> Option<Standing> {
        let slot = self.live_slot(at)?;
        let idle_ms = self.idle_ms(slot, at.now)?;
        let bytes = self.slab.get(slot)?.bytes(self.config.classes);
        let (mut compared, mut idle_longer) = (0, 0);
        for _ in 0..samples {
            let other = self.random_slot();
            if let Some(others_ms) = self.idle_ms(other, at.now).filter(|_| other != slot) {
                compared += 1;
                idle_longer += usize::from(others_ms > idle_ms);
            }
        }
        Some(Standing {
            shard: 0,
            slot,
            bytes,
            idle_ms,
            samples: compared,
            idle_longer,
        })
    }

    fn idle_ms(&self, slot: Slot, now: Millis) -> Option<u64> {
        let block = self.slab.get(slot)?;
        Some(idle_ms(block, self.config.start_ms, now))
    }

    /// The key of a live entry of `db` by chance, if there is one: looks at some slots drawn at random, then
    /// from another one on at all of them.
    pub(crate) fn random_key(&mut self, db: u8, now: Millis) -> Option<&[u8]> {
        if self.stats.entries[usize::from(self.places.place_of(db))] == 0 {
            return None;
        }
        let drawn = (0..LOOKS_MAX).find_map(|_| {
            let slot = self.random_slot();
            self.visit(slot, db, now).map(|_| slot)
        });
        let slot = drawn.or_else(|| {
            let (from, slots) = (self.random_slot(), self.slots());
            let mut all = (from..slots).chain(0..from);
            all.find(|&slot| self.visit(slot, db, now).is_some())
        });
        slot.and_then(|slot| self.slab.get(slot)).map(Block::key)
    }

    fn random_slot(&mut self) -> Slot {
        ((u64::from(self.next_random()) * u64::from(self.slots())) >> 32) as Slot
    }

    /// A slot by chance whose entry expires; `keep` is none. Few among many are found without a look at all
    /// of them, as the wheel knows where they are, and groups in which none is left are forgotten by it.
    fn random_expiring(&mut self, keep: Option<Slot>) -> Option<Slot> {
        let mut from = self.random_slot();
        let mut has_passed_kept = false;
        loop {
            let group = self.wheel.group_from(from)?;
            let turn = self.next_random() % GROUP;
            let expires = |slot: &Slot| {
                self.slab
                    .get(*slot)
                    .is_some_and(|block| block.expiry() != 0)
            };
            let mut slots = (0..GROUP).map(|n| group.start + (turn + n) % GROUP);
            if let Some(slot) = slots.find(|slot| Some(*slot) != keep && expires(slot)) {
                return Some(slot);
            }
            if keep.is_some_and(|keep| group.contains(&keep) && expires(&keep)) {
                if std::mem::replace(&mut has_passed_kept, true) {
                    return None;
                }
            } else {
                self.wheel.forget_group(group.start);
            }
            from = group.end;
        }
    }

    fn sample(&mut self, keep: Option<Slot>) -> Option<Slot> {
        let slots = self.slots();
        if slots == 0 || self.evictable() == 0 {
            return None;
        }
        let may_go = |state: &Self, slot| Some(slot) != keep && state.may_evict(slot);
        let mut least: Option<(u8, u32, Slot)> = None;
        let mut samples = 0;
        for _ in 0..LOOKS_MAX {
            let slot = match self.config.volatile_only {
                true => self.random_expiring(keep)?,
                false => self.random_slot(),
            };
            let Some(block) = self.slab.get(slot).filter(|_| may_go(self, slot)) else {
                continue;
            };
            let sample = (block.label().priority, block.stamp(), slot);
            least = Some(least.map_or(sample, |least| least.min(sample)));
            samples += 1;
            if samples == SAMPLES {
                break;
            }
        }
        if let Some((.., slot)) = least {
            return Some(slot);
        }
        // From anywhere on, so that few among many are found without a look at all of them.
        let from = self.random_slot();
        let is_there = |slot: &Slot| self.slab.get(*slot).is_some() && may_go(self, *slot);
        (from..slots).chain(0..from).find(is_there)
    }

    /// The upper half of a 64-bit xorshift* ("An experimental exploration of Marsaglia's xorshift
    /// generators, scrambled", Vigna, 2016).
    pub(crate) fn next_random(&mut self) -> u32 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }
}

#[cfg(test)]
mod tests;
