//! What is asked for, one after another.

use super::Generator;
use super::playlists::Playlists;
use super::rhythm::{HOUR_SECONDS, HOURS};
use crate::trace::{Random, Zipf};

/// Objects of the loop are numbered from here, tracks of playlists from there: far above the
/// catalogue and the one-hit objects behind it.
const LOOP_FROM: u64 = 1 << 61;
const TRACKS_FROM: u64 = 1 << 62;

/// Numbers of the objects asked for: the catalogue is `0..objects`, all others lie above.
pub(super) struct Stream {
    settings: Generator,
    random: Random,
    popularity: Zipf,
    popular: u64,
    one_hits: u64,
    /// What the scan under way has still to ask for: the next object, and how many.
    scan: (u64, u64),
    /// The next object of the loop.
    loop_at: u64,
    playlists: Playlists,
}

impl Stream {
    pub(super) fn new(settings: &Generator) -> Self {
        Self {
            settings: *settings,
            random: Random::new(settings.seed),
            popularity: Zipf::new(settings.objects, settings.zipf),
            popular: 0,
            one_hits: 0,
            scan: (0, 0),
            loop_at: 0,
            playlists: Playlists::new(settings),
        }
    }

    /// What is asked for in that second.
    pub(super) fn next(&mut self, second: u64) -> u64 {
        let Generator {
            objects,
            one_hit_share,
            scan_share,
            loop_share,
            playlist_share,
            ..
        } = self.settings;
        let scans_from = one_hit_share;
        let loop_from = scans_from + scan_share;
        let playlists_from = loop_from + loop_share;
        let draw = self.random.unit();
        if draw < scans_from {
            self.one_hits += 1;
            objects + self.one_hits
        } else if draw < loop_from {
            self.scanned()
        } else if draw < playlists_from {
            self.looped()
        } else if draw < playlists_from + playlist_share {
            TRACKS_FROM + self.playlists.next(&mut self.random)
        } else {
            self.popular(second)
        }
    }

    /// Scans are interleaved with the other requests, as those of a shared cache are.
    fn scanned(&mut self) -> u64 {
        let objects = self.settings.objects;
        if self.scan.1 == 0 {
            self.scan = (self.random.below(objects), self.settings.scan_objects);
        }
        let (object, left) = self.scan;
        self.scan = ((object + 1) % objects, left - 1);
        object
    }

    fn looped(&mut self) -> u64 {
        let object = self.loop_at;
        self.loop_at = (object + 1) % self.settings.loop_objects;
        LOOP_FROM + object
    }

    /// Every step of the drift moves each object one rank down and the last one to the top: what
    /// is popular was new once, and fades. What an hour favours comes back every day.
    fn popular(&mut self, second: u64) -> u64 {
        let Generator {
            objects,
            drift_requests,
            daily_share,
            ..
        } = self.settings;
        let steps = self.popular.checked_div(drift_requests).unwrap_or(0);
        self.popular += 1;
        let rank = self.popularity.sample(&mut self.random);
        if daily_share > 0.0 && self.random.unit() < daily_share {
            let hour = second / HOUR_SECONDS % HOURS;
            // The middle of the hour's part of the catalogue, so that no hour favours what is
            // popular at the start of the trace anyway.
            let first = (2 * hour + 1) * objects / (2 * HOURS);
            return (rank - 1 + first) % objects;
        }
        (rank - 1 + objects - steps % objects) % objects
    }
}
