//! Eviction that honours priorities: the least valued goes first, of those the least recent, or
//! what weighs least.

use std::cmp::Reverse;
use std::ops::Range;

use larder_sdk::lists::{List, Nodes};
use larder_sdk::table::Table;
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

use crate::Parameters;
use crate::weights::Weights;

/// One for each priority.
const CLASSES: usize = 256;

/// Lets the least valued go first.
///
/// Entries of one priority are a class. Victims are of the lowest class, so that no flood of
/// low-valued entries pushes out a higher one. But the lowest classes may together hold a
/// **floor**, a small part of the capacity: within it they yield only while their least recent
/// entry is less recent than that of the class above. So new low-valued entries live for a while
/// even where high-valued ones would take everything. A newcomer counts as one of its class; where
/// the floor does not hold it and nothing is worth as little, it is refused.
///
/// Of the class that yields the least recent entry goes; or, where that is set, the one that weighs
/// least by size, uses and recency.
#[derive(Debug)]
pub struct ByValue {
    floor_percent: u64,
    classes: Vec<Class>,
    /// A bit for each class, the lowest first: whether it holds anything. Few do.
    occupied: [u64; CLASSES / u64::BITS as usize],
    /// Those of a class beside one another. In order of last use, most recent at the front.
    lists: Vec<List>,
    nodes: Nodes<Node>,
    priorities: Table<u8>,
    weights: Weights,
    /// Counts uses.
    now: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Class {
    entries: u32,
    /// When the last victim was due.
    clock: u32,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    size: u32,
    /// When it was last used. After four billion uses it seems new again, which costs a wrong
    /// choice within the floor at most.
    used: u32,
}

/// A class while victims are named: what would be left of it.
struct Left {
    priority: u8,
    bytes: u64,
    /// How long ago its least recent entry was used, once somebody wants to know.
    age: Option<u32>,
    /// Where the least recent of each of its lists are.
    backs: Range<usize>,
}

impl Policy for ByValue {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let weights = Weights::new(parameters.gdsf);
        let lists = CLASSES * weights.lists();
        Ok(Self {
            floor_percent: parameters.floor_percent,
            classes: vec![Class::default(); CLASSES],
            occupied: Default::default(),
            lists: (0..lists).map(|_| List::default()).collect(),
            nodes: Nodes::default(),
            priorities: Table::default(),
            weights,
            now: 0,
        })
    }
}

impl ByValue {
    fn enter(&mut self, slot: Slot, size: u32, priority: u8) {
        self.now = self.now.wrapping_add(1);
        self.priorities[slot] = priority;
        let class = &mut self.classes[usize::from(priority)];
        class.bytes += u64::from(size);
        class.entries += 1;
        self.occupied[usize::from(priority / 64)] |= 1 << (priority % 64);
        self.weights.used(slot, size, class.clock);
        let list = self.list(slot, size);
        let used = self.now;
        self.nodes
            .push_front(&mut self.lists[list], slot, Node { size, used });
    }

    fn leave(&mut self, slot: Slot) {
        let list = self.list(slot, self.nodes[slot].size);
        let node = self.nodes.remove(&mut self.lists[list], slot);
        let priority = self.priorities[slot];
        let class = &mut self.classes[usize::from(priority)];
        class.bytes -= u64::from(node.size);
        class.entries -= 1;
        if class.entries == 0 {
            self.occupied[usize::from(priority / 64)] &= !(1 << (priority % 64));
        }
    }

    /// The list that `slot` is in.
    #[inline(always)]
    fn list(&self, slot: Slot, size: u32) -> usize {
        let class = usize::from(self.priorities[slot]);
        class * self.weights.lists() + self.weights.list(slot, size)
    }

    fn age(&self, slot: Slot) -> u32 {
        self.now.wrapping_sub(self.nodes[slot].used)
    }

    /// All classes that hold anything, least valued first, and the backs of their lists.
    fn all(&self) -> (Vec<Left>, Vec<Slot>) {
        let (mut left, mut backs) = (Vec::new(), Vec::new());
        for (word, mut bits) in (0..).step_by(64).zip(self.occupied) {
            while bits != 0 {
                let class = word + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let (start, first) = (backs.len(), class * self.weights.lists());
                let lists = &self.lists[first..first + self.weights.lists()];
                backs.extend(lists.iter().filter_map(List::back));
                left.push(Left {
                    priority: class as u8,
                    bytes: self.classes[class].bytes,
                    age: None,
                    backs: start..backs.len(),
                });
            }
        }
        (left, backs)
    }

    /// Which of `left` gives the next victim; `None` where the newcomer is worth the least.
    fn choose(
        &self,
        left: &mut [Left],
        backs: &[Slot],
        mut newcomer: Option<Entry>,
        floor_bytes: u64,
    ) -> Option<usize> {
        let mut bytes = 0;
        let mut oldest: Option<(u32, usize)> = None;
        for (at, class) in left.iter_mut().enumerate() {
            if let Some(entry) = newcomer.take_if(|entry| entry.priority < class.priority) {
                bytes += u64::from(entry.size);
                if bytes > floor_bytes {
                    break;
                }
            }
            let backs = &backs[class.backs.clone()];
            let ages = || backs.iter().map(|&slot| self.age(slot));
            let age = *class.age.get_or_insert_with(|| ages().max().unwrap_or(0));
            if oldest.is_none_or(|(oldest, _)| age > oldest) {
                oldest = Some((age, at));
            }
            bytes += class.bytes;
            if let Some(entry) = newcomer.take_if(|entry| entry.priority == class.priority) {
                bytes += u64::from(entry.size);
            }
            if bytes > floor_bytes {
                break;
            }
        }
        oldest.map(|(_, at)| at)
    }

    /// Names what weighs least of `class`, and takes it out of `backs`.
    fn name(&mut self, class: &mut Left, backs: &mut [Slot], victims: &mut Victims<'_>) {
        let backs = &mut backs[class.backs.clone()];
        let clock = self.classes[usize::from(class.priority)].clock;
        let due_in = |slot| self.weights.due_in(slot, clock);
        let first = (0..backs.len())
            .min_by_key(|&at| (due_in(backs[at]), Reverse(self.age(backs[at]))))
            .unwrap_or(0);
        let slot = backs[first];
        let size = self.nodes[slot].size;
        let passed = due_in(slot).max(0).cast_unsigned();
        self.classes[usize::from(class.priority)].clock = clock.wrapping_add(passed);
        victims.name(slot, size);
        class.bytes -= u64::from(size);
        class.age = None;
        match self.nodes.towards_front(slot) {
            Some(next) => backs[first] = next,
            None => {
                backs.swap(first, backs.len() - 1);
                class.backs.end -= 1;
            }
        }
    }
}

impl Eviction for ByValue {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.priorities.cover(slot);
        self.weights.insert(slot);
        self.enter(slot, entry.size, entry.priority);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.now = self.now.wrapping_add(1);
        self.nodes[slot].used = self.now;
        let node = self.nodes[slot];
        let from = self.list(slot, node.size);
        let class = self.classes[usize::from(self.priorities[slot])];
        self.weights.used(slot, node.size, class.clock);
        let to = self.list(slot, node.size);
        if from == to {
            self.nodes.move_to_front(&mut self.lists[to], slot);
        } else {
            self.nodes.remove(&mut self.lists[from], slot);
            self.nodes.push_front(&mut self.lists[to], slot, node);
        }
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.leave(slot);
        self.enter(slot, entry.size, entry.priority);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.leave(slot);
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        let floor_bytes = request.capacity_bytes / 100 * self.floor_percent;
        let (mut left, mut backs) = self.all();
        while !victims.enough() && !left.is_empty() {
            let Some(at) = self.choose(&mut left, &backs, request.newcomer, floor_bytes) else {
                return victims.refuse_newcomer();
            };
            self.name(&mut left[at], &mut backs, victims);
            if left[at].backs.is_empty() {
                left.remove(at);
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
            + self.priorities.memory_bytes()
            + self.weights.memory_bytes()
            + self.classes.capacity() * size_of::<Class>()
            + self.lists.capacity() * size_of::<List>()
    }
}

#[cfg(test)]
mod tests;
