//! Who expires when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use larder_sdk::Slot;

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
