//! What is known of the families of keys.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use larder_sdk::Question;
use larder_sdk::map::{FixedHash, Map};

/// Keys of a family that are watched at a time.
const WATCHED: usize = 8;
/// Families of which the one that was not written for longest makes room for a new one. Looking at
/// all would take too long.
const COMPARED: usize = 16;

/// A bounded table of families, by the hash of their name.
#[derive(Debug)]
pub(crate) struct Families {
    known: Map<u64, Family>,
    known_max: usize,
    /// Longer intervals count as this one.
    interval_max_ms: u64,
    /// What a new interval counts for, of 1.
    weight: f64,
    seed: u64,
    /// Where the next search for a family to forget begins.
    hand: usize,
}

#[derive(Debug, Default)]
struct Family {
    mean_ms: f64,
    intervals: u32,
    written_ms: u64,
    /// Each key has one place where it can be.
    watched: [Option<Watched>; WATCHED],
}

/// A key that is watched, and since when.
#[derive(Debug, Clone, Copy)]
struct Watched {
    /// Of the upper half of the key's hash; the lower gives the place. Never 0, so that a free
    /// place takes no more room.
    key: NonZeroU32,
    since_ms: u64,
}

impl Families {
    pub(crate) fn new(known_max: usize, interval_max_ms: u64, weight: f64, seed: u64) -> Self {
        Self {
            known: Map::default(),
            known_max,
            interval_max_ms,
            weight,
            seed,
            hand: 0,
        }
    }

    /// The hash of a key or a family in the question's place. With the seed, so that nobody can
    /// choose names that pass for one another.
    pub(crate) fn hash(&self, question: &Question<'_>, name: &[u8]) -> u64 {
        FixedHash.hash_one((self.seed, question.tenant(), question.db(), name))
    }

    /// The key with the hash `key`, of `family`, is written now.
    pub(crate) fn written(&mut self, family: u64, key: u64, now_ms: u64) {
        if !self.known.contains_key(&family) && self.known.len() >= self.known_max {
            self.forget_one();
        }
        let known = self.known.entry(family).or_default();
        known.written_ms = now_ms;
        if let Some(interval_ms) = known.interval(key, now_ms, self.interval_max_ms) {
            known.weigh(interval_ms.clamp(1, self.interval_max_ms), self.weight);
        }
    }

    /// The mean interval of `family`, once so many were seen.
    pub(crate) fn mean_ms(&self, family: u64, intervals: u32) -> Option<f64> {
        let known = self.known.get(&family)?;
        (known.intervals >= intervals).then_some(known.mean_ms)
    }

    /// Families known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    fn forget_one(&mut self) {
        let len = self.known.len();
        let places = (0..COMPARED.min(len)).map(|step| (self.hand + step) % len);
        let oldest = places.min_by_key(|&at| self.known[at].written_ms);
        self.hand = (self.hand + COMPARED) % len;
        if let Some(oldest) = oldest {
            self.known.swap_remove_index(oldest);
        }
    }
}

impl Family {
    /// Watches `key` from `now_ms` on, if its place is free or becomes so; returns the interval
    /// that ends the watch of the one that was there, if it ends.
    fn interval(&mut self, key: u64, now_ms: u64, interval_max_ms: u64) -> Option<u64> {
        let place = &mut self.watched[key as usize % WATCHED];
        let key = NonZeroU32::MIN | (key >> 32) as u32;
        let next = Some(Watched {
            key,
            since_ms: now_ms,
        });
        let Some(watched) = *place else {
            *place = next;
            return None;
        };
        // A clock that was set back says nothing of how long it was.
        let Some(interval_ms) = now_ms.checked_sub(watched.since_ms) else {
            *place = next;
            return None;
        };
        if watched.key == key {
            // The next to be written there comes in its place, whichever that is: were it to stay,
            // the others would never be watched.
            *place = None;
            Some(interval_ms)
        } else if interval_ms >= interval_max_ms {
            *place = next;
            Some(interval_ms)
        } else {
            None
        }
    }

    /// All count alike until one would count for less than `weight`.
    fn weigh(&mut self, interval_ms: u64, weight: f64) {
        self.intervals = self.intervals.saturating_add(1);
        let weight = weight.max(1.0 / f64::from(self.intervals));
        self.mean_ms += (interval_ms as f64 - self.mean_ms) * weight;
    }
}
