//! What a folder holds when it is opened.
//!
//! The segments are taken in their order, from the footer where there is one, else record by record. The
//! newest record of a key is the one that counts. Where it cannot be known what a segment held, as it is cut short, missing
//! or damaged beyond its records' contents, that segment and all older ones are deleted: what was lost may
//! have overwritten or deleted something in them. Newer segments stay in force.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use larder_engine::Millis;
use tracing::warn;

use super::index::Index;
use super::manifest::Manifest;
use super::scan::scan;
use super::segment::{Entry, START_BYTES, Segment};
use super::spaces::Ledger;
use super::volume::Volume;

/// A segment that is written no more.
pub(super) struct Sealed {
    pub(super) segment: Arc<Segment>,
    pub(super) file_bytes: u64,
}

/// What was found.
#[derive(Default)]
pub(super) struct Recovered {
    /// Oldest first, without gaps in their numbers.
    pub(super) sealed: VecDeque<Sealed>,
    /// Records and segments that could not be read as what was written.
    pub(super) damaged: u64,
}

/// Fills `index` and `ledger`, in which the spaces are open already. What is unreadable is deleted, and told of.
pub(super) fn recover(
    volume: &dyn Volume,
    manifest: &Manifest,
    index: &Index,
    ledger: &mut Ledger,
    now: Millis,
) -> io::Result<Recovered> {
    let mut recovery = Recovery {
        volume,
        index,
        ledger,
        found: Recovered::default(),
    };
    let names = volume.list()?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| Segment::number_of(name))
        .collect();
    numbers.sort_unstable();
    for number in numbers {
        if number > manifest.newest {
            // Made just before the process ended; nothing was written there.
            volume.remove(&Segment::name(number))?;
        } else {
            recovery.take(number, manifest.salt, now)?;
        }
    }
    let newest = recovery.newest();
    if newest.is_some_and(|newest| newest != manifest.newest) {
        recovery.drop_all(manifest.newest, "it is missing")?;
    }
    Ok(recovery.found)
}

/// What has been found so far, and where it goes.
struct Recovery<'r> {
    volume: &'r dyn Volume,
    index: &'r Index,
    ledger: &'r mut Ledger,
    found: Recovered,
}

impl Recovery<'_> {
    fn newest(&self) -> Option<u64> {
        self.found.sealed.back().map(|sealed| sealed.segment.number)
    }

    /// Takes the next segment.
    fn take(&mut self, number: u64, salt: u64, now: Millis) -> io::Result<()> {
        if self.newest().is_some_and(|newest| newest + 1 != number) {
            self.drop_all(number - 1, "it is missing")?;
        }
        let name = Segment::name(number);
        let file = self.volume.open(&name);
        let file =
            file.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        let segment = Segment::new(number, file, salt);
        let mut lost = 0;
        // What the disk does not give back counts as damaged.
        let unread = match entries(&segment, &mut lost) {
            Ok(Some((entries, file_bytes))) => {
                self.replay(&segment, &entries, now);
                self.found.sealed.push_back(Sealed {
                    segment: Arc::new(segment),
                    file_bytes,
                });
                None
            }
            Ok(None) => Some("it is not what was written".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if lost > 0 {
            warn!(
                folder = %self.volume.path().display(),
                segment = name,
                lost,
                "values on disk are not what was written: they are forgotten"
            );
            self.found.damaged += lost;
        }
        if let Some(reason) = unread {
            self.drop_all(number, &reason)?;
            self.volume.remove(&name)?;
        }
        Ok(())
    }

    /// Deletes what was found so far, oldest first, so that what is left after a crash is still without gaps.
    fn drop_all(&mut self, unread: u64, reason: &str) -> io::Result<()> {
        warn!(
            folder = %self.volume.path().display(),
            segment = Segment::name(unread),
            reason,
            older = self.found.sealed.len(),
            "a segment on disk cannot be read: it goes and all older ones, as it may have replaced what they hold"
        );
        self.found.damaged += 1;
        for sealed in self.found.sealed.drain(..) {
            self.volume.remove(&Segment::name(sealed.segment.number))?;
        }
        self.index.retain(|_, _| false);
        self.ledger.forget_all();
        Ok(())
    }

    fn replay(&mut self, segment: &Segment, entries: &[Entry], now: Millis) {
        let mut offset = START_BYTES;
        for entry in entries {
            if self.ledger.is_open(entry.space) {
                let before = if entry.is_put() && !entry.is_expired(now) {
                    self.ledger.add(entry.space, entry.bytes());
                    self.index.insert(entry.hash, segment.place(offset, *entry))
                } else {
                    self.index.remove(entry.hash)
                };
                if let Some(before) = before {
                    self.ledger.remove(entry.space, before.bytes());
                }
            }
            offset += entry.bytes();
        }
    }
}

/// The records of a segment and the bytes of its file, which has a footer afterwards.
fn entries(segment: &Segment, lost: &mut u64) -> io::Result<Option<(Vec<Entry>, u64)>> {
    if let Some(entries) = segment.footer()? {
        return Ok(Some((entries, segment.file.len()?)));
    }
    let Some(scanned) = scan(segment)? else {
        return Ok(None);
    };
    *lost += scanned.lost;
    let file_bytes = segment.seal(&scanned.entries, scanned.end)?;
    Ok(Some((scanned.entries, file_bytes)))
}
