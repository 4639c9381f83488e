//! Of some entries drawn at random the one goes that is expected to be asked for again last, as the host's model has it.
//!
//! Relaxed Belady: Song, Berger, Li and Lloyd, "Learning Relaxed Belady for Content Distribution Network Caching", NSDI 2020.
//! The model, and what it knows of entries, are the host's; this policy chooses by what it is told, and by recency where it
//! is told nothing.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "predicted-reuse",
    about: "What the host's model expects to be asked for again last goes first, larger entries before smaller ones",
    eviction: PredictedReuse,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Whether the time until an entry is asked for again counts as often as the entry has bytes: fewer misses, of more bytes.
    #[parameter(default = true)]
    pub by_size: bool,
}

/// The policy of one shard.
#[derive(Debug)]
pub struct PredictedReuse {
    by_size: bool,
    /// The size of each entry.
    nodes: Nodes<u32>,
    /// Most recent at the front.
    recency: List,
    /// What was foretold with the request, each with how little it is worth.
    ranked: Vec<(u64, Slot)>,
}

impl Policy for PredictedReuse {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            by_size: parameters.by_size,
            nodes: Nodes::default(),
            recency: List::default(),
            ranked: Vec::new(),
        })
    }
}

impl Eviction for PredictedReuse {
    const WANTS_REUSE: bool = true;

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
        let worthlessness = |reuse: u32, size: u32| {
            let weight = if self.by_size { size } else { 1 };
            u64::from(reuse) * u64::from(weight)
        };
        let foretold = victims.foretold().iter();
        let ranked = foretold.map(|it| (worthlessness(it.reuse, self.nodes[it.slot]), it.slot));
        self.ranked.clear();
        self.ranked.extend(ranked);
        self.ranked.sort_unstable_by(|one, other| other.cmp(one));
        // An entry may have been drawn twice.
        self.ranked.dedup();
        for (_, slot) in &self.ranked {
            victims.name(*slot, self.nodes[*slot]);
        }
        if victims.enough() {
            return;
        }
        self.ranked.sort_unstable_by_key(|(_, slot)| *slot);
        let mut next = self.recency.back();
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            let named = self.ranked.binary_search_by_key(&slot, |(_, named)| *named);
            if named.is_err() {
                victims.name(slot, self.nodes[slot]);
            }
            next = self.nodes.towards_front(slot);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.ranked.capacity() * size_of::<(u64, Slot)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::{self, Shard};
    use larder_sdk::{Event, EventKind, Foretold};

    fn policy(by_size: bool) -> PredictedReuse {
        PredictedReuse::new(Parameters { by_size }, 7).expect("any parameters will do")
    }

    /// Whom it names of four entries of 10, 40, 10 and 10 bytes, the first the least recently used.
    fn named(by_size: bool, bytes: u64, foretold: &[(Slot, u32)]) -> Vec<Slot> {
        let mut policy = policy(by_size);
        for (slot, size) in (0..).zip([10, 40, 10, 10]) {
            let insert = Event::new(EventKind::Insert, slot, slot);
            policy.event(&Event { size, ..insert });
        }
        let foretold = foretold.iter();
        let foretold: Vec<_> = foretold
            .map(|&(slot, reuse)| Foretold { slot, reuse })
            .collect();
        let request = Request {
            bytes,
            capacity_bytes: 70,
            newcomer: None,
        };
        let mut named = Vec::new();
        let mut victims = Victims::new(bytes, &mut named).with_foretold(&foretold);
        policy.victims(&request, &mut victims);
        named
    }

    #[test]
    fn who_is_asked_for_last_goes_first() {
        let foretold = [(3, 90), (1, 30), (2, 50), (3, 90)];
        assert_eq!(named(false, 20, &foretold), [3, 2]);
        assert_eq!(named(true, 20, &foretold), [1], "40 bytes for as long");
        assert_eq!(named(true, 45, &foretold), [1, 3]);
    }

    #[test]
    fn of_whom_nothing_is_foretold_the_least_recent_goes() {
        assert_eq!(named(true, 15, &[]), [0, 1]);
        assert_eq!(named(true, 25, &[(3, 1), (0, 5)]), [0, 3, 1]);
        let mut shard = Shard::new(policy(true), 55);
        (0..4).for_each(|key| assert!(shard.set(key, 10) == testing::Stored::Kept));
        shard.get(0);
        shard.set(1, 25);
        shard.delete(2);
        shard.set(4, 30);
        assert_eq!(shard.evicted(), [3, 0]);
    }

    #[test]
    fn it_keeps_to_the_contract() {
        testing::check_eviction::<PredictedReuse>();
    }
}
