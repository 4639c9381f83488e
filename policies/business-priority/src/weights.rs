//! What weighs against an entry among those that are worth the same: Greedy-Dual-Size-Frequency,
//! "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", Cherkasova,
//! HP Laboratories report HPL-98-69R1, 1998.
//!
//! An entry is **due** at `clock + uses × cost / size`. The one that is due first goes, and the
//! clock moves on to when it was due, so that what is not used any more goes in the end. As cost is
//! the same within a class, it does not count there.
//!
//! Uses and sizes are rounded down and up to powers of two, so that there are few weights, each
//! with a list; as the clock never goes back, a list that is in order of use is in order of due,
//! too. So no call takes longer the more entries there are, as it would with a heap. This is what
//! "CAMP: A Cost Adaptive Multi-Queue Eviction Policy for Key-Value Stores", Ghandeharizadeh et
//! al., Middleware 2014, does with ratios of cost and size.

use larder_sdk::Slot;
use larder_sdk::table::Table;

/// Weights that differ: each is twice the one before.
const WEIGHTS: u32 = 26;
/// Uses that are counted at most.
const USES_MAX: u8 = 8;
/// What is used once and has as many bits in its size, which is 64 MiB or more, has the least
/// weight. Less than four bytes have the most.
const SIZE_BITS_MAX: u32 = 27;

/// When entries are due, and how often they were used: five bytes a slot. Nothing where only
/// recency counts, and there is one list a class.
#[derive(Debug)]
pub(crate) struct Weights {
    counts: bool,
    /// On the clock of its class, which wraps: what is resident is due within the greatest weight
    /// of it, a hundredth of the way around.
    due: Table<u32>,
    uses: Table<u8>,
}

impl Weights {
    pub(crate) fn new(counts: bool) -> Self {
        Self {
            counts,
            due: Table::default(),
            uses: Table::default(),
        }
    }

    /// Lists a class.
    pub(crate) fn lists(&self) -> usize {
        match self.counts {
            true => WEIGHTS as usize,
            false => 1,
        }
    }

    /// In which of them `slot` belongs.
    #[inline(always)]
    pub(crate) fn list(&self, slot: Slot, size: u32) -> usize {
        match self.counts {
            true => weight_log2(self.uses[slot], size) as usize,
            false => 0,
        }
    }

    /// A new entry took `slot`.
    #[inline(always)]
    pub(crate) fn insert(&mut self, slot: Slot) {
        if self.counts {
            self.due.cover(slot);
            self.uses.cover(slot);
            self.uses[slot] = 0;
        }
    }

    /// The entry was used at `clock`. Changes its list.
    #[inline(always)]
    pub(crate) fn used(&mut self, slot: Slot, size: u32, clock: u32) {
        if self.counts {
            self.uses[slot] = (self.uses[slot] + 1).min(USES_MAX);
            let weight = 1 << weight_log2(self.uses[slot], size);
            self.due[slot] = clock.wrapping_add(weight);
        }
    }

    /// In how long the entry is due, by `clock`; less than nothing for what is named already.
    pub(crate) fn due_in(&self, slot: Slot, clock: u32) -> i32 {
        match self.counts {
            true => self.due[slot].wrapping_sub(clock).cast_signed(),
            false => 0,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.due.memory_bytes() + self.uses.memory_bytes()
    }
}

/// `uses / size`, both as powers of two, from 0 to [`WEIGHTS`] - 1.
#[inline(always)]
fn weight_log2(uses: u8, size: u32) -> u32 {
    let (uses, size) = (uses.max(1).ilog2(), u32::BITS - size.leading_zeros());
    (SIZE_BITS_MAX + uses).saturating_sub(size).min(WEIGHTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_uses_by_size() {
        assert_eq!(weight_log2(1, 1 << 20), 6);
        assert_eq!(weight_log2(1, (1 << 20) - 1), 7);
        assert_eq!(weight_log2(3, 1 << 20), 7);
        assert_eq!(weight_log2(USES_MAX, 1 << 20), 9);
        assert_eq!((weight_log2(1, u32::MAX), weight_log2(0, 0)), (0, 25));
    }
}
