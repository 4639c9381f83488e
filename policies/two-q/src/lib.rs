//! 2Q: "2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm", Johnson and Shasha,
//! VLDB 1994.
//!
//! New entries enter **A1in**, first in, first out, where reads change nothing: what is asked for
//! several times in a short while is taken for asked for once. Who leaves it is remembered in
//! **A1out** by its hash. Who comes back while remembered there enters **Am**, which is by recency.

use larder_sdk::ghost::GhostSet;
use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "two-q",
    about: "2Q (VLDB 1994): who comes back after a short stay is kept by recency",
    eviction: TwoQ,
}

/// What can be set; the defaults are the paper's.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Part of the bytes that A1in may take, in percent.
    #[parameter(default = 25, min = 1, max = 90)]
    pub kin_percent: u64,
    /// Entries that A1out remembers, in percent of the entries that are resident.
    #[parameter(default = 50, min = 1, max = 400)]
    pub kout_percent: u64,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct TwoQ {
    parameters: Parameters,
    nodes: Nodes<Node>,
    /// A1in, the newest at the front.
    new: List,
    new_bytes: u64,
    /// A1out.
    left: GhostSet,
    /// Am, the most recent at the front.
    main: List,
    entries: u64,
}

/// Size of one slot, and whether it is in Am. Entries above 2 GiB count as 2 GiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

impl Node {
    const SIZE_MAX: u32 = u32::MAX >> 1;

    fn new(size: u32, is_main: bool) -> Self {
        Self(size.min(Self::SIZE_MAX) << 1 | u32::from(is_main))
    }

    fn size(self) -> u32 {
        self.0 >> 1
    }

    fn is_main(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Policy for TwoQ {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            parameters,
            ..Self::default()
        })
    }
}

impl Eviction for TwoQ {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let node = Node::new(entry.size, self.left.take(entry.hash));
        if node.is_main() {
            self.nodes.push_front(&mut self.main, slot, node);
        } else {
            self.nodes.push_front(&mut self.new, slot, node);
            self.new_bytes += u64::from(node.size());
        }
        self.entries += 1;
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        if self.nodes[slot].is_main() {
            self.nodes.move_to_front(&mut self.main, slot);
        }
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let old = self.nodes[slot];
        let resized = Node::new(entry.size, old.is_main());
        self.nodes[slot] = resized;
        if !old.is_main() {
            self.new_bytes = self.new_bytes - u64::from(old.size()) + u64::from(resized.size());
        }
        self.hit(slot, entry.hash);
    }

    fn remove(&mut self, slot: Slot, hash: u32, why: Removal) {
        let node = self.nodes[slot];
        if node.is_main() {
            self.nodes.remove(&mut self.main, slot);
        } else {
            self.nodes.remove(&mut self.new, slot);
            self.new_bytes -= u64::from(node.size());
            if why == Removal::Evicted {
                let remembered = self.entries * self.parameters.kout_percent / 100;
                self.left.set_capacity(remembered as usize);
                self.left.insert(hash);
            }
        }
        self.entries -= 1;
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        let capacity_bytes = request.capacity_bytes;
        let kin_bytes = capacity_bytes.saturating_mul(self.parameters.kin_percent) / 100;
        let (mut new, mut main) = (self.new.back(), self.main.back());
        let mut new_bytes = self.new_bytes;
        while !victims.enough() {
            let next = match (new, main) {
                (Some(_), main) if new_bytes > kin_bytes || main.is_none() => &mut new,
                (_, Some(_)) => &mut main,
                _ => return,
            };
            let Some(slot) = *next else { return };
            *next = self.nodes.towards_front(slot);
            let node = self.nodes[slot];
            victims.name(slot, node.size());
            if !node.is_main() {
                new_bytes -= u64::from(node.size());
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.left.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
