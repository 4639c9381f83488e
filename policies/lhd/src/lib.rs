//! LHD: "LHD: Improving Cache Hit Rate by Maximizing Hit Density", Beckmann, Chen and Cidon, NSDI
//! 2018.
//!
//! An entry's **hit density** is how many hits it is expected to have for the bytes and the time that
//! it will take. What is expected is what became of others of the same class and age. Of a sample of
//! entries the one of least hit density goes.

use larder_sdk::random::Random;
use larder_sdk::table::Table;
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

use crate::density::{Age, CLASSES, Density};

mod density;

larder_sdk::export! {
    name: "lhd",
    about: "LHD (NSDI 2018): what gives the fewest hits for its bytes and time goes",
    eviction: Lhd,
}

/// Entries that one call looks at: where many victims are wanted, each is of a smaller sample.
const LOOKS_MAX: u32 = 4 * 1024;
/// Of what came last so many are in each sample: most of what goes is young.
const NEWEST: usize = 8;
/// Accesses after which densities are renewed: so many for each entry, and so many at least.
const RENEWAL_AN_ENTRY: u64 = 4;
const RENEWAL_MIN: u64 = 4096;
/// The class of those hit at ages of as many accesses as there are entries, or up to twice that.
const MIDDLE_CLASS: u32 = 5;
/// One in so many newcomers is an explorer.
const EXPLORERS: u32 = 512;
/// Explorers stay until they are hit, or for so many accesses for each entry.
const EXPLORE_AN_ENTRY: u64 = 8;

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Entries of which the least goes.
    #[parameter(default = 32, min = 1, max = 256)]
    pub sample: u32,
}

/// The policy of one shard.
#[derive(Debug)]
pub struct Lhd {
    parameters: Parameters,
    random: Random,
    items: Table<Item>,
    /// All that are here, those named as victims last: each of them goes when its removal arrives.
    slots: Table<Slot>,
    len: u32,
    /// How many of them were not named.
    staying: u32,
    /// What was inserted last, a ring.
    newest: [Slot; NEWEST],
    inserts: u32,
    density: Density,
    /// Hits and inserts so far.
    accesses: u64,
    next_renewal: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Item {
    /// When it was inserted or hit last, in accesses.
    touched: u32,
    size: u32,
    /// Where in `slots` it is.
    place: u32,
    /// The ages at its last hit and at the one before; none before the first hit.
    was_hit: bool,
    last: Age,
    before: Age,
    is_explorer: bool,
}

impl Lhd {
    fn age(&self, item: &Item) -> Age {
        Age::new((self.accesses as u32).wrapping_sub(item.touched))
    }

    /// Those that were hit at young ages have the highest, those never hit the lowest.
    fn class(&self, item: &Item) -> usize {
        if !item.was_hit {
            return 0;
        }
        let ages = item.last.accesses() + item.before.accesses();
        let class = (MIDDLE_CLASS + (self.len | 1).ilog2()).saturating_sub((ages + 1).ilog2());
        class.clamp(1, CLASSES as u32 - 1) as usize
    }

    /// What it is worth to keep it.
    fn worth(&self, slot: Slot) -> f32 {
        let item = &self.items[slot];
        let age = self.age(item);
        if item.is_explorer && age.accesses() < EXPLORE_AN_ENTRY * u64::from(self.len) {
            return f32::MAX;
        }
        self.density.of(self.class(item), age) / item.size.max(1) as f32
    }

    fn hit_item(&mut self, slot: Slot) {
        let mut item = self.items[slot];
        let age = self.age(&item);
        self.density.hit(self.class(&item), age);
        (item.before, item.last) = (item.last, age);
        item.was_hit = true;
        item.is_explorer = false;
        self.touch(slot, item);
    }

    fn touch(&mut self, slot: Slot, item: Item) {
        let touched = self.accesses as u32;
        self.items[slot] = Item { touched, ..item };
        self.accesses += 1;
        if self.accesses >= self.next_renewal {
            self.density.renew();
            let period = RENEWAL_AN_ENTRY * u64::from(self.len);
            self.next_renewal = self.accesses + period.max(RENEWAL_MIN);
        }
    }

    /// How many entries are looked at for each victim: fewer where about so many are wanted that
    /// there would be too many in all.
    fn sample(&self, request: &Request) -> u32 {
        let wanted = u128::from(request.bytes) * u128::from(self.len);
        let expected = (wanted / u128::from(request.capacity_bytes.max(1))).max(1);
        let sample = (u128::from(LOOKS_MAX) / expected) as u32;
        sample.clamp(1, self.parameters.sample)
    }

    fn any(&mut self) -> Option<Slot> {
        let place = self.random.below(self.staying);
        (self.staying > 0).then(|| self.slots[place])
    }

    /// The one of least worth of a sample of what stays: of all, where they are no more than that.
    fn least(&mut self, sample: u32) -> Option<Slot> {
        let staying = self.staying;
        let mut least: Option<(f32, Slot)> = None;
        let mut consider = |policy: &Self, slot: Slot| {
            let worth = policy.worth(slot);
            if least.is_none_or(|(other, _)| worth < other) {
                least = Some((worth, slot));
            }
        };
        for place in 0..sample.min(staying) {
            let place = match staying > sample {
                true => self.random.below(staying),
                false => place,
            };
            consider(self, self.slots[place]);
        }
        if staying > sample && sample == self.parameters.sample {
            for slot in self.newest {
                let place = self.items[slot].place;
                if place < staying && self.slots[place] == slot {
                    consider(self, slot);
                }
            }
        }
        least.map(|(_, slot)| slot)
    }

    fn swap(&mut self, place: u32, other: u32) {
        let (one, two) = (self.slots[place], self.slots[other]);
        (self.slots[place], self.slots[other]) = (two, one);
        self.items[one].place = other;
        self.items[two].place = place;
    }
}

impl Policy for Lhd {
    type Parameters = Parameters;

    fn new(parameters: Parameters, seed: u64) -> Result<Self, String> {
        Ok(Self {
            parameters,
            random: Random::new(seed),
            items: Table::default(),
            slots: Table::default(),
            len: 0,
            staying: 0,
            newest: [0; NEWEST],
            inserts: 0,
            density: Density::default(),
            accesses: 0,
            next_renewal: RENEWAL_MIN,
        })
    }
}

impl Eviction for Lhd {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.items.cover(slot);
        self.slots.cover(self.len);
        self.slots[self.len] = slot;
        let item = Item {
            size: entry.size,
            place: self.len,
            is_explorer: self.random.chance(1, EXPLORERS),
            ..Item::default()
        };
        self.touch(slot, item);
        self.swap(self.len, self.staying);
        self.len += 1;
        self.staying += 1;
        self.newest[self.inserts as usize % NEWEST] = slot;
        self.inserts = self.inserts.wrapping_add(1);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.hit_item(slot);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.items[slot].size = entry.size;
        self.hit_item(slot);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        let item = self.items[slot];
        self.density.departure(self.class(&item), self.age(&item));
        let mut place = item.place;
        if place < self.staying {
            self.staying -= 1;
            self.swap(place, self.staying);
            place = self.staying;
        }
        self.len -= 1;
        self.swap(place, self.len);
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        for place in self.staying..self.len {
            if victims.enough() {
                return;
            }
            let slot = self.slots[place];
            victims.name(slot, self.items[slot].size);
        }
        let sample_max = self.sample(request);
        let mut looks = LOOKS_MAX;
        while !victims.enough() {
            let sample = sample_max.min(looks);
            looks -= sample;
            let next = match sample {
                0 => self.any(),
                _ => self.least(sample),
            };
            let Some(slot) = next else {
                return;
            };
            self.staying -= 1;
            self.swap(self.items[slot].place, self.staying);
            victims.name(slot, self.items[slot].size);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.items.memory_bytes() + self.slots.memory_bytes() + self.density.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
