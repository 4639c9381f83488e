//! First in, first out: of all entries the one goes that came first.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "fifo",
    about: "First in, first out: the entry goes that came first, whether it was read or not",
    eviction: Fifo,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Fifo {
    /// The size of each entry.
    nodes: Nodes<u32>,
    /// The newest at the front.
    arrival: List,
}

impl Policy for Fifo {
    type Parameters = ();

    fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
        Ok(Self::default())
    }
}

impl Eviction for Fifo {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.nodes.push_front(&mut self.arrival, slot, entry.size);
    }

    /// A write to an entry that is here leaves it its place: it has come already.
    fn update(&mut self, slot: Slot, entry: Entry) {
        self.nodes[slot] = entry.size;
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.nodes.remove(&mut self.arrival, slot);
    }

    fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
        let mut next = self.arrival.back();
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            victims.name(slot, self.nodes[slot]);
            next = self.nodes.towards_front(slot);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::{self, Shard, Stored};

    #[test]
    fn neither_reads_nor_writes_change_the_order() {
        let mut shard = Shard::new(Fifo::default(), 40);
        (0..4).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
        shard.get(0);
        shard.set(1, 10);
        shard.delete(2);
        shard.set(4, 30);
        assert_eq!(shard.evicted(), [0, 1]);
    }

    #[test]
    fn bytes_follow_updates() {
        let mut shard = Shard::new(Fifo::default(), 40);
        (0..3).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
        shard.set(0, 20);
        shard.set(3, 20);
        assert_eq!(shard.evicted(), [0], "it frees 20 bytes");
    }

    #[test]
    fn it_keeps_to_the_contract() {
        testing::check_eviction::<Fifo>();
    }
}
