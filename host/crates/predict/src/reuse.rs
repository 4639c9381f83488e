//! How soon what is in a cache will be asked for again: what an eviction policy may be told when it is to make room.
//!
//! Where room is needed some entries are drawn at random and rated, as LRB does it (Song et al., "Learning Relaxed Belady for
//! Content Distribution Network Caching", NSDI 2020), by a forest that learns all the time from entries drawn at random
//! before, and from how many requests went by until they were asked for again.

mod forest;
mod ghosts;
mod history;
mod lessons;
mod waiting;

use std::sync::Arc;

use forest::{Forest, Sample};
use ghosts::Ghosts;
use history::History;
pub use lessons::{Lesson, Lessons};
use waiting::Waiting;

use crate::keyed::mix;

/// Entries that are rated for each that is to go.
const RATED: u64 = 32;
/// It is waited for so many requests for each entry until it counts as not asked for again.
const WINDOW: u32 = 4;
const WINDOW_MIN: u32 = 256;
/// How often an entry was asked for halves in such a part of the window.
const HALF_LIVES: f32 = 4.0;
/// Entries that went of which is known how they were asked for, for each that is here.
const GHOSTS: usize = 2;
/// A request in so many draws an entry.
const DRAWN_OF: u64 = 4;
/// Entries for each of which one may be waited for, and the bounds of that.
const WAITING_PART: usize = 2;
const WAITING_MIN: usize = 256;
const WAITING_MAX: usize = 8_192;
/// Samples are handed on by so many.
const HANDED_ON: usize = 64;

/// No entry has this number.
const NOWHERE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Resident {
    history: History,
    hash: u32,
    size: u32,
    /// Where in the list of those that are here.
    place: u32,
}

/// An entry, and how many requests to its shard are expected to go by until it is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rated {
    /// Its place in the shard.
    pub slot: u32,
    /// Requests.
    pub reuse: u32,
}

/// Follows one shard. Eighty bytes or so an entry.
#[derive(Debug)]
pub struct Foreteller {
    random: u64,
    /// Requests so far; wraps.
    now: u32,
    /// By slot.
    residents: Vec<Resident>,
    here: Vec<u32>,
    bytes: u64,
    ghosts: Ghosts,
    waiting: Waiting,
    samples: Vec<Sample>,
    lessons: Arc<Lessons>,
    forest: Option<Arc<Forest>>,
    version: u64,
}

impl Foreteller {
    /// Of an empty shard that learns together with others.
    pub fn new(lessons: Arc<Lessons>, seed: u64) -> Self {
        Self {
            random: mix(seed),
            now: 0,
            residents: Vec::new(),
            here: Vec::new(),
            bytes: 0,
            ghosts: Ghosts::default(),
            waiting: Waiting::default(),
            samples: Vec::with_capacity(HANDED_ON),
            lessons,
            forest: None,
            version: 0,
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random) % below.max(1)
    }

    fn window(&self) -> u32 {
        let entries = u32::try_from(self.here.len()).unwrap_or(u32::MAX);
        entries.saturating_mul(WINDOW).max(WINDOW_MIN)
    }

    fn half_life(&self) -> f32 {
        self.window() as f32 / HALF_LIVES
    }

    fn resident(&mut self, slot: u32) -> Option<&mut Resident> {
        let resident = self.residents.get_mut(slot as usize);
        resident.filter(|resident| resident.place != NOWHERE)
    }

    /// A new entry.
    pub fn insert(&mut self, slot: u32, hash: u32, size: u32) {
        self.remove(slot, false);
        let half_life = self.half_life();
        self.asks(hash);
        let now = self.now;
        let ghost = self.ghosts.take(hash);
        let history = ghost.map(|mut history| {
            history.ask(now, half_life);
            history
        });
        let nobody = Resident {
            history: History::default(),
            hash: 0,
            size: 0,
            place: NOWHERE,
        };
        if self.residents.len() <= slot as usize {
            self.residents.resize(slot as usize + 1, nobody);
        }
        self.residents[slot as usize] = Resident {
            history: history.unwrap_or_else(|| History::new(now)),
            hash,
            size,
            place: self.here.len() as u32,
        };
        self.here.push(slot);
        self.bytes += u64::from(size);
        self.goes_by();
    }

    /// An entry is read.
    pub fn hit(&mut self, slot: u32) {
        let half_life = self.half_life();
        let Some(hash) = self.resident(slot).map(|resident| resident.hash) else {
            return;
        };
        self.asks(hash);
        let now = self.now;
        self.residents[slot as usize].history.ask(now, half_life);
        self.goes_by();
    }

    /// An entry is written again.
    pub fn update(&mut self, slot: u32, size: u32) {
        if let Some(resident) = self.resident(slot) {
            let before = std::mem::replace(&mut resident.size, size);
            self.bytes = self.bytes - u64::from(before) + u64::from(size);
            self.hit(slot);
        }
    }

    /// An entry is gone. One that was evicted may come back.
    pub fn remove(&mut self, slot: u32, is_evicted: bool) {
        let Some(resident) = self.resident(slot) else {
            return;
        };
        let gone = *resident;
        resident.place = NOWHERE;
        self.here.swap_remove(gone.place as usize);
        if let Some(moved) = self.here.get(gone.place as usize) {
            self.residents[*moved as usize].place = gone.place;
        }
        self.bytes -= u64::from(gone.size);
        if is_evicted {
            self.ghosts.grow(GHOSTS * self.here.len(), self.now);
            self.ghosts.put(gone.hash, gone.history, self.now);
        }
    }

    fn asks(&mut self, hash: u32) {
        self.now = self.now.wrapping_add(1);
        self.waiting.ask(hash, self.now);
    }

    /// What is behind each request: an entry may be drawn, and others may have been waited for long enough.
    fn goes_by(&mut self) {
        let waiting_max = (self.here.len() / WAITING_PART).clamp(WAITING_MIN, WAITING_MAX);
        if self.random(DRAWN_OF) == 0
            && self.waiting.len() < waiting_max
            && let Some(slot) = self.draw()
        {
            let drawn = &self.residents[slot as usize];
            self.waiting
                .draw(drawn.hash, drawn.history, self.now, drawn.size);
        }
        let (window, half_life) = (self.window(), self.half_life());
        while let Some(sample) = self.waiting.due(self.now, window, half_life) {
            self.samples.push(sample);
        }
    }

    fn draw(&mut self) -> Option<u32> {
        let at = self.random(self.here.len() as u64);
        self.here.get(usize::try_from(at).ok()?).copied()
    }

    /// What is to be learnt, if that is due.
    pub fn lesson(&mut self) -> Option<Lesson> {
        match self.samples.len() < HANDED_ON {
            true => None,
            false => self.lessons.take(&mut self.samples),
        }
    }

    /// Rates entries drawn at random, `rated_max` at most: some for each that is to go so that `bytes` are freed. None before
    /// anything was learnt. One may be there more than once.
    pub fn rate(&mut self, bytes: u64, rated_max: usize, out: &mut Vec<Rated>) {
        let version = self.lessons.version();
        if version != self.version {
            (self.forest, self.version) = (self.lessons.forest(), version);
        }
        let Some(forest) = self.forest.clone() else {
            return;
        };
        let mean = (self.bytes / (self.here.len() as u64).max(1)).max(1);
        let wanted = bytes.div_ceil(mean).saturating_mul(RATED);
        let half_life = self.half_life();
        for _ in 0..wanted.min(rated_max as u64) {
            let Some(slot) = self.draw() else {
                return;
            };
            let resident = &self.residents[slot as usize];
            let row = resident.history.row(self.now, resident.size, half_life);
            let reuse = forest.rate(&row).exp2() as u32;
            out.push(Rated { slot, reuse });
        }
    }

    /// Bytes that it holds, and its part of what is learnt together.
    pub fn memory_bytes(&self) -> usize {
        let own = self.residents.capacity() * size_of::<Resident>()
            + self.here.capacity() * size_of::<u32>()
            + self.ghosts.bytes()
            + self.waiting.bytes()
            + self.samples.capacity() * size_of::<Sample>();
        own + self.lessons.bytes() / Arc::strong_count(&self.lessons).max(1)
    }
}

#[cfg(test)]
mod tests;
