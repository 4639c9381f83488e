//! Pauses before something is tried again: each twice as long as the one before at most, and of that a part by chance, so
//! that those who failed together do not come back together ("full jitter").

use std::time::Duration;

use crate::draws::Draws;

const FIRST_US: u64 = 10_000;
const PAUSE_US_MAX: u64 = 1_000_000;

/// See the module.
pub(super) struct Backoff(Draws);

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self(Draws::new(seed))
    }

    /// The pause after so many failures.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let doubled = FIRST_US << failures.saturating_sub(1).min(16);
        Duration::from_micros(self.0.next() % doubled.min(PAUSE_US_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_follow_from_the_seed() {
        let longest = |failures| {
            let backoff = Backoff::new(7);
            let pauses = (0..1_000).map(|_| backoff.pause(failures));
            pauses.max().unwrap().as_millis()
        };
        let longest = [1, 2, 3, 8, u32::MAX].map(longest);
        for (found, bound) in longest.iter().zip([10, 20, 40, 1_000, 1_000]) {
            assert!((bound * 9 / 10..bound).contains(found), "{longest:?}");
        }
        let drawn = |seed| {
            let backoff = Backoff::new(seed);
            (0..10).map(|_| backoff.pause(9)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
