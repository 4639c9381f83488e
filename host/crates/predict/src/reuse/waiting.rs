//! Entries of which it is waited for when they are asked for again.
//!
//! What became of one is told when its time is over, though it was asked for before: otherwise what comes back soon would be
//! learnt from first, and everything would seem to.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use super::forest::Sample;
use super::history::History;
use crate::keyed::KeyMap;

/// An entry as it was when it was drawn.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    hash: u32,
    at: u32,
    history: History,
    size: u32,
    /// Requests until it was asked for again; 0 until it was.
    reuse: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Which of all that were ever drawn a hash waits as.
    open: KeyMap<u64>,
    queue: VecDeque<Drawn>,
    /// Those that left the queue.
    left: u64,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let open = self.open.capacity() * (size_of::<(u64, u64)>() + 1);
        open + self.queue.capacity() * size_of::<Drawn>()
    }

    /// Waits for an entry, unless it is waited for already.
    pub(super) fn draw(&mut self, hash: u32, history: History, now: u32, size: u32) {
        let number = self.left + self.queue.len() as u64;
        if let Entry::Vacant(place) = self.open.entry(u64::from(hash)) {
            place.insert(number);
            self.queue.push_back(Drawn {
                hash,
                at: now,
                history,
                size,
                reuse: 0,
            });
        }
    }

    /// An entry is asked for.
    #[inline]
    pub(super) fn ask(&mut self, hash: u32, now: u32) {
        let Some(number) = self.open.remove(&u64::from(hash)) else {
            return;
        };
        let drawn = number.checked_sub(self.left);
        let drawn = drawn.and_then(|at| self.queue.get_mut(usize::try_from(at).ok()?));
        if let Some(drawn) = drawn {
            drawn.reuse = now.wrapping_sub(drawn.at).max(1);
        }
    }

    /// One that was drawn longer ago than `window` requests. What was not asked for within it counts as asked for after two.
    pub(super) fn due(&mut self, now: u32, window: u32, half_life: f32) -> Option<Sample> {
        let first = self.queue.front()?;
        if now.wrapping_sub(first.at) <= window {
            return None;
        }
        let drawn = self.queue.pop_front()?;
        self.left += 1;
        let reuse = match drawn.reuse {
            0 => {
                self.open.remove(&u64::from(drawn.hash));
                2.0 * window as f32
            }
            reuse => reuse as f32,
        };
        Some(Sample {
            row: drawn.history.row(drawn.at, drawn.size, half_life),
            reuse: reuse.log2(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_an_entry_is_told_when_its_time_is_over() {
        let mut waiting = Waiting::default();
        let history = History::new(0);
        for (hash, now) in [(1, 10), (2, 11), (1, 12), (3, 13)] {
            waiting.draw(hash, history, now, 100);
        }
        assert_eq!(waiting.len(), 3, "one is waited for once");
        waiting.ask(2, 15);
        waiting.ask(2, 16);
        waiting.ask(9, 16);
        assert_eq!(waiting.due(30, 20, 64.0), None);
        let due = [31, 32, 33].map(|now| {
            waiting
                .due(now, 20, 64.0)
                .map(|sample| sample.reuse.exp2().round())
        });
        assert_eq!(due, [Some(40.0), Some(4.0), None]);
        waiting.draw(1, history, 33, 100);
        assert_eq!(waiting.len(), 2, "it can be drawn anew");
        waiting.ask(1, 35);
        waiting.due(34, 20, 64.0);
        assert_eq!(
            waiting.due(60, 20, 64.0).map(|sample| sample.reuse),
            Some(1.0)
        );
    }
}
