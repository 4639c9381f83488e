//! A seeded stand-in for recorded traces: what a cache meets in real ones, in one stream.

mod playlists;
mod rhythm;
mod stream;

use super::link::link;
use super::{Random, Record, mix};
use rhythm::Rhythm;
use stream::Stream;

/// Objects of a kind at most; numbers of one kind never run into those of another.
const OBJECTS_MAX: u64 = 1 << 52;
const LISTENERS_MAX: u64 = 1 << 16;
/// Tracks that are remembered for each play in an order of its own.
const SHUFFLED_MAX: u64 = 1 << 16;
const ZIPF_MAX: f64 = 20.0;
/// What shares add up to may be above 1 by rounding.
const SHARES_SLACK: f64 = 1e-9;

/// Describes a made-up trace: a popular catalogue whose favourites change, over time or with the
/// hour of the day, objects asked for once and never again, scans that sweep a stretch of the
/// catalogue, a loop over a set of its own, and playlists.
///
/// The same description gives the same records on every machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Generator {
    /// Names the trace: another seed, another trace of the same kind.
    pub seed: u64,
    /// Length of the trace.
    pub requests: usize,
    /// Objects in the catalogue, 1 to 2^52; one-hit objects, those of the loop and tracks come on
    /// top.
    pub objects: u64,
    /// Skew of the popularity, from 0 (none) to 20; 0.99 is usual.
    pub zipf: f64,
    /// Popular requests after which the most popular object gives way to an unpopular one; 0: never.
    pub drift_requests: u64,
    /// Share of the requests, 0 to 1, that ask for an object of their own.
    pub one_hit_share: f64,
    /// Share of the requests, 0 to 1, that belong to a scan.
    pub scan_share: f64,
    /// Objects that a scan sweeps, 1 to 2^52.
    pub scan_objects: u64,
    /// Share of the requests, 0 to 1, that belong to the loop, which asks for the same objects in
    /// the same order again and again.
    pub loop_share: f64,
    /// Objects of the loop, 1 to 2^52.
    pub loop_objects: u64,
    /// Share of the requests, 0 to 1, that ask for the next track of a playlist.
    pub playlist_share: f64,
    /// Playlists, as popular as `zipf` says; at least 1, and 2^52 tracks in all of them at most.
    pub playlists: u64,
    /// Tracks of a playlist, at least 1. A track has one place in one playlist.
    pub playlist_tracks: u64,
    /// Playlists that are under way at once, 1 to 65,536; which goes on is chance.
    pub listeners: u64,
    /// Share of the plays, 0 to 1, whose tracks come in an order of their own, as in a visitor's session. Above 0
    /// a playlist has 65,536 tracks at most.
    pub shuffled_share: f64,
    /// Share of the popular requests, 0 to 1, that favour what the hour of the day favours. Above 0
    /// the rate of all requests, too, rises and falls with the hour.
    pub daily_share: f64,
    /// Requests a second, above 0, on average over a day. The last request has to come before
    /// second 2^32.
    pub requests_per_second: f64,
    /// Smallest and largest size of an object; each keeps its size.
    pub size_bytes: (u32, u32),
    /// Shortest and longest time to live of an object; each keeps its own. 0 is for as long as
    /// there is room.
    pub ttl_seconds: (u32, u32),
}

impl Default for Generator {
    /// A trace that tells policies apart: scan resistance and quick demotion pay, and LRU loses.
    fn default() -> Self {
        Self {
            seed: 1,
            requests: 300_000,
            objects: 50_000,
            zipf: 0.9,
            drift_requests: 100,
            one_hit_share: 0.1,
            scan_share: 0.1,
            scan_objects: 2_000,
            loop_share: 0.0,
            loop_objects: 10_000,
            playlist_share: 0.0,
            playlists: 1_000,
            playlist_tracks: 12,
            listeners: 16,
            shuffled_share: 0.0,
            daily_share: 0.0,
            requests_per_second: 1_000.0,
            size_bytes: (1, 1),
            ttl_seconds: (0, 0),
        }
    }
}

impl Generator {
    /// The records, with their next accesses.
    ///
    /// # Panics
    /// When a field is outside the range that it states.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = match self.stream() {
            Ok(stream) => stream.collect(),
            Err(why) => panic!("{why}"),
        };
        link(&mut records);
        records
    }

    /// The records one after another, without their next accesses. Memory does not grow with
    /// their number.
    ///
    /// # Errors
    /// When a field is outside the range that it states: which, and what is allowed.
    pub fn stream(&self) -> Result<impl Iterator<Item = Record> + use<>, String> {
        self.check()?;
        let settings = *self;
        let rhythm = Rhythm::new(self);
        let mut stream = Stream::new(self);
        Ok((0..self.requests).map(move |index| {
            let second = rhythm.second(index);
            settings.record(second, stream.next(second))
        }))
    }

    fn record(&self, second: u64, object: u64) -> Record {
        let mut random = Random::new(self.seed ^ object);
        let mut within = |(low, high): (u32, u32)| {
            let spread = u64::from(high - low) + 1;
            (u64::from(low) + random.below(spread)) as u32
        };
        let (size_bytes, ttl_seconds) = (within(self.size_bytes), within(self.ttl_seconds));
        Record {
            time_seconds: second as u32,
            id: mix(object),
            size_bytes,
            next_access: None,
            ttl_seconds,
        }
    }

    fn check(&self) -> Result<(), String> {
        let shares = [
            ("one-hit objects", self.one_hit_share),
            ("scans", self.scan_share),
            ("the loop", self.loop_share),
            ("playlists", self.playlist_share),
        ];
        for (what, share) in shares.into_iter().chain([
            ("the hour's favourites", self.daily_share),
            ("shuffled plays", self.shuffled_share),
        ]) {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("the share of {what} is {share}; allowed: 0 to 1"));
            }
        }
        let sum: f64 = shares.iter().map(|(_, share)| share).sum();
        if sum > 1.0 + SHARES_SLACK {
            return Err(format!(
                "the shares of one-hit objects, scans, the loop and playlists add up to {sum}; \
                 allowed: 1 at most"
            ));
        }
        let is_shuffled = self.shuffled_share > 0.0;
        let tracks_max = if is_shuffled {
            SHUFFLED_MAX
        } else {
            OBJECTS_MAX
        };
        for (what, count, max) in [
            ("objects of the catalogue", self.objects, OBJECTS_MAX),
            ("objects of a scan", self.scan_objects, OBJECTS_MAX),
            ("objects of the loop", self.loop_objects, OBJECTS_MAX),
            ("playlists", self.playlists, OBJECTS_MAX),
            (
                "tracks of a playlist",
                self.playlist_tracks,
                tracks_max.min(OBJECTS_MAX / self.playlists.max(1)),
            ),
            ("playlists under way at once", self.listeners, LISTENERS_MAX),
        ] {
            if !(1..=max).contains(&count) {
                return Err(format!("{count} {what}; allowed: 1 to {max}"));
            }
        }
        if !(0.0..=ZIPF_MAX).contains(&self.zipf) {
            return Err(format!(
                "the skew is {}; allowed: 0 to {ZIPF_MAX}",
                self.zipf
            ));
        }
        self.check_ranges()
    }

    fn check_ranges(&self) -> Result<(), String> {
        for (what, (low, high)) in [
            ("sizes", self.size_bytes),
            ("times to live", self.ttl_seconds),
        ] {
            if low > high {
                return Err(format!(
                    "the smallest of the {what}, {low}, is above the largest, {high}"
                ));
            }
        }
        let rate = self.requests_per_second;
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(format!("{rate} requests a second; allowed: more than 0"));
        }
        let last = self.requests.saturating_sub(1);
        if Rhythm::new(self).second(last) > u64::from(u32::MAX) {
            return Err(format!(
                "at {rate} requests a second, {} last beyond second 2^32, where times end; make \
                 fewer, or raise the rate",
                self.requests
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
