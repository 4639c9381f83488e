//! Keys over which the lowest level has the authority: looked at and changed there, by one of this host at a time.

use std::sync::Arc;
use std::time::Duration;

use larder_engine::authority::{Attempt, Authority, Becomes, Look, Mark, Swap};
use larder_engine::tier::{Answer, TierError, TierKeyBuf};
use larder_engine::{Key, Millis};
use tokio::sync::oneshot::{self, Sender};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout, timeout_at};

use super::tenant::{TenantBelow, given_up};
use super::{Level, Stack, is_void};
use crate::queue::hash_of;
use larder_engine::tags::Tags;

/// Groups of a tenant's keys of which one is looked at and changed at a time: two of this host would only get into each
/// other's way.
const TURNS: usize = 256;

/// See [`TURNS`].
pub(super) struct Turns(Box<[Arc<Mutex<()>>]>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..TURNS).map(|_| Arc::default()).collect())
    }
}

impl Turns {
    /// Waits for the turns of all keys, in the order that everybody has.
    async fn take(&self, keys: &[TierKeyBuf]) -> Vec<OwnedMutexGuard<()>> {
        let group = |key: &TierKeyBuf| hash_of(key.borrow()) as usize % TURNS;
        let mut groups: Vec<_> = keys.iter().map(group).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut turns = Vec::with_capacity(groups.len());
        for group in groups {
            turns.push(Arc::clone(&self.0[group]).lock_owned().await);
        }
        turns
    }
}

/// Turns until this is dropped, but for no longer than `time_max`: whoever has them may wait for a client who reads nothing.
fn bounded(turns: Vec<OwnedMutexGuard<()>>, time_max: Duration) -> Sender<()> {
    let (held, is_over) = oneshot::channel();
    tokio::spawn(async move {
        // Either way.
        let _ = timeout(time_max, is_over).await;
        drop(turns);
    });
    held
}

/// Others were faster for as long as a command may take.
fn outrun(deadline: Duration) -> TierError {
    TierError::Unavailable(format!(
        "others have changed the keys again and again for {} ms before this could",
        deadline.as_millis()
    ))
}

impl Stack {
    fn arbiter(&self) -> Result<&Level, TierError> {
        let none = || TierError::Refused("no level has the authority over keys".to_owned());
        self.levels.last().ok_or_else(none)
    }

    async fn look(
        &self,
        turns: &Turns,
        keys: &[TierKeyBuf],
        tags: &Tags,
        attempt: Attempt,
        now: Millis,
    ) -> Result<Look, TierError> {
        let level = self.arbiter()?;
        let deadline = level.tier.config.deadline;
        let until = attempt.until.map(Instant::from_std);
        let until = until.unwrap_or_else(|| Instant::now() + deadline);
        let turns = timeout_at(until, async {
            level.tier.make_way(attempt.tries).await;
            turns.take(keys).await
        });
        let turns = turns.await.map_err(|_| match attempt.tries {
            0 => level.tier.silent(deadline),
            _ => outrun(deadline),
        })?;
        let began = Instant::now();
        let bytes_max = attempt.bytes_max;
        let mut seen = level.tier.look(keys, bytes_max, now, until).await?;
        // Nobody knows when the level looked: what may be there yet is.
        let later_ms = began.elapsed().as_millis() as Millis + 1;
        for one in &mut seen {
            one.stored.take_if(|stored| is_void(tags, stored));
            let stored = one.stored.as_mut();
            let expiry = stored.and_then(|stored| stored.expires_at.as_mut());
            if let Some(expiry) = expiry {
                *expiry += later_ms;
            }
        }
        Ok(Look {
            seen,
            until: until.into_std(),
            turns: Box::new(bounded(turns, deadline)),
        })
    }
}

impl Authority for TenantBelow {
    fn rules(&self, key: Key<'_>) -> bool {
        self.is_under_authority(key)
    }

    fn look(
        &self,
        keys: &[Key<'_>],
        attempt: Attempt,
        now: Millis,
    ) -> Answer<'static, Result<Look, TierError>> {
        let (stack, tags) = (Arc::clone(&self.stack), Arc::clone(&self.tags));
        let turns = Arc::clone(&self.turns);
        let keys: Vec<_> = keys.iter().map(|key| self.key_buf(*key)).collect();
        let looking = async move { stack.look(&turns, &keys, &tags, attempt, now).await };
        let looking = self.stack.runtime.spawn(looking);
        Box::pin(async move { looking.await.unwrap_or_else(|_| Err(given_up())) })
    }

    fn swap(
        &self,
        keys: &[Key<'_>],
        swaps: Vec<(Mark, Becomes)>,
        now: Millis,
    ) -> Answer<'static, Result<bool, TierError>> {
        let swap = |(key, (mark, becomes)): (&Key<'_>, (Mark, Becomes))| Swap {
            key: self.key_buf(*key),
            mark,
            becomes,
        };
        let swaps: Vec<_> = keys.iter().zip(swaps).map(swap).collect();
        let stack = Arc::clone(&self.stack);
        let swapping = self.stack.runtime.spawn(async move {
            let level = stack.arbiter()?;
            level.tier.swap(&swaps, now).await
        });
        let lost = |_| Err(TierError::Uncertain(given_up().to_string()));
        Box::pin(async move { swapping.await.unwrap_or_else(lost) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::key;

    #[tokio::test]
    async fn one_has_the_turn_until_it_is_given_up_or_its_time_is_over() {
        let turns = Turns::default();
        let keys = [key("k"), key("k")];
        let [briefly, long] = [1, 3_600_000].map(Duration::from_millis);
        let own = bounded(turns.take(&keys).await, long);
        assert!(timeout(briefly, turns.take(&keys)).await.is_err());
        drop(own);
        let own = bounded(turns.take(&keys).await, briefly);
        assert_eq!(turns.take(&keys).await.len(), 1);
        drop(own);
    }
}
