//! Objects that are fetched before they are asked for.

use larder_engine::Unfit;
use larder_predict::{Access, Cache, Fetch, Kind, Outcome, Place, Predictor, Purse, Source, View};

use super::driver::Driver;
use super::{NOWHERE, Replay, Tally, shard_of};
use crate::trace::mix;
use crate::{IdMap, Request};

/// Whoever foretells is asked once in so many requests, or milliseconds if they come slowly.
const TICK_REQUESTS: usize = 10;
const TICK_MS: u64 = 10;
/// Requests that the oracle looks ahead.
const ORACLE_REQUESTS: usize = 512;
/// Until anything is known, entries stay for as long.
const LIFETIME_MS: u64 = 60_000;

/// Who foretells what is asked for.
pub enum Foresight {
    /// It learns from the requests so far.
    Predictor(Box<Predictor>),
    /// It knows the requests to come, and has the same budget.
    Oracle(Purse),
}

/// Fetches objects before they are asked for.
///
/// Its clock has milliseconds: each request of a second is one after the one before. A fetch is there at
/// the end of the tick that it was thought of in.
pub struct Ahead {
    foresight: Foresight,
    share_percent: u8,
    /// Whether ids are what keys would be called: numbers, of which one may follow the other.
    ids_are_keys: bool,
    /// Numbers of objects by the hash of their id. Those of a trace know nothing of what is fetched
    /// and never asked for.
    numbers: IdMap<u32>,
    accesses: Vec<Access>,
    now_ms: u64,
    ticked_ms: u64,
    turnover: Turnover,
}

/// How long it takes to write as many bytes as there is room for.
struct Turnover {
    lifetime_ms: u64,
    since_ms: u64,
    bytes: u64,
}

impl Ahead {
    /// `share_percent` of the cache may wait to be asked for.
    #[must_use]
    pub fn new(foresight: Foresight, share_percent: u8, ids_are_keys: bool) -> Self {
        Self {
            foresight,
            share_percent,
            ids_are_keys,
            numbers: IdMap::default(),
            accesses: Vec::new(),
            now_ms: 0,
            ticked_ms: 0,
            turnover: Turnover {
                lifetime_ms: LIFETIME_MS,
                since_ms: 0,
                bytes: 0,
            },
        }
    }

    /// Bytes that whoever foretells holds.
    pub(super) fn bytes(&self) -> u64 {
        match &self.foresight {
            Foresight::Predictor(predictor) => predictor.bytes() as u64,
            Foresight::Oracle(_) => 0,
        }
    }

    fn number(&mut self, key: u64) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(key).or_insert(next)
    }

    fn told(&mut self, outcome: Outcome) {
        if let Foresight::Predictor(predictor) = &mut self.foresight {
            predictor.told(outcome);
        }
    }

    /// Notes a request, and what came of it.
    fn note(&mut self, request: &Request, before: &Tally, after: &Tally, capacity_bytes: u64) {
        let is_ahead = after.hits_ahead > before.hits_ahead;
        let is_miss = after.misses > before.misses;
        if is_ahead {
            self.told(Outcome::Used);
        }
        if is_miss || is_ahead {
            self.turnover
                .add(request.size_bytes, self.now_ms, capacity_bytes);
        }
        self.accesses.push(Access {
            key: mix(request.id),
            place: self.ids_are_keys.then_some(Place {
                family: 0,
                number: request.id,
            }),
            size_bytes: request.size_bytes,
            at_ms: self.now_ms,
            kind: if is_miss || is_ahead {
                Kind::Miss
            } else {
                Kind::Hit
            },
        });
    }

    /// What is to be fetched now, if it is time to ask.
    fn fetches(&mut self, places: &[u32], room_bytes: u64, coming: &[Request]) -> Vec<Fetch> {
        let is_time = self.now_ms >= self.ticked_ms + TICK_MS;
        if !is_time && self.accesses.len() < TICK_REQUESTS {
            return Vec::new();
        }
        self.ticked_ms = self.now_ms;
        let sight = Sight {
            numbers: &self.numbers,
            places,
            ids_are_keys: self.ids_are_keys,
        };
        let view = View {
            now_ms: self.now_ms,
            lifetime_ms: self.turnover.lifetime_ms,
            room_bytes,
        };
        let fetches = match &mut self.foresight {
            Foresight::Predictor(predictor) => {
                predictor.observe(&self.accesses, &sight);
                if let Some(training) = predictor.training() {
                    predictor.judge(training.run());
                }
                predictor.tick(&view, &sight)
            }
            Foresight::Oracle(purse) => {
                let soon = &coming[..coming.len().min(ORACLE_REQUESTS)];
                purse.choose(foreseen(soon, &sight, &view), self.now_ms, room_bytes)
            }
        };
        self.accesses.clear();
        fetches
    }
}

impl Turnover {
    fn add(&mut self, size_bytes: u32, now_ms: u64, capacity_bytes: u64) {
        self.bytes += u64::from(size_bytes);
        if self.bytes >= capacity_bytes / 2 {
            self.lifetime_ms = 2 * (now_ms - self.since_ms);
            (self.since_ms, self.bytes) = (now_ms, 0);
        }
    }
}

/// What is asked for soon and not here, the sooner the better. Where ids tell nothing, nobody can name
/// what was never asked for.
fn foreseen(soon: &[Request], sight: &Sight<'_>, view: &View) -> Vec<Fetch> {
    let mut seen = IdMap::default();
    let absent = soon.iter().enumerate().filter(|(_, request)| {
        let key = mix(request.id);
        let can_be_named = sight.ids_are_keys || sight.numbers.contains_key(&key);
        can_be_named && seen.insert(key, ()).is_none() && sight.is_absent(key)
    });
    let fetch = |(at, request): (usize, &Request)| Fetch {
        key: mix(request.id),
        size_bytes: request.size_bytes,
        probability: 1.0 - at as f32 / ORACLE_REQUESTS as f32,
        until_ms: view.now_ms + view.lifetime_ms,
        source: Source::Follows,
    };
    absent.map(fetch).collect()
}

/// What whoever foretells sees of the cache.
struct Sight<'a> {
    numbers: &'a IdMap<u32>,
    places: &'a [u32],
    ids_are_keys: bool,
}

impl Cache for Sight<'_> {
    fn key_at(&self, place: Place) -> Option<u64> {
        self.ids_are_keys.then(|| mix(place.number))
    }

    fn is_absent(&self, key: u64) -> bool {
        let place = self.numbers.get(&key);
        let place = place.and_then(|number| self.places.get(*number as usize));
        place.is_none_or(|place| *place == NOWHERE)
    }
}

impl<D: Driver> Replay<D> {
    /// Makes a request, and fetches what may be asked for after it; `coming` is for the oracle alone.
    pub(super) fn request_and_fetch(
        &mut self,
        request: &Request,
        coming: &[Request],
    ) -> Result<(), Unfit> {
        let Some(mut ahead) = self.ahead.take() else {
            return self.request(request);
        };
        let made = self.made(&mut ahead, request, coming);
        self.ahead = Some(ahead);
        made
    }

    fn made(
        &mut self,
        ahead: &mut Ahead,
        request: &Request,
        coming: &[Request],
    ) -> Result<(), Unfit> {
        ahead.now_ms = (u64::from(request.time_seconds) * 1_000).max(ahead.now_ms + 1);
        for shard in &mut self.shards {
            while let Some(object) = shard.waiting.drop_late(ahead.now_ms) {
                self.places[object as usize] = NOWHERE;
                ahead.told(Outcome::Wasted);
            }
        }
        let object = ahead.number(mix(request.id));
        let before = self.tally;
        self.request(&Request { object, ..*request })?;
        let capacity: u64 = self.shards.iter().map(|shard| shard.capacity_bytes()).sum();
        ahead.note(request, &before, &self.tally, capacity);
        let waiting: u64 = self.shards.iter().map(|shard| shard.waiting.bytes()).sum();
        let share = capacity / 100 * u64::from(ahead.share_percent);
        let room_bytes = share.saturating_sub(waiting);
        for fetch in ahead.fetches(&self.places, room_bytes, coming) {
            let object = ahead.number(fetch.key);
            if object as usize >= self.places.len() {
                self.places.resize(object as usize + 1, NOWHERE);
            }
            let shard = shard_of(fetch.key as u32, self.shards.len());
            let is_kept = self.shards[shard].fetch(
                (object, fetch.size_bytes),
                fetch.until_ms,
                ahead.share_percent,
                &mut self.places,
                &mut self.tally,
            )?;
            if is_kept {
                self.tally.fetched += 1;
                ahead.told(Outcome::Came);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
