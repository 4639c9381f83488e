//! One shard of a server, with an eviction policy in charge.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::{Random, mix};
use crate::{
    Entry, Event, EventKind, Eviction, NEWCOMER, Removal, Request, Slot, VICTIMS_MAX, Victims,
};

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was kept.
    Kept,
    /// The policy refused it; what the key held before is gone.
    Refused,
    /// It is larger than the shard; nothing changed.
    TooLarge,
}

/// Keys and sizes instead of keys and values, within a capacity, an eviction policy in charge.
///
/// Room is made before an entry comes: the policy is asked for victims with the newcomer described;
/// its answer is checked; the victims go, one after the other, until there is room; then the insert
/// is told.
///
/// # Panics
/// All methods, where the policy answers what a server would not accept: a slot that holds nothing,
/// one that is named twice, victims that free too little though there were more entries, a refusal
/// where nobody comes.
#[derive(Debug)]
pub struct Shard<P> {
    policy: P,
    capacity_bytes: u64,
    used_bytes: u64,
    slots: Vec<Option<Resident>>,
    free: Vec<Slot>,
    slot_of: BTreeMap<u64, Slot>,
    evicted: Vec<u64>,
    /// Drops hits, evicts not all victims and others instead.
    careless: Option<Random>,
}

#[derive(Debug, Clone, Copy)]
struct Resident {
    key: u64,
    entry: Entry,
}

impl<P: Eviction> Shard<P> {
    /// An empty shard.
    pub fn new(policy: P, capacity_bytes: u64) -> Self {
        Self {
            policy,
            capacity_bytes,
            used_bytes: 0,
            slots: Vec::new(),
            free: Vec::new(),
            slot_of: BTreeMap::new(),
            evicted: Vec::new(),
            careless: None,
        }
    }

    /// Makes it a host under load, as the contract allows it: one in four hits and misses is dropped,
    /// and of the victims only some are evicted, with entries that the policy did not name instead
    /// of the others.
    #[must_use]
    pub fn careless(mut self, seed: u64) -> Self {
        self.careless = Some(Random::new(seed));
        self
    }

    /// Reads `key`; whether it is here.
    pub fn get(&mut self, key: u64) -> bool {
        let found = self.slot_of.get(&key).copied();
        if self
            .careless
            .as_mut()
            .is_some_and(|random| random.chance(1, 4))
        {
            return found.is_some();
        }
        match found {
            Some(slot) => self
                .policy
                .event(&Event::new(EventKind::Hit, slot, hash(key))),
            None if P::WANTS_MISSES => {
                self.policy
                    .event(&Event::new(EventKind::Miss, 0, hash(key)));
            }
            None => {}
        }
        found.is_some()
    }

    /// Writes `key` with an entry of `size` bytes and priority 0.
    pub fn set(&mut self, key: u64, size: u32) -> Stored {
        self.set_valued(key, size, 0)
    }

    /// Writes `key` with an entry of `size` bytes and this priority.
    pub fn set_valued(&mut self, key: u64, size: u32, priority: u8) -> Stored {
        if u64::from(size) > self.capacity_bytes {
            return Stored::TooLarge;
        }
        let hash = hash(key);
        let entry = Entry {
            hash,
            size,
            priority,
        };
        // The entry that is written again may be evicted for itself, and then needs more room.
        loop {
            let old = self.slot_of.get(&key).map_or(0, |&slot| self.size(slot));
            let bytes = self.used_bytes - old + u64::from(size);
            let Some(bytes) = bytes
                .checked_sub(self.capacity_bytes)
                .filter(|&over| over > 0)
            else {
                break;
            };
            if !self.make_room(bytes, Some(entry)) {
                self.delete(key);
                return Stored::Refused;
            }
        }
        let known = self.slot_of.get(&key).copied();
        let (kind, slot) = match known {
            Some(slot) => (EventKind::Update, slot),
            None => (EventKind::Insert, self.new_slot(key)),
        };
        self.used_bytes = self.used_bytes - self.size(slot) + u64::from(size);
        self.slots[slot as usize] = Some(Resident { key, entry });
        self.policy.event(&Event {
            size,
            priority,
            ..Event::new(kind, slot, hash)
        });
        Stored::Kept
    }

    /// Deletes `key`; whether it was here.
    pub fn delete(&mut self, key: u64) -> bool {
        self.take(key, Removal::Deleted)
    }

    /// Ends the time to live of `key`; whether it was here.
    pub fn expire(&mut self, key: u64) -> bool {
        self.take(key, Removal::Expired)
    }

    /// Sets what its entries may take together, and evicts what is too much.
    pub fn set_capacity(&mut self, bytes: u64) {
        self.capacity_bytes = bytes;
        while self.used_bytes > bytes {
            self.make_room(self.used_bytes - bytes, None);
        }
    }

    /// Whether `key` is here; no read.
    pub fn holds(&self, key: u64) -> bool {
        self.slot_of.contains_key(&key)
    }

    /// The keys that are here, ascending.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        self.slot_of.keys().copied()
    }

    /// Bytes that the entries take.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// The keys that were evicted, in order.
    pub fn evicted(&self) -> &[u64] {
        &self.evicted
    }

    /// The policy.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// Has the policy name victims and evicts them. False where it refuses the newcomer.
    fn make_room(&mut self, bytes: u64, newcomer: Option<Entry>) -> bool {
        let request = Request {
            bytes,
            capacity_bytes: self.capacity_bytes,
            newcomer,
        };
        let mut named = Vec::new();
        self.policy
            .victims(&request, &mut Victims::new(bytes, &mut named));
        if named == [NEWCOMER] {
            assert!(
                newcomer.is_some(),
                "a newcomer is refused, and nobody comes"
            );
            return false;
        }
        self.check(&named, bytes);
        let kept = match &mut self.careless {
            Some(random) => random.below(named.len() as u32 + 1) as usize,
            None => 0,
        };
        named.truncate(named.len() - kept);
        let mut freed = 0;
        for slot in named {
            if freed < bytes {
                freed += self.remove(slot, Removal::Evicted);
            }
        }
        while self.careless.is_some() && freed < bytes {
            let Some(slot) = self.any_resident() else {
                break;
            };
            freed += self.remove(slot, Removal::Evicted);
        }
        true
    }

    fn check(&self, named: &[Slot], wanted_bytes: u64) {
        let mut seen = BTreeSet::new();
        let mut freed = 0;
        for &slot in named {
            let held = self.slots.get(slot as usize).copied().flatten();
            let Some(resident) = held else {
                panic!("victim {slot} holds nothing");
            };
            assert!(seen.insert(slot), "victim {slot} is named twice");
            freed += u64::from(resident.entry.size);
        }
        let whole = named.len() == self.slot_of.len() || named.len() == VICTIMS_MAX;
        assert!(
            freed >= wanted_bytes || whole,
            "{} victims free {freed} bytes of {wanted_bytes}, and there are {} entries",
            named.len(),
            self.slot_of.len()
        );
    }

    fn any_resident(&mut self) -> Option<Slot> {
        let random = self.careless.as_mut()?;
        let start = random.below(self.slots.len() as u32) as usize;
        let slots = (start..self.slots.len()).chain(0..start);
        slots
            .map(|slot| slot as Slot)
            .find(|&slot| self.slots[slot as usize].is_some())
    }

    fn new_slot(&mut self, key: u64) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as Slot - 1
        });
        self.slot_of.insert(key, slot);
        slot
    }

    fn size(&self, slot: Slot) -> u64 {
        let resident = self.slots[slot as usize];
        resident.map_or(0, |resident| resident.entry.size.into())
    }

    fn take(&mut self, key: u64, why: Removal) -> bool {
        let slot = self.slot_of.get(&key).copied();
        slot.map(|slot| self.remove(slot, why)).is_some()
    }

    /// Returns the bytes freed.
    fn remove(&mut self, slot: Slot, why: Removal) -> u64 {
        let Some(Resident { key, entry }) = self.slots[slot as usize].take() else {
            return 0;
        };
        self.slot_of.remove(&key);
        self.free.push(slot);
        self.used_bytes -= u64::from(entry.size);
        if why == Removal::Evicted {
            self.evicted.push(key);
        }
        self.policy.event(&Event {
            removal: why,
            ..Event::new(EventKind::Remove, slot, entry.hash)
        });
        entry.size.into()
    }
}

fn hash(key: u64) -> u32 {
    mix(key) as u32
}
