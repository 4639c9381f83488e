//! Least recently used: of all entries the one goes that was neither read nor written for longest.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "lru",
    about: "Least recently used: the entry goes that was neither read nor written for longest",
    eviction: Lru,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Lru {
    /// The size of each entry.
    nodes: Nodes<u32>,
    /// Most recent at the front.
    recency: List,
}

impl Policy for Lru {
    type Parameters = ();

    fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
        Ok(Self::default())
    }
}

impl Eviction for Lru {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.nodes.push_front(&mut self.recency, slot, entry.size);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.nodes.move_to_front(&mut self.recency, slot);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.nodes[slot] = entry.size;
        self.nodes.move_to_front(&mut self.recency, slot);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.nodes.remove(&mut self.recency, slot);
    }

    fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
        let mut next = self.recency.back();
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
    use larder_sdk::testing::{self, Shard};

    #[test]
    fn the_least_recent_goes_first() {
        let mut shard = Shard::new(Lru::default(), 55);
        (0..4).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
        shard.get(0);
        shard.set(1, 25);
        shard.delete(2);
        shard.set(4, 30);
        assert_eq!(shard.evicted(), [3, 0]);
    }

    #[test]
    fn it_keeps_to_the_contract() {
        testing::check_eviction::<Lru>();
    }
}
