//! A circuit breaker: after so many failures in a row nothing is asked for a while, then a few try whether it is over.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use larder_engine::Millis;
use larder_engine::tier::Circuit;
use parking_lot::Mutex;

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row after which nothing is asked any more.
    pub failure_threshold: u32,
    /// For how long, before a few try again.
    pub recovery_timeout: Duration,
    /// Of those so many have to succeed in a row, and so many try at once at most.
    pub success_threshold: u32,
}

/// See the module.
pub(super) struct Breaker {
    config: BreakerConfig,
    /// In a row, while it is closed.
    failures: AtomicU32,
    /// When it opened; 0 while it is closed. It is half-open once the recovery timeout has passed since, or was cut short.
    opened_at: AtomicU64,
    is_cut_short: AtomicBool,
    trials: Mutex<Trials>,
    times_opened: AtomicU64,
}

/// What is asked while it is half-open.
#[derive(Default)]
struct Trials {
    in_flight: u32,
    /// In a row.
    successes: u32,
}

/// Something that may be asked. How it ends is to be told; one that is dropped says nothing.
pub(super) struct Pass<'b> {
    breaker: &'b Breaker,
    is_trial: bool,
}

/// What an end has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Opened,
    Closed,
}

impl Breaker {
    /// A closed one.
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            failures: AtomicU32::new(0),
            opened_at: AtomicU64::new(0),
            is_cut_short: AtomicBool::new(false),
            trials: Mutex::default(),
            times_opened: AtomicU64::new(0),
        }
    }

    /// How it stands.
    #[inline]
    pub(super) fn circuit(&self, now: Millis) -> Circuit {
        match self.opened_at.load(Ordering::Acquire) {
            0 => Circuit::Closed,
            opened_at if self.left(opened_at, now).is_zero() => Circuit::HalfOpen,
            _ => Circuit::Open,
        }
    }

    /// How long nothing is asked yet.
    pub(super) fn closed_in(&self, now: Millis) -> Duration {
        match self.opened_at.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            opened_at => self.left(opened_at, now),
        }
    }

    /// How often it opened.
    pub(super) fn times_opened(&self) -> u64 {
        self.times_opened.load(Ordering::Relaxed)
    }

    /// A few may try at once, as what it failed by seems to be over.
    pub(super) fn cut_short(&self) {
        self.is_cut_short.store(true, Ordering::Release);
    }

    /// What is left of the recovery timeout. A clock that was set back ends it.
    fn left(&self, opened_at: Millis, now: Millis) -> Duration {
        if self.is_cut_short.load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        match now.checked_sub(opened_at) {
            Some(since) => {
                let since = Duration::from_millis(since);
                self.config.recovery_timeout.saturating_sub(since)
            }
            None => Duration::ZERO,
        }
    }

    /// Lets something be asked, or not.
    pub(super) fn admit(&self, now: Millis) -> Option<Pass<'_>> {
        let is_trial = match self.circuit(now) {
            Circuit::Closed => false,
            Circuit::Open => return None,
            Circuit::HalfOpen => {
                let mut trials = self.trials.lock();
                if trials.in_flight >= self.config.success_threshold {
                    return None;
                }
                trials.in_flight += 1;
                true
            }
        };
        Some(Pass {
            breaker: self,
            is_trial,
        })
    }

    /// Something went well that needed no pass.
    #[inline]
    pub(super) fn forgive(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Something failed.
    pub(super) fn failed(&self, now: Millis) -> Turn {
        let opened_at = self.opened_at.load(Ordering::Acquire);
        let opens = match self.circuit(now) {
            Circuit::Closed => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
                failures >= self.config.failure_threshold
            }
            Circuit::HalfOpen => true,
            Circuit::Open => false,
        };
        // Of several who see it at once one opens it.
        let opened = |before| {
            let now = now.max(1);
            let (order, seen) = (Ordering::AcqRel, Ordering::Relaxed);
            self.opened_at
                .compare_exchange(before, now, order, seen)
                .is_ok()
        };
        if !opens || !opened(opened_at) {
            return Turn::None;
        }
        self.is_cut_short.store(false, Ordering::Release);
        self.trials.lock().successes = 0;
        self.times_opened.fetch_add(1, Ordering::Relaxed);
        Turn::Opened
    }

    fn tried(&self, now: Millis) -> Turn {
        let mut trials = self.trials.lock();
        // One that was begun before it opened again shows nothing.
        if self.circuit(now) != Circuit::HalfOpen {
            return Turn::None;
        }
        trials.successes += 1;
        if trials.successes < self.config.success_threshold {
            return Turn::None;
        }
        trials.successes = 0;
        self.is_cut_short.store(false, Ordering::Release);
        self.failures.store(0, Ordering::Relaxed);
        self.opened_at.store(0, Ordering::Release);
        Turn::Closed
    }
}

impl Pass<'_> {
    /// It ended well, or not.
    pub(super) fn end(self, is_well: bool, now: Millis) -> Turn {
        match (is_well, self.is_trial) {
            (false, _) => self.breaker.failed(now),
            (true, true) => self.breaker.tried(now),
            (true, false) => {
                self.breaker.forgive();
                Turn::None
            }
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.trials.lock().in_flight -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig {
        failure_threshold: 5,
        recovery_timeout: Duration::from_secs(30),
        success_threshold: 3,
    };
    const NOW: Millis = 1_700_000_000_000;
    /// When it may be tried again.
    const LATER: Millis = NOW + 30_000;

    fn open() -> Breaker {
        let breaker = Breaker::new(CONFIG);
        for _ in 0..CONFIG.failure_threshold {
            breaker.failed(NOW);
        }
        assert_eq!(breaker.circuit(NOW), Circuit::Open);
        breaker
    }

    #[track_caller]
    fn end(breaker: &Breaker, is_well: bool, now: Millis) -> Turn {
        breaker.admit(now).expect("it lets it").end(is_well, now)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_alone() {
        let breaker = Breaker::new(CONFIG);
        for _ in 0..100 {
            for _ in 0..4 {
                assert_eq!(end(&breaker, false, NOW), Turn::None);
            }
            assert_eq!(end(&breaker, true, NOW), Turn::None);
        }
        for _ in 0..4 {
            assert_eq!(end(&breaker, false, NOW), Turn::None);
        }
        assert_eq!(breaker.circuit(NOW), Circuit::Closed);
        assert_eq!(end(&breaker, false, NOW), Turn::Opened);
        assert_eq!(breaker.circuit(NOW), Circuit::Open);
        assert!(breaker.admit(NOW).is_none());
        assert_eq!(breaker.times_opened(), 1);
        // What fails late does not make it longer.
        assert_eq!(breaker.failed(LATER - 1), Turn::None);
        assert_eq!(breaker.closed_in(LATER - 1), Duration::from_millis(1));
        assert_eq!(breaker.circuit(LATER), Circuit::HalfOpen);
    }

    #[test]
    fn a_few_try_at_a_time_and_close_it_together() {
        let breaker = open();
        let tries: Vec<_> = (0..3).map_while(|_| breaker.admit(LATER)).collect();
        assert_eq!(tries.len(), 3);
        assert!(breaker.admit(LATER).is_none());
        let turns: Vec<_> = tries
            .into_iter()
            .map(|pass| pass.end(true, LATER))
            .collect();
        assert_eq!(turns, [Turn::None, Turn::None, Turn::Closed]);
        assert_eq!(breaker.circuit(LATER), Circuit::Closed);
        // Failures are counted from the beginning again.
        assert_eq!(end(&breaker, false, LATER), Turn::None);
    }

    #[test]
    fn one_that_fails_opens_it_for_as_long_again() {
        let breaker = open();
        let slow = breaker.admit(LATER).unwrap();
        assert_eq!(end(&breaker, true, LATER), Turn::None);
        assert_eq!(end(&breaker, false, LATER), Turn::Opened);
        assert_eq!(breaker.circuit(LATER + 29_999), Circuit::Open);
        // What was begun before shows nothing, and neither does what went well before.
        assert_eq!(slow.end(true, LATER + 1), Turn::None);
        for _ in 0..2 {
            assert_eq!(end(&breaker, true, LATER + 30_000), Turn::None);
        }
        assert_eq!(end(&breaker, true, LATER + 30_000), Turn::Closed);
        assert_eq!(breaker.times_opened(), 2);
    }

    #[test]
    fn one_that_is_given_up_leaves_its_place() {
        let breaker = open();
        for _ in 0..10 {
            drop(breaker.admit(LATER).expect("there is a place"));
        }
        assert_eq!(breaker.circuit(LATER), Circuit::HalfOpen);
    }

    #[test]
    fn where_it_is_cut_short_a_few_try_at_once() {
        let breaker = open();
        breaker.cut_short();
        assert_eq!(breaker.circuit(NOW), Circuit::HalfOpen);
        assert_eq!(end(&breaker, false, NOW), Turn::Opened);
        assert_eq!(breaker.circuit(NOW), Circuit::Open, "that was it");
        breaker.cut_short();
        for turn in [Turn::None, Turn::None, Turn::Closed] {
            assert_eq!(end(&breaker, true, NOW), turn);
        }
        for _ in 0..CONFIG.failure_threshold {
            breaker.failed(NOW);
        }
        assert_eq!(breaker.circuit(NOW), Circuit::Open);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_waiting() {
        let breaker = open();
        assert_eq!(breaker.circuit(NOW - 3_600_000), Circuit::HalfOpen);
        assert_eq!(breaker.circuit(NOW + 3_600_000), Circuit::HalfOpen);
    }
}
