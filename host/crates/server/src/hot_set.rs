//! The hot set of an earlier process comes back into memory, the hottest first, before the server is ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use larder_engine::{HotKey, Key, Tenant};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tracing::info;

use crate::Shared;
use crate::warm::{LOADS_MAX, Warmed, Warmer, Warmth};

/// How often it is said how far it has come.
const SAID_EVERY: Duration = Duration::from_secs(1);
/// It ends when less than this part of a tenant's memory is free: what comes last would displace what came first.
const FREE_PART_MIN: u64 = 64;

/// How a tenant's hot set comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum HotSetState {
    /// There is none.
    None,
    /// It is on its way.
    Restoring,
    /// All of it was looked for.
    Restored,
    /// The memory was full before.
    Full,
    /// The deadline passed before.
    Late,
    /// Some of it could not be read.
    Failed,
}

impl HotSetState {
    const ALL: [Self; 6] = [
        Self::None,
        Self::Restoring,
        Self::Restored,
        Self::Full,
        Self::Late,
        Self::Failed,
    ];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Restoring => "restoring",
            Self::Restored => "restored",
            Self::Full => "full",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }
}

/// How far a tenant's hot set has come.
#[derive(Debug, Default)]
pub(crate) struct HotSetProgress {
    state: AtomicU8,
    keys: AtomicU64,
    looked_at: AtomicU64,
    loaded: AtomicU64,
}

impl HotSetProgress {
    pub(crate) fn state(&self) -> HotSetState {
        let state = usize::from(self.state.load(Ordering::Relaxed));
        HotSetState::ALL[state.min(HotSetState::ALL.len() - 1)]
    }

    fn set_state(&self, state: HotSetState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Keys of the set, those that were looked for, and those that were brought into memory.
    pub(crate) fn counts(&self) -> [u64; 3] {
        [&self.keys, &self.looked_at, &self.loaded].map(|count| count.load(Ordering::Relaxed))
    }

    fn advance(&self, warmed: Warmed) {
        let looked_at = warmed.iter().sum();
        self.looked_at.store(looked_at, Ordering::Relaxed);
        let loaded = warmed[Warmth::Loaded as usize];
        self.loaded.store(loaded, Ordering::Relaxed);
    }
}

/// Brings the keys of tenants into memory, in their order, for so long at most. To be called before the server is ready.
pub async fn restore_hot_sets(
    shared: &Arc<Shared>,
    sets: Vec<(Arc<Tenant>, Vec<HotKey>)>,
    time_max: Duration,
) {
    let mut restoring = JoinSet::new();
    for (tenant, keys) in sets {
        let progress = &shared.warm_ups.hot_sets[tenant.number()];
        progress.keys.store(keys.len() as u64, Ordering::Relaxed);
        progress.set_state(HotSetState::Restoring);
        restoring.spawn(restore(Arc::clone(shared), tenant, keys));
    }
    let deadline = Instant::now() + time_max;
    let mut said = interval(SAID_EVERY);
    said.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first comes at once.
    said.tick().await;
    while !restoring.is_empty() {
        let next = async {
            tokio::select! {
                _ = restoring.join_next() => {}
                _ = said.tick() => say_progress(shared),
            }
        };
        if timeout_at(deadline, next).await.is_err() {
            break;
        }
    }
    // What goes on is given up.
    drop(restoring);
    for (tenant, progress) in of_tenants(shared) {
        if progress.state() == HotSetState::Restoring {
            progress.set_state(HotSetState::Late);
        }
        if progress.state() != HotSetState::None {
            let [keys, looked_at, loaded] = progress.counts();
            let (tenant, state) = (tenant.name(), progress.state().name());
            info!(tenant, state, keys, looked_at, loaded, "hot set");
        }
    }
}

fn of_tenants(shared: &Shared) -> impl Iterator<Item = (&Arc<Tenant>, &HotSetProgress)> {
    shared
        .engine
        .tenants()
        .iter()
        .zip(&shared.warm_ups.hot_sets)
}

fn say_progress(shared: &Shared) {
    for (tenant, progress) in of_tenants(shared) {
        if progress.state() == HotSetState::Restoring {
            let [keys, looked_at, loaded] = progress.counts();
            let tenant = tenant.name();
            info!(tenant, keys, looked_at, loaded, "the hot set comes back");
        }
    }
}

async fn restore(shared: Arc<Shared>, tenant: Arc<Tenant>, keys: Vec<HotKey>) {
    let mut warmer = Warmer::new(&shared, &tenant, LOADS_MAX);
    let progress = &shared.warm_ups.hot_sets[tenant.number()];
    let mut state = HotSetState::Restored;
    for HotKey { db, key } in &keys {
        if tenant.free_bytes() < tenant.memory_bytes() / FREE_PART_MIN {
            state = HotSetState::Full;
            break;
        }
        warmer.want(Key::new(*db, key)).await;
        progress.advance(warmer.warmed());
    }
    warmer.finish().await;
    let warmed = warmer.warmed();
    progress.advance(warmed);
    progress.set_state(match warmed[Warmth::Failed as usize] {
        0 => state,
        _ => HotSetState::Failed,
    });
}

/// Whether all that there was of a tenant's hot set was looked for, so that what is hot now says more than it did.
pub fn is_hot_set_back(shared: &Shared, tenant: &Tenant) -> bool {
    let state = shared.warm_ups.hot_sets[tenant.number()].state();
    !matches!(
        state,
        HotSetState::Restoring | HotSetState::Late | HotSetState::Failed
    )
}

#[cfg(test)]
mod tests;
