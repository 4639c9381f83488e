//! Doubly linked lists of slots, without an allocation an entry.
//!
//! Any number of [`List`]s share one [`Nodes`], as long as a slot is in at most one of them. What a
//! policy keeps for each slot belongs there, too: it then lies beside the links, where one access to
//! memory brings both.
//!
//! All of it is inlined wherever it is called: in WebAssembly each call looks at the stack and at the
//! time that is left.

use std::ops::{Index, IndexMut};

use crate::Slot;
use crate::table::Table;

const NIL: Slot = Slot::MAX;

/// A value for each slot that is in a list, and its links: eight bytes a slot beside the value.
#[derive(Debug)]
pub struct Nodes<T = ()> {
    nodes: Table<Node<T>>,
}

#[derive(Debug, Clone, Copy)]
struct Node<T> {
    front: Slot,
    back: Slot,
    value: T,
}

/// The two ends of one list.
#[derive(Debug)]
pub struct List {
    front: Slot,
    back: Slot,
}

impl<T> Default for Nodes<T> {
    fn default() -> Self {
        Self {
            nodes: Table::default(),
        }
    }
}

impl<T: Default> Default for Node<T> {
    fn default() -> Self {
        Self {
            front: NIL,
            back: NIL,
            value: T::default(),
        }
    }
}

impl Default for List {
    fn default() -> Self {
        Self {
            front: NIL,
            back: NIL,
        }
    }
}

impl List {
    /// The slot at the back: of a queue, the one that has been in it longest.
    #[inline(always)]
    pub fn back(&self) -> Option<Slot> {
        (self.back != NIL).then_some(self.back)
    }

    /// Whether nothing is in it.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.back == NIL
    }
}

impl<T: Copy + Default> Nodes<T> {
    /// Puts `slot`, which must be in no list, at the front of `list`, with its value.
    #[inline(always)]
    pub fn push_front(&mut self, list: &mut List, slot: Slot, value: T) {
        self.nodes.cover(slot);
        self.nodes[slot] = Node {
            front: NIL,
            back: list.front,
            value,
        };
        self.link_front(list, slot);
    }

    /// Takes `slot`, which must be in `list`, out of it; returns its value.
    #[inline(always)]
    pub fn remove(&mut self, list: &mut List, slot: Slot) -> T {
        let Node { front, back, value } = self.nodes[slot];
        match front {
            NIL => list.front = back,
            front => self.nodes[front].back = back,
        }
        match back {
            NIL => list.back = front,
            back => self.nodes[back].front = front,
        }
        value
    }

    /// Moves `slot`, which must be in `list`, to its front.
    #[inline(always)]
    pub fn move_to_front(&mut self, list: &mut List, slot: Slot) {
        if list.front != slot {
            self.remove(list, slot);
            let node = &mut self.nodes[slot];
            (node.front, node.back) = (NIL, list.front);
            self.link_front(list, slot);
        }
    }

    /// The neighbour of `slot` on the side of the front.
    #[inline(always)]
    pub fn towards_front(&self, slot: Slot) -> Option<Slot> {
        let front = self.nodes[slot].front;
        (front != NIL).then_some(front)
    }

    /// The value of `slot`; `None` where no slot as high was ever in a list.
    #[inline(always)]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.nodes.get(slot).map(|node| &node.value)
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
    }

    #[inline(always)]
    fn link_front(&mut self, list: &mut List, slot: Slot) {
        match list.front {
            NIL => list.back = slot,
            front => self.nodes[front].front = slot,
        }
        list.front = slot;
    }
}

impl<T> Index<Slot> for Nodes<T> {
    type Output = T;

    /// # Panics
    /// Where no slot as high was ever in a list.
    #[inline(always)]
    fn index(&self, slot: Slot) -> &T {
        &self.nodes[slot].value
    }
}

impl<T> IndexMut<Slot> for Nodes<T> {
    #[inline(always)]
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.nodes[slot].value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back_to_front(nodes: &Nodes<u32>, list: &List) -> Vec<Slot> {
        std::iter::successors(list.back(), |&slot| nodes.towards_front(slot)).collect()
    }

    #[test]
    fn keeps_order_through_removals_at_every_place() {
        let (mut nodes, mut list) = (Nodes::default(), List::default());
        for slot in [4, 0, 7, 2] {
            nodes.push_front(&mut list, slot, 10 * slot);
        }
        assert_eq!(back_to_front(&nodes, &list), [4, 0, 7, 2]);
        nodes.remove(&mut list, 0);
        assert_eq!(back_to_front(&nodes, &list), [4, 7, 2]);
        nodes[4] += 1;
        nodes.move_to_front(&mut list, 4);
        assert_eq!(back_to_front(&nodes, &list), [7, 2, 4]);
        assert_eq!(nodes.remove(&mut list, 4), 41);
        assert_eq!(nodes.remove(&mut list, 7), 70);
        nodes.remove(&mut list, 2);
        assert!(list.is_empty());
    }

    #[test]
    fn lists_share_nodes() {
        let (mut nodes, mut one, mut two) = (Nodes::default(), List::default(), List::default());
        nodes.push_front(&mut one, 0, 5);
        nodes.push_front(&mut two, 1, 6);
        nodes.push_front(&mut one, 2, 7);
        nodes.remove(&mut one, 0);
        nodes.push_front(&mut two, 0, 5);
        assert_eq!(back_to_front(&nodes, &one), [2]);
        assert_eq!(back_to_front(&nodes, &two), [1, 0]);
    }
}
