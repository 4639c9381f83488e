//! Who expires when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use larder_sdk::Slot;

/// Turns that are kept however few entries there are.
const TURNS_MIN: usize = 1024;

/// Slots by the second in which their entries expire. An entry that went before leaves its turn
/// behind; the number of its coming tells it from its successor.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    turns: BinaryHeap<Reverse<(u64, Slot, u32)>>,
}

impl Expiries {
    pub(super) fn add(&mut self, at_seconds: u64, slot: Slot, coming: u32) {
        self.turns.push(Reverse((at_seconds, slot, coming)));
    }

    /// Drops turns of entries that went before, once there are more of them than of `slots`; `is_here`
    /// tells which entries did not go.
    pub(super) fn tidy(&mut self, slots: usize, is_here: impl Fn(Slot, u32) -> bool) {
        if self.turns.len() >= TURNS_MIN.max(2 * slots) {
            self.turns
                .retain(|Reverse((_, slot, coming))| is_here(*slot, *coming));
        }
    }

    #[cfg(test)]
    pub(super) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// The next whose time has come.
    #[inline]
    pub(super) fn due(&mut self, now_seconds: u64) -> Option<(Slot, u32)> {
        let Reverse((at_seconds, slot, coming)) = *self.turns.peek()?;
        if at_seconds > now_seconds {
            return None;
        }
        self.turns.pop();
        Some((slot, coming))
    }
}
