//! Playlists, of which several play at once.

use super::Generator;
use crate::trace::{Random, Zipf};

/// Who listens to what: each plays a list to its end and then chooses another.
pub(super) struct Playlists {
    popularity: Zipf,
    tracks: u64,
    /// What each has still to play: the next track, and how many.
    listeners: Vec<(u64, u64)>,
}

impl Playlists {
    pub(super) fn new(settings: &Generator) -> Self {
        Self {
            popularity: Zipf::new(settings.playlists, settings.zipf),
            tracks: settings.playlist_tracks,
            listeners: vec![(0, 0); settings.listeners as usize],
        }
    }

    /// The number of the next track, from 0: list × tracks of a list + place in it.
    pub(super) fn next(&mut self, random: &mut Random) -> u64 {
        let listener = random.below(self.listeners.len() as u64);
        let (next, left) = &mut self.listeners[listener as usize];
        if *left == 0 {
            let list = self.popularity.sample(random) - 1;
            (*next, *left) = (list * self.tracks, self.tracks);
        }
        let track = *next;
        *next += 1;
        *left -= 1;
        track
    }
}
