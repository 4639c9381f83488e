//! SIEVE: "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web Caches", Zhang et
//! al., NSDI 2024.
//!
//! One queue in the order of arrival, in which nothing is ever moved, and a **hand** in it. A read
//! sets a bit. Where room is needed, the hand goes from the oldest towards the newest, clears the bits
//! that it finds set, and evicts what it finds without; there it stays until the next time, and
//! at the newest it begins anew. As survivors keep their place, what comes after the hand's passing
//! is sieved before them.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "sieve",
    about: "SIEVE (NSDI 2024): a hand sweeps the queue of arrival and spares what was read since it passed",
    eviction: Sieve,
}

/// Entries that a request spares: where everything was read, sparing all of it would take longer than
/// anybody can wait.
const TURNS_MAX: u32 = 16 * 1024;

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Sieve {
    nodes: Nodes<Node>,
    /// In the order of arrival, the newest at the front.
    queue: List,
    /// Named as victims; each goes when its removal arrives.
    leaving: List,
    /// Where the hand goes on; none: at the oldest.
    hand: Option<Slot>,
}

/// Size of one slot, whether it was read, and whether it is leaving. Entries above 1 GiB count as
/// 1 GiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

impl Node {
    const SIZE_MAX: u32 = u32::MAX >> 2;
    const READ: u32 = 1;
    const LEAVING: u32 = 2;

    fn new(size: u32) -> Self {
        Self(size.min(Self::SIZE_MAX) << 2)
    }

    fn size(self) -> u32 {
        self.0 >> 2
    }

    fn is_read(self) -> bool {
        self.0 & Self::READ != 0
    }

    fn is_leaving(self) -> bool {
        self.0 & Self::LEAVING != 0
    }
}

impl Sieve {
    /// Takes `slot` out of the queue; the hand does not stay on what is gone.
    fn leave(&mut self, slot: Slot) {
        if self.hand == Some(slot) {
            self.hand = self.nodes.towards_front(slot);
        }
        self.nodes.remove(&mut self.queue, slot);
    }

    /// Names again what was named before and is still here.
    fn name_leaving(&self, victims: &mut Victims<'_>) {
        let mut next = self.leaving.back();
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            victims.name(slot, self.nodes[slot].size());
            next = self.nodes.towards_front(slot);
        }
    }
}

impl Policy for Sieve {
    type Parameters = ();

    fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
        Ok(Self::default())
    }
}

impl Eviction for Sieve {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let node = Node::new(entry.size);
        self.nodes.push_front(&mut self.queue, slot, node);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.nodes[slot].0 |= Node::READ;
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let leaving = self.nodes[slot].0 & Node::LEAVING;
        self.nodes[slot] = Node(Node::new(entry.size).0 | Node::READ | leaving);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        if self.nodes[slot].is_leaving() {
            self.nodes.remove(&mut self.leaving, slot);
        } else {
            self.leave(slot);
        }
    }

    fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
        self.name_leaving(victims);
        let mut turns = 0;
        while !victims.enough() {
            let Some(slot) = self.hand.or(self.queue.back()) else {
                return;
            };
            let node = self.nodes[slot];
            if node.is_read() && turns < TURNS_MAX {
                turns += 1;
                self.nodes[slot].0 &= !Node::READ;
                self.hand = self.nodes.towards_front(slot);
            } else {
                self.hand = Some(slot);
                self.leave(slot);
                let leaving = Node(node.0 | Node::LEAVING);
                self.nodes.push_front(&mut self.leaving, slot, leaving);
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
