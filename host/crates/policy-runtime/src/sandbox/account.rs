//! The CPU time that a guest may use, over one call or several that serve one request.
//!
//! Reading the thread's clock costs more than many a call, so nothing is read until the first tick
//! falls into the account. What was used until then is what went by since the account was opened,
//! a tick at most: more than that is others' time, as the machine is busy. Where it is not worth
//! noting when an account was opened, a whole tick is assumed. From there on the thread's own clock
//! counts, which stands still while the thread is pre-empted. A guest is stopped at the first tick
//! that finds its time spent, so it gets a tick more at most.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::TICK;

/// See the module.
#[derive(Debug)]
pub(crate) struct Account {
    allowance: Duration,
    opened_tick: u64,
    opened: Option<Instant>,
    /// What was used before the first tick, once that came.
    head: Option<Duration>,
    /// What former calls used since.
    spent: Duration,
    /// The thread's clock since when the call in progress is counted.
    counted_from: Option<Duration>,
}

impl Account {
    /// Opens an account at tick `now`.
    pub(crate) fn open(allowance: Duration, now: u64, opened: Option<Instant>) -> Self {
        Self {
            allowance,
            opened_tick: now,
            opened,
            head: None,
            spent: Duration::ZERO,
            counted_from: None,
        }
    }

    /// What was allowed.
    pub(crate) fn allowance(&self) -> Duration {
        self.allowance
    }

    /// A call begins.
    #[inline]
    pub(crate) fn begin(&mut self, now: u64, clock: impl FnOnce() -> Duration) {
        if now != self.opened_tick {
            self.close_head();
            self.counted_from = Some(clock());
        }
    }

    fn close_head(&mut self) -> Duration {
        let gone_by = || {
            self.opened
                .map_or(TICK, |opened| opened.elapsed().min(TICK))
        };
        *self.head.get_or_insert_with(gone_by)
    }

    /// The clock ticked during the call. Whether there is time left; however little is allowed, a short
    /// call may fall into a tick.
    pub(crate) fn tick(&mut self, clock: Duration) -> bool {
        let head = self.close_head();
        let from = *self.counted_from.get_or_insert(clock);
        let counted = self.spent + clock.saturating_sub(from);
        head + counted < self.allowance || counted < TICK / 2
    }

    /// The call ended.
    #[inline]
    pub(crate) fn end(&mut self, clock: impl FnOnce() -> Duration) {
        if let Some(from) = self.counted_from.take() {
            self.spent += clock().saturating_sub(from);
        }
    }
}

/// The CPU time of this thread.
pub(crate) fn thread_clock() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn opened(allowance: Duration, ago: Duration) -> Account {
        Account::open(allowance, 7, Instant::now().checked_sub(ago))
    }

    #[test]
    fn a_short_call_reads_no_clock() {
        let mut account = Account::open(ms(2), 7, None);
        account.begin(7, || unreachable!());
        account.end(|| unreachable!());
    }

    #[test]
    fn what_was_used_before_the_first_tick_counts_as_far_as_it_is_known() {
        let ticks_until_stopped = |mut account: Account| {
            account.begin(7, || unreachable!());
            (0..).find(|&tick| !account.tick(ms(100 + tick)))
        };
        assert_eq!(ticks_until_stopped(Account::open(ms(3), 7, None)), Some(2));
        assert_eq!(ticks_until_stopped(opened(ms(3), ms(1))), Some(2));
        // Just now, unless this thread was pre-empted since.
        let just_now = ticks_until_stopped(opened(ms(20), ms(0)));
        assert!(matches!(just_now, Some(19 | 20)));
        // Others ran for most of an hour.
        assert_eq!(ticks_until_stopped(opened(ms(3), ms(3_000_000))), Some(2));
    }

    #[test]
    fn ticks_that_pass_while_others_run_cost_nothing() {
        let mut account = Account::open(ms(2), 7, None);
        account.begin(7, || unreachable!());
        for tick in 0..1000 {
            assert!(account.tick(ms(100) + Duration::from_nanos(tick)));
        }
    }

    #[test]
    fn calls_that_serve_one_request_share_its_time_but_not_what_is_between_them() {
        let mut account = Account::open(ms(3), 7, None);
        account.begin(7, || unreachable!());
        assert!(account.tick(ms(100)));
        account.end(|| ms(101));
        account.begin(9, || ms(500));
        assert!(account.tick(ms(500)));
        assert!(!account.tick(ms(501)));
        account.end(|| ms(501));
    }

    #[test]
    fn a_short_call_may_fall_into_a_tick_however_little_is_allowed() {
        let mut account = Account::open(Duration::ZERO, 7, None);
        account.begin(8, || ms(100));
        assert!(account.tick(ms(100) + TICK / 10));
        assert!(!account.tick(ms(101)));
    }
}
