//! Slots in the order of how often they were read.

use larder_sdk::Slot;
use larder_sdk::lists::{List, Nodes};

/// The number of no group.
const NIL: u32 = u32::MAX;

/// Slots, their sizes, and how often they were read.
#[derive(Debug)]
pub(crate) struct Counts {
    nodes: Nodes<Node>,
    /// Those in use are chained by their counts, those that are free are in `free`.
    groups: Vec<Group>,
    free: Vec<u32>,
    lowest: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    size: u32,
    group: u32,
}

/// The slots with one count; never empty while in use.
#[derive(Debug)]
struct Group {
    count: u32,
    /// Who came to this count last is at the front.
    slots: List,
    higher: u32,
    lower: u32,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            nodes: Nodes::default(),
            groups: Vec::new(),
            free: Vec::new(),
            lowest: NIL,
        }
    }
}

impl Counts {
    /// Enters `slot` with a count of 0.
    pub(crate) fn insert(&mut self, slot: Slot, size: u32) {
        let group = match self.groups.get(self.lowest as usize) {
            Some(lowest) if lowest.count == 0 => self.lowest,
            _ => self.new_group(0, NIL),
        };
        let slots = &mut self.groups[group as usize].slots;
        self.nodes.push_front(slots, slot, Node { size, group });
    }

    /// Counts one more of `slot`.
    pub(crate) fn add(&mut self, slot: Slot) {
        let Node { size, group: old } = self.nodes[slot];
        let Group { count, higher, .. } = self.groups[old as usize];
        if count == u32::MAX {
            let slots = &mut self.groups[old as usize].slots;
            return self.nodes.move_to_front(slots, slot);
        }
        let group = match self.groups.get(higher as usize) {
            Some(group) if group.count == count + 1 => higher,
            _ => self.new_group(count + 1, old),
        };
        self.take(slot);
        let slots = &mut self.groups[group as usize].slots;
        self.nodes.push_front(slots, slot, Node { size, group });
    }

    /// Takes `slot` out.
    pub(crate) fn remove(&mut self, slot: Slot) {
        self.take(slot);
    }

    pub(crate) fn resize(&mut self, slot: Slot, size: u32) {
        self.nodes[slot].size = size;
    }

    /// How often `slot` was read; any slot may be asked for.
    pub(crate) fn reads(&self, slot: Slot) -> u32 {
        let node = self.nodes.get(slot);
        let group = node.and_then(|node| self.groups.get(node.group as usize));
        group.map_or(0, |group| group.count)
    }

    pub(crate) fn size(&self, slot: Slot) -> u32 {
        self.nodes[slot].size
    }

    /// Of those with the lowest count the one that came to it first.
    pub(crate) fn first(&self) -> Option<Slot> {
        self.first_of(self.lowest)
    }

    /// The one that comes after `slot` in the order of counts, and of when each was reached.
    pub(crate) fn after(&self, slot: Slot) -> Option<Slot> {
        let group = self.nodes[slot].group;
        let next = self.nodes.towards_front(slot);
        next.or_else(|| self.first_of(self.groups[group as usize].higher))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let groups = self.groups.capacity() * size_of::<Group>();
        self.nodes.memory_bytes() + groups + self.free.capacity() * size_of::<u32>()
    }

    fn first_of(&self, group: u32) -> Option<Slot> {
        self.groups.get(group as usize)?.slots.back()
    }

    /// Takes `slot` out of its group, which ends with the last.
    fn take(&mut self, slot: Slot) {
        let number = self.nodes[slot].group;
        let group = &mut self.groups[number as usize];
        self.nodes.remove(&mut group.slots, slot);
        if group.slots.is_empty() {
            let (lower, higher) = (group.lower, group.higher);
            self.chain(lower, higher);
            self.free.push(number);
        }
    }

    /// An empty group with this count, above the group `lower`, or lowest of all.
    fn new_group(&mut self, count: u32, lower: u32) -> u32 {
        let below = self.groups.get(lower as usize);
        let higher = below.map_or(self.lowest, |group| group.higher);
        let group = Group {
            count,
            slots: List::default(),
            higher,
            lower,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.groups[number as usize] = group;
                number
            }
            None => {
                self.groups.push(group);
                self.groups.len() as u32 - 1
            }
        };
        self.chain(lower, number);
        self.chain(number, higher);
        number
    }

    /// Makes two groups neighbours; [`NIL`] is both ends.
    fn chain(&mut self, lower: u32, higher: u32) {
        match self.groups.get_mut(lower as usize) {
            Some(group) => group.higher = higher,
            None => self.lowest = higher,
        }
        if let Some(group) = self.groups.get_mut(higher as usize) {
            group.lower = lower;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(counts: &Counts) -> Vec<(Slot, u32)> {
        let slots = std::iter::successors(counts.first(), |&slot| counts.after(slot));
        slots.map(|slot| (slot, counts.reads(slot))).collect()
    }

    #[test]
    fn slots_are_in_the_order_of_their_counts() {
        let mut counts = Counts::default();
        (0..4).for_each(|slot| counts.insert(slot, 1));
        for slot in [1, 3, 1, 0, 1, 3] {
            counts.add(slot);
        }
        assert_eq!(ordered(&counts), [(2, 0), (0, 1), (3, 2), (1, 3)]);
        counts.remove(3);
        counts.add(0);
        counts.insert(3, 1);
        assert_eq!(ordered(&counts), [(2, 0), (3, 0), (0, 2), (1, 3)]);
        (0..4).for_each(|slot| counts.remove(slot));
        assert_eq!(ordered(&counts), []);
    }

    #[test]
    fn groups_are_used_again() {
        let mut counts = Counts::default();
        (0..3).for_each(|slot| counts.insert(slot, 1));
        (0..10_000).for_each(|read| counts.add(read % 3));
        assert_eq!(ordered(&counts), [(1, 3333), (2, 3333), (0, 3334)]);
        assert!(counts.groups.len() <= 4, "{}", counts.groups.len());
    }

    #[test]
    fn at_the_highest_count_recency_remains() {
        let mut counts = Counts::default();
        (0..3).for_each(|slot| counts.insert(slot, 1));
        counts.groups[0].count = u32::MAX;
        counts.add(0);
        let max = u32::MAX;
        assert_eq!(ordered(&counts), [(1, max), (2, max), (0, max)]);
    }
}
