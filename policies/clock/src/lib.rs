//! Clock: first in, first out, with a second chance for what was read: "A Paging Experiment with the
//! Multics System", Corbató, 1968.
//!
//! A read sets a bit and moves nothing. Who comes to the end of the queue with the bit set loses it
//! and goes round once more.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "clock",
    about: "Clock: first in, first out, and another round for what was read",
    eviction: Clock,
}

/// Second chances that a request gives: where everything was read, sparing all of it would take
/// longer than anybody can wait.
const TURNS_MAX: u32 = 16 * 1024;

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Clock {
    nodes: Nodes<Node>,
    /// The hand is at the back.
    queue: List,
}

/// Size of one slot, and whether it was read. Entries above 2 GiB count as 2 GiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

impl Node {
    const SIZE_MAX: u32 = u32::MAX >> 1;

    fn new(size: u32, is_read: bool) -> Self {
        Self(size.min(Self::SIZE_MAX) << 1 | u32::from(is_read))
    }

    fn size(self) -> u32 {
        self.0 >> 1
    }

    fn is_read(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Policy for Clock {
    type Parameters = ();

    fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
        Ok(Self::default())
    }
}

impl Eviction for Clock {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let node = Node::new(entry.size, false);
        self.nodes.push_front(&mut self.queue, slot, node);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.nodes[slot] = Node::new(self.nodes[slot].size(), true);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.nodes[slot] = Node::new(entry.size, true);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.nodes.remove(&mut self.queue, slot);
    }

    /// Who is named keeps its place at the back, so that it is named again if it does not go, and
    /// spared if it is read until then.
    fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
        let mut next = self.queue.back();
        let mut turns = 0;
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            let node = self.nodes[slot];
            next = self.nodes.towards_front(slot);
            if node.is_read() && turns < TURNS_MAX {
                turns += 1;
                self.nodes[slot] = Node::new(node.size(), false);
                self.nodes.move_to_front(&mut self.queue, slot);
                // The last that is left has no other to wait for.
                next = next.or(Some(slot));
            } else {
                victims.name(slot, node.size());
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
