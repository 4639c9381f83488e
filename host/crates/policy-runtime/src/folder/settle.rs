//! Tells files that are complete from files that are being written.

use std::collections::BTreeMap;

use super::LOOK_MS_MIN;
use super::scan::Seen;

/// What has become certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A policy is new or changed, and complete.
    Settled(Seen),
    /// The policy with that stem is gone.
    Gone(String),
}

/// Believes what two looks at least [`LOOK_MS_MIN`] apart agree on, be it a file or its absence: half
/// a file is not taken, and a file that an editor replaces is never gone. Each policy settles by
/// itself, its module and side-car together.
#[derive(Debug, Default)]
pub(super) struct Settler {
    tracks: BTreeMap<String, Track>,
}

#[derive(Debug)]
struct Track {
    latest: Option<Seen>,
    /// When `latest` was first seen so.
    since_ms: u64,
    settled: Option<Seen>,
}

impl Settler {
    /// Takes what one look showed, at a time that never goes back.
    pub(super) fn look(&mut self, now_ms: u64, seen: &[Seen]) -> Vec<Change> {
        let present: BTreeMap<&str, &Seen> = seen.iter().map(|seen| (&*seen.stem, seen)).collect();
        for seen in seen {
            self.tracks.entry(seen.stem.clone()).or_insert(Track {
                latest: None,
                since_ms: now_ms,
                settled: None,
            });
        }
        let mut changes = Vec::new();
        self.tracks.retain(|stem, track| {
            let latest = present.get(&**stem).copied();
            if track.latest.as_ref() != latest {
                track.latest = latest.cloned();
                track.since_ms = now_ms;
            } else if !track.is_settled() && now_ms - track.since_ms >= LOOK_MS_MIN {
                track.settled.clone_from(&track.latest);
                changes.push(match latest {
                    Some(seen) => Change::Settled(seen.clone()),
                    None => Change::Gone(stem.clone()),
                });
            }
            track.latest.is_some() || track.settled.is_some()
        });
        changes
    }

    /// Whether nothing waits for another look.
    pub(super) fn is_settled(&self) -> bool {
        self.tracks.values().all(Track::is_settled)
    }

    /// What is there and has not settled.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Seen> {
        let unsettled = self.tracks.values().filter(|track| !track.is_settled());
        unsettled.filter_map(|track| track.latest.as_ref())
    }
}

impl Track {
    fn is_settled(&self) -> bool {
        self.latest == self.settled
    }
}

#[cfg(test)]
mod tests;
