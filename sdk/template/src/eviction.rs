//! Which entries go when room is needed: here the one that was neither read nor written for longest.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "{{name}}",
    about: "Evicts the least recently used",
    eviction: {{Name}},
}

/// What can be set in `{{name}}.toml` beside the policy.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Whether reading an entry keeps it longer, or writing it alone.
    #[parameter(default = true)]
    pub reads_count: bool,
}

/// The policy of one shard. A slot is the number of an entry's place; no slot is used again before
/// its removal was told.
#[derive(Debug)]
pub struct {{Name}} {
    parameters: Parameters,
    /// Most recent at the front.
    recency: List,
    /// The size of each entry.
    nodes: Nodes<u32>,
}

impl Policy for {{Name}} {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            parameters,
            recency: List::default(),
            nodes: Nodes::default(),
        })
    }
}

impl Eviction for {{Name}} {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.nodes
            .push_front(&mut self.recency, slot, entry.size);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        if self.parameters.reads_count {
            self.nodes.move_to_front(&mut self.recency, slot);
        }
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.nodes[slot] = entry.size;
        self.nodes.move_to_front(&mut self.recency, slot);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.nodes.remove(&mut self.recency, slot);
    }

    /// Names victims until they free enough. They stay until their removal is told.
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
        let policy = {{Name}}::new(Parameters::default(), 1).unwrap();
        let mut shard = Shard::new(policy, 30);
        for key in [1, 2, 3] {
            shard.set(key, 10);
        }
        shard.get(1);
        shard.set(4, 10);
        assert_eq!(shard.evicted(), [2]);
    }

    #[test]
    fn it_keeps_to_the_contract() {
        testing::check_eviction::<{{Name}}>();
    }
}
