//! How long something took, counted in buckets whose width grows with the time: an eighth of a power
//! of two each, so that a figure read from them is wrong by a sixteenth at most.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::stats::add;

/// Buckets a power of two, as a power of two.
const STEP_BITS: u32 = 3;
/// Longer times count as this: 69 s.
const NS_MAX: u64 = (1 << 36) - 1;
const BUCKETS: usize = bucket(NS_MAX) + 1;

/// Counts of one writer; see [`add`].
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    /// Counts one that took `ns`.
    #[inline]
    pub(super) fn record(&self, ns: u64) {
        add(&self.0[bucket(ns)], 1);
    }
}

const fn bucket(ns: u64) -> usize {
    let ns = if ns < NS_MAX { ns } else { NS_MAX };
    let shift = (ns | (1 << STEP_BITS)).ilog2() - STEP_BITS;
    ((shift as usize) << STEP_BITS) + (ns >> shift) as usize
}

/// The least time that counts in a bucket.
const fn floor(bucket: usize) -> u64 {
    let shift = (bucket >> STEP_BITS).saturating_sub(1);
    ((bucket - (shift << STEP_BITS)) as u64) << shift
}

/// How long something took, as counted until some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency([u64; BUCKETS]);

impl Default for Latency {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Latency {
    pub(super) fn add_histogram(&mut self, histogram: &Histogram) {
        for (sum, counted) in self.0.iter_mut().zip(&histogram.0) {
            *sum += counted.load(Ordering::Relaxed);
        }
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: &Self) {
        for (sum, counted) in self.0.iter_mut().zip(&other.0) {
            *sum += counted;
        }
    }

    /// Takes away what had been counted `before`.
    pub(super) fn subtract(&mut self, before: &Self) {
        for (sum, counted) in self.0.iter_mut().zip(&before.0) {
            *sum = sum.saturating_sub(*counted);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many took less than `ns`; exact where that is a power of two.
    pub fn below(&self, ns: u64) -> u64 {
        self.0[..bucket(ns)].iter().sum()
    }

    /// The time, in nanoseconds, that `percent` of 100 did not exceed: the middle of its bucket. 0 where
    /// nothing was counted.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((self.count() as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return floor(at).midpoint(floor(at + 1));
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_without_gap_and_an_eighth_wide() {
        for at in 0..BUCKETS {
            assert_eq!(bucket(floor(at)), at);
            assert_eq!(bucket(floor(at + 1) - 1), at);
            let width = floor(at + 1) - floor(at);
            assert!(width == 1 || width * 8 <= floor(at), "{at}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_and_counts_below_are_those_of_what_was_recorded() {
        let histogram = Histogram::default();
        for microsecond in 1..=1000 {
            histogram.record(microsecond * 1000);
        }
        let mut latency = Latency::default();
        latency.add_histogram(&histogram);
        assert_eq!(latency.count(), 1000);
        for (percent, ns) in [(50.0, 500_000.0), (99.0, 990_000.0), (100.0, 1e6)] {
            let read = latency.percentile(percent) as f64;
            assert!((read / ns - 1.0).abs() < 0.07, "{percent}: {read}");
        }
        assert_eq!(latency.below(1 << 10), 1);
        assert_eq!(latency.below(1 << 19), 524);
        assert_eq!(latency.below(1 << 40), 1000);
        assert_eq!(Latency::default().percentile(99.0), 0);
    }
}
