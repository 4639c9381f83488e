//! The entries of one shard.

use larder_engine::Unfit;
use larder_engine::decision::Verdict;
use larder_sdk::{
    Entry, Event, EventKind, NEWCOMER, Removal, Request as RoomRequest, Slot, VICTIMS_MAX,
};

use super::driver::Driver;
use super::expiry::Expiries;
use super::waiting::Waiting;
use super::{NOWHERE, Tally, WAITING};
use crate::Request;

/// No object is here.
const NOBODY: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Shard<D> {
    pub(super) driver: D,
    capacity_bytes: u64,
    used_bytes: u64,
    residents: Vec<Resident>,
    free: Vec<Slot>,
    victims: Vec<Slot>,
    /// The objects that went for the last newcomer.
    pub(super) evicted: Vec<u32>,
    expiries: Expiries,
    comings: u32,
    /// What was fetched ahead, and nobody asked for yet. The policy knows nothing of it.
    pub(super) waiting: Waiting,
}

#[derive(Debug, Clone, Copy)]
struct Resident {
    object: u32,
    hash: u32,
    size_bytes: u32,
    /// The number of its coming.
    coming: u32,
}

impl Resident {
    /// Whether it is here since it came with that number.
    fn is_since(&self, coming: u32) -> bool {
        self.object != NOBODY && self.coming == coming
    }
}

impl<D: Driver> Shard<D> {
    pub(super) fn new(driver: D, capacity_bytes: u64) -> Self {
        Self {
            driver,
            capacity_bytes,
            used_bytes: 0,
            residents: Vec::new(),
            free: Vec::new(),
            victims: Vec::new(),
            evicted: Vec::new(),
            expiries: Expiries::default(),
            comings: 0,
            waiting: Waiting::default(),
        }
    }

    pub(super) fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Removes whose time has come.
    #[inline]
    pub(super) fn expire(
        &mut self,
        now_seconds: u32,
        places: &mut [u32],
        tally: &mut Tally,
    ) -> Result<(), Unfit> {
        while let Some((slot, coming)) = self.expiries.due(u64::from(now_seconds)) {
            if self.residents[slot as usize].is_since(coming) {
                self.remove(slot, Removal::Expired, places)?;
                tally.expired += 1;
            }
        }
        Ok(())
    }

    /// Takes a newcomer in; whether it came.
    pub(super) fn insert(
        &mut self,
        request: &Request,
        verdict: Verdict,
        places: &mut [u32],
        tally: &mut Tally,
    ) -> Result<bool, Unfit> {
        self.evicted.clear();
        if self.driver.wants_misses() {
            self.driver
                .tell(Event::new(EventKind::Miss, 0, request.hash))?;
        }
        let size = u64::from(request.size_bytes);
        let newcomer = Entry {
            hash: request.hash,
            size: request.size_bytes,
            priority: verdict.priority,
        };
        let may_come = verdict.keep && size + self.waiting.bytes() <= self.capacity_bytes;
        if !may_come || !self.make_room(Some(newcomer), places, tally)? {
            tally.rejected += 1;
            return Ok(false);
        }
        self.comings = self.comings.wrapping_add(1);
        let resident = Resident {
            object: request.object,
            hash: request.hash,
            size_bytes: request.size_bytes,
            coming: self.comings,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.residents[slot as usize] = resident;
                slot
            }
            None => {
                self.residents.push(resident);
                (self.residents.len() - 1) as Slot
            }
        };
        places[request.object as usize] = slot;
        self.used_bytes += size;
        if let Some(ttl_ms) = verdict.ttl_ms {
            let at = u64::from(request.time_seconds).saturating_add(ttl_ms.div_ceil(1000));
            let residents = &self.residents;
            self.expiries.tidy(residents.len(), |slot, coming| {
                residents[slot as usize].is_since(coming)
            });
            self.expiries.add(at, slot, self.comings);
        }
        self.driver.tell(Event {
            size: request.size_bytes,
            priority: verdict.priority,
            ..Event::new(EventKind::Insert, slot, request.hash)
        })?;
        Ok(true)
    }

    /// Keeps an object that was fetched ahead until then, if it takes no more than its share of the room
    /// with those that wait already; whether it does.
    pub(super) fn fetch(
        &mut self,
        (object, size_bytes): (u32, u32),
        until_ms: u64,
        share_percent: u8,
        places: &mut [u32],
        tally: &mut Tally,
    ) -> Result<bool, Unfit> {
        let share = self.capacity_bytes / 100 * u64::from(share_percent);
        if self.waiting.bytes() + u64::from(size_bytes) > share {
            return Ok(false);
        }
        self.waiting.add(object, size_bytes, until_ms);
        places[object as usize] = WAITING;
        self.make_room(None, places, tally)
    }

    /// Evicts until there is room for those who wait and for the newcomer, if there is one; whether it
    /// may come.
    fn make_room(
        &mut self,
        newcomer: Option<Entry>,
        places: &mut [u32],
        tally: &mut Tally,
    ) -> Result<bool, Unfit> {
        let newcomer_bytes = newcomer.map_or(0, |newcomer| u64::from(newcomer.size));
        let more_bytes = self.waiting.bytes() + newcomer_bytes;
        loop {
            let needed = self.used_bytes + more_bytes;
            if needed <= self.capacity_bytes {
                return Ok(true);
            }
            let room = RoomRequest {
                bytes: needed - self.capacity_bytes,
                capacity_bytes: self.capacity_bytes,
                newcomer,
            };
            let mut victims = std::mem::take(&mut self.victims);
            victims.clear();
            self.driver.victims(&room, &mut victims)?;
            if victims == [NEWCOMER] {
                self.victims = victims;
                return Ok(false);
            }
            for &slot in &victims {
                if self.used_bytes + more_bytes <= self.capacity_bytes {
                    break;
                }
                self.check_victim(slot)?;
                let seen = tally.victims_checksum ^ u64::from(slot);
                tally.victims_checksum = crate::trace::mix(seen.wrapping_add(1));
                tally.evictions += 1;
                self.evicted.push(self.residents[slot as usize].object);
                self.remove(slot, Removal::Evicted, places)?;
            }
            let is_short = self.used_bytes + more_bytes > self.capacity_bytes;
            if is_short && victims.len() < VICTIMS_MAX {
                return Err(Unfit(format!(
                    "it named {} victims, which free less than the {} bytes that are needed",
                    victims.len(),
                    room.bytes
                )));
            }
            self.victims = victims;
        }
    }

    fn check_victim(&self, slot: Slot) -> Result<(), Unfit> {
        match self.residents.get(slot as usize) {
            Some(resident) if resident.object != NOBODY => Ok(()),
            Some(_) => Err(Unfit(format!(
                "it named slot {slot}, where nothing is, or named it twice"
            ))),
            None => Err(Unfit(format!("it named {slot}, which is no slot"))),
        }
    }

    fn remove(&mut self, slot: Slot, removal: Removal, places: &mut [u32]) -> Result<(), Unfit> {
        let resident = &mut self.residents[slot as usize];
        let object = std::mem::replace(&mut resident.object, NOBODY);
        let hash = resident.hash;
        self.used_bytes -= u64::from(resident.size_bytes);
        places[object as usize] = NOWHERE;
        self.free.push(slot);
        self.driver.tell(Event {
            removal,
            ..Event::new(EventKind::Remove, slot, hash)
        })
    }
}

#[cfg(test)]
mod tests {
    use larder_policy_lru::Lru;

    use super::*;
    use crate::replay::Native;

    #[test]
    fn who_went_before_its_time_is_not_remembered_until_then() {
        let mut shard = Shard::new(Native(Lru::default()), 10);
        let mut places = vec![NOWHERE; 50_000];
        let mut tally = Tally::default();
        let verdict = |seconds: u64| Verdict {
            keep: true,
            ttl_ms: Some(seconds * 1000),
            priority: 0,
            is_secret: false,
        };
        for object in 0..50_000 {
            let request = Request {
                object,
                id: u64::from(object),
                hash: object,
                size_bytes: 1,
                time_seconds: 0,
                ttl_seconds: 0,
                next_access: u64::MAX,
            };
            // Those that stay to the end go one a second.
            let verdict = verdict(100_000 - u64::from(object));
            let inserted = shard.insert(&request, verdict, &mut places, &mut tally);
            inserted.unwrap();
        }
        assert!(shard.expiries.turns() <= 1024, "{}", shard.expiries.turns());
        assert_eq!((tally.evictions, tally.expired), (49_990, 0));
        for gone in 1..=10 {
            shard
                .expire(50_000 + gone, &mut places, &mut tally)
                .unwrap();
            assert_eq!(tally.expired, u64::from(gone));
        }
    }
}
