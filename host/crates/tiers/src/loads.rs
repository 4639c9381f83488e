//! Loads that several may wait for: of those who want the same key as it is now, one looks for it.

use std::sync::Arc;
use std::time::Duration;

use larder_engine::below::Loaded;
use larder_engine::tier::{Stored, TierError, TierKeyBuf};
use moka::future::Cache;

/// Loads that may be shared at once.
const FLYING_MAX: u64 = 65_536;
/// Bytes that absences may take.
const ABSENCES_BYTES_MAX: u64 = 16 << 20;
/// Beside its key, what one takes.
const ABSENCE_BYTES: usize = 192;

/// A key, and how often it, or one of its group, had changed when it was asked for.
pub(crate) type Wanted = (TierKeyBuf, u64);

/// See the module.
pub(crate) struct Loads {
    /// What is being loaded; what was is not kept.
    flying: Cache<Wanted, Option<Arc<Stored>>>,
    absences: Option<Cache<Wanted, ()>>,
}

impl Loads {
    /// Remembers absences for so long.
    pub(crate) fn new(absence: Duration) -> Self {
        let absences = || {
            let bytes = |(key, _): &Wanted, (): &()| (key.bytes.len() + ABSENCE_BYTES) as u32;
            let cache = Cache::builder().weigher(bytes);
            cache
                .max_capacity(ABSENCES_BYTES_MAX)
                .time_to_live(absence)
                .build()
        };
        Self {
            flying: Cache::builder().max_capacity(FLYING_MAX).build(),
            absences: (!absence.is_zero()).then(absences),
        }
    }

    /// Whether it is remembered that nothing was found under a key, which has not changed since.
    pub(crate) fn is_absent(&self, wanted: &Wanted) -> bool {
        let absences = self.absences.as_ref();
        absences.is_some_and(|absences| absences.contains_key(wanted))
    }

    /// Bytes that absences take.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let absences = self.absences.as_ref();
        absences.map_or(0, |absences| absences.weighted_size())
    }

    /// What `search` finds, or another one that was begun for the same. One that fails, panics or is dropped concerns
    /// nobody else: the next in line begins its own. An absence is remembered where one of them was asked for the key
    /// (`is_asked_for`): who looks ahead is early, and the key may be made before anybody asks.
    pub(crate) async fn share(
        &self,
        wanted: Wanted,
        search: impl Future<Output = Loaded> + Send,
        is_asked_for: bool,
    ) -> Loaded {
        let found = self.flying.try_get_with(wanted.clone(), search).await;
        let found = found.map_err(|error: Arc<TierError>| (*error).clone())?;
        let absences = self.absences.as_ref();
        if let Some(absences) = absences.filter(|_| is_asked_for && found.is_none()) {
            absences.insert(wanted.clone(), ()).await;
        }
        self.flying.invalidate(&wanted).await;
        Ok(found)
    }
}
