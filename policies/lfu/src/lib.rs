//! Least frequently used: of all entries the one goes that was read least often since it came, and of
//! several such the one whose last read is longest ago.
//!
//! Entries that were read as often as each other are in one list, and these lists in a list of lists,
//! so that a read takes constant time: "An O(1) algorithm for implementing the LFU cache eviction
//! scheme", Shah, Mitra and Matani, 2010.

mod counts;

use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

use counts::Counts;

larder_sdk::export! {
    name: "lfu",
    about: "Least frequently used: the entry goes that was read least often since it came",
    eviction: Lfu,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Lfu {
    counts: Counts,
}

impl Policy for Lfu {
    type Parameters = ();

    fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
        Ok(Self::default())
    }
}

impl Eviction for Lfu {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.counts.insert(slot, entry.size);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.counts.add(slot);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.counts.resize(slot, entry.size);
        self.counts.add(slot);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.counts.remove(slot);
    }

    fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
        let mut next = self.counts.first();
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            victims.name(slot, self.counts.size(slot));
            next = self.counts.after(slot);
        }
    }

    fn reads(&self, slot: Slot) -> u32 {
        self.counts.reads(slot)
    }

    fn memory_bytes(&self) -> usize {
        self.counts.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::{self, Shard, Stored};

    #[test]
    fn the_least_read_goes_first_and_of_several_the_least_recent() {
        let mut shard = Shard::new(Lfu::default(), 40);
        (0..4).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
        for key in [0, 0, 2, 1, 3, 3, 2] {
            assert!(shard.get(key));
        }
        // 1 was read once; 0, 3 and 2 twice, 0 first. Who is new was not read.
        for key in [4, 5] {
            shard.set(key, 10);
        }
        assert_eq!(shard.evicted(), [1, 4]);
        (0..3).for_each(|_| assert!(shard.get(5)));
        for key in [6, 7] {
            shard.set(key, 10);
        }
        assert_eq!(shard.evicted(), [1, 4, 0, 6]);
    }

    #[test]
    fn a_write_counts_and_is_of_another_size() {
        let mut shard = Shard::new(Lfu::default(), 40);
        (0..3).for_each(|key| assert_eq!(shard.set(key, 10), Stored::Kept));
        shard.set(0, 20);
        shard.get(1);
        shard.set(3, 30);
        assert_eq!(shard.evicted(), [2, 0], "10 bytes, and 20");
    }

    #[test]
    fn whoever_comes_back_begins_anew() {
        let mut shard = Shard::new(Lfu::default(), 20);
        shard.set(0, 10);
        (0..9).for_each(|_| assert!(shard.get(0)));
        shard.delete(0);
        shard.set(0, 10);
        shard.set(1, 10);
        shard.get(1);
        shard.set(2, 10);
        assert_eq!(shard.evicted(), [0]);
    }

    #[test]
    fn it_keeps_to_the_contract() {
        testing::check_eviction::<Lfu>();
    }
}
