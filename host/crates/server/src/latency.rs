//! What took longer than `latency-monitor-threshold` lately, by kind of event, as LATENCY tells it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Samples that are kept of an event, as in Redis.
const SAMPLES_MAX: usize = 160;

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A command that may take long.
    Command,
    /// A command that should be brief.
    FastCommand,
    /// A round of maintenance.
    Maintenance,
}

impl Event {
    pub(crate) const ALL: [Self; 3] = [Self::Command, Self::FastCommand, Self::Maintenance];

    /// As LATENCY calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::FastCommand => "fast-command",
            Self::Maintenance => "maintenance",
        }
    }

    /// The one that LATENCY calls so.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|event| event.name().as_bytes() == name)
    }
}

/// The longest of an event within a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Seconds since 1970.
    pub(crate) at_s: u64,
    pub(crate) ms: u64,
}

/// What is remembered of one kind of event.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// The latest last.
    pub(crate) samples: VecDeque<Sample>,
    /// The longest since the event was reset.
    pub(crate) ms_max: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct LatencyMonitor([Mutex<History>; Event::ALL.len()]);

impl LatencyMonitor {
    /// Remembers an event that took so long. Of a second the longest is kept.
    pub(crate) fn add(&self, event: Event, now_ms: u64, took_ns: u64) {
        let sample = Sample {
            at_s: now_ms / 1000,
            ms: took_ns / 1_000_000,
        };
        let mut history = self.lock(event);
        history.ms_max = history.ms_max.max(sample.ms);
        if let Some(last) = history.samples.back_mut()
            && last.at_s == sample.at_s
        {
            last.ms = last.ms.max(sample.ms);
            return;
        }
        if history.samples.len() == SAMPLES_MAX {
            history.samples.pop_front();
        }
        history.samples.push_back(sample);
    }

    pub(crate) fn history(&self, event: Event) -> History {
        self.lock(event).clone()
    }

    /// Forgets an event. Whether there was something to forget.
    pub(crate) fn reset(&self, event: Event) -> bool {
        let history = std::mem::take(&mut *self.lock(event));
        !history.samples.is_empty()
    }

    fn lock(&self, event: Event) -> MutexGuard<'_, History> {
        let history = &self.0[event as usize];
        // Whole between any two changes.
        history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_longest_is_kept_of_a_bounded_number_of_seconds() {
        let monitor = LatencyMonitor::default();
        for second in 0..200 {
            for ms in [5, 9, 7] {
                monitor.add(Event::Command, second * 1000 + ms, ms * 1_000_000);
            }
        }
        let history = monitor.history(Event::Command);
        assert_eq!((history.samples.len(), history.ms_max), (SAMPLES_MAX, 9));
        assert_eq!(history.samples[0], Sample { at_s: 40, ms: 9 });
        assert!(monitor.reset(Event::Command) && !monitor.reset(Event::Command));
        assert!(monitor.history(Event::Command).samples.is_empty());
    }

    #[test]
    fn events_go_by_their_names() {
        for event in Event::ALL {
            assert_eq!(Event::named(event.name().as_bytes()), Some(event));
        }
        assert_eq!(Event::named(b"fork"), None);
    }
}
