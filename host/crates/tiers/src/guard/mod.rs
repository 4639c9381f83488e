//! A tier that may be slow, hang or be away, behind what keeps its trouble from those who ask: deadlines, a second try, a
//! bound for how many wait, and breakers that have nothing asked of it for a while.
//!
//! Reads and writes have a breaker each: a disk that is full, or a replica that takes no writes, still answers reads.

mod arbiter;
mod backoff;
mod breaker;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_engine::Millis;
use larder_engine::tier::{
    Answer, Circuit, CircuitFigures, Ear, LevelFigures, Stored, Tier, TierError, TierFigures,
    TierKey, TierKeyBuf, Told,
};
use tokio::select;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};

use crate::stack::Clock;
use backoff::Backoff;
pub use breaker::BreakerConfig;
use breaker::{Breaker, Pass, Turn};

/// Reads that may wait for a tier at once.
const READS_MAX: usize = 1024;
/// Who waits for a tier waits a millisecond longer for each so many bytes that it is at.
const BYTES_A_MS: u64 = 16 << 10;
/// What a read counts for at least: looking for it takes a while, too.
const READ_BYTES_MIN: u64 = 32 << 10;
/// A breaker's end is looked for this often at least, as the clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is asked of a tier, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardConfig {
    /// How long a read may take, tries included, and those who write wait; and longer the more the tier is at.
    pub deadline: Duration,
    /// How often something is tried again that failed.
    pub retries: u32,
    /// When nothing is asked any more. Reads and writes have one each.
    pub breaker: BreakerConfig,
}

/// See the module.
pub(crate) struct Guarded {
    tier: Arc<dyn Tier>,
    pub(crate) config: GuardConfig,
    clock: Clock,
    backoff: Backoff,
    reads: Side,
    writes: Side,
    places: Semaphore,
    /// Bytes of the reads that go on.
    reading_bytes: AtomicU64,
    passed_over: AtomicU64,
    crowded_out: AtomicU64,
    is_ending: AtomicBool,
    ends: Notify,
}

/// What is asked of a tier, one way or the other.
struct Side {
    name: &'static str,
    breaker: Breaker,
    opened: Notify,
    retries: AtomicU64,
    /// Looks or swaps that went well.
    answered: AtomicU64,
    /// How often the tier had come back when the breaker opened, or was cut short.
    recoveries: AtomicU64,
}

impl Side {
    fn new(name: &'static str, config: BreakerConfig) -> Self {
        Self {
            name,
            breaker: Breaker::new(config),
            opened: Notify::new(),
            retries: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            recoveries: AtomicU64::new(0),
        }
    }

    fn figures(&self, now: Millis) -> CircuitFigures {
        CircuitFigures {
            circuit: self.breaker.circuit(now),
            opened: self.breaker.times_opened(),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }
}

impl Guarded {
    pub(crate) fn new(tier: Arc<dyn Tier>, config: GuardConfig, seed: u64, clock: Clock) -> Self {
        Self {
            tier,
            config,
            clock,
            backoff: Backoff::new(seed),
            reads: Side::new("reads", config.breaker),
            writes: Side::new("writes", config.breaker),
            places: Semaphore::new(READS_MAX),
            reading_bytes: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
            crowded_out: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            ends: Notify::new(),
        }
    }

    /// Whether a side is not tried. Where the tier has come back since, a few may try.
    fn is_open(&self, side: &Side) -> bool {
        if side.breaker.circuit((self.clock)()) != Circuit::Open {
            return false;
        }
        let recoveries = self.tier.recoveries();
        let has_come_back = side.recoveries.swap(recoveries, Ordering::Relaxed) != recoveries;
        if has_come_back {
            side.breaker.cut_short();
        }
        !has_come_back
    }

    /// Lets something be asked of a side, or not.
    fn admit<'s>(&self, side: &'s Side) -> Option<Pass<'s>> {
        match self.is_open(side) {
            true => None,
            false => side.breaker.admit((self.clock)()),
        }
    }

    /// Whether nothing can be written to it at the moment.
    pub(crate) fn takes_nothing(&self) -> bool {
        self.is_open(&self.writes) && !self.is_ending()
    }

    /// Waits until something can be written to it.
    pub(crate) async fn writable(&self) {
        while self.takes_nothing() {
            let left = self.writes.breaker.closed_in((self.clock)());
            // Either way it is looked at again.
            let _ = timeout(left.min(LOOK_EVERY), self.ends.notified()).await;
        }
    }

    /// Waits until what failed so often is to be tried again.
    pub(crate) async fn pause(&self, failures: u32) {
        self.writes.retries.fetch_add(1, Ordering::Relaxed);
        sleep(self.backoff.pause(failures)).await;
    }

    /// What is to be written is written whatever came before: nobody comes afterwards.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.ends.notify_one();
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// How it stands, of all that a level's figures tell.
    pub(crate) fn level_figures(&self) -> LevelFigures {
        let now = (self.clock)();
        LevelFigures {
            name: self.tier.name().to_owned(),
            tier: self.tier.figures(),
            reads: self.reads.figures(now),
            writes_to: self.writes.figures(now),
            passed_over: self.passed_over.load(Ordering::Relaxed),
            crowded_out: self.crowded_out.load(Ordering::Relaxed),
            ..LevelFigures::default()
        }
    }

    /// Asks once; what takes too long ends with `late`, and when others have found that nothing goes well.
    async fn try_read(
        &self,
        key: &TierKeyBuf,
        now: Millis,
        until: Instant,
        late: impl FnOnce() -> TierError,
    ) -> Result<Option<Stored>, TierError> {
        // Made before the look, so that what opens behind it is not missed.
        let opened = self.reads.opened.notified();
        let Some(pass) = self.admit(&self.reads) else {
            return Err(self.pass_over());
        };
        let found = select! {
            biased;
            found = timeout_at(until, self.tier.read(key, now)) => found,
            () = opened => return Err(self.pass_over()),
        };
        let found = found.unwrap_or_else(|_| Err(late()));
        let fault = found.as_ref().err().filter(|error| is_trouble(error));
        let turn = pass.end(fault.is_none(), (self.clock)());
        self.say(&self.reads, turn, fault);
        found
    }

    /// Says what has changed, to those who wait as well.
    fn say(&self, side: &Side, turn: Turn, fault: Option<&TierError>) {
        if turn == Turn::Opened {
            let recoveries = self.tier.recoveries();
            side.recoveries.store(recoveries, Ordering::Relaxed);
            side.opened.notify_waiters();
        }
        let (tier, what) = (self.tier.name(), side.name);
        match (turn, fault) {
            (Turn::Opened, Some(fault)) => {
                let pause = self.config.breaker.recovery_timeout;
                warn!(tier, "{what} are not tried for {pause:?}: {fault}");
            }
            (Turn::Closed, _) => info!(tier, "{what} go well again"),
            (Turn::None | Turn::Opened, _) => {}
        }
    }

    /// The error of a read that is not tried, which counts.
    fn pass_over(&self) -> TierError {
        self.passed_over.fetch_add(1, Ordering::Relaxed);
        self.not_asked(&self.reads)
    }

    fn not_asked(&self, side: &Side) -> TierError {
        TierError::Unavailable(format!(
            "the tier {} has failed again and again, so its {} are not tried for a while; the log says why",
            self.tier.name(),
            side.name
        ))
    }

    /// The error of what takes longer than it may.
    pub(crate) fn silent(&self, waited: Duration) -> TierError {
        TierError::Unavailable(format!(
            "the tier {} has not answered within {waited:?}; see whether it is overloaded or hangs",
            self.tier.name()
        ))
    }
}

/// How much longer a tier may take that is at so many bytes.
pub(crate) fn time_for(bytes: u64) -> Duration {
    Duration::from_millis(bytes / BYTES_A_MS)
}

/// What a read adds to those that go on, for as long as it does.
struct Share<'a> {
    bytes: u64,
    /// With all that began before.
    all: u64,
    sum: &'a AtomicU64,
}

impl<'a> Share<'a> {
    fn take(sum: &'a AtomicU64, bytes: u64) -> Self {
        let all = sum.fetch_add(bytes, Ordering::Relaxed) + bytes;
        Self { bytes, all, sum }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Whether it may be over when it is tried again.
pub(crate) fn is_trouble(error: &TierError) -> bool {
    matches!(error, TierError::Unavailable(_) | TierError::Uncertain(_))
}

impl Tier for Guarded {
    fn name(&self) -> &str {
        self.tier.name()
    }

    fn may_hold(&self, key: TierKey<'_>) -> bool {
        self.tier.may_hold(key)
    }

    fn read_now(&self, key: TierKey<'_>, now: Millis) -> Option<Result<Option<Stored>, TierError>> {
        if self.is_open(&self.reads) {
            return Some(Err(self.pass_over()));
        }
        let found = self.tier.read_now(key, now)?;
        match &found {
            // It is tried again where that can be waited for.
            Err(error) if is_trouble(error) => return None,
            _ => self.reads.breaker.forgive(),
        }
        Some(found)
    }

    fn read_bytes(&self, key: TierKey<'_>) -> u64 {
        self.tier.read_bytes(key)
    }

    fn read<'a>(
        &'a self,
        key: &'a TierKeyBuf,
        now: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(async move {
            let Ok(_place) = self.places.try_acquire() else {
                self.crowded_out.fetch_add(1, Ordering::Relaxed);
                return Err(TierError::Unavailable(format!(
                    "{READS_MAX} reads wait for the tier {} already",
                    self.tier.name()
                )));
            };
            let own_bytes = self.tier.read_bytes(key.borrow()).max(READ_BYTES_MIN);
            let going_on = Share::take(&self.reading_bytes, own_bytes);
            let patience = self.config.deadline + time_for(going_on.all);
            let until = Instant::now() + patience;
            let mut failures = 0;
            loop {
                let late = || self.silent(patience);
                let found = self.try_read(key, now, until, late).await;
                failures += 1;
                let fails = found.as_ref().is_err_and(is_trouble);
                if !fails || failures > self.config.retries || self.is_open(&self.reads) {
                    return found;
                }
                let pause = self.backoff.pause(failures);
                if Instant::now() + pause >= until {
                    return found;
                }
                self.reads.retries.fetch_add(1, Ordering::Relaxed);
                sleep(pause).await;
            }
        })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        now: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(async move {
            let pass = self.admit(&self.writes);
            if pass.is_none() && !self.is_ending() {
                return vec![Err(self.not_asked(&self.writes)); changes.len()];
            }
            let results = self.tier.write(changes, now).await;
            let mut faults = results.iter().filter_map(|result| result.as_ref().err());
            let fault = faults.find(|error| is_trouble(error));
            let turn = pass.map(|pass| pass.end(fault.is_none(), (self.clock)()));
            self.say(&self.writes, turn.unwrap_or(Turn::None), fault);
            results
        })
    }

    fn figures(&self) -> TierFigures {
        self.tier.figures()
    }

    fn counts_tags(&self) -> bool {
        self.tier.counts_tags()
    }

    fn replicas(&self) -> Option<u32> {
        self.tier.replicas()
    }

    fn is_shared(&self) -> bool {
        self.tier.is_shared()
    }

    fn stale_max(&self) -> Option<Duration> {
        self.tier.stale_max()
    }

    fn answers(&self) -> bool {
        !self.is_open(&self.reads) && self.tier.answers()
    }

    fn listen(&self, ear: Arc<dyn Ear>) {
        self.tier.listen(ear);
    }

    fn close(&self) -> Answer<'_, ()> {
        self.tier.close()
    }
}
