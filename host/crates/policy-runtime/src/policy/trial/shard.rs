//! A shard with nothing in it but slots, which drives an evictor through whatever may happen.

use larder_abi::{
    EVENTS_MAX, Entry, Event, EventKind, Foretold, NEWCOMER, Removal, Request, Slot, VICTIMS_MAX,
};
use larder_engine::{Evictor, Unfit, WrongAnswer};

const OPERATIONS: usize = 4000;
const CAPACITY_BYTES: u64 = 200_000;
const SIZE_MAX: u32 = 2_000;
/// What an eviction frees beyond what is needed.
const AHEAD_BYTES: u64 = 4_000;

pub(super) struct Shard<E> {
    evictor: E,
    random: Random,
    entries: Vec<Option<Entry>>,
    free: Vec<Slot>,
    used_bytes: u64,
    /// What the evictor has not been told.
    events: Vec<Event>,
    /// The answer being looked at, and all there were.
    named: Vec<Slot>,
    victims: Vec<Slot>,
}

impl<E: Evictor> Shard<E> {
    pub(super) fn new(evictor: E, seed: u64) -> Self {
        Self {
            evictor,
            random: Random(seed),
            entries: Vec::new(),
            free: Vec::new(),
            used_bytes: 0,
            events: Vec::new(),
            named: Vec::new(),
            victims: Vec::new(),
        }
    }

    /// Lives through a few thousand operations, and ends with nothing in it. Returns all victims.
    pub(super) fn live(mut self) -> Result<Vec<Slot>, Unfit> {
        self.make_room(1, None)?;
        for _ in 0..OPERATIONS {
            match self.random.below(100) {
                0..45 => self.insert()?,
                45..80 => self.hit(),
                80..88 => self.update()?,
                88..95 => self.remove(),
                95..98 if self.evictor.wants_misses() => {
                    let hash = self.random.below(10_000);
                    self.events.push(Event::new(EventKind::Miss, 0, hash));
                }
                95..98 => {}
                _ => {
                    let bytes = 1 + self.random.below(20_000);
                    self.make_room(u64::from(bytes), None)?;
                }
            }
            if self.events.len() >= EVENTS_MAX * 2 {
                self.tell()?;
            }
        }
        self.make_room(u64::MAX, None)?;
        self.insert()?;
        self.make_room(u64::MAX, None)?;
        Ok(self.victims)
    }

    fn insert(&mut self) -> Result<(), Unfit> {
        let entry = Entry {
            hash: self.random.below(10_000),
            size: 1 + self.random.below(SIZE_MAX),
            priority: self.random.below(256) as u8,
        };
        let needed = (self.used_bytes + u64::from(entry.size)).saturating_sub(CAPACITY_BYTES);
        if needed > 0 {
            let newcomer = (self.random.below(2) == 0).then_some(entry);
            if !self.make_room(needed + AHEAD_BYTES, newcomer)? {
                return Ok(());
            }
        }
        let slot = self.free.pop().unwrap_or(self.entries.len() as Slot);
        if slot as usize == self.entries.len() {
            self.entries.push(None);
        }
        self.used_bytes += u64::from(entry.size);
        self.entries[slot as usize] = Some(entry);
        self.note(EventKind::Insert, slot, entry);
        Ok(())
    }

    fn hit(&mut self) {
        if let Some((slot, entry)) = self.any() {
            self.events
                .push(Event::new(EventKind::Hit, slot, entry.hash));
        }
    }

    fn update(&mut self) -> Result<(), Unfit> {
        let Some((slot, mut entry)) = self.any() else {
            return Ok(());
        };
        self.used_bytes -= u64::from(entry.size);
        entry.size = 1 + self.random.below(SIZE_MAX);
        entry.priority = self.random.below(256) as u8;
        self.used_bytes += u64::from(entry.size);
        self.entries[slot as usize] = Some(entry);
        self.note(EventKind::Update, slot, entry);
        let excess = self.used_bytes.saturating_sub(CAPACITY_BYTES);
        if excess > 0 {
            self.make_room(excess, None)?;
        }
        Ok(())
    }

    fn remove(&mut self) {
        if let Some((slot, _)) = self.any() {
            let removal = match self.random.below(3) {
                0 => Removal::Deleted,
                1 => Removal::Expired,
                _ => Removal::Evicted,
            };
            self.take(slot, removal);
        }
    }

    fn any(&mut self) -> Option<(Slot, Entry)> {
        let slots = u32::try_from(self.entries.len())
            .ok()
            .filter(|slots| *slots > 0)?;
        let slot = self.random.below(slots);
        self.entries[slot as usize].map(|entry| (slot, entry))
    }

    fn note(&mut self, kind: EventKind, slot: Slot, entry: Entry) {
        self.events.push(Event {
            size: entry.size,
            priority: entry.priority,
            ..Event::new(kind, slot, entry.hash)
        });
    }

    fn take(&mut self, slot: Slot, removal: Removal) -> Option<u64> {
        let entry = self.entries.get_mut(slot as usize)?.take()?;
        self.used_bytes -= u64::from(entry.size);
        self.free.push(slot);
        self.events.push(Event {
            removal,
            ..Event::new(EventKind::Remove, slot, entry.hash)
        });
        Some(u64::from(entry.size))
    }

    fn tell(&mut self) -> Result<(), Unfit> {
        let told = self.evictor.deliver(&self.events);
        self.events.clear();
        told
    }

    /// Has the evictor make room, as often as its answers are full. Whether the newcomer may come.
    fn make_room(&mut self, bytes: u64, newcomer: Option<Entry>) -> Result<bool, Unfit> {
        let mut left = bytes;
        loop {
            self.tell()?;
            let request = Request {
                bytes: left,
                capacity_bytes: CAPACITY_BYTES,
                newcomer,
            };
            let mut named = std::mem::take(&mut self.named);
            named.clear();
            let foretold = self.foretold();
            let answered = self.evictor.victims(&request, &foretold, &mut named);
            self.named = named;
            answered?;
            self.victims.extend(&self.named);
            if self.named == [NEWCOMER] {
                return Ok(false);
            }
            let freed = self.evict_named(left)?;
            left = left.saturating_sub(freed);
            if left == 0 || self.used_bytes == 0 {
                return Ok(true);
            }
        }
    }

    /// What nobody can know, of some entries, one of them twice; sometimes nothing.
    fn foretold(&mut self) -> Vec<Foretold> {
        if !self.evictor.wants_reuse() || self.random.below(4) == 0 {
            return Vec::new();
        }
        let drawn: Vec<_> = (0..32).filter_map(|_| self.any()).collect();
        let drawn = drawn.iter().chain(drawn.first());
        let foretold = drawn.map(|(slot, entry)| Foretold {
            slot: *slot,
            reuse: entry.hash << (entry.priority / 16),
        });
        foretold.collect()
    }

    /// Evicts what was named until `bytes` are freed; returns what was.
    fn evict_named(&mut self, bytes: u64) -> Result<u64, Unfit> {
        let mut freed_bytes = 0;
        for at in 0..self.named.len() {
            if freed_bytes >= bytes {
                return Ok(freed_bytes);
            }
            let slot = self.named[at];
            let Some(size) = self.take(slot, Removal::Evicted) else {
                return Err(self.reproach(if self.named[..at].contains(&slot) {
                    WrongAnswer::Duplicate(slot)
                } else if (slot as usize) < self.entries.len() {
                    WrongAnswer::Dead(slot)
                } else {
                    WrongAnswer::Foreign(slot)
                }));
            };
            freed_bytes += size;
        }
        let is_done = freed_bytes >= bytes || self.used_bytes == 0;
        if is_done || self.named.len() >= VICTIMS_MAX {
            return Ok(freed_bytes);
        }
        Err(self.reproach(WrongAnswer::TooFew {
            freed_bytes,
            wanted_bytes: bytes,
        }))
    }

    fn reproach(&mut self, wrong: WrongAnswer) -> Unfit {
        self.evictor.reproach(wrong);
        Unfit(wrong.to_string())
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((mixed >> 32) * u64::from(end)) >> 32) as u32
    }
}
