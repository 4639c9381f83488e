//! Candidates of which was seen what became of them.

use std::collections::VecDeque;

use crate::features::Row;
use crate::gate::Rating;
use crate::keyed::{KeyMap, mix};

/// A candidate, and whether it was asked for within the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// What a model sees of it.
    pub row: Row,
    /// Whether it was asked for.
    pub is_asked: bool,
    /// Whether it was drawn at random, whatever spoke for it.
    pub is_drawn: bool,
}

/// A candidate that is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) key: u64,
    pub(crate) row: Row,
    pub(crate) is_drawn: bool,
    /// The best that was thought of it.
    pub(crate) rating: Option<Rating>,
    /// When its time is over, by a clock that stands still in pauses.
    pub(crate) due_ms: u64,
    /// What all pauses before it was opened took.
    pub(crate) still_ms: u64,
    pub(crate) fate: Fate,
}

/// What is known of a candidate that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    Asked,
    /// It was asked for too late, after a pause: nobody can say whether it would have been in time without.
    Late,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Done {
    pub(crate) sample: Sample,
    pub(crate) rating: Option<Rating>,
}

/// Samples that are waited for, and of those that are done the last ones, or some of them.
///
/// What becomes of a candidate is told when its time is over, though it was asked for before: otherwise
/// good news would come first, and a burst of candidates would look better than it is.
#[derive(Debug)]
pub(crate) struct Samples {
    /// Which of those that were ever opened a key waits as.
    open: KeyMap<u64>,
    queue: VecDeque<Open>,
    /// Those that left the queue.
    left: u64,
    done: VecDeque<Sample>,
    open_max: usize,
    done_max: usize,
    /// Of those that are done, one in so many is kept.
    kept_of: u64,
    /// Done so far, those forgotten counted in.
    pub(crate) total: u64,
}

impl Samples {
    /// The most bytes that so many take, a training's copies counted in.
    pub(crate) const fn bytes_max(open_max: usize, done_max: usize) -> usize {
        let open = 3 * 2 * size_of::<u64>() + size_of::<Open>();
        open_max * open + done_max * 2 * size_of::<Sample>()
    }

    pub(crate) fn new(open_max: usize, done_max: usize) -> Self {
        Self {
            open: KeyMap::default(),
            queue: VecDeque::with_capacity(open_max),
            left: 0,
            done: VecDeque::with_capacity(done_max),
            open_max,
            done_max,
            kept_of: 1,
            total: 0,
        }
    }

    /// Waits for what becomes of a candidate, unless that is done already or too many are waited for.
    pub(crate) fn open(&mut self, candidate: Open) {
        let open = self.open.get(&candidate.key);
        let open = open.and_then(|number| self.queue.get_mut((number - self.left) as usize));
        if let Some(open) = open {
            open.rating = open.rating.max(candidate.rating);
            // Any of its proposals may be the one that a model is asked about.
            if self.total.is_multiple_of(2) {
                (open.row, open.is_drawn) = (candidate.row, candidate.is_drawn);
            }
            return;
        }
        if self.queue.len() < self.open_max {
            let number = self.left + self.queue.len() as u64;
            self.open.insert(candidate.key, number);
            self.queue.push_back(candidate);
        }
    }

    /// What a model sees of a candidate that is waited for.
    pub(crate) fn row(&self, key: u64) -> Option<&Row> {
        let number = self.open.get(&key)?;
        let open = self.queue.get((number - self.left) as usize);
        open.map(|open| &open.row)
    }

    /// The mean of what a model saw of those that are done.
    pub(crate) fn mean(&self) -> Row {
        let mut mean = Row::default();
        for sample in &self.done {
            for (mean, feature) in mean.iter_mut().zip(sample.row) {
                *mean += feature / self.done.len() as f32;
            }
        }
        mean
    }

    /// A key was asked for, when all pauses so far took `still_ms`.
    pub(crate) fn asked(&mut self, key: u64, now_ms: u64, still_ms: u64) {
        let open = self.open.remove(&key);
        let open = open.and_then(|number| self.queue.get_mut((number - self.left) as usize));
        if let Some(open) = open {
            let is_late = still_ms > open.still_ms && now_ms > open.due_ms + open.still_ms;
            open.fate = if is_late { Fate::Late } else { Fate::Asked };
        }
    }

    /// Closes one whose time is over.
    pub(crate) fn expire(&mut self, now_ms: u64) -> Option<Done> {
        loop {
            let open = self.queue.pop_front_if(|open| open.due_ms <= now_ms)?;
            self.left += 1;
            match open.fate {
                Fate::Open => _ = self.open.remove(&open.key),
                Fate::Asked => {}
                Fate::Late => continue,
            }
            return Some(self.close(&open));
        }
    }

    /// From now on so many fill half of the room, so that what is kept tells of the time that they took twice.
    pub(crate) fn spread(&mut self, count: u64) {
        self.kept_of = (2 * count / self.done_max as u64).max(1);
    }

    /// Waits for nothing more, as nobody can say what became of those, and keeps none that are done.
    pub(crate) fn forget(&mut self) {
        self.left += self.queue.len() as u64;
        self.open.clear();
        self.queue.clear();
        self.done.clear();
    }

    /// The last ones, oldest first.
    pub(crate) fn done(&mut self) -> &[Sample] {
        self.done.make_contiguous()
    }

    fn close(&mut self, open: &Open) -> Done {
        self.total += 1;
        let sample = Sample {
            row: open.row,
            is_asked: open.fate == Fate::Asked,
            is_drawn: open.is_drawn,
        };
        // Candidates come in turns, so those that are kept are drawn.
        if mix(self.total).is_multiple_of(self.kept_of) {
            if self.done.len() == self.done_max {
                self.done.pop_front();
            }
            self.done.push_back(sample);
        }
        Done {
            sample,
            rating: open.rating,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FEATURES;

    #[test]
    fn what_was_asked_for_in_time_is_told_from_what_was_not() {
        let open = |key: u64, due_ms| Open {
            key,
            row: [key as f32; FEATURES],
            is_drawn: false,
            rating: None,
            due_ms,
            still_ms: 0,
            fate: Fate::Open,
        };
        let mut samples = Samples::new(4, 3);
        for key in 0..5 {
            samples.open(open(key, 10 + key));
        }
        samples.asked(1, 9, 0);
        samples.asked(4, 9, 0);
        assert_eq!(samples.expire(9), None);
        let done: Vec<_> = std::iter::from_fn(|| samples.expire(12)).collect();
        let told = |sample: &Sample| (sample.row[0], sample.is_asked);
        let done: Vec<_> = done.iter().map(|done| told(&done.sample)).collect();
        assert_eq!(done, [(0.0, false), (1.0, true), (2.0, false)], "in order");
        samples.open(open(1, 20));
        while samples.expire(99).is_some() {}
        let kept: Vec<_> = samples.done().iter().map(told).collect();
        assert_eq!(
            kept,
            [(2.0, false), (3.0, false), (1.0, false)],
            "four at once, three kept"
        );
        samples.open(open(7, 20));
        samples.forget();
        assert_eq!((samples.expire(99), samples.total), (None, 5));
        assert_eq!(samples.done(), []);
        samples.open(open(7, 30));
        samples.asked(7, 31, 0);
        assert!(samples.expire(99).is_some_and(|done| done.sample.is_asked));
    }

    #[test]
    fn of_what_is_asked_for_after_a_pause_nobody_knows_whether_it_was_in_time() {
        let mut samples = Samples::new(4, 4);
        for key in 0..4 {
            samples.open(Open {
                key,
                row: Row::default(),
                is_drawn: false,
                rating: None,
                due_ms: 100 + key,
                still_ms: 50,
                fate: Fate::Open,
            });
        }
        samples.asked(0, 150, 90);
        samples.asked(1, 152, 90);
        samples.asked(2, 153, 50);
        let done = std::iter::from_fn(|| samples.expire(103));
        let asked: Vec<bool> = done.map(|done| done.sample.is_asked).collect();
        assert_eq!(
            asked,
            [true, true, false],
            "in time, without a pause, not at all"
        );
    }
}
