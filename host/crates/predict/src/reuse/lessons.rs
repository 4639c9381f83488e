//! What the shards of a tenant learn together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::forest::{Forest, Sample};

/// Samples after which the first forests are fitted; the next ones, and all that follow.
const DUE: [usize; 3] = [1_500, 2_000, 4_000];
const DUE_THEN: usize = 8_192;

/// See the module. One for all shards of a tenant.
#[derive(Debug)]
pub struct Lessons {
    seed: u64,
    samples_max: usize,
    book: Mutex<Book>,
    /// Raised with every forest.
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct Book {
    samples: VecDeque<Sample>,
    /// Samples that came since the last fit began.
    fresh: usize,
    fits: u64,
    is_fitting: bool,
    forest: Option<Arc<Forest>>,
}

/// A forest to be fitted, where its caller likes: it takes some tenths of a second. Until it has ended, or was dropped, no
/// other is due.
#[derive(Debug)]
pub struct Lesson {
    of: Arc<Lessons>,
    samples: Vec<Sample>,
    seed: u64,
}

impl Lessons {
    /// Nothing is known yet. The last `samples_max` samples are learnt from, which are 36 bytes each, and as many again while
    /// it goes on; 2,000 at least.
    pub fn new(seed: u64, samples_max: usize) -> Arc<Self> {
        Arc::new(Self {
            seed,
            samples_max: samples_max.max(DUE[1]),
            book: Mutex::default(),
            version: AtomicU64::new(0),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change of it is whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes samples. What is to be learnt from them and others, if that is due.
    pub(super) fn take(self: &Arc<Self>, samples: &mut Vec<Sample>) -> Option<Lesson> {
        let mut book = self.book();
        book.fresh += samples.len();
        book.samples.extend(samples.drain(..));
        let surplus = book.samples.len().saturating_sub(self.samples_max);
        book.samples.drain(..surplus);
        let due = usize::try_from(book.fits)
            .ok()
            .and_then(|fits| DUE.get(fits));
        let due = due.copied().unwrap_or(DUE_THEN).min(self.samples_max);
        if book.fresh < due || book.is_fitting {
            return None;
        }
        (book.fresh, book.is_fitting) = (0, true);
        book.fits += 1;
        Some(Lesson {
            of: Arc::clone(self),
            samples: book.samples.iter().copied().collect(),
            seed: self.seed.wrapping_add(book.fits),
        })
    }

    /// The version of the forest.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn forest(&self) -> Option<Arc<Forest>> {
        self.book().forest.clone()
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        let book = self.book();
        let forest = book.forest.as_ref().map_or(0, |forest| forest.bytes());
        let copies = if book.is_fitting { 2 } else { 1 };
        copies * book.samples.capacity() * size_of::<Sample>() + forest
    }
}

impl Lesson {
    /// Learns. Where nothing can be learnt from the samples, what was known stays.
    pub fn learn(self) {
        let Some(forest) = Forest::fit(&self.samples, self.seed) else {
            return;
        };
        self.of.book().forest = Some(Arc::new(forest));
        self.of.version.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Lesson {
    fn drop(&mut self) {
        self.of.book().is_fitting = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: usize) -> Vec<Sample> {
        let sample = |n: usize| Sample {
            row: std::array::from_fn(|at| ((n + at) % 9) as f32),
            reuse: (n % 9) as f32,
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn a_lesson_is_due_after_so_many_samples_and_never_two_at_once() {
        let lessons = Lessons::new(7, 0);
        assert!(lessons.take(&mut samples(1_499)).is_none());
        let lesson = lessons.take(&mut samples(1)).unwrap();
        assert!(lessons.take(&mut samples(5_000)).is_none(), "one goes on");
        assert!(lessons.forest().is_none());
        lesson.learn();
        assert!(lessons.forest().is_some());
        assert_eq!(lessons.version(), 1);
        let next = lessons.take(&mut Vec::new()).unwrap();
        assert_eq!(next.samples.len(), 2_000, "the last ones");
        drop(next);
        assert!(lessons.take(&mut samples(1_999)).is_none());
        assert!(lessons.take(&mut samples(1)).is_some());
        assert_eq!(lessons.version(), 1, "what was given up changes nothing");
    }
}
