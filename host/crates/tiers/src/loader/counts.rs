//! What is counted of a loader.

use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::loader::LoadFailure;
use larder_engine::tier::{LOAD_MS_BOUNDS, LoaderFigures};

/// See the module.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) values: AtomicU64,
    pub(super) value_bytes: AtomicU64,
    pub(super) absences: AtomicU64,
    failures: [AtomicU64; LoadFailure::ALL.len()],
    times: [AtomicU64; LOAD_MS_BOUNDS.len() + 1],
    busy_ms: AtomicU64,
    pub(super) early: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Counts {
    /// Counts a load that failed. How many have so far.
    pub(super) fn add_failure(&self, failure: LoadFailure) -> u64 {
        self.failures[failure as usize].fetch_add(1, Ordering::Relaxed);
        let failures = self.failures.iter();
        failures.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Counts a load by the time that it took.
    pub(super) fn add_time(&self, ms: u64) {
        let at = LOAD_MS_BOUNDS.partition_point(|bound| *bound < ms);
        self.times[at].fetch_add(1, Ordering::Relaxed);
        self.busy_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// What was counted.
    pub(super) fn figures(&self) -> LoaderFigures {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LoaderFigures {
            values: load(&self.values),
            value_bytes: load(&self.value_bytes),
            absences: load(&self.absences),
            failures: self.failures.each_ref().map(load),
            times: self.times.each_ref().map(load),
            busy_ms: load(&self.busy_ms),
            refreshed_early: load(&self.early),
            refreshed_stale: load(&self.stale),
            refreshes_dropped: load(&self.dropped),
            ..LoaderFigures::default()
        }
    }
}
