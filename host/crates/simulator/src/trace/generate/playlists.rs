//! Playlists, of which several play at once.

use super::Generator;
use crate::trace::{Random, Zipf};

/// Who listens to what: each plays a list to its end and then chooses another.
pub(super) struct Playlists {
    popularity: Zipf,
    tracks: u64,
    shuffled_share: f64,
    listeners: Vec<Play>,
}

/// What a listener has still to play.
#[derive(Clone, Default)]
struct Play {
    next: u64,
    left: u64,
    /// The tracks that are left, the next one last, where they come in an order of their own.
    shuffled: Vec<u64>,
}

impl Playlists {
    pub(super) fn new(settings: &Generator) -> Self {
        Self {
            popularity: Zipf::new(settings.playlists, settings.zipf),
            tracks: settings.playlist_tracks,
            shuffled_share: settings.shuffled_share,
            listeners: vec![Play::default(); settings.listeners as usize],
        }
    }

    /// The number of the next track, from 0: list × tracks of a list + place in it.
    pub(super) fn next(&mut self, random: &mut Random) -> u64 {
        let listener = random.below(self.listeners.len() as u64);
        let play = &mut self.listeners[listener as usize];
        if let Some(track) = play.shuffled.pop() {
            return track;
        }
        if play.left == 0 {
            let list = self.popularity.sample(random) - 1;
            let first = list * self.tracks;
            // Nothing is drawn where nothing is shuffled: traces made before stay as they were.
            if self.shuffled_share > 0.0 && random.unit() < self.shuffled_share {
                play.shuffled.extend(first..first + self.tracks);
                shuffle(&mut play.shuffled, random);
                return play.shuffled.pop().unwrap_or(first);
            }
            (play.next, play.left) = (first, self.tracks);
        }
        let track = play.next;
        play.next += 1;
        play.left -= 1;
        track
    }
}

/// Each order is as probable as any other (Fisher and Yates).
fn shuffle(tracks: &mut [u64], random: &mut Random) {
    for last in (1..tracks.len()).rev() {
        tracks.swap(last, random.below(last as u64 + 1) as usize);
    }
}
