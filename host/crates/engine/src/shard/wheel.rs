//! A hierarchical timing wheel: removes what has expired and nobody asks for.
//!
//! Seven levels of 64 lists; a list of level *n* spans 64ⁿ milliseconds, so the 42 bits of an
//! expiry are covered whole ("Hashed and Hierarchical Timing Wheels", Varghese and Lauck, SOSP
//! 1987). Each slot with an expiry is in one list; its two links are allocated only for chunks of
//! slots in which one expires.

use crate::Millis;

const LEVELS: usize = 7;
const LISTS: usize = 64;
const CHUNK: usize = 1024;

/// A link names a slot, or with this bit set a list.
const LIST: u32 = 1 << 31;
const NIL: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Links {
    before: u32,
    after: u32,
}

const UNLINKED: Links = Links {
    before: NIL,
    after: NIL,
};

/// The wheel of one shard.
pub(crate) struct Wheel {
    heads: Box<[[u32; LISTS]; LEVELS]>,
    /// A bit a list: something is in it.
    occupied: [u64; LEVELS],
    links: Vec<Option<Box<[Links; CHUNK]>>>,
    chunks: usize,
    /// All that was due up to here was handed out, but for what is left in earlier lists.
    elapsed: Millis,
}

/// The outcome of one bounded [`Wheel::advance`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// All that is due was handed out.
    Done,
    /// The bound was reached first.
    More,
}

impl Wheel {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            heads: Box::new([[NIL; LISTS]; LEVELS]),
            occupied: [0; LEVELS],
            links: Vec::new(),
            chunks: 0,
            elapsed: now,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks * size_of::<[Links; CHUNK]>() + size_of::<[[u32; LISTS]; LEVELS]>()
    }

    /// Notes that `slot`, which must not be in the wheel, expires at `when`.
    pub(crate) fn insert(&mut self, slot: u32, when: Millis) {
        // What is overdue goes into the list that is handed out next.
        let when = when.max(self.elapsed);
        let differing = (when ^ self.elapsed) | (LISTS as u64 - 1);
        let level = ((63 - differing.leading_zeros()) / 6).min(LEVELS as u32 - 1) as usize;
        let list = (when >> (6 * level)) as usize % LISTS;
        let first = std::mem::replace(&mut self.heads[level][list], slot);
        if first != NIL {
            self.links_mut(first).before = slot;
        }
        let before = LIST | (level * LISTS + list) as u32;
        *self.links_mut(slot) = Links {
            before,
            after: first,
        };
        self.occupied[level] |= 1 << list;
    }

    /// Takes `slot` out, if it is in.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(Some(chunk)) = self.links.get_mut(slot as usize / CHUNK) else {
            return;
        };
        let place = &mut chunk[slot as usize % CHUNK];
        let Links { before, after } = std::mem::replace(place, UNLINKED);
        if before == NIL {
            return;
        }
        if after != NIL {
            self.links_mut(after).before = before;
        }
        if before & LIST == 0 {
            self.links_mut(before).after = after;
            return;
        }
        let (level, list) = ((before & !LIST) as usize / LISTS, before as usize % LISTS);
        self.heads[level][list] = after;
        if after == NIL {
            self.occupied[level] &= !(1 << list);
        }
    }

    /// Moves on to `now`, looking at `looks_max` slots at most; takes out and appends to `due` those
    /// that expire by then. `expiry_of` gives the expiry of a slot in the wheel.
    pub(crate) fn advance(
        &mut self,
        now: Millis,
        looks_max: usize,
        expiry_of: impl Fn(u32) -> Millis,
        due: &mut Vec<u32>,
    ) -> Advance {
        let mut looks = 0;
        while let Some((start, level, list)) = self.earliest().filter(|&(start, ..)| start <= now) {
            self.elapsed = self.elapsed.max(start);
            while self.heads[level][list] != NIL {
                if looks == looks_max {
                    return Advance::More;
                }
                looks += 1;
                let slot = self.heads[level][list];
                self.remove(slot);
                let when = expiry_of(slot);
                if when <= now {
                    due.push(slot);
                } else {
                    self.insert(slot, when);
                }
            }
        }
        self.elapsed = self.elapsed.max(now);
        Advance::Done
    }

    /// The occupied list that begins first: its beginning, level and number.
    fn earliest(&self) -> Option<(Millis, usize, usize)> {
        let begins = |level: usize| {
            let (shift, occupied) = (6 * level as u32, self.occupied[level]);
            if occupied == 0 {
                return None;
            }
            // Nothing lies behind the current list: what is overdue went into it.
            let current = (self.elapsed >> shift) as u32 % LISTS as u32;
            let list = (occupied.rotate_right(current).trailing_zeros() + current) % LISTS as u32;
            let round = self.elapsed >> shift >> 6 << 6;
            Some(((round | u64::from(list)) << shift, level, list as usize))
        };
        (0..LEVELS).filter_map(begins).min()
    }

    fn links_mut(&mut self, slot: u32) -> &mut Links {
        let chunk = slot as usize / CHUNK;
        if chunk >= self.links.len() {
            self.links.resize_with(chunk + 1, || None);
        }
        let chunks = &mut self.chunks;
        let chunk = self.links[chunk].get_or_insert_with(|| {
            *chunks += 1;
            Box::new([UNLINKED; CHUNK])
        });
        &mut chunk[slot as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests;
