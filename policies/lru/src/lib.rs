//! Least recently used: of all entries the one goes that was neither read nor written for longest.

use larder_sdk::lists::{Links, List};
use larder_sdk::{Entry, Eviction, Removal, Request, Slot, Victims, cover};

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Lru {
    links: Links,
    /// Most recent at the front.
    recency: List,
    sizes: Vec<u32>,
}

impl Eviction for Lru {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        cover(&mut self.sizes, slot);
        self.sizes[slot as usize] = entry.size;
        self.links.push_front(&mut self.recency, slot);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.links.move_to_front(&mut self.recency, slot);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.sizes[slot as usize] = entry.size;
        self.links.move_to_front(&mut self.recency, slot);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.links.remove(&mut self.recency, slot);
    }

    fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
        let mut next = self.recency.back();
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            victims.name(slot, self.sizes[slot as usize]);
            next = self.links.towards_front(slot);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.links.memory_bytes() + self.sizes.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recent_goes_first() {
        let mut lru = Lru::default();
        for slot in 0..4 {
            lru.insert(
                slot,
                Entry {
                    hash: slot,
                    size: 10,
                    priority: 0,
                },
            );
        }
        lru.hit(0, 0);
        lru.update(
            1,
            Entry {
                hash: 1,
                size: 25,
                priority: 0,
            },
        );
        lru.remove(2, 2, Removal::Deleted);
        let mut out = Vec::new();
        let request = Request {
            bytes: 40,
            capacity_bytes: 100,
            newcomer: None,
        };
        lru.victims(&request, &mut Victims::new(request.bytes, &mut out));
        assert_eq!(out, [3, 0, 1]);
    }
}
