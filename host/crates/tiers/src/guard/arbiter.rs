//! What is asked of a tier that has the authority over keys, within its deadline and by its breakers.

use std::time::Duration;

use larder_engine::Millis;
use larder_engine::authority::{Arbiter, Seen, Swap};
use larder_engine::tier::{Circuit, TierError, TierKeyBuf};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Guarded, is_trouble};

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
            let Some(pass) = self.reads.breaker.admit((self.clock)()) else {
                return Err(self.pass_over());
            };
            let left = until.saturating_duration_since(Instant::now());
            let seen = timeout(left, arbiter.look(keys, bytes_max, now)).await;
            let seen = seen.unwrap_or_else(|_| Err(self.silent(self.config.deadline)));
            let fault = seen.as_ref().err().filter(|error| is_trouble(error));
            let turn = pass.end(fault.is_none(), (self.clock)());
            self.say(&self.reads, turn, fault);
            failures += 1;
            let is_open = || self.reads.breaker.circuit((self.clock)()) == Circuit::Open;
            if fault.is_none() || failures > self.config.retries || is_open() {
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
        let Some(pass) = self.writes.breaker.admit((self.clock)()) else {
            return Err(self.not_asked(&self.writes));
        };
        let deadline = self.config.deadline;
        let until = Instant::now() + deadline;
        let swapping = arbiter.swap(swaps, now, until.into_std());
        let done = timeout_at(until + SAYING_MAX, swapping).await;
        let done =
            done.unwrap_or_else(|_| Err(TierError::Uncertain(self.silent(deadline).to_string())));
        let fault = done.as_ref().err().filter(|error| is_trouble(error));
        let turn = pass.end(fault.is_none(), (self.clock)());
        self.say(&self.writes, turn, fault);
        done
    }

    /// Waits before what was in vain so often is tried again; the first time for nobody.
    pub(crate) async fn make_way(&self, tries: u32) {
        if tries > 1 {
            sleep(self.backoff.pause(tries - 1)).await;
        }
    }
}
