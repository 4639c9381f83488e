//! Loads that several may wait for: of those who want the same key as it is now, one looks for it.

use std::sync::Arc;
use std::time::Duration;

use larder_engine::below::Loaded;
use larder_engine::tier::{TierError, TierKeyBuf};
use moka::future::Cache;

/// Absences that are remembered.
const ABSENCES_MAX: u64 = 65_536;

/// A key, and how often it, or one of its group, had changed when it was asked for.
pub(crate) type Wanted = (TierKeyBuf, u64);

/// See the module.
pub(crate) struct Loads {
    cache: Cache<Wanted, Option<Arc<larder_engine::tier::Stored>>>,
    keeps_absences: bool,
}

impl Loads {
    /// Remembers absences for so long.
    pub(crate) fn new(absence: Duration) -> Self {
        let cache = Cache::builder().max_capacity(ABSENCES_MAX);
        Self {
            cache: cache
                .time_to_live(absence.max(Duration::from_millis(1)))
                .build(),
            keeps_absences: !absence.is_zero(),
        }
    }

    /// What `search` finds, or another one that was begun for the same. One that fails, panics or is dropped concerns
    /// nobody else: the next in line begins its own.
    pub(crate) async fn share(
        &self,
        wanted: Wanted,
        search: impl Future<Output = Loaded> + Send,
    ) -> Loaded {
        let found = self.cache.try_get_with(wanted.clone(), search).await;
        let found = found.map_err(|error: Arc<TierError>| (*error).clone())?;
        if found.is_some() || !self.keeps_absences {
            self.cache.invalidate(&wanted).await;
        }
        Ok(found)
    }
}
