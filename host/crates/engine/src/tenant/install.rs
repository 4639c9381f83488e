//! Who decides over a tenant's evictions, and how another one takes over while requests go on.

use std::sync::Arc;

use super::{Tenant, seed_of};
use crate::entry::Millis;
use crate::evictor::{EvictorFactory, Unfit};
use crate::reuse::foreseeing;
use crate::shard::{Setback, Successor};

/// Attempts to take over: more may be written meanwhile than can be told, and on a busy machine an honest
/// evictor may miss its deadline.
const ATTEMPTS_MAX: usize = 3;

impl Tenant {
    /// The name of what decides over its evictions.
    pub fn eviction(&self) -> String {
        self.ruler.lock().name().to_owned()
    }

    /// Replaces the evictors of all shards by those that `factory` makes. Each is told who is
    /// resident, the one idle for longest first, and what happened meanwhile; then all take over.
    /// Reads and writes go on; a shard's lock is held for some tens of microseconds at a time.
    ///
    /// # Errors
    /// When one cannot be made, fails, or cannot keep up, at each of some attempts; those before stay in charge
    /// then.
    pub fn install(&self, factory: Arc<dyn EvictorFactory>, now: Millis) -> Result<(), Unfit> {
        let _alone = self.succession.lock();
        self.succeed(&*factory, now, |_| true)?;
        *self.ruler.lock() = factory;
        Ok(())
    }

    /// Makes new evictors for the shards whose evictor failed, as [`Self::install`] does. Returns how
    /// many there were.
    ///
    /// # Errors
    /// As [`Self::install`].
    pub fn repair(&self, now: Millis) -> Result<usize, Unfit> {
        let _alone = self.succession.lock();
        let ruler = Arc::clone(&self.ruler.lock());
        self.succeed(&*ruler, now, |shard| self.shards[shard].is_unfit())
    }

    /// Shards whose evictor failed: the fallback evicts there.
    pub fn unfit_shards(&self) -> usize {
        self.shards.iter().filter(|shard| shard.is_unfit()).count()
    }

    /// Why an evictor failed, of the first shard where one did.
    pub fn unfit_reason(&self) -> Option<String> {
        self.shards
            .iter()
            .filter(|shard| shard.is_unfit())
            .find_map(|shard| shard.evictor.lock().unfit().map(ToString::to_string))
    }

    fn succeed(
        &self,
        factory: &dyn EvictorFactory,
        now: Millis,
        is_due: impl Fn(usize) -> bool,
    ) -> Result<usize, Unfit> {
        let mut attempts = 1;
        loop {
            match self.try_succeed(factory, now, &is_due) {
                Err(_) if attempts < ATTEMPTS_MAX => attempts += 1,
                outcome => return Ok(outcome?),
            }
        }
    }

    fn try_succeed(
        &self,
        factory: &dyn EvictorFactory,
        now: Millis,
        is_due: impl Fn(usize) -> bool,
    ) -> Result<usize, Setback> {
        let share_bytes = self.share_bytes / self.shards.len() as u64;
        let mut successors: Vec<Successor<'_>> = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            if is_due(number) {
                let seed = seed_of(self.evictor_seed, number as u64);
                let evictor = factory.build(seed, share_bytes)?;
                let evictor = foreseeing(evictor, self.reuse.as_ref(), seed);
                successors.push(Successor::new(shard, evictor, now)?);
                successors.iter_mut().try_for_each(Successor::catch_up)?;
            }
        }
        let count = successors.len();
        for successor in successors {
            self.use_bytes(successor.take_over());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
