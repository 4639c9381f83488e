//! What is asked of a tier that has the authority over keys, within its deadline and by its breakers.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use larder_engine::Millis;
use larder_engine::authority::{Arbiter, Seen, Swap};
use larder_engine::tier::{TierError, TierKeyBuf};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::breaker::Pass;
use super::{Guarded, Side, is_trouble};

/// How long beyond the deadline a tier may take to say what became of a change.
const SAYING_MAX: Duration = Duration::from_millis(100);

impl Guarded {
    fn arbiter(&self) -> Result<&dyn Arbiter, TierError> {
        let none = || TierError::Refused(format!("the tier {} has no authority", self.tier.name()));
        self.tier.arbiter().ok_or_else(none)
    }

    /// What it holds of keys. What fails is tried again, as long as there is time.
    pub(crate) async fn look(
        &self,
        keys: &[TierKeyBuf],
        bytes_max: u64,
        now: Millis,
        until: Instant,
    ) -> Result<Vec<Seen>, TierError> {
        let arbiter = self.arbiter()?;
        let mut failures = 0;
        loop {
            let answered = self.reads.answered.load(Relaxed);
            let Some(pass) = self.admit(&self.reads) else {
                return Err(self.pass_over());
            };
            let left = until.saturating_duration_since(Instant::now());
            let Ok(seen) = timeout(left, arbiter.look(keys, bytes_max, now)).await else {
                return Err(self.is_late(&self.reads, pass, answered));
            };
            let fault = seen.as_ref().err().filter(|error| is_trouble(error));
            self.ends(&self.reads, pass, fault);
            failures += 1;
            if fault.is_none() || failures > self.config.retries || self.is_open(&self.reads) {
                return seen;
            }
            let pause = self.backoff.pause(failures);
            if Instant::now() + pause >= until {
                return seen;
            }
            sleep(pause).await;
        }
    }

    /// Has it change keys, once. By the deadline the tier says of what is not done whether it may be yet; where it says
    /// nothing nobody knows.
    pub(crate) async fn swap(&self, swaps: &[Swap], now: Millis) -> Result<bool, TierError> {
        let arbiter = self.arbiter()?;
        let Some(pass) = self.admit(&self.writes) else {
            return Err(self.not_asked(&self.writes));
        };
        let deadline = self.config.deadline;
        let until = Instant::now() + deadline;
        let swapping = arbiter.swap(swaps, now, until.into_std());
        let answered = self.writes.answered.load(Relaxed);
        let Ok(done) = timeout_at(until + SAYING_MAX, swapping).await else {
            let late = self.is_late(&self.writes, pass, answered);
            return Err(TierError::Uncertain(late.to_string()));
        };
        let fault = done.as_ref().err().filter(|error| is_trouble(error));
        self.ends(&self.writes, pass, fault);
        done
    }

    fn ends(&self, side: &Side, pass: Pass<'_>, fault: Option<&TierError>) {
        if fault.is_none() {
            side.answered.fetch_add(1, Relaxed);
        }
        let turn = pass.end(fault.is_none(), (self.clock)());
        self.say(side, turn, fault);
    }

    /// The error of what was not answered in time. Where others were, since so many, the tier is not silent: what was asked for
    /// had to wait for what they asked for.
    fn is_late(&self, side: &Side, pass: Pass<'_>, answered: u64) -> TierError {
        let late = self.silent(self.config.deadline);
        match side.answered.load(Relaxed) == answered {
            true => self.ends(side, pass, Some(&late)),
            false => drop(pass),
        }
        late
    }

    /// Waits before what was in vain so often is tried again; the first time for nobody.
    pub(crate) async fn make_way(&self, tries: u32) {
        if tries > 1 {
            sleep(self.backoff.pause(tries - 1)).await;
        }
    }
}
