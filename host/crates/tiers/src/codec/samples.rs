//! What a dictionary is trained from: a fair choice of the values that were seen, within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Values that are chosen, and that have to be seen before there is a choice.
pub(super) const SAMPLES_MAX: usize = 1024;
/// Lengths of values that dictionaries are for.
pub(super) const SAMPLE_BYTES_MIN: usize = 32;
pub(super) const SAMPLE_BYTES_MAX: usize = 8 * 1024;
/// Bytes that the choices of all tenants together may hold.
const ALL_BYTES_MAX: usize = 8 << 20;
/// Values that are passed over after a dictionary was trained; twice as many the next time, and so on.
const RESTING_MIN: u64 = 1 << 16;
const RESTING_MAX: u64 = 1 << 24;

/// Bytes that the choices of all kinds of a tenant hold.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    used_bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

impl Budget {
    /// The share of one of so many tenants.
    pub(super) fn of_one_in(tenants: usize) -> Self {
        Self {
            used_bytes: Arc::default(),
            bytes_max: ALL_BYTES_MAX / tenants.max(1),
        }
    }

    fn change(&self, from: usize, to: usize) -> bool {
        let fits = |used: usize| (used + to - from <= self.bytes_max).then_some(used + to - from);
        let relaxed = Ordering::Relaxed;
        self.used_bytes.fetch_update(relaxed, relaxed, fits).is_ok()
    }

    pub(super) fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }
}

/// The choice of one kind of values: each that was seen is in it with the same probability.
pub(super) struct Samples {
    random: StdRng,
    budget: Budget,
    kept: Vec<Box<[u8]>>,
    seen: u64,
    resting: u64,
    resting_next: u64,
}

impl Samples {
    /// The same seed and values make the same choice.
    pub(super) fn new(seed: u64, budget: Budget) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            budget,
            kept: Vec::new(),
            seen: 0,
            resting: 0,
            resting_next: RESTING_MIN,
        }
    }

    /// A value that was seen.
    pub(super) fn offer(&mut self, value: &[u8]) {
        if self.resting > 0 {
            self.resting -= 1;
            return;
        }
        if !(SAMPLE_BYTES_MIN..=SAMPLE_BYTES_MAX).contains(&value.len()) {
            return;
        }
        self.seen += 1;
        if self.kept.len() < SAMPLES_MAX {
            if self.budget.change(0, value.len()) {
                self.kept.push(value.into());
            }
            return;
        }
        let at = self.random.random_range(0..self.seen);
        let replaced = usize::try_from(at)
            .ok()
            .and_then(|at| self.kept.get_mut(at));
        if let Some(replaced) = replaced
            && self.budget.change(replaced.len(), value.len())
        {
            *replaced = value.into();
        }
    }

    /// The choice, once there is one; others are chosen only after a rest.
    pub(super) fn take(&mut self) -> Option<Vec<Box<[u8]>>> {
        if self.seen < SAMPLES_MAX as u64 {
            return None;
        }
        self.seen = 0;
        self.resting = self.resting_next;
        self.resting_next = (self.resting_next * 2).min(RESTING_MAX);
        let bytes = self.kept.iter().map(|sample| sample.len()).sum();
        self.budget.change(bytes, 0);
        Some(std::mem::take(&mut self.kept))
    }

    /// The last choice was of use: the next rests are short again.
    pub(super) fn rest_less(&mut self) {
        self.resting = RESTING_MIN;
        self.resting_next = 2 * RESTING_MIN;
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        let bytes = self.kept.iter().map(|sample| sample.len()).sum();
        self.budget.change(bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(samples: &mut Samples, numbers: std::ops::Range<u32>) {
        for number in numbers {
            samples.offer(format!("{number:<40}").as_bytes());
        }
    }

    fn numbers(samples: Vec<Box<[u8]>>) -> Vec<u32> {
        let number = |sample: Box<[u8]>| {
            let text = String::from_utf8(sample.into()).unwrap();
            text.trim().parse().unwrap()
        };
        samples.into_iter().map(number).collect()
    }

    #[test]
    fn early_and_late_values_are_chosen_alike_and_by_the_seed() {
        let choice = |seed| {
            let mut samples = Samples::new(seed, Budget::of_one_in(1));
            offer(&mut samples, 0..1000);
            assert_eq!(samples.take(), None);
            offer(&mut samples, 1000..20_000);
            numbers(samples.take().unwrap())
        };
        let chosen = choice(1);
        assert_eq!(chosen.len(), SAMPLES_MAX);
        let early = chosen.iter().filter(|number| **number < 10_000).count();
        assert!((412..=612).contains(&early), "{early}");
        assert_eq!(chosen, choice(1));
        assert_ne!(chosen, choice(2));
    }

    #[test]
    fn after_a_choice_it_rests_for_longer_each_time() {
        let mut samples = Samples::new(1, Budget::of_one_in(1));
        offer(&mut samples, 0..1024);
        for rest in [1 << 16, 1 << 17] {
            assert_eq!(samples.take().map(|choice| choice.len()), Some(SAMPLES_MAX));
            offer(&mut samples, 0..rest + 1023);
            assert_eq!(samples.take(), None);
            offer(&mut samples, 0..1);
        }
        assert!(samples.take().is_some());
        samples.rest_less();
        offer(&mut samples, 0..(1 << 16) + 1024);
        assert!(samples.take().is_some());
    }

    #[test]
    fn what_all_hold_is_bounded_and_given_back() {
        let budget = Budget::of_one_in(1);
        let mut many: Vec<_> = (0..4)
            .map(|seed| Samples::new(seed, budget.clone()))
            .collect();
        let large = [b'x'; SAMPLE_BYTES_MAX];
        for samples in &mut many {
            samples.offer(&[b'x'; SAMPLE_BYTES_MAX + 1]);
            samples.offer(&[b'x'; SAMPLE_BYTES_MIN - 1]);
            assert_eq!(samples.seen, 0);
            (0..3000).for_each(|_| samples.offer(&large));
        }
        assert_eq!(budget.used_bytes(), ALL_BYTES_MAX);
        assert_eq!(many[0].take().unwrap().len(), SAMPLES_MAX);
        assert_eq!(many[3].take().unwrap().len(), 0);
        assert_eq!(budget.used_bytes(), 0);
    }
}
