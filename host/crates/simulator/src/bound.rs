//! What no policy can beat, as each knows the future: how good could it get?
//!
//! A trace has to say when each object is asked for again.

use std::collections::BinaryHeap;
use std::time::Duration;

use crate::Request;
use crate::replay::{Cell, Fault, Tally};
use crate::trace::Random;

/// Which entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Who is asked for last ("A study of replacement algorithms for virtual-storage computers",
    /// Belady, 1966): the fewest misses that there can be where all sizes are the same and whatever
    /// is asked for is kept.
    Farthest,
    /// Who is the largest times the time until it is asked for: no bound, as finding the best is
    /// hard where sizes differ, but far better than any policy that does not know the future.
    FarthestTimesSize,
}

/// Entries compared for one victim by [`Rule::FarthestTimesSize`].
const SAMPLES: usize = 64;

/// Turns that are kept in order however few entries there are.
const TURNS_MIN: usize = 1024;

/// A cache that knows the future.
#[derive(Debug)]
pub struct Bound {
    rule: Rule,
    capacity_bytes: u64,
    used_bytes: u64,
    /// By object; `None` where it is not here.
    residents: Vec<Option<Resident>>,
    /// The objects that are here, in no order.
    here: Vec<u32>,
    /// By when they are asked for, for [`Rule::Farthest`]; what was asked for since is left behind.
    order: BinaryHeap<(u64, u32)>,
    random: Random,
    tally: Tally,
}

#[derive(Debug, Clone, Copy)]
struct Resident {
    next_access: u64,
    size_bytes: u32,
    /// Its place among those who are here.
    place: u32,
}

impl Bound {
    /// An empty cache of so many bytes.
    pub fn new(rule: Rule, capacity_bytes: u64, seed: u64) -> Self {
        Self {
            rule,
            capacity_bytes,
            used_bytes: 0,
            residents: Vec::new(),
            here: Vec::new(),
            order: BinaryHeap::new(),
            random: Random::new(seed),
            tally: Tally::default(),
        }
    }

    fn request(&mut self, request: &Request) {
        let object = request.object as usize;
        if object >= self.residents.len() {
            self.residents.resize(object + 1, None);
        }
        let size = u64::from(request.size_bytes);
        self.tally.requests += 1;
        self.tally.request_bytes += size;
        if let Some(resident) = &mut self.residents[object] {
            resident.next_access = request.next_access;
            return self.order(request);
        }
        self.tally.misses += 1;
        self.tally.miss_bytes += size;
        if size > self.capacity_bytes {
            self.tally.rejected += 1;
            return;
        }
        while self.used_bytes + size > self.capacity_bytes {
            let victim = match self.rule {
                Rule::Farthest => self.farthest(),
                Rule::FarthestTimesSize => self.farthest_times_size(),
            };
            let Some(victim) = victim else { return };
            self.evict(victim);
        }
        self.used_bytes += size;
        self.residents[object] = Some(Resident {
            next_access: request.next_access,
            size_bytes: request.size_bytes,
            place: self.here.len() as u32,
        });
        self.here.push(request.object);
        self.order(request);
    }

    fn order(&mut self, request: &Request) {
        if self.rule == Rule::Farthest {
            if self.order.len() >= TURNS_MIN.max(2 * self.here.len()) {
                self.drop_past();
            }
            self.order.push((request.next_access, request.object));
        }
    }

    /// Drops what was left behind: each hit leaves something, which otherwise stays to the end.
    fn drop_past(&mut self) {
        let residents = &self.residents;
        self.order.retain(|&(next_access, object)| {
            let resident = residents[object as usize];
            resident.is_some_and(|resident| resident.next_access == next_access)
        });
    }

    fn farthest(&mut self) -> Option<u32> {
        loop {
            let (next_access, object) = self.order.pop()?;
            let resident = self.residents[object as usize];
            if resident.is_some_and(|resident| resident.next_access == next_access) {
                return Some(object);
            }
        }
    }

    fn farthest_times_size(&mut self) -> Option<u32> {
        let now = self.tally.requests;
        let mut samples = (0..SAMPLES).filter_map(|_| {
            let at = self.random.below(self.here.len() as u64);
            self.here.get(at as usize).copied()
        });
        let weight = |object: &u32| {
            let resident = self.residents[*object as usize];
            resident.map_or(0, |resident| {
                let ahead = resident.next_access.saturating_sub(now);
                u128::from(ahead) * u128::from(resident.size_bytes)
            })
        };
        let first = samples.next()?;
        Some(samples.fold(first, |most, object| {
            if weight(&object) > weight(&most) {
                object
            } else {
                most
            }
        }))
    }

    fn evict(&mut self, object: u32) {
        if let Some(resident) = self.residents[object as usize].take() {
            self.used_bytes -= u64::from(resident.size_bytes);
            self.tally.evictions += 1;
            let place = resident.place as usize;
            self.here.swap_remove(place);
            if let Some(&moved) = self.here.get(place)
                && let Some(moved) = &mut self.residents[moved as usize]
            {
                moved.place = place as u32;
            }
        }
    }
}

impl Cell for Bound {
    fn run(&mut self, requests: &[Request]) -> Result<(), Fault> {
        requests.iter().for_each(|request| self.request(request));
        Ok(())
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn policy_bytes(&self) -> u64 {
        (self.residents.capacity() * size_of::<Option<Resident>>()
            + self.here.capacity() * size_of::<u32>()
            + self.order.capacity() * size_of::<(u64, u32)>()) as u64
    }

    fn policy_time(&self) -> Option<Duration> {
        None
    }
}
