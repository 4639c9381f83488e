//! How often a hash came lately, about: a count-min sketch that ages.
//!
//! Four rows of 4-bit counters, all of which are halved after ten times as many additions as
//! entries: "TinyLFU: A Highly Efficient Cache Admission Policy", Einziger, Friedman and Manes, ACM
//! Transactions on Storage 13(4), 2017.

const ROWS: u32 = 4;
/// Counters a word: four for each row.
const COUNTERS_A_ROW: u64 = 4;
const COUNT_MAX: u64 = 15;
/// The high three bits of each counter's four.
const HALVED: u64 = 0x7777_7777_7777_7777;
const ADDITIONS_AN_ENTRY: u64 = 10;

/// Counts up to 15 a hash; an estimate is never too small but for halving, and seldom too large.
#[derive(Debug, Default)]
pub struct Sketch {
    words: Vec<u64>,
    additions: u64,
    additions_max: u64,
}

impl Sketch {
    /// Sets for how many entries it counts: four bytes each. Starts anew where that outgrows what
    /// there is room for, or falls below a quarter of it.
    pub fn set_capacity(&mut self, entries: usize) {
        let entries = entries.max(1);
        let room = self.words.len() * 2;
        if entries > room || entries < room / 4 && room > 128 {
            self.words = Vec::new();
            self.words = vec![0; (entries + entries / 4).div_ceil(2)];
            self.additions = 0;
        }
        self.additions_max = entries as u64 * ADDITIONS_AN_ENTRY;
    }

    /// Counts one more of `hash`. Without a capacity nothing is counted.
    pub fn add(&mut self, hash: u32) {
        if self.words.is_empty() {
            return;
        }
        let mut counted = false;
        for row in 0..ROWS {
            let (word, shift) = self.counter(hash, row);
            if self.words[word] >> shift & COUNT_MAX < COUNT_MAX {
                self.words[word] += 1 << shift;
                counted = true;
            }
        }
        self.additions += u64::from(counted);
        if self.additions >= self.additions_max {
            self.halve();
        }
    }

    /// How often `hash` came, 0 to 15, older ones counting for less.
    pub fn estimate(&self, hash: u32) -> u8 {
        if self.words.is_empty() {
            return 0;
        }
        let counts = (0..ROWS).map(|row| {
            let (word, shift) = self.counter(hash, row);
            (self.words[word] >> shift & COUNT_MAX) as u8
        });
        counts.min().unwrap_or(0)
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    fn halve(&mut self) {
        for word in &mut self.words {
            *word = *word >> 1 & HALVED;
        }
        self.additions /= 2;
    }

    /// Word, and shift in it, of the counter of `hash` in `row`.
    fn counter(&self, hash: u32, row: u32) -> (usize, u32) {
        let mixed = crate::random::mix(u64::from(hash) | u64::from(row) << 32);
        let places = self.words.len() as u64 * COUNTERS_A_ROW;
        let place = ((mixed >> 32) * places) >> 32;
        let column = (place % COUNTERS_A_ROW) as u32;
        ((place / COUNTERS_A_ROW) as usize, 16 * row + 4 * column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> u32 {
        n.wrapping_mul(0x85EB_CA6B) ^ n.rotate_left(13)
    }

    #[test]
    fn counts_are_never_too_small_and_seldom_too_large() {
        let mut sketch = Sketch::default();
        sketch.set_capacity(1000);
        for n in 0..1000 {
            (0..n % 10).for_each(|_| sketch.add(hash(n)));
        }
        let over = (0..1000).filter(|&n| {
            let estimate = u32::from(sketch.estimate(hash(n)));
            assert!(estimate >= n % 10, "{n}: {estimate}");
            estimate > n % 10
        });
        assert!(over.count() < 50);
        let strangers = (5000..15_000).filter(|&n| sketch.estimate(hash(n)) > 1);
        assert!(strangers.count() < 500);
    }

    #[test]
    fn what_was_often_fades() {
        let mut sketch = Sketch::default();
        sketch.set_capacity(100);
        (0..100).for_each(|_| sketch.add(7));
        assert_eq!(sketch.estimate(7), 15);
        (0..4000).for_each(|n| sketch.add(hash(n % 200)));
        assert!(sketch.estimate(7) <= 8, "{}", sketch.estimate(7));
    }

    #[test]
    fn nothing_is_counted_without_a_capacity_and_memory_is_bounded() {
        let mut sketch = Sketch::default();
        sketch.add(1);
        assert_eq!((sketch.estimate(1), sketch.memory_bytes()), (0, 0));
        sketch.set_capacity(1_000_000);
        assert!(sketch.memory_bytes() <= 5_100_000);
    }
}
