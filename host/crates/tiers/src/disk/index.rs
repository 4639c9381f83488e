//! What lies where: hash → place, sixteen bytes an entry.
//!
//! Made of many small tables, so that growing one takes microseconds and never holds more than a small
//! part twice. They are probed linearly and grow by a seventh to a quarter, along the allocator's own size classes:
//! between 2/3 and 5/6 full, 19 to 24 bytes an entry.
//!
//! A key is its hash: 64 bits, keyed with a secret of the folder. Of two keys with the same one the newer
//! takes the older's place, which to its owner looks like an eviction; whoever reads compares the key.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::place::Place;

const TABLES: usize = 2048;
/// Fewest slots of a table that has any.
const SLOTS_MIN: usize = 4;

#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    place: Place,
}

const EMPTY: Slot = Slot {
    hash: 0,
    place: Place::NONE,
};

#[derive(Default)]
struct Table {
    slots: Box<[Slot]>,
    len: usize,
}

/// The index, for any number of threads.
pub(super) struct Index {
    tables: Box<[Mutex<Table>]>,
    slots: AtomicUsize,
    entries: AtomicUsize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            tables: (0..TABLES).map(|_| Mutex::default()).collect(),
            slots: AtomicUsize::new(0),
            entries: AtomicUsize::new(0),
        }
    }

    /// Entries there are, those of cleared databases included.
    pub(super) fn len(&self) -> usize {
        self.entries.load(Relaxed)
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        (TABLES * size_of::<Mutex<Table>>() + self.slots.load(Relaxed) * size_of::<Slot>()) as u64
    }

    pub(super) fn holds(&self, hash: u64) -> bool {
        self.table(hash).lock().find(hash).is_some()
    }

    pub(super) fn get(&self, hash: u64) -> Option<Place> {
        let table = self.table(hash).lock();
        table.find(hash).map(|at| table.slots[at].place)
    }

    /// The place, which counts as read from now on.
    pub(super) fn touch(&self, hash: u64) -> Option<Place> {
        let mut table = self.table(hash).lock();
        let at = table.find(hash)?;
        let place = &mut table.slots[at].place;
        *place = place.touched();
        Some(*place)
    }

    /// The place that was there before.
    pub(super) fn insert(&self, hash: u64, place: Place) -> Option<Place> {
        let mut table = self.table(hash).lock();
        if let Some(at) = table.find(hash) {
            return Some(std::mem::replace(&mut table.slots[at].place, place));
        }
        if (table.len + 1) * 6 > table.slots.len() * 5 {
            let slots = larger(table.slots.len());
            self.resize(&mut table, slots);
        }
        table.put(Slot { hash, place });
        table.len += 1;
        self.entries.fetch_add(1, Relaxed);
        None
    }

    /// The place that was there.
    pub(super) fn remove(&self, hash: u64) -> Option<Place> {
        self.remove_if(hash, |_| true)
    }

    /// The same, where the place is what the caller knows.
    pub(super) fn remove_if(&self, hash: u64, is_it: impl FnOnce(Place) -> bool) -> Option<Place> {
        let mut table = self.table(hash).lock();
        let at = table.find(hash)?;
        let place = table.slots[at].place;
        if !is_it(place) {
            return None;
        }
        table.take_out(at);
        self.entries.fetch_sub(1, Relaxed);
        self.shrink(&mut table);
        Some(place)
    }

    /// Puts `new` where `old` is, if it still is.
    pub(super) fn replace_if(&self, hash: u64, old: Place, new: Place) -> bool {
        let mut table = self.table(hash).lock();
        let Some(at) = table.find(hash) else {
            return false;
        };
        let place = &mut table.slots[at].place;
        let is_there = place.is_same(old);
        if is_there {
            *place = new;
        }
        is_there
    }

    /// Goes through all of it and keeps what the caller wants.
    pub(super) fn retain(&self, mut is_kept: impl FnMut(u64, Place) -> bool) {
        for table in &self.tables {
            let mut table = table.lock();
            let gone: Vec<u64> = table
                .slots
                .iter()
                .filter(|slot| slot.place != Place::NONE && !is_kept(slot.hash, slot.place))
                .map(|slot| slot.hash)
                .collect();
            self.entries.fetch_sub(gone.len(), Relaxed);
            for hash in gone {
                if let Some(at) = table.find(hash) {
                    table.take_out(at);
                }
            }
            self.shrink(&mut table);
        }
    }

    fn table(&self, hash: u64) -> &Mutex<Table> {
        &self.tables[hash as usize % TABLES]
    }

    fn shrink(&self, table: &mut Table) {
        if table.len * 3 < table.slots.len() {
            let mut slots = 0;
            while table.len * 6 > slots * 5 {
                slots = larger(slots);
            }
            self.resize(table, slots);
        }
    }

    fn resize(&self, table: &mut Table, slots: usize) {
        self.slots.fetch_add(slots, Relaxed);
        self.slots.fetch_sub(table.slots.len(), Relaxed);
        let old = std::mem::replace(&mut table.slots, vec![EMPTY; slots].into_boxed_slice());
        for slot in old {
            if slot.place != Place::NONE {
                table.put(slot);
            }
        }
    }
}

/// The next of four steps between a power of two and the next.
fn larger(slots: usize) -> usize {
    match slots {
        0 => SLOTS_MIN,
        _ => slots + (1 << slots.ilog2()) / 4,
    }
}

impl Table {
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash >> 32) * self.slots.len() as u128) >> 32) as usize
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() {
            0
        } else {
            at + 1
        }
    }

    fn find(&self, hash: u64) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        // It ends, as no table is full.
        let mut at = self.home(hash);
        while self.slots[at].place != Place::NONE {
            if self.slots[at].hash == hash {
                return Some(at);
            }
            at = self.next(at);
        }
        None
    }

    /// Into a table that has room, where the hash is not.
    fn put(&mut self, slot: Slot) {
        let mut at = self.home(slot.hash);
        while self.slots[at].place != Place::NONE {
            at = self.next(at);
        }
        self.slots[at] = slot;
    }

    /// Takes a slot out and moves up what had to pass by it.
    fn take_out(&mut self, mut hole: usize) {
        self.len -= 1;
        let slots = self.slots.len();
        let mut at = hole;
        loop {
            at = self.next(at);
            if self.slots[at].place == Place::NONE {
                break;
            }
            let home = self.home(self.slots[at].hash);
            if (at + slots - home) % slots >= (at + slots - hole) % slots {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn place(n: u16) -> Place {
        Place::new(n, u64::from(n) * 8, 48)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn it_is_a_map(orders in prop::collection::vec((any::<bool>(), 0..600_u64, any::<u16>()), 1..2000)) {
            let (index, mut model) = (Index::new(), HashMap::new());
            for (is_insert, key, n) in orders {
                // All in one table, crowded at both of its ends.
                let hash = ((key % 2) * (u64::MAX << 40)) | (key << 20);
                let place = place(n);
                if is_insert {
                    prop_assert_eq!(index.insert(hash, place), model.insert(hash, place));
                } else {
                    prop_assert_eq!(index.remove(hash), model.remove(&hash));
                }
            }
            for (hash, place) in &model {
                prop_assert_eq!(index.get(*hash), Some(*place));
            }
            prop_assert_eq!(index.len(), model.len());
            index.retain(|hash, _| hash >> 20 & 1 == 0);
            prop_assert_eq!(index.len(), model.keys().filter(|hash| *hash >> 20 & 1 == 0).count());
            for hash in model.keys() {
                prop_assert_eq!(index.holds(*hash), hash >> 20 & 1 == 0);
            }
        }
    }

    #[test]
    fn it_takes_25_bytes_an_entry_and_gives_them_back() {
        let index = Index::new();
        let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let idle = index.memory_bytes();
        for n in 0..400_000 {
            index.insert(hash(n), place(1));
            if n >= 100_000 && n % 10_000 == 0 {
                let each = (index.memory_bytes() - idle) / n;
                assert!(each <= 25, "{each} bytes an entry at {n}");
            }
        }
        for n in 0..400_000 {
            assert!(index.remove(hash(n)).is_some(), "{n}");
        }
        assert_eq!(index.memory_bytes(), idle);
    }

    #[test]
    fn a_place_is_found_touched_and_replaced() {
        let index = Index::new();
        let place = Place::new(u16::MAX, (1 << 26) - 8, (1 << 27) - 8);
        index.insert(7, place);
        assert_eq!(
            (place.segment(), place.offset(), place.bytes()),
            (u16::MAX, (1 << 26) - 8, (1 << 27) - 8)
        );
        assert!(!index.get(7).unwrap().is_touched());
        assert!(index.touch(7).unwrap().is_touched());
        assert!(!index.replace_if(7, Place::new(1, 8, 8), Place::new(2, 8, 8)));
        assert!(index.get(7).unwrap().is_same(place));
        assert!(index.replace_if(7, place, Place::new(2, 8, 8)));
        assert_eq!(index.get(7), Some(Place::new(2, 8, 8)));
        assert_eq!(index.remove_if(7, |at| at.is_same(place)), None);
    }
}
