//! Figures that only looking again and again gives: how much happens in a second, and the most memory that
//! was ever used. Maintenance looks, once a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_engine::Engine;

use crate::Totals;

/// Time between two looks.
const INTERVAL_NS: u64 = 1_000_000_000;

/// What happened in a second, lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) commands: u64,
    pub(crate) input_bytes: u64,
    pub(crate) output_bytes: u64,
}

/// See the module.
pub(crate) struct Sampler {
    last: Mutex<Look>,
    /// Of the tenants, by number.
    peak_bytes: Box<[AtomicU64]>,
}

struct Look {
    at_ns: u64,
    totals: Totals,
    rates: Rates,
}

impl Sampler {
    pub(crate) fn new(tenants: usize, now_ns: u64) -> Self {
        let look = Look {
            at_ns: now_ns,
            totals: Totals::default(),
            rates: Rates::default(),
        };
        Self {
            last: Mutex::new(look),
            peak_bytes: (0..tenants).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Looks, if it is time to.
    pub(crate) fn look(&self, now_ns: u64, totals: impl FnOnce() -> Totals, engine: &Engine) {
        let mut last = self.last();
        let passed_ns = now_ns.saturating_sub(last.at_ns);
        if passed_ns < INTERVAL_NS {
            return;
        }
        let now = totals();
        let rate = |now: u64, before: u64| {
            let seconds = passed_ns as f64 / INTERVAL_NS as f64;
            (now.saturating_sub(before) as f64 / seconds) as u64
        };
        let rates = Rates {
            commands: rate(now.commands, last.totals.commands),
            input_bytes: rate(now.input_bytes, last.totals.input_bytes),
            output_bytes: rate(now.output_bytes, last.totals.output_bytes),
        };
        *last = Look {
            at_ns: now_ns,
            totals: now,
            rates,
        };
        drop(last);
        for (tenant, peak) in engine.tenants().iter().zip(&self.peak_bytes) {
            peak.fetch_max(tenant.used(), Ordering::Relaxed);
        }
    }

    pub(crate) fn rates(&self) -> Rates {
        self.last().rates
    }

    /// The most memory that a tenant was seen to use, by its number.
    pub(crate) fn peak_bytes(&self, tenant: usize) -> u64 {
        self.peak_bytes[tenant].load(Ordering::Relaxed)
    }

    fn last(&self) -> MutexGuard<'_, Look> {
        // A look is replaced whole.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    #[test]
    fn rates_are_those_between_two_looks_a_second_apart() {
        let engine = parts().engine;
        let sampler = Sampler::new(1, 0);
        let totals = |commands| {
            move || Totals {
                commands,
                ..Totals::default()
            }
        };
        sampler.look(2_000_000_000, totals(500), &engine);
        assert_eq!(sampler.rates().commands, 250);
        sampler.look(2_900_000_000, totals(900), &engine);
        assert_eq!(sampler.rates().commands, 250);
        sampler.look(3_000_000_000, totals(900), &engine);
        assert_eq!(sampler.rates().commands, 400);
        assert!(sampler.peak_bytes(0) > 0);
    }
}
