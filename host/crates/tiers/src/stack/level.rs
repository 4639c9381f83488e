//! One tier, what keeps its trouble from those who ask, and what is on its way to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_engine::Millis;
use larder_engine::below::Replication;
use larder_engine::tags::Tags;
use larder_engine::tier::{
    LevelFigures, Shed, Stored, Tier, TierChange, TierError, TierKey, TierKeyBuf,
};
use tokio::time::timeout;
use tracing::{error, warn};

use super::{Clock, is_void};
use crate::guard::{BreakerConfig, GuardConfig, Guarded};
use crate::queue::{Overflow, Queue};

/// What one may go without goes no more above so many percent of a queue's room, and what was written above so many.
const SHED_ABOVE: u64 = 50;
const SHED_WRITES_ABOVE: u64 = 75;

/// What a level is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelConfig {
    /// What is asked of its tier, and for how long.
    pub guard: GuardConfig,
    /// Bytes that may be on their way to it before those who write wait.
    pub queue_bytes_max: u64,
    /// What becomes of more while it is away.
    pub overflow: Overflow,
    /// Whether the server is not ready without it.
    pub is_required: bool,
}

/// As the settings are when nothing is said.
impl Default for LevelConfig {
    fn default() -> Self {
        Self {
            guard: GuardConfig {
                deadline: Duration::from_millis(500),
                retries: 3,
                breaker: BreakerConfig {
                    failure_threshold: 5,
                    recovery_timeout: Duration::from_secs(30),
                    success_threshold: 3,
                },
            },
            queue_bytes_max: 16 << 20,
            overflow: Overflow::Drop,
            is_required: false,
        }
    }
}

/// See the module.
pub(crate) struct Level {
    pub(crate) tier: Guarded,
    pub(crate) queue: Queue,
    pub(crate) counts: Counts,
    is_required: bool,
}

/// What happened at a level.
#[derive(Default)]
pub(crate) struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    read_errors: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) write_errors: AtomicU64,
    pub(crate) rounds: AtomicU64,
    /// By [`Shed::ALL`].
    shed: [AtomicU64; Shed::ALL.len()],
}

impl Level {
    pub(super) fn new(tier: Arc<dyn Tier>, config: LevelConfig, seed: u64, clock: Clock) -> Self {
        Self {
            tier: Guarded::new(tier, config.guard, seed, clock),
            queue: Queue::new(config.queue_bytes_max, config.overflow),
            counts: Counts::default(),
            is_required: config.is_required,
        }
    }

    /// Whether something is kept under a key, or is about to be changed.
    pub(super) fn is_below(&self, key: TierKey<'_>) -> bool {
        self.queue.coming(key).is_some() || self.tier.may_hold(key)
    }

    /// How many prefixes are being removed from it. On its way first: what is done meanwhile counts twice, and not never.
    pub(super) fn prefixes(&self) -> u64 {
        self.queue.prefixes() + self.tier.figures().prefixes
    }

    /// Adds what may be left out, unless there is little room. Whether it was added.
    pub(super) fn offer(&self, class: Shed, change: &TierChange) -> bool {
        let percent = match class {
            Shed::Demotion | Shed::Load => SHED_ABOVE,
            Shed::Behind | Shed::Oldest => SHED_WRITES_ABOVE,
        };
        if !self.queue.is_above(percent) {
            self.queue.push(change.clone());
            return true;
        }
        self.counts.shed[class as usize].fetch_add(1, Ordering::Relaxed);
        // What it was to replace is not to come back.
        if let TierChange::Put(key, _) = change
            && self.is_below(key.borrow())
        {
            self.queue.push(TierChange::Delete(key.clone()));
        }
        false
    }

    /// Looks for a key in the tier.
    pub(super) async fn read(
        &self,
        key: &TierKeyBuf,
        tags: &Tags,
        now: Millis,
    ) -> Result<Option<Stored>, TierError> {
        let found = self.tier.read(key, now).await;
        self.judge(&key.tenant, found, tags)
    }

    /// What [`Self::read`] would find, where that can be told at once.
    pub(super) fn read_now(
        &self,
        key: TierKey<'_>,
        tags: &Tags,
        now: Millis,
    ) -> Option<Result<Option<Stored>, TierError>> {
        Some(self.judge(key.tenant, self.tier.read_now(key, now)?, tags))
    }

    /// Counts what was found. What is void counts as nothing.
    fn judge(
        &self,
        tenant: &str,
        found: Result<Option<Stored>, TierError>,
        tags: &Tags,
    ) -> Result<Option<Stored>, TierError> {
        let is_void =
            |stored: &Stored| is_void(tags, stored) || self.queue.voids(tenant, &stored.note);
        let found = found.map(|found| found.filter(|stored| !is_void(stored)));
        let counter = match &found {
            Ok(Some(_)) => &self.counts.hits,
            Ok(None) => &self.counts.misses,
            Err(_) => &self.counts.read_errors,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Writes what is on its way, as long as something of it is written within `patience`, and closes the tier.
    pub(super) async fn end(&self, patience: Duration) {
        self.tier.end();
        let mut rounds = self.queue.rounds();
        while let Some(emptied) = self.queue.emptied() {
            let is_emptied = timeout(patience, emptied).await.is_ok();
            let done = self.queue.rounds();
            if !is_emptied && done == rounds {
                let (tier, left) = (self.tier.name(), self.queue.len());
                error!(
                    tier,
                    "{left} changes did not reach the tier within {patience:?} and are lost; what they were to replace or \
                     remove may be there yet"
                );
                break;
            }
            rounds = done;
        }
        if timeout(patience, self.tier.close()).await.is_err() {
            let tier = self.tier.name();
            warn!(tier, "the tier has not ended within {patience:?}");
        }
    }

    pub(super) fn replication(&self) -> Option<Replication> {
        let replicas = self.tier.replicas()?;
        let figures = self.figures();
        Some(Replication {
            replicas,
            short: figures.tier.unreplicated + figures.deferred + figures.write_errors,
        })
    }

    pub(super) fn figures(&self) -> LevelFigures {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counts, queued) = (&self.counts, self.queue.counts());
        let mut shed = counts.shed.each_ref().map(load);
        shed[Shed::Oldest as usize] += load(&queued.dropped);
        LevelFigures {
            is_required: self.is_required,
            is_away: self.queue.is_away(),
            hits: load(&counts.hits),
            misses: load(&counts.misses),
            read_errors: load(&counts.read_errors),
            writes: load(&counts.writes),
            write_errors: load(&counts.write_errors),
            rounds: load(&counts.rounds),
            queued_bytes: self.queue.bytes(),
            deferred: load(&queued.deferred),
            shed,
            collapses: load(&queued.collapses),
            ..self.tier.level_figures()
        }
    }
}
