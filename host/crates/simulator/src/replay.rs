//! One policy at one size.

mod ahead;
mod below;
mod driver;
mod expiry;
mod judge;
mod sampled;
mod shard;
mod waiting;

use std::fmt;
use std::time::{Duration, Instant};

use larder_engine::Unfit;

use crate::Request;
use crate::clock::thread_time;

pub use ahead::{Ahead, Foresight};
pub use below::Below;
pub use driver::{Driver, Native, Ported};
use judge::Door;
pub use judge::Judge;
use sampled::{Calls, Sampled};
use shard::Shard;

/// Of the requests that are made at once, so many are timed.
const TIMED: usize = 256;

/// What came of a replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests made.
    pub requests: u64,
    /// Bytes that they asked for.
    pub request_bytes: u64,
    /// Of them, those that found what they asked for in the second level.
    pub hits_below: u64,
    /// Those that found nothing.
    pub misses: u64,
    /// Bytes that those asked for.
    pub miss_bytes: u64,
    /// Entries that went to make room.
    pub evictions: u64,
    /// Entries that were not kept: larger than the cache, or refused by a policy.
    pub rejected: u64,
    /// Entries whose time to live ended.
    pub expired: u64,
    /// Objects that were fetched ahead.
    pub fetched: u64,
    /// Requests that found what had been fetched ahead, and nobody had asked for since.
    pub hits_ahead: u64,
    /// Over all victims, in order: equal for policies that chose the same.
    pub victims_checksum: u64,
}

impl Tally {
    /// Misses by request; 0 without requests.
    pub fn miss_ratio(&self) -> f64 {
        ratio(self.misses, self.requests)
    }

    /// Misses by byte; 0 without bytes.
    pub fn byte_miss_ratio(&self) -> f64 {
        ratio(self.miss_bytes, self.request_bytes)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

/// How a policy broke the contract. In a simulation that is an error, there is no fallback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the request it happened at, from 0.
    pub request: u64,
    /// What it did.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at request {}: {}", self.request, self.why)
    }
}

impl std::error::Error for Fault {}

/// Something that requests are made to.
pub trait Cell: Send {
    /// Makes the next requests.
    ///
    /// # Errors
    /// When a policy broke the contract; it is not to be asked again.
    fn run(&mut self, requests: &[Request]) -> Result<(), Fault>;

    /// What came of it so far.
    fn tally(&self) -> Tally;

    /// Bytes that the eviction policy holds.
    fn policy_bytes(&self) -> u64;

    /// What a request takes within the eviction policy, by the mean of some; `None` where nothing was
    /// timed.
    fn policy_time(&self) -> Option<Duration>;
}

/// A cache of one policy: its objects have sizes, and no values.
pub struct Replay<D> {
    door: Door,
    shards: Vec<Shard<Sampled<D>>>,
    /// The slot of each object in its shard.
    places: Vec<u32>,
    below: Option<Below>,
    ahead: Option<Ahead>,
    tally: Tally,
    timed: Timed,
}

/// Requests of which is known what they took within the eviction policy.
#[derive(Clone, Copy, Default)]
struct Timed {
    requests: u32,
    calls: Calls,
}

/// Not in the cache.
const NOWHERE: u32 = u32::MAX;
/// Fetched ahead, and not asked for yet.
const WAITING: u32 = u32::MAX - 1;

impl<D: Driver> Replay<D> {
    /// An empty cache of so many bytes, one shard for each of `drivers`, which share the bytes
    /// evenly; at least one driver is needed.
    ///
    /// # Errors
    /// None of the drivers can be asked yet; this fails only where there is none.
    pub fn new(drivers: Vec<D>, capacity_bytes: u64) -> Result<Self, Unfit> {
        if drivers.is_empty() {
            return Err(Unfit("a cache has one shard at least".to_owned()));
        }
        let share = capacity_bytes / drivers.len() as u64;
        Ok(Self {
            door: Door::default(),
            shards: drivers
                .into_iter()
                .map(|driver| Shard::new(Sampled::new(driver), share))
                .collect(),
            places: Vec::new(),
            below: None,
            ahead: None,
            tally: Tally::default(),
            timed: Timed::default(),
        })
    }

    /// The same with somebody who decides over newcomers.
    #[must_use]
    pub fn judged_by(mut self, judge: Option<Box<dyn Judge>>) -> Self {
        self.door.judge = judge;
        self
    }

    /// The same with a second level.
    #[must_use]
    pub fn above(mut self, below: Option<Below>) -> Self {
        self.below = below;
        self
    }

    /// The same with what may be asked for fetched ahead; not with a second level.
    #[must_use]
    pub fn ahead(mut self, ahead: Option<Ahead>) -> Self {
        self.ahead = ahead;
        self
    }

    fn run_all(&mut self, requests: &[Request]) -> Result<(), Fault> {
        for (at, request) in requests.iter().enumerate() {
            let made = match self.ahead.is_some() {
                true => self.request_and_fetch(request, &requests[at + 1..]),
                false => self.request(request),
            };
            if let Err(unfit) = made {
                return Err(Fault {
                    request: self.tally.requests - 1,
                    why: unfit.0,
                });
            }
        }
        Ok(())
    }

    /// Makes requests while the policy's calls are timed; what fell into a time in which others had
    /// the processor does not count.
    fn run_timed(&mut self, requests: &[Request]) -> Result<(), Fault> {
        self.drivers().for_each(|driver| driver.is_on = true);
        let (began, own_began) = (Instant::now(), thread_time());
        let outcome = self.run_all(requests);
        let (gone_by, own) = (began.elapsed(), thread_time().saturating_sub(own_began));
        let mut calls = Calls::default();
        for driver in self.drivers() {
            driver.is_on = false;
            calls += driver.take_calls();
        }
        if gone_by < own + own / 10 {
            self.timed.requests += requests.len() as u32;
            self.timed.calls += calls;
        }
        outcome
    }

    fn drivers(&mut self) -> impl Iterator<Item = &mut Sampled<D>> {
        self.shards.iter_mut().map(|shard| &mut shard.driver)
    }

    #[inline]
    fn request(&mut self, request: &Request) -> Result<(), Unfit> {
        let object = request.object as usize;
        if object >= self.places.len() {
            self.places.resize(object + 1, NOWHERE);
        }
        let shard = shard_of(request.hash, self.shards.len());
        let shard = &mut self.shards[shard];
        self.tally.requests += 1;
        self.tally.request_bytes += u64::from(request.size_bytes);
        shard.expire(request.time_seconds, &mut self.places, &mut self.tally)?;
        match self.places[object] {
            NOWHERE => {}
            WAITING => {
                // To the policy that is when it comes: until now it knew nothing of it.
                shard.waiting.take(request.object);
                self.places[object] = NOWHERE;
                self.tally.hits_ahead += 1;
                let verdict = self.door.decide(request)?;
                shard.insert(request, verdict, &mut self.places, &mut self.tally)?;
                return Ok(());
            }
            slot => return shard.driver.hit(slot, request.hash),
        }
        let now = request.time_seconds;
        let mut below = self.below.as_mut();
        let found = below
            .as_mut()
            .and_then(|below| below.read(request.object, now));
        let (newcomer, verdict) = match &found {
            Some(found) => {
                self.tally.hits_below += 1;
                let size_bytes = found.size_bytes;
                (
                    Request {
                        size_bytes,
                        ..*request
                    },
                    found.verdict,
                )
            }
            None => {
                self.tally.misses += 1;
                self.tally.miss_bytes += u64::from(request.size_bytes);
                (*request, self.door.decide(request)?)
            }
        };
        let is_kept = shard.insert(&newcomer, verdict, &mut self.places, &mut self.tally)?;
        if let Some(below) = below {
            for evicted in &shard.evicted {
                below.demote(*evicted, now);
            }
            if is_kept && found.is_none() {
                below.put(request, verdict);
            }
        }
        Ok(())
    }
}

/// The policy sees the lower bits, so the upper ones of another mixture choose the shard.
fn shard_of(hash: u32, shards: usize) -> usize {
    let spread = u64::from(hash.wrapping_mul(0x85EB_CA6B) ^ hash >> 15);
    ((spread * shards as u64) >> 32) as usize
}

impl<D: Driver> Cell for Replay<D> {
    fn run(&mut self, requests: &[Request]) -> Result<(), Fault> {
        // From the middle, where what it needs is at hand again, whatever ran before.
        let (before, rest) = requests.split_at(requests.len() / 2);
        let (timed, after) = rest.split_at(rest.len().min(TIMED));
        self.run_all(before)?;
        self.run_timed(timed)?;
        self.run_all(after)
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn policy_bytes(&self) -> u64 {
        let ahead = self.ahead.as_ref().map_or(0, Ahead::bytes);
        let evictors = self.shards.iter().map(|shard| shard.driver.bytes());
        evictors.sum::<u64>() + ahead
    }

    fn policy_time(&self) -> Option<Duration> {
        let Timed { requests, calls } = self.timed;
        (requests > 0).then(|| calls.time() / requests)
    }
}

#[cfg(test)]
mod tests;
