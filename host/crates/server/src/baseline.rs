//! What had been counted when CONFIG RESETSTAT was asked for last: INFO tells what came since. The counters
//! themselves go on, as each has one writer only, and metrics never fall.

use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_engine::TenantStats;

use crate::Totals;
use crate::meter::Counted;

/// See the module.
pub(crate) struct Baseline {
    server: Mutex<Option<(Totals, Counted)>>,
    /// By the tenants' numbers.
    tenants: Box<[Mutex<TenantStats>]>,
}

impl Baseline {
    pub(crate) fn new(tenants: usize) -> Self {
        Self {
            server: Mutex::new(None),
            tenants: (0..tenants).map(|_| Mutex::default()).collect(),
        }
    }

    /// Lets figures begin anew: the server's, and those of the tenant of that number.
    pub(crate) fn set(&self, totals: Totals, counted: Counted, tenant: usize, stats: TenantStats) {
        *lock(&self.server) = Some((totals, counted));
        *lock(&self.tenants[tenant]) = stats;
    }

    pub(crate) fn totals_since(&self, mut totals: Totals) -> Totals {
        if let Some((before, _)) = &*lock(&self.server) {
            totals.subtract(before);
        }
        totals
    }

    pub(crate) fn counted_since(&self, mut counted: Counted) -> Counted {
        if let Some((_, before)) = &*lock(&self.server) {
            counted.subtract(before);
        }
        counted
    }

    pub(crate) fn stats_since(&self, tenant: usize, mut stats: TenantStats) -> TenantStats {
        stats.subtract(&lock(&self.tenants[tenant]));
        stats
    }
}

/// What is behind the lock is replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
