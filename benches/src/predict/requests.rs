//! What clients ask for.

use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::Zipf;

/// Keys of a playlist, one after another.
pub(super) const PLAYLIST: u64 = 40;
/// Of a client's requests one in so many gives the most popular key's place to an unpopular one.
const DRIFT: u64 = 100;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Requests {
    /// Playlists, some more popular than others, each in its order.
    Playlists,
    /// Keys some of which are more popular than others, and less so later on.
    Drift,
    /// Any key.
    Chance,
}

impl Requests {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Playlists, Self::Drift, Self::Chance];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Playlists => "playlists",
            Self::Drift => "drift",
            Self::Chance => "chance",
        }
    }

    /// How skewed the popularity of playlists or keys is, and how many of them there are.
    fn popularity(self, keys: u64) -> (f64, u64) {
        match self {
            Self::Playlists => (0.8, keys / PLAYLIST),
            Self::Drift => (0.99, keys),
            Self::Chance => (0.0, keys),
        }
    }
}

/// The numbers of the keys that one client asks for, without end.
pub(super) struct Asked {
    requests: Requests,
    random: StdRng,
    popularity: Zipf<f64>,
    /// Keys in an order that says nothing of how popular they are.
    keys: Arc<[u64]>,
    count: u64,
    /// What is left of the playlist.
    playing: Range<u64>,
}

impl Asked {
    /// Of each of so many clients, over so many keys.
    pub(super) fn by_all(requests: Requests, keys: u64, clients: u32) -> Result<Vec<Self>> {
        let mut shuffled: Vec<u64> = (0..keys).collect();
        shuffled.shuffle(&mut StdRng::seed_from_u64(0));
        let shuffled: Arc<[u64]> = shuffled.into();
        let (skew, count) = requests.popularity(keys);
        let popularity = Zipf::new(count as f64, skew)?;
        let client = |number| Self {
            requests,
            random: StdRng::seed_from_u64(u64::from(number)),
            popularity,
            keys: Arc::clone(&shuffled),
            count: 0,
            playing: 0..0,
        };
        Ok((1..=clients).map(client).collect())
    }

    /// From 0, the most popular.
    fn rank(&mut self) -> u64 {
        self.random.sample(self.popularity) as u64 - 1
    }
}

impl Iterator for Asked {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.requests == Requests::Playlists {
            if self.playing.is_empty() {
                let first = self.rank() * PLAYLIST;
                self.playing = first..first + PLAYLIST;
            }
            return self.playing.next();
        }
        let steps = match self.requests {
            Requests::Drift => self.count / DRIFT,
            _ => 0,
        };
        self.count += 1;
        let keys = self.keys.len() as u64;
        let place = (self.rank() + keys - steps % keys) % keys;
        self.keys.get(place as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn asked(requests: Requests) -> Vec<u64> {
        let clients = Asked::by_all(requests, 1_000, 2).unwrap();
        let mut second = clients.into_iter().nth(1).unwrap();
        second.by_ref().take(20_000).collect()
    }

    fn most(keys: &[u64]) -> (u64, usize) {
        let mut counts = BTreeMap::new();
        keys.iter()
            .for_each(|key| *counts.entry(*key).or_insert(0) += 1);
        counts.into_iter().max_by_key(|(_, count)| *count).unwrap()
    }

    #[test]
    fn playlists_are_in_order_favourites_change_and_chance_has_none() {
        let followed = |keys: &[u64]| keys.windows(2).filter(|two| two[0] + 1 == two[1]).count();
        let [playlists, drift, chance] = Requests::ALL.map(asked);
        assert!(followed(&playlists) >= 20_000 - 20_000 / PLAYLIST as usize);
        assert!(followed(&drift) < 500 && followed(&chance) < 100);
        let (early, late) = (most(&drift[..500]), most(&drift[19_500..]));
        assert!(early.1 > 15 && late.1 > 15 && early.0 != late.0);
        assert!(most(&chance).1 < 60);
        let all = playlists.iter().chain(&drift).chain(&chance);
        assert!(all.into_iter().all(|key| *key < 1_000));
    }
}
