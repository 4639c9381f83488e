//! What a policy did, counted where it happens.
//!
//! Each instance counts for itself, with plain stores, as only its own thread writes there; a
//! snapshot adds up those that live and those that went.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::{CALL_NS_BOUNDS, PolicyFigures};
use parking_lot::Mutex;

/// The figures of a policy; all versions of the same name share them.
#[derive(Default)]
pub struct Figures(Mutex<Sum>);

#[derive(Default)]
struct Sum {
    live: Vec<Arc<Tally>>,
    gone: PolicyFigures,
}

/// One instance's part.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct Tally {
    pub(crate) calls: Counter,
    pub(crate) events: Counter,
    pub(crate) call_ns: Counter,
    pub(crate) call_times: [Counter; CALL_NS_BOUNDS.len() + 1],
    pub(crate) traps: Counter,
    pub(crate) deadlines_missed: Counter,
    pub(crate) wrong_answers: Counter,
    pub(crate) memory_bytes: Counter,
    pub(crate) log_lines: Counter,
    pub(crate) log_lines_dropped: Counter,
    pub(crate) refused_values: Counter,
}

/// A number that one thread at a time changes.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }

    #[inline]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Figures {
    /// What was counted so far.
    pub fn snapshot(&self) -> PolicyFigures {
        let sum = self.0.lock();
        let mut figures = sum.gone;
        for tally in &sum.live {
            tally.add_to(&mut figures);
            figures.memory_bytes += tally.memory_bytes.get();
        }
        figures.instances = sum.live.len() as u64;
        figures
    }

    /// Counts for one more instance.
    pub(super) fn open(self: &Arc<Self>) -> Recorder {
        let tally = Arc::default();
        self.0.lock().live.push(Arc::clone(&tally));
        Recorder {
            tally,
            figures: Arc::clone(self),
        }
    }
}

impl Tally {
    /// Counts a call that took `ns`, and stands for so many.
    pub(crate) fn add_call_time(&self, ns: u64, calls: u64) {
        self.call_ns.add(ns.saturating_mul(calls));
        self.call_times[CALL_NS_BOUNDS.partition_point(|bound| *bound < ns)].add(calls);
    }

    /// Adds what stays when the instance went.
    fn add_to(&self, figures: &mut PolicyFigures) {
        figures.calls += self.calls.get();
        figures.events += self.events.get();
        figures.call_ns += self.call_ns.get();
        for (sum, counted) in figures.call_times.iter_mut().zip(&self.call_times) {
            *sum += counted.get();
        }
        figures.traps += self.traps.get();
        figures.deadlines_missed += self.deadlines_missed.get();
        figures.wrong_answers += self.wrong_answers.get();
        figures.log_lines += self.log_lines.get();
        figures.log_lines_dropped += self.log_lines_dropped.get();
        figures.refused_values += self.refused_values.get();
    }
}

/// Counts for one instance, while that lives.
pub(super) struct Recorder {
    tally: Arc<Tally>,
    figures: Arc<Figures>,
}

impl std::ops::Deref for Recorder {
    type Target = Tally;

    fn deref(&self) -> &Tally {
        &self.tally
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let mut sum = self.figures.0.lock();
        self.tally.add_to(&mut sum.gone);
        sum.live.retain(|live| !Arc::ptr_eq(live, &self.tally));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_instance_did_stays_and_what_it_held_goes() {
        let figures = Arc::new(Figures::default());
        let (first, second) = (figures.open(), figures.open());
        for recorder in [&first, &second] {
            recorder.calls.add(2);
            recorder.add_call_time(600, 2);
            recorder.memory_bytes.set(10);
        }
        let both = figures.snapshot();
        assert_eq!((both.calls, both.instances, both.memory_bytes), (4, 2, 20));
        drop(first);
        let one = figures.snapshot();
        assert_eq!((one.call_ns, one.call_times[2]), (2400, 4));
        assert_eq!((one.calls, one.instances, one.memory_bytes), (4, 1, 10));
    }
}
