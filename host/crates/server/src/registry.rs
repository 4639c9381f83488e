//! The connections of one worker as its sweeper sees them: what each is waiting for and since when, and
//! how to make it stop. Time is counted in sweeps, so serving a request reads no clock for it.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Duration;

use crate::ServerConfig;
use crate::tuning::Tuning;

/// A connection that was told to close is waited for this long before it is closed on our side too.
const LINGER: Duration = Duration::from_secs(2);
/// How long a handshake may take; less where requests have less time.
const GREETING: Duration = Duration::from_secs(10);
/// How long either may take, handshake and signing in, while others want the place.
const CROWDED: Duration = Duration::from_secs(1);
/// Bounds of the time between two sweeps. Shorter ones serve timeouts below the usual.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
const INTERVAL_MAX: Duration = Duration::from_secs(1);

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The client to end its handshake.
    Greeting,
    /// The first byte of a request.
    Idle,
    /// The rest of a request.
    Receiving,
    /// The client to take its replies.
    Sending,
    /// Somebody to sign in, whatever is said until then.
    Strange,
    /// Its next turn; never too late.
    Working,
    /// The client to close, after it was told to.
    Lingering,
}

/// Why a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It did not end its handshake.
    Greeting,
    /// Nothing was asked for longer than `idle_timeout`.
    Idle,
    /// A request did not arrive within `request_timeout`.
    Receiving,
    /// No reply byte was taken within `request_timeout`.
    Sending,
    /// It was told to close and did not.
    Lingering,
}

/// One connection, shared by its task and the sweeper of the same worker.
pub(crate) struct Entry {
    phase: Cell<Phase>,
    since_sweep: Cell<u64>,
    cut: Cell<Option<Cut>>,
    waker: RefCell<Option<Waker>>,
}

impl Entry {
    pub(crate) fn new(sweep: u64) -> Self {
        Self {
            phase: Cell::new(Phase::Idle),
            since_sweep: Cell::new(sweep),
            cut: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// Remembers how to wake the connection's task.
    pub(crate) fn arm(&self, waker: &Waker) {
        let mut armed = self.waker.borrow_mut();
        if !armed.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *armed = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Why the connection has to end now, if it has to.
    pub(crate) fn cut(&self) -> Option<Cut> {
        self.cut.get()
    }

    /// Notes what the connection waits for now. The waiting goes on from when it began, unless it is for
    /// something else than before or the connection `progressed`: a byte more of the same request is no
    /// progress, or a client could hold a request open for ever.
    pub(crate) fn settle(&self, phase: Phase, progressed: bool, sweep: u64) {
        let is_other = self.phase.replace(phase) != phase;
        let progressed = progressed && phase != Phase::Strange;
        if progressed || is_other || phase == Phase::Idle {
            self.since_sweep.set(sweep);
        }
    }

    /// Ends the connection if it has waited too long.
    pub(crate) fn check(&self, limits: &Patience, sweep: u64) {
        let waited = sweep.saturating_sub(self.since_sweep.get());
        let overdue = match self.phase.get() {
            Phase::Greeting => (waited > limits.greeting).then_some(Cut::Greeting),
            Phase::Idle => limits
                .idle
                .is_some_and(|most| waited > most)
                .then_some(Cut::Idle),
            Phase::Receiving => (waited > limits.request).then_some(Cut::Receiving),
            Phase::Strange => (waited > limits.strange).then_some(Cut::Receiving),
            Phase::Sending => (waited > limits.request).then_some(Cut::Sending),
            Phase::Lingering => (waited > limits.linger).then_some(Cut::Lingering),
            Phase::Working => None,
        };
        if overdue.is_some() {
            self.cut.set(overdue);
            self.wake();
        }
    }
}

/// Time between two sweeps.
pub(crate) fn sweep_interval(config: &ServerConfig) -> Duration {
    let shortest = config
        .idle_timeout
        .unwrap_or(Duration::MAX)
        .min(config.request_timeout);
    (shortest / 4).clamp(INTERVAL_MIN, INTERVAL_MAX)
}

/// How long connections may wait, in sweeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    greeting: u64,
    idle: Option<u64>,
    strange: u64,
    request: u64,
    linger: u64,
}

impl Patience {
    /// With sweeps so far from each other. Where it `is_crowded`, who has not signed in has little time.
    pub(crate) fn new(tuning: &Tuning, interval: Duration, is_crowded: bool) -> Self {
        let sweeps = |time: Duration| {
            u64::try_from(time.as_nanos().div_ceil(interval.as_nanos())).unwrap_or(u64::MAX)
        };
        let request_time = tuning.request_timeout();
        let strange_time = match is_crowded {
            true => CROWDED.min(request_time),
            false => request_time,
        };
        Self {
            greeting: sweeps(GREETING.min(strange_time)),
            strange: sweeps(strange_time),
            idle: tuning.idle_timeout().map(sweeps),
            request: sweeps(request_time),
            linger: sweeps(LINGER),
        }
    }
}

#[cfg(test)]
mod tests;
