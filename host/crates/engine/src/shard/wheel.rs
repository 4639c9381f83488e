//! A hierarchical timing wheel: removes what has expired and nobody asks for.
//!
//! Seven levels of 64 lists; a list of level *n* spans 64ⁿ milliseconds, so the 42 bits of an
//! expiry are covered whole ("Hashed and Hierarchical Timing Wheels", Varghese and Lauck, SOSP
//! 1987). What is in the lists are groups of sixteen neighbouring slots, each by the earliest of
//! their expiries: a byte a slot instead of eight for links of its own. A group whose time has come
//! is looked through, what is due is handed out, and the group goes back in for the rest. Its time
//! is a lower bound: an expiry that was put off or taken away costs one look in vain.

use std::ops::Range;

use crate::Millis;

const LEVELS: usize = 7;
const LISTS: usize = 64;
const CHUNK: usize = 256;

/// Groups that a word has bits for.
const WORD: usize = u64::BITS as usize;

/// Slots that are in the wheel as one.
pub(super) const GROUP: u32 = 16;

/// A link names a group, or with this bit set a list.
const LIST: u32 = 1 << 31;
const NIL: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Group {
    before: u32,
    after: u32,
    /// No slot of the group expires before; 0: none expires.
    earliest: Millis,
}

const UNLINKED: Group = Group {
    before: NIL,
    after: NIL,
    earliest: 0,
};

/// The wheel of one shard.
pub(crate) struct Wheel {
    heads: Box<[[u32; LISTS]; LEVELS]>,
    /// A bit a list: something is in it.
    occupied: [u64; LEVELS],
    groups: Vec<Option<Box<[Group; CHUNK]>>>,
    chunks: usize,
    /// A bit a group: it is in a list.
    linked: Vec<u64>,
    /// All that was due up to here was handed out, but for what is left in earlier lists.
    elapsed: Millis,
}

/// What one [`Wheel::step`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A group that may hold something due, by its slots. It is out of the wheel: what is left in it
    /// has to be inserted again.
    Due(Range<u32>),
    /// A group whose time comes later moved closer.
    Moved,
    /// Nothing is due.
    Idle,
}

impl Wheel {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            heads: Box::new([[NIL; LISTS]; LEVELS]),
            occupied: [0; LEVELS],
            groups: Vec::new(),
            chunks: 0,
            linked: Vec::new(),
            elapsed: now,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks * size_of::<[Group; CHUNK]>()
            + size_of::<[[u32; LISTS]; LEVELS]>()
            + self.linked.capacity() * size_of::<u64>()
    }

    /// Notes that `slot` expires at `when`.
    pub(crate) fn insert(&mut self, slot: u32, when: Millis) {
        let group = slot / GROUP;
        let earliest = self.group_mut(group).earliest;
        if earliest == 0 || when < earliest {
            self.unlink(group);
            self.link(group, when);
        }
    }

    /// Moves on towards `now` by one group. To be repeated until it is idle.
    pub(crate) fn step(&mut self, now: Millis) -> Step {
        let Some((start, level, list)) = self.earliest().filter(|&(start, ..)| start <= now) else {
            self.elapsed = self.elapsed.max(now);
            return Step::Idle;
        };
        self.elapsed = self.elapsed.max(start);
        let group = self.heads[level][list];
        let earliest = self.unlink(group);
        if earliest <= now {
            return Step::Due(group * GROUP..(group + 1) * GROUP);
        }
        self.link(group, earliest);
        Step::Moved
    }

    /// The first group in the wheel from that of `slot` on, or else from the beginning, by its slots. All
    /// that expires is in one of them.
    pub(crate) fn group_from(&self, slot: u32) -> Option<Range<u32>> {
        let group = slot / GROUP;
        let first = group as usize / WORD;
        let behind = u64::MAX << (group as usize % WORD);
        let head = self.linked.get(first).map(|word| (first, word & behind));
        let around = (first + 1..self.linked.len()).chain(0..self.linked.len().min(first + 1));
        let words = around.map(|number| (number, self.linked[number]));
        let (number, word) = head.into_iter().chain(words).find(|(_, word)| *word != 0)?;
        let group = (number * WORD) as u32 + word.trailing_zeros();
        Some(group * GROUP..(group + 1) * GROUP)
    }

    /// Takes out the group of `slot`, in which nothing expires any more.
    pub(crate) fn forget_group(&mut self, slot: u32) {
        self.unlink(slot / GROUP);
    }

    fn link(&mut self, group: u32, earliest: Millis) {
        // What is overdue goes into the list that is handed out next.
        let when = earliest.max(self.elapsed);
        let differing = (when ^ self.elapsed) | (LISTS as u64 - 1);
        let level = ((63 - differing.leading_zeros()) / 6).min(LEVELS as u32 - 1) as usize;
        let list = (when >> (6 * level)) as usize % LISTS;
        let first = std::mem::replace(&mut self.heads[level][list], group);
        if first != NIL {
            self.group_mut(first).before = group;
        }
        let before = LIST | (level * LISTS + list) as u32;
        *self.group_mut(group) = Group {
            before,
            after: first,
            earliest,
        };
        self.occupied[level] |= 1 << list;
        let word = group as usize / WORD;
        if word >= self.linked.len() {
            self.linked.resize(word + 1, 0);
        }
        self.linked[word] |= 1 << (group as usize % WORD);
    }

    /// Takes a group out, if it is in. Returns its time.
    fn unlink(&mut self, group: u32) -> Millis {
        let Group {
            before,
            after,
            earliest,
        } = std::mem::replace(self.group_mut(group), UNLINKED);
        if before == NIL {
            return earliest;
        }
        self.linked[group as usize / WORD] &= !(1 << (group as usize % WORD));
        if after != NIL {
            self.group_mut(after).before = before;
        }
        if before & LIST == 0 {
            self.group_mut(before).after = after;
            return earliest;
        }
        let (level, list) = ((before & !LIST) as usize / LISTS, before as usize % LISTS);
        self.heads[level][list] = after;
        if after == NIL {
            self.occupied[level] &= !(1 << list);
        }
        earliest
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

    fn group_mut(&mut self, group: u32) -> &mut Group {
        let chunk = group as usize / CHUNK;
        if chunk >= self.groups.len() {
            self.groups.resize_with(chunk + 1, || None);
        }
        let chunks = &mut self.chunks;
        let chunk = self.groups[chunk].get_or_insert_with(|| {
            *chunks += 1;
            Box::new([UNLINKED; CHUNK])
        });
        &mut chunk[group as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests;
