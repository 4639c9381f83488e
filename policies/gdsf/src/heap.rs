//! Slots in a binary heap, the one of least worth at its top.

use larder_sdk::Slot;
use larder_sdk::table::Table;

/// What decides between two slots: the lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) worth: u64,
    turn: u32,
}

/// What is known of one slot.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Item {
    pub(crate) worth: u64,
    /// When it was inserted or read last.
    pub(crate) turn: u32,
    pub(crate) size: u32,
    pub(crate) frequency: u16,
    pub(crate) priority: u8,
    /// Where in the heap it is; the heap sees to it.
    pub(crate) place: u32,
}

/// Items by slot, and the slots as a heap: 28 bytes each.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    items: Table<Item>,
    slots: Table<Slot>,
    len: u32,
}

impl Item {
    fn key(&self) -> Key {
        Key {
            worth: self.worth,
            turn: self.turn,
        }
    }
}

impl Heap {
    /// The places below `place`, or the top for none.
    pub(crate) fn below(&self, place: Option<u32>) -> impl Iterator<Item = u32> {
        let places = match place {
            None => 0..1,
            Some(place) => 2 * place + 1..2 * place + 3,
        };
        let len = self.len;
        places.filter(move |&place| place < len)
    }

    pub(crate) fn slot(&self, place: u32) -> Slot {
        self.slots[place]
    }

    /// What is known of `slot`, which is here.
    pub(crate) fn item(&self, slot: Slot) -> Item {
        self.items[slot]
    }

    /// How often `slot` came and was read; 0 for one that never was here.
    pub(crate) fn frequency(&self, slot: Slot) -> u16 {
        self.items.get(slot).map_or(0, |item| item.frequency)
    }

    pub(crate) fn key(&self, place: u32) -> Key {
        self.items[self.slots[place]].key()
    }

    /// Adds `slot`, which is not here.
    pub(crate) fn push(&mut self, slot: Slot, item: Item) {
        self.items.cover(slot);
        self.slots.cover(self.len);
        self.items[slot] = item;
        self.put(self.len, slot);
        self.len += 1;
        self.rise(self.len - 1);
    }

    /// Replaces what is known of `slot`, which is here.
    pub(crate) fn set(&mut self, slot: Slot, item: Item) {
        let place = self.items[slot].place;
        self.items[slot] = Item { place, ..item };
        self.rise(place);
        self.sink(self.items[slot].place);
    }

    /// Takes `slot`, which is here, out.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let place = self.items[slot].place;
        self.len -= 1;
        let last = self.slots[self.len];
        if last != slot {
            self.put(place, last);
            self.rise(place);
            self.sink(self.items[last].place);
        }
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.items.memory_bytes() + self.slots.memory_bytes()
    }

    fn put(&mut self, place: u32, slot: Slot) {
        self.slots[place] = slot;
        self.items[slot].place = place;
    }

    /// Moves what is at `place` towards the top until what is above is no more.
    fn rise(&mut self, mut place: u32) {
        let slot = self.slots[place];
        let key = self.items[slot].key();
        while place > 0 {
            let above = (place - 1) / 2;
            if self.key(above) <= key {
                break;
            }
            self.put(place, self.slots[above]);
            place = above;
        }
        self.put(place, slot);
    }

    /// Moves what is at `place` away from the top until what is below is no less.
    fn sink(&mut self, mut place: u32) {
        let slot = self.slots[place];
        let key = self.items[slot].key();
        while let Some(least) = self.below(Some(place)).min_by_key(|&below| self.key(below)) {
            if self.key(least) >= key {
                break;
            }
            self.put(place, self.slots[least]);
            place = least;
        }
        self.put(place, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::random::Random;

    #[test]
    fn the_least_is_at_the_top_whatever_was_done() {
        let (mut heap, mut random) = (Heap::default(), Random::new(3));
        let mut here = [None; 50];
        for turn in 0..5000 {
            let slot = random.below(50);
            let item = Item {
                worth: u64::from(random.below(20)),
                turn,
                ..Item::default()
            };
            match here[slot as usize] {
                None => heap.push(slot, item),
                Some(_) if random.chance(1, 2) => heap.set(slot, item),
                Some(_) => heap.remove(slot),
            }
            here[slot as usize] = match here[slot as usize] {
                Some(_) if heap.slots_hold(slot).is_none() => None,
                _ => Some((item.worth, turn)),
            };
            let least = here.iter().flatten().min();
            let top = heap.below(None).next().map(|place| heap.key(place));
            assert_eq!(top.map(|key| (key.worth, key.turn)), least.copied());
        }
    }

    impl Heap {
        fn slots_hold(&self, slot: Slot) -> Option<u32> {
            (0..self.len).find(|&place| self.slots[place] == slot)
        }
    }
}
