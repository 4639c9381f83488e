//! How entries that went were asked for: a fixed number of places, the ones that were asked for longest ago give way.

use super::history::History;
use crate::keyed::mix;

/// Places among which an entry has its own.
const WAYS: usize = 8;

#[derive(Debug, Clone, Copy, Default)]
struct Ghost {
    hash: u32,
    history: History,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// `WAYS` for each of a power of two of groups, or none.
    places: Vec<Ghost>,
}

impl Ghosts {
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Ghost>()
    }

    /// There are to be so many places at least. What has one keeps one.
    pub(super) fn grow(&mut self, places_min: usize, now: u32) {
        if self.places.len() >= places_min {
            return;
        }
        let places = places_min.next_power_of_two().max(WAYS);
        let old = std::mem::replace(&mut self.places, vec![Ghost::default(); places]);
        let old = old.into_iter().filter(|ghost| ghost.history.is_any());
        old.for_each(|ghost| self.put(ghost.hash, ghost.history, now));
    }

    /// Keeps the history of an entry that went.
    pub(super) fn put(&mut self, hash: u32, history: History, now: u32) {
        let staleness = |ghost: &Ghost| match ghost.history.is_any() {
            true => u64::from(ghost.history.age(now)),
            false => u64::MAX,
        };
        let stalest = self.group(hash).iter_mut().max_by_key(|at| staleness(at));
        if let Some(place) = stalest {
            *place = Ghost { hash, history };
        }
    }

    /// The history of an entry that comes back, which has no place here any more.
    pub(super) fn take(&mut self, hash: u32) -> Option<History> {
        let is_its = |ghost: &&mut Ghost| ghost.hash == hash && ghost.history.is_any();
        let place = self.group(hash).iter_mut().find(is_its)?;
        Some(std::mem::take(place).history)
    }

    fn group(&mut self, hash: u32) -> &mut [Ghost] {
        if self.places.is_empty() {
            return &mut [];
        }
        // The bits by which shards and tables are chosen are alike within a shard.
        let group = mix(u64::from(hash)) as usize & (self.places.len() / WAYS - 1);
        &mut self.places[group * WAYS..][..WAYS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_given_back_once() {
        let mut ghosts = Ghosts::default();
        ghosts.put(1, History::new(1), 1);
        assert_eq!(ghosts.take(1), None, "there is no place");
        ghosts.grow(64, 1);
        (0..1_000).for_each(|hash| ghosts.put(hash, History::new(hash), hash));
        let kept = (0..1_000).filter(|hash| ghosts.take(*hash).is_some());
        let kept: Vec<u32> = kept.collect();
        assert_eq!(kept.len(), 64);
        assert!(kept.iter().all(|hash| *hash > 700), "{kept:?}");
        assert_eq!(ghosts.take(999), None);
    }

    #[test]
    fn more_places_lose_nobody() {
        let mut ghosts = Ghosts::default();
        ghosts.grow(8, 0);
        (0..8).for_each(|hash| ghosts.put(hash, History::new(hash), 8));
        ghosts.grow(9, 8);
        for hash in 0..8 {
            assert_eq!(ghosts.take(hash), Some(History::new(hash)));
        }
        assert_eq!(ghosts.bytes(), 16 * 16);
    }
}
