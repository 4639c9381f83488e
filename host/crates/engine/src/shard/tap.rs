//! What an evictor that is to take over has to be told: who is resident, and what happened since.
//!
//! The slots are walked through a part at a time, so that the shard's lock is never held for long.
//! From the moment a slot was looked at, its events go into the tap as well; what happened to it
//! before, the look has seen. So the residents, oldest access first, and then the tap's events, in
//! order, tell exactly what the shard holds.

use larder_sdk::{Event, EventKind, Slot};

use super::block::Block;
use super::state::{State, hash};
use crate::entry::{Key, Millis, stamp};

/// See the module.
#[derive(Default)]
pub(super) struct Tap {
    /// Slots below this one were looked at.
    walked: Slot,
    events: Vec<Event>,
    /// More happened than can be kept.
    overflown: bool,
}

/// A resident, for the evictor that takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resident {
    /// Steps of the access stamp since it was last read or written.
    pub(crate) idle: u32,
    pub(crate) insert: Event,
}

/// The tap was closed, or more happened than it can keep.
pub(crate) struct Overflown;

impl Tap {
    /// Events that may wait in it: a mebibyte.
    const EVENTS_MAX: usize = 64 * 1024;

    pub(super) fn note(&mut self, event: Event) {
        if event.slot >= self.walked || event.kind == EventKind::Miss {
            return;
        }
        if self.events.len() < Self::EVENTS_MAX {
            self.events.push(event);
        } else if event.kind != EventKind::Hit {
            self.overflown = true;
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.events.capacity() * size_of::<Event>()
    }
}

impl State {
    /// Begins anew: no slot has been looked at.
    pub(crate) fn open_tap(&mut self) {
        self.tap = Some(Box::default());
    }

    /// Appends the residents of the next `slots_max` slots to `out`. Whether more are to come.
    pub(crate) fn look_at_residents(
        &mut self,
        slots_max: u32,
        now: Millis,
        out: &mut Vec<Resident>,
    ) -> bool {
        let slots = self.slots();
        let Some(tap) = &mut self.tap else {
            return false;
        };
        let first = tap.walked;
        let end = first.saturating_add(slots_max).min(slots);
        // Slots that are yet to be handed out count as looked at: nothing is in them.
        tap.walked = if end == slots { Slot::MAX } else { end };
        let now = stamp(now, self.config.start_ms);
        for slot in first..end {
            let Some(block) = self.slab.get(slot).filter(|_| self.may_evict(slot)) else {
                continue;
            };
            out.push(Resident {
                idle: now.wrapping_sub(block.stamp()),
                insert: self.insert_of(slot, block),
            });
        }
        end < slots
    }

    fn insert_of(&self, slot: Slot, block: &Block) -> Event {
        let hash = hash(self.config.hash_seed, Key::new(block.db(), block.key()));
        let bytes = block.bytes(self.config.classes);
        Event {
            size: u32::try_from(bytes).unwrap_or(u32::MAX),
            priority: block.label().priority,
            ..Event::new(EventKind::Insert, slot, hash as u32)
        }
    }

    /// Moves the tap's events so far to `out`, which is empty.
    pub(crate) fn drain_tap(&mut self, out: &mut Vec<Event>) -> Result<(), Overflown> {
        let tap = self.tap.as_mut().ok_or(Overflown)?;
        if tap.overflown {
            return Err(Overflown);
        }
        std::mem::swap(&mut tap.events, out);
        Ok(())
    }

    pub(crate) fn close_tap(&mut self) {
        self.tap = None;
    }
}
