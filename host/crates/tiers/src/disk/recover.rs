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

/// Fills `index` and `ledger`, in which the spaces are open already. What is unreadable is deleted.
pub(super) fn recover(
    volume: &dyn Volume,
    manifest: &Manifest,
    index: &Index,
    ledger: &mut Ledger,
    now: Millis,
) -> io::Result<Recovered> {
    let mut found = Recovered::default();
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
            continue;
        }
        let newest = found.sealed.back().map(|newest| newest.segment.number);
        if newest.is_some_and(|newest| newest + 1 != number) {
            found.drop_all(volume, index, ledger)?;
        }
        let file = volume.open(&Segment::name(number))?;
        let segment = Segment::new(number, file, manifest.salt);
        // What the disk does not give back counts as damaged.
        match entries(&segment, &mut found.damaged).unwrap_or_default() {
            Some((entries, file_bytes)) => {
                replay(&segment, &entries, index, ledger, now);
                found.sealed.push_back(Sealed {
                    segment: Arc::new(segment),
                    file_bytes,
                });
            }
            None => {
                found.drop_all(volume, index, ledger)?;
                volume.remove(&Segment::name(number))?;
            }
        }
    }
    let newest = found.sealed.back().map(|newest| newest.segment.number);
    if newest.is_some_and(|newest| newest != manifest.newest) {
        found.drop_all(volume, index, ledger)?;
    }
    Ok(found)
}

impl Recovered {
    /// Deletes what was found so far, oldest first, so that what is left after a crash is still without gaps.
    fn drop_all(
        &mut self,
        volume: &dyn Volume,
        index: &Index,
        ledger: &mut Ledger,
    ) -> io::Result<()> {
        self.damaged += 1;
        for sealed in self.sealed.drain(..) {
            volume.remove(&Segment::name(sealed.segment.number))?;
        }
        index.retain(|_, _| false);
        ledger.forget_all();
        Ok(())
    }
}

/// The records of a segment and the bytes of its file, which has a footer afterwards.
fn entries(segment: &Segment, damaged: &mut u64) -> io::Result<Option<(Vec<Entry>, u64)>> {
    if let Some(entries) = segment.footer()? {
        return Ok(Some((entries, segment.file.len()?)));
    }
    let Some(scanned) = scan(segment)? else {
        return Ok(None);
    };
    *damaged += scanned.lost;
    let file_bytes = segment.seal(&scanned.entries, scanned.end)?;
    Ok(Some((scanned.entries, file_bytes)))
}

fn replay(segment: &Segment, entries: &[Entry], index: &Index, ledger: &mut Ledger, now: Millis) {
    let mut offset = START_BYTES;
    for entry in entries {
        if ledger.is_open(entry.space) {
            let before = if entry.is_put() && !entry.is_expired(now) {
                ledger.add(entry.space, entry.bytes());
                index.insert(entry.hash, segment.place(offset, *entry))
            } else {
                index.remove(entry.hash)
            };
            if let Some(before) = before {
                ledger.remove(entry.space, before.bytes());
            }
        }
        offset += entry.bytes();
    }
}
