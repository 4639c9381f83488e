//! Until when what is known of what others have cleared and invalidated is good. Every read looks at it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// See the module.
pub(super) struct Freshness {
    began: Instant,
    /// Since then.
    good_until_us: AtomicU64,
}

impl Freshness {
    /// Good until now.
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            good_until_us: AtomicU64::new(0),
        }
    }

    fn since_began_us(&self, then: Instant) -> u64 {
        let since = then.saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn is_good_at(&self, now: Instant) -> bool {
        self.since_began_us(now) <= self.good_until_us.load(Ordering::Acquire)
    }

    /// It is good until then, or longer if it was.
    pub(super) fn extend(&self, until: Instant) {
        let until_us = self.since_began_us(until);
        self.good_until_us.fetch_max(until_us, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_good_until_the_latest_that_was_said() {
        let freshness = Freshness::new();
        let at = |ms| freshness.began + Duration::from_millis(ms);
        assert!(freshness.is_good_at(at(0)) && !freshness.is_good_at(at(1)));
        for until in [20, 10] {
            freshness.extend(at(until));
            assert!(freshness.is_good_at(at(20)) && !freshness.is_good_at(at(21)));
        }
    }
}
