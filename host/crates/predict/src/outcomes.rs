//! What becomes of fetches, as it is known when the time of each is over.

use std::collections::VecDeque;

/// Those that come within this part of the horizon are told of together.
const TOGETHER_PART: u64 = 64;

/// What became of a key that was to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It came, and waits to be asked for.
    Came,
    /// It was asked for in time.
    Used,
    /// It went before anybody asked for it.
    Wasted,
    /// It was looked for, and is nowhere.
    Nowhere,
}

/// Those that came, until their time is over. Bad news of them comes then; good news comes at once, and would be of later
/// ones: when fewer are fetched than before, bad news would be all there is for a while. So it waits, too.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// When their time is over, and how many; the first first.
    waiting: VecDeque<(u64, u32)>,
    count: u32,
    /// Of those whose time is over, as many more than were wasted; below zero where some went before.
    unwasted: i64,
}

impl Outcomes {
    /// One came. Its time begins now.
    pub(crate) fn came(&mut self, now_ms: u64, horizon_ms: u64) {
        let due_ms = now_ms + horizon_ms;
        self.count += 1;
        let together_ms = horizon_ms / TOGETHER_PART;
        match self.waiting.back_mut() {
            Some((last_ms, count)) if due_ms <= *last_ms + together_ms => *count += 1,
            _ => self.waiting.push_back((due_ms, 1)),
        }
    }

    /// One went that nobody has asked for.
    pub(crate) fn wasted(&mut self) {
        self.unwasted -= 1;
    }

    /// How many came in the last horizon.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// How many more of those whose time is over were used.
    pub(crate) fn used(&mut self, now_ms: u64) -> u32 {
        while let Some((_, count)) = self.waiting.pop_front_if(|(due_ms, _)| *due_ms <= now_ms) {
            self.count -= count;
            self.unwasted += i64::from(count);
        }
        let used = u32::try_from(self.unwasted).unwrap_or(0);
        self.unwasted -= i64::from(used);
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_known_when_what_was_wasted_is() {
        let mut outcomes = Outcomes::default();
        (0..10).for_each(|at_ms| outcomes.came(at_ms, 100));
        assert_eq!(outcomes.used(99), 0);
        // Two went for want of room, and one when its time was over.
        outcomes.wasted();
        outcomes.wasted();
        let used = |now_ms| {
            if now_ms == 105 {
                outcomes.wasted();
            }
            outcomes.used(now_ms)
        };
        assert_eq!((100..120).map(used).sum::<u32>(), 7);
    }

    #[test]
    fn no_more_is_kept_than_of_a_horizon() {
        let mut outcomes = Outcomes::default();
        let used = |at_ms| {
            outcomes.came(at_ms, 5_000);
            outcomes.used(at_ms)
        };
        let used: u32 = (0..100_000).map(used).sum();
        assert!((94_900..=95_100).contains(&used), "{used}");
        assert!(outcomes.waiting.len() as u64 <= 2 * TOGETHER_PART);
    }
}
