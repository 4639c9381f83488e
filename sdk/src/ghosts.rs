//! What left, in the order in which it left, each found by its hash: exact, where [`GhostSet`] is
//! small.
//!
//! [`GhostSet`]: crate::ghost::GhostSet

use crate::Slot;
use crate::lists::{List, Nodes};
use crate::table::Table;

/// No place: places count from 1.
const NONE: Slot = 0;

/// Hashes with a value each, in any number of [`List`]s.
///
/// Beside the value 20 bytes for each: links, hash, the next of its chain and the chain's head. The
/// chains grow by linear hashing ("Linear hashing: a new tool for file and table addressing",
/// Litwin, VLDB 1980), one a ghost, so that no call pays for all of them.
#[derive(Debug)]
pub struct Ghosts<T> {
    nodes: Nodes<Ghost<T>>,
    chains: Table<Slot>,
    chain_count: u32,
    /// The first place that is free, a chain like the others.
    free: Slot,
    /// Places that were ever used.
    places: u32,
    len: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ghost<T> {
    hash: u32,
    next: Slot,
    value: T,
}

impl<T> Default for Ghosts<T> {
    fn default() -> Self {
        Self {
            nodes: Nodes::default(),
            chains: Table::default(),
            chain_count: 0,
            free: NONE,
            places: 0,
            len: 0,
        }
    }
}

impl<T: Copy + Default> Ghosts<T> {
    /// Ghosts in all lists.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where `hash` is.
    pub fn find(&self, hash: u32) -> Option<Slot> {
        if self.chain_count == 0 {
            return None;
        }
        let mut place = self.chains[self.chain(hash)];
        while place != NONE && self.nodes[place].hash != hash {
            place = self.nodes[place].next;
        }
        (place != NONE).then_some(place)
    }

    /// The value at `place`.
    pub fn value(&self, place: Slot) -> T {
        self.nodes[place].value
    }

    /// Remembers `hash`, which is in no list, at the front of `list`.
    pub fn push(&mut self, list: &mut List, hash: u32, value: T) {
        let mut place = self.free;
        if place == NONE {
            self.places += 1;
            place = self.places;
        } else {
            self.free = self.nodes[place].next;
        }
        let ghost = Ghost {
            hash,
            next: NONE,
            value,
        };
        self.nodes.push_front(list, place, ghost);
        self.len += 1;
        if self.len > self.chain_count {
            self.add_chain();
        }
        self.link(place);
    }

    /// Forgets the one at `place`, which is in `list`; returns its value.
    pub fn remove(&mut self, list: &mut List, place: Slot) -> T {
        let Ghost { hash, next, value } = self.nodes.remove(list, place);
        let chain = self.chain(hash);
        let mut before = self.chains[chain];
        if before == place {
            self.chains[chain] = next;
        } else {
            while self.nodes[before].next != place {
                before = self.nodes[before].next;
            }
            self.nodes[before].next = next;
        }
        self.nodes[place].next = self.free;
        self.free = place;
        self.len -= 1;
        value
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.chains.memory_bytes()
    }

    fn link(&mut self, place: Slot) {
        let chain = self.chain(self.nodes[place].hash);
        self.nodes[place].next = self.chains[chain];
        self.chains[chain] = place;
    }

    /// One more chain, which takes its part of another's ghosts.
    fn add_chain(&mut self) {
        let added = self.chain_count;
        self.chains.cover(added);
        self.chain_count += 1;
        if let Some(highest_bit) = added.checked_ilog2() {
            let mut place = std::mem::take(&mut self.chains[added ^ (1 << highest_bit)]);
            while place != NONE {
                let next = self.nodes[place].next;
                self.link(place);
                place = next;
            }
        }
    }

    /// The chain of `hash`, by its lowest bits: by one less where there are not as many chains.
    fn chain(&self, hash: u32) -> u32 {
        let mixed = hash.wrapping_mul(0x9E37_79B1);
        let mixed = mixed ^ (mixed >> 16);
        let mask = self.chain_count.next_power_of_two() - 1;
        let chain = mixed & mask;
        if chain < self.chain_count {
            chain
        } else {
            chain & (mask >> 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_found_and_leave_in_order_of_arrival() {
        let (mut ghosts, mut list) = (Ghosts::default(), List::default());
        for round in 0..3 {
            for n in 0..1000u32 {
                assert_eq!(ghosts.find(n * 7919), None);
                ghosts.push(&mut list, n * 7919, n + round);
            }
            for n in (0..1000).filter(|n| n % 3 == 1) {
                let place = ghosts.find(n * 7919).unwrap();
                assert_eq!(ghosts.remove(&mut list, place), n + round);
            }
            let order = std::iter::from_fn(|| {
                let place = list.back()?;
                Some(ghosts.remove(&mut list, place) - round)
            });
            assert!(order.eq((0..1000).filter(|n| n % 3 != 1)));
            assert_eq!(ghosts.len(), 0);
        }
        assert!(ghosts.memory_bytes() < 1000 * 40);
    }

    #[test]
    fn hashes_that_meet_in_a_chain_are_told_apart() {
        let (mut ghosts, mut list) = (Ghosts::default(), List::default());
        (0..64u32).for_each(|n| ghosts.push(&mut list, n << 26, n));
        for n in (0..64).rev() {
            let place = ghosts.find(n << 26).unwrap();
            assert_eq!(ghosts.value(place), n);
            ghosts.remove(&mut list, place);
        }
    }
}
