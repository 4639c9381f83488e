//! What is fetched, within a budget.

use crate::candidate::Source;

/// What prewarming may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Fetches a second.
    pub fetches_per_second: u32,
    /// Bytes a second.
    pub bytes_per_second: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            fetches_per_second: 1_000,
            bytes_per_second: 64 << 20,
        }
    }
}

/// One key to be fetched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fetch {
    /// Hash of the key.
    pub key: u64,
    /// Bytes that it is expected to take.
    pub size_bytes: u32,
    /// How probable it is that it is asked for within the horizon.
    pub probability: f32,
    /// When the horizon ends: not asked for by then, it is the first to go.
    pub until_ms: u64,
    /// What speaks for it.
    pub source: Source,
}

/// What of the budget is left; a second's worth at most.
#[derive(Debug)]
pub struct Purse {
    budget: Budget,
    /// Thousandths of fetches, and of bytes.
    fetches: u64,
    bytes: u64,
    filled_ms: u64,
}

impl Purse {
    /// An empty one.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            fetches: 0,
            bytes: 0,
            filled_ms: 0,
        }
    }

    /// Takes the best of `fetches` that the budget and `room_bytes` have for, best first.
    pub fn choose(&mut self, mut fetches: Vec<Fetch>, now_ms: u64, room_bytes: u64) -> Vec<Fetch> {
        self.fill(now_ms);
        fetches.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let mut room = room_bytes;
        fetches.retain(|fetch| {
            let size = u64::from(fetch.size_bytes);
            let is_paid = self.fetches >= 1_000 && self.bytes / 1_000 >= size && room >= size;
            if is_paid {
                self.fetches -= 1_000;
                self.bytes -= size * 1_000;
                room -= size;
            }
            is_paid
        });
        fetches
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.filled_ms).min(1_000);
        self.filled_ms = now_ms;
        let fetches = u64::from(self.budget.fetches_per_second);
        let bytes = self.budget.bytes_per_second;
        self.fetches = (self.fetches + fetches * passed).min(fetches.saturating_mul(1_000));
        let more = self.bytes.saturating_add(bytes.saturating_mul(passed));
        self.bytes = more.min(bytes.saturating_mul(1_000));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(key: u64, size_bytes: u32, probability: f32) -> Fetch {
        Fetch {
            key,
            size_bytes,
            probability,
            until_ms: 0,
            source: Source::Follows,
        }
    }

    fn keys(purse: &mut Purse, fetches: &[Fetch], now_ms: u64, room_bytes: u64) -> Vec<u64> {
        let chosen = purse.choose(fetches.to_vec(), now_ms, room_bytes);
        chosen.iter().map(|fetch| fetch.key).collect()
    }

    #[test]
    fn the_best_come_first_and_the_budget_is_kept() {
        let mut purse = Purse::new(Budget {
            fetches_per_second: 2,
            bytes_per_second: 100,
        });
        let all = [fetch(1, 10, 0.6), fetch(2, 10, 0.9), fetch(3, 10, 0.7)];
        assert_eq!(keys(&mut purse, &all, 10_000, 1_000), [2, 3]);
        assert!(keys(&mut purse, &all, 10_400, 1_000).is_empty());
        assert_eq!(keys(&mut purse, &all, 10_500, 1_000), [2]);
        assert_eq!(
            keys(&mut purse, &[fetch(4, 101, 0.9)], 20_000, 1_000),
            [0; 0]
        );
        assert_eq!(keys(&mut purse, &all, 30_000, 10), [2], "the room is small");
    }
}
