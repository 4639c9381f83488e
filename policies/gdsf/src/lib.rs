//! GDSF: "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy",
//! Cherkasova, HP Laboratories report HPL-98-69R1, 1998.
//!
//! An entry is worth `clock + frequency * cost / size`, written anew at each read, and the least
//! worth goes. The **clock** is the worth of what went last: what is not read any more is overtaken.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

use crate::heap::{Heap, Item, Key};

mod heap;

larder_sdk::export! {
    name: "gdsf",
    about: "GDSF (HP Laboratories, 1998): small and often read entries stay",
    eviction: Gdsf,
}

/// The worth of one read of one byte: worths are fixed-point numbers with so many places. A shard's
/// worths end when its entries of one byte were all replaced four billion times; they stop growing there.
const ONE_LOG2: u32 = 32;
/// A packet's payload and what is needed besides, for the cost `packets`.
const PACKET_BYTES: u64 = 536;

/// What can be set; the defaults are those of the paper's GDSF-Hits.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// What a miss costs: `one`, `packets` (2 + size / 536: favours bytes) or `priority` (1 + priority).
    #[parameter(default = "one")]
    pub cost: String,
}

#[derive(Debug, Clone, Copy, Default)]
enum Cost {
    #[default]
    One,
    Packets,
    Priority,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Gdsf {
    cost: Cost,
    heap: Heap,
    /// The worth of what was evicted last: the paper's L.
    clock: u64,
    /// Counts inserts and reads: of equals the one read longest ago goes.
    turn: u32,
    /// What is next to be named: places in the heap, kept for its memory.
    next: BinaryHeap<Reverse<(Key, u32)>>,
}

impl Cost {
    fn of(self, size: u32, priority: u8) -> u64 {
        match self {
            Self::One => 1,
            Self::Packets => 2 + u64::from(size) / PACKET_BYTES,
            Self::Priority => 1 + u64::from(priority),
        }
    }
}

impl Gdsf {
    /// `item` as it is after one more insert or read.
    fn valued(&mut self, item: Item) -> Item {
        self.turn = self.turn.wrapping_add(1);
        let reads = u64::from(item.frequency) * self.cost.of(item.size, item.priority);
        let reads = reads.min(u32::MAX.into());
        let gained = (reads << ONE_LOG2) / u64::from(item.size.max(1));
        Item {
            worth: self.clock.saturating_add(gained),
            turn: self.turn,
            ..item
        }
    }
}

impl Policy for Gdsf {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let cost = match parameters.cost.as_str() {
            "one" => Cost::One,
            "packets" => Cost::Packets,
            "priority" => Cost::Priority,
            other => return Err(format!("cost is one, packets or priority, not {other:?}")),
        };
        Ok(Self {
            cost,
            ..Self::default()
        })
    }
}

impl Eviction for Gdsf {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let item = self.valued(Item {
            size: entry.size,
            frequency: 1,
            priority: entry.priority,
            ..Item::default()
        });
        self.heap.push(slot, item);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        let mut item = self.heap.item(slot);
        item.frequency = item.frequency.saturating_add(1);
        let item = self.valued(item);
        self.heap.set(slot, item);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let item = self.heap.item(slot);
        let item = self.valued(Item {
            size: entry.size,
            frequency: item.frequency.saturating_add(1),
            priority: entry.priority,
            ..item
        });
        self.heap.set(slot, item);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, why: Removal) {
        if why == Removal::Evicted {
            // Of the least, not of this one: the host may have evicted something dear on its own.
            let least = self.heap.below(None).next();
            let least = least.map_or(0, |top| self.heap.key(top).worth);
            self.clock = self.clock.max(least);
        }
        self.heap.remove(slot);
    }

    /// The least of the heap in order: below each that is named are those that may come next.
    fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
        self.next.clear();
        let mut named = None;
        while !victims.enough() {
            let below = self.heap.below(named);
            let below = below.map(|place| Reverse((self.heap.key(place), place)));
            self.next.extend(below);
            let Some(Reverse((_, place))) = self.next.pop() else {
                return;
            };
            let slot = self.heap.slot(place);
            victims.name(slot, self.heap.item(slot).size);
            named = Some(place);
        }
    }

    fn reads(&self, slot: Slot) -> u32 {
        self.heap.frequency(slot).into()
    }

    fn memory_bytes(&self) -> usize {
        let next = self.next.capacity() * size_of::<Reverse<(Key, u32)>>();
        self.heap.memory_bytes() + next
    }
}

#[cfg(test)]
mod tests;
