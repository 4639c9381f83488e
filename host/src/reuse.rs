//! How soon entries will be asked for again, for eviction policies that want to be told: models that learn while the cache is
//! used.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use larder_engine::{Reuse, ReuseFactory};
use larder_predict::{Foreteller, Lesson, Lessons};
use larder_sdk::{Event, EventKind, FORETOLD_MAX, Foretold, Removal, Request};
use tracing::warn;

use crate::predict::{TRAINING_NICENESS, step_back};

/// A sample that is learnt from for so many bytes of a tenant's memory, and the most of them.
const SAMPLE_OF_BYTES: u64 = 512;
const SAMPLES_MAX: usize = 20_000;

/// Where a model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learning {
    /// On the spot: the same requests give the same answers.
    AtOnce,
    /// On a thread of its own, of low priority, where one model of the process learns after the other. One that finds another
    /// in its place learns from the samples that come next.
    Beside,
}

/// Reuse for the shards of one tenant, which learn together.
pub(crate) fn reuse(seed: u64, memory_bytes: u64, learning: Learning) -> Arc<dyn ReuseFactory> {
    let samples = usize::try_from(memory_bytes / SAMPLE_OF_BYTES).unwrap_or(SAMPLES_MAX);
    Arc::new(OfTenant {
        lessons: Lessons::new(seed, samples.min(SAMPLES_MAX)),
        learning,
    })
}

struct OfTenant {
    lessons: Arc<Lessons>,
    learning: Learning,
}

impl ReuseFactory for OfTenant {
    fn build(&self, seed: u64) -> Box<dyn Reuse> {
        Box::new(OfShard {
            foreteller: Foreteller::new(Arc::clone(&self.lessons), seed),
            learning: self.learning,
            rated: Vec::with_capacity(FORETOLD_MAX),
        })
    }
}

struct OfShard {
    foreteller: Foreteller,
    learning: Learning,
    rated: Vec<larder_predict::Rated>,
}

impl OfShard {
    fn learn(&mut self) {
        match (self.foreteller.lesson(), self.learning) {
            (None, _) => {}
            (Some(lesson), Learning::AtOnce) => lesson.learn(),
            (Some(lesson), Learning::Beside) => {
                // What finds no place is dropped, and another lesson is due later.
                if let Some(pupil) = pupil() {
                    let _ = pupil.try_send(lesson);
                }
            }
        }
    }
}

impl Reuse for OfShard {
    fn note(&mut self, events: &[Event]) {
        for event in events {
            match event.kind {
                EventKind::Insert => self.foreteller.insert(event.slot, event.hash, event.size),
                EventKind::Hit => self.foreteller.hit(event.slot),
                EventKind::Update => self.foreteller.update(event.slot, event.size),
                EventKind::Remove => {
                    let is_evicted = event.removal == Removal::Evicted;
                    self.foreteller.remove(event.slot, is_evicted);
                }
                EventKind::Miss => {}
            }
        }
        self.learn();
    }

    fn foretell(&mut self, request: &Request, out: &mut Vec<Foretold>) {
        self.rated.clear();
        self.foreteller
            .rate(request.bytes, FORETOLD_MAX, &mut self.rated);
        out.extend(self.rated.iter().map(|rated| Foretold {
            slot: rated.slot,
            reuse: rated.reuse,
        }));
    }

    fn memory_bytes(&self) -> usize {
        self.foreteller.memory_bytes() + self.rated.capacity() * size_of::<Foretold>()
    }
}

/// The thread on which models learn; started when the first one is to.
fn pupil() -> Option<&'static SyncSender<Lesson>> {
    static PUPIL: OnceLock<Option<SyncSender<Lesson>>> = OnceLock::new();
    let start = || {
        let (lessons, taken) = sync_channel::<Lesson>(1);
        let learn = move || {
            step_back(TRAINING_NICENESS);
            for lesson in taken {
                // A panic is reported where it happens, and concerns no other lesson.
                let _ = catch_unwind(AssertUnwindSafe(|| lesson.learn()));
            }
        };
        let thread = thread::Builder::new().name("larder-reuse".into());
        match thread.spawn(learn) {
            Ok(_) => Some(lessons),
            Err(error) => {
                warn!(%error, "no thread can be started to learn how soon entries are asked for again: none is foretold");
                None
            }
        }
    };
    PUPIL.get_or_init(start).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: u32 = 400;

    fn event(kind: EventKind, slot: u32, hash: u32) -> Event {
        Event {
            size: 100,
            removal: Removal::Evicted,
            ..Event::new(kind, slot, hash)
        }
    }

    fn foretold(shard: &mut dyn Reuse) -> Vec<Foretold> {
        let request = Request {
            bytes: 100,
            capacity_bytes: 1 << 20,
            newcomer: None,
        };
        let mut foretold = Vec::new();
        shard.foretell(&request, &mut foretold);
        foretold
    }

    fn grown_up(learning: Learning) -> Box<dyn Reuse> {
        let mut shard = reuse(7, 1 << 20, learning).build(7);
        for slot in 0..ENTRIES {
            shard.note(&[event(EventKind::Insert, slot, slot)]);
        }
        for turn in 0..30_000 {
            let slot = ENTRIES / 2 + turn % (ENTRIES / 2);
            shard.note(&[
                event(EventKind::Hit, turn % 20, turn % 20),
                event(EventKind::Remove, slot, 0),
                event(EventKind::Insert, slot, ENTRIES + turn),
            ]);
        }
        shard
    }

    #[test]
    fn shards_learn_at_once_where_all_is_to_be_repeatable() {
        let mut shard = grown_up(Learning::AtOnce);
        let told = foretold(&mut *shard);
        assert_eq!(told.len(), 32);
        assert_eq!(told, foretold(&mut *grown_up(Learning::AtOnce)));
        assert!(shard.memory_bytes() > 10_000);
    }

    #[test]
    fn shards_learn_beside_what_goes_on() {
        let mut shard = grown_up(Learning::Beside);
        // The thread has its time, and more comes meanwhile.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while foretold(&mut *shard).is_empty() {
            assert!(std::time::Instant::now() < end, "nothing was learnt");
            (0..ENTRIES).for_each(|slot| shard.note(&[event(EventKind::Hit, slot, slot)]));
            thread::yield_now();
        }
    }
}
