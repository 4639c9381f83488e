//! Doubly linked lists of slots, without an allocation an entry.
//!
//! Any number of [`List`]s share one [`Links`], as long as a slot is in at most one of them.

use crate::Slot;
use crate::table::Table;

const NIL: Slot = Slot::MAX;

/// The links of all slots: eight bytes a slot.
#[derive(Debug, Default)]
pub struct Links {
    nodes: Table<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    front: Slot,
    back: Slot,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            front: NIL,
            back: NIL,
        }
    }
}

/// The two ends of one list.
#[derive(Debug)]
pub struct List {
    front: Slot,
    back: Slot,
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
    pub fn back(&self) -> Option<Slot> {
        (self.back != NIL).then_some(self.back)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.back == NIL
    }
}

impl Links {
    /// Puts `slot`, which must be in no list, at the front of `list`.
    pub fn push_front(&mut self, list: &mut List, slot: Slot) {
        self.nodes.cover(slot);
        self.nodes[slot] = Node {
            front: NIL,
            back: list.front,
        };
        match list.front {
            NIL => list.back = slot,
            front => self.nodes[front].front = slot,
        }
        list.front = slot;
    }

    /// Takes `slot`, which must be in `list`, out of it.
    pub fn remove(&mut self, list: &mut List, slot: Slot) {
        let Node { front, back } = self.nodes[slot];
        match front {
            NIL => list.front = back,
            front => self.nodes[front].back = back,
        }
        match back {
            NIL => list.back = front,
            back => self.nodes[back].front = front,
        }
    }

    /// Moves `slot`, which must be in `list`, to its front.
    pub fn move_to_front(&mut self, list: &mut List, slot: Slot) {
        if list.front != slot {
            self.remove(list, slot);
            self.push_front(list, slot);
        }
    }

    /// The neighbour of `slot` on the side of the front.
    pub fn towards_front(&self, slot: Slot) -> Option<Slot> {
        let front = self.nodes[slot].front;
        (front != NIL).then_some(front)
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back_to_front(links: &Links, list: &List) -> Vec<Slot> {
        std::iter::successors(list.back(), |&slot| links.towards_front(slot)).collect()
    }

    #[test]
    fn keeps_order_through_removals_at_every_place() {
        let (mut links, mut list) = (Links::default(), List::default());
        for slot in [4, 0, 7, 2] {
            links.push_front(&mut list, slot);
        }
        assert_eq!(back_to_front(&links, &list), [4, 0, 7, 2]);
        links.remove(&mut list, 0);
        assert_eq!(back_to_front(&links, &list), [4, 7, 2]);
        links.move_to_front(&mut list, 4);
        assert_eq!(back_to_front(&links, &list), [7, 2, 4]);
        links.remove(&mut list, 4);
        links.remove(&mut list, 7);
        links.remove(&mut list, 2);
        assert!(list.is_empty());
    }

    #[test]
    fn lists_share_links() {
        let (mut links, mut one, mut two) = (Links::default(), List::default(), List::default());
        links.push_front(&mut one, 0);
        links.push_front(&mut two, 1);
        links.push_front(&mut one, 2);
        links.remove(&mut one, 0);
        links.push_front(&mut two, 0);
        assert_eq!(back_to_front(&links, &one), [2]);
        assert_eq!(back_to_front(&links, &two), [1, 0]);
    }
}
