//! Secrets that policies found and that could not be sealed.

use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::Millis;
use tracing::warn;

use crate::stats::bump;

/// Pause between two words about it.
const BETWEEN_WARNINGS_MS: Millis = 60_000;

/// Counts them.
#[derive(Default)]
pub(crate) struct Secrets {
    unsealed: AtomicU64,
    /// When it was told of last.
    warned_ms: AtomicU64,
}

impl Secrets {
    /// A value that a policy found to be a secret is kept as it is.
    #[cold]
    pub(crate) fn count_unsealed(&self, now: Millis) {
        bump(&self.unsealed);
        let warned_ms = self.warned_ms.load(Ordering::Relaxed);
        let is_due = warned_ms == 0 || now >= warned_ms.saturating_add(BETWEEN_WARNINGS_MS);
        let (relaxed, warned) = (Ordering::Relaxed, &self.warned_ms);
        if is_due
            && warned
                .compare_exchange(warned_ms, now, relaxed, relaxed)
                .is_ok()
        {
            warn!(
                values = self.unsealed(),
                "values that a policy finds to be secrets are kept as they are: make a key ring with \
                 `larder keys new` and name it in encryption.key_ring"
            );
        }
    }

    /// How many so far.
    pub(crate) fn unsealed(&self) -> u64 {
        self.unsealed.load(Ordering::Relaxed)
    }
}
