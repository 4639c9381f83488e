//! The end of the log, where records are appended.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use larder_engine::Millis;
use larder_engine::tier::TierError;

use super::manifest::Manifest;
use super::place::Place;
use super::prefixes::Mark;
use super::reclaim::Victim;
use super::record::{self, HEAD_BYTES, Head, Kind};
use super::recover::Sealed;
use super::segment::{Entry, START_BYTES, Segment, frame_bytes};
use super::shared::{Forgotten, Shared};
use super::spaces::Ledger;
use super::survey::Survey;
use super::volume::Volume;
use crate::encoding::Encoding;

/// Bytes of records that are written at once, but for one that is larger.
const BUFFER_BYTES_MAX: usize = 1 << 20;
/// Segments there may be beside half as many again as the bound has room for: some are small.
const SEGMENTS_SPARE: u64 = 64;

/// How large things may get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of all segments together.
    pub(super) bytes_max: u64,
    /// Bytes of a segment, but for one that holds a single larger record.
    pub(super) segment_bytes: u64,
    /// Entries that are found at most, so that finding them takes no more memory than it may.
    pub(super) entries_max: usize,
    /// Whether files are brought to the disk itself every now and then.
    pub(super) is_synced: bool,
}

impl Limits {
    /// Bytes of the largest record.
    pub(super) fn record_bytes_max(self) -> u64 {
        (self.bytes_max / 8).min(super::place::RECORD_BYTES_MAX)
    }

    /// How many segments there may be, each an open file. Those are small that have many records, or were ended early.
    /// Places tell 65,536 of them apart.
    pub(super) fn segments_max(self) -> u64 {
        let whole = self.bytes_max / self.segment_bytes;
        whole + whole / 2 + SEGMENTS_SPARE
    }

    /// Records of a segment: where they are many, what is listed of them is small beside the index.
    fn records_max(self) -> usize {
        (self.entries_max / 16).max(64)
    }
}

/// Whence a record comes that waits to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// One of the batch's changes, by its number.
    Change(usize),
    /// A key that has been forgotten.
    Forgotten,
    /// An older record of the same, about to be reclaimed.
    Copy(Place),
}

/// A record that waits to be written.
struct Staged {
    origin: Origin,
    entry: Entry,
    place: Place,
}

/// The segment that is written to.
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    file_bytes: u64,
    /// Where the next write goes.
    end: u64,
    /// Of all records, the staged ones included.
    entries: Vec<Entry>,
}

/// The log. It belongs to the writer.
pub(super) struct Log {
    pub(super) shared: Arc<Shared>,
    pub(super) volume: Arc<dyn Volume>,
    pub(super) encoding: Arc<dyn Encoding>,
    pub(super) limits: Limits,
    pub(super) manifest: Manifest,
    /// Whether the manifest in memory is ahead of the one on the disk.
    pub(super) is_manifest_due: bool,
    pub(super) ledger: Ledger,
    pub(super) active: Option<Active>,
    /// Oldest first.
    pub(super) sealed: VecDeque<Sealed>,
    /// What is being reclaimed: the oldest of the sealed ones.
    pub(super) victim: Option<Victim>,
    /// What is gone over at the moment.
    pub(super) survey: Option<Survey>,
    /// Bytes that may be copied of what was read.
    pub(super) credit_bytes: u64,
    pub(super) used_bytes: u64,
    pub(super) written_bytes: u64,
    pub(super) evictions: u64,
    /// Records that wait to be written; the last may be unfinished.
    pub(super) buffer: Vec<u8>,
    staged: Vec<Staged>,
    has_staged_puts: bool,
    /// The changes that came to nothing since the last look, and why.
    pub(super) failures: Vec<(usize, TierError)>,
    /// Keys to be deleted on the disk before anything else is written.
    pub(super) forgotten: Vec<Forgotten>,
    pub(super) now: Millis,
}

impl Log {
    /// The log behind what was recovered.
    pub(super) fn new(
        shared: Arc<Shared>,
        volume: Arc<dyn Volume>,
        encoding: Arc<dyn Encoding>,
        limits: Limits,
        manifest: Manifest,
        ledger: Ledger,
        sealed: VecDeque<Sealed>,
    ) -> Self {
        Self {
            used_bytes: sealed.iter().map(|sealed| sealed.file_bytes).sum(),
            shared,
            volume,
            encoding,
            limits,
            manifest,
            is_manifest_due: false,
            ledger,
            active: None,
            sealed,
            victim: None,
            survey: None,
            credit_bytes: limits.segment_bytes,
            written_bytes: 0,
            evictions: 0,
            buffer: Vec::new(),
            staged: Vec::new(),
            has_staged_puts: false,
            failures: Vec::new(),
            forgotten: Vec::new(),
            now: 0,
        }
    }

    /// Finishes the record that begins at `start` of the buffer and stages it. When that fails, it is gone from the
    /// buffer.
    pub(super) fn stage(
        &mut self,
        start: usize,
        head: &Head,
        origin: Origin,
    ) -> Result<(), TierError> {
        let mut start = start;
        let record_bytes = head.record_bytes();
        if !self.fits(start, record_bytes) {
            let record = self.buffer.split_off(start);
            self.flush();
            self.roll(record_bytes, matches!(origin, Origin::Copy(_)))?;
            self.buffer = record;
            start = 0;
        }
        let Some(active) = &mut self.active else {
            unreachable!("a record fits into no segment");
        };
        let offset = active.end + start as u64;
        record::finish(&mut self.buffer, start, head, active.segment.seed(offset));
        let entry = Entry::new(head);
        if active.entries.len() == active.entries.capacity() {
            // Twice as many as there are would be too much for the bound of the index.
            active.entries.reserve_exact(active.entries.len() / 4 + 64);
        }
        active.entries.push(entry);
        let place = active.segment.place(offset, entry);
        self.has_staged_puts |= entry.is_put();
        self.staged.push(Staged {
            origin,
            entry,
            place,
        });
        if self.buffer.len() >= BUFFER_BYTES_MAX {
            self.flush();
        }
        Ok(())
    }

    /// Stages a record that says that nothing is under a key.
    pub(super) fn stage_delete(
        &mut self,
        space: u32,
        hash: u64,
        origin: Origin,
    ) -> Result<(), TierError> {
        let start = self.buffer.len();
        self.buffer.resize(start + HEAD_BYTES, 0);
        self.stage(start, &Head::bare(Kind::Delete, space, hash), origin)
    }

    /// Whether something under the hash may be there, or about to be.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        self.has_staged_puts || self.shared.index.holds(hash)
    }

    fn fits(&self, start: usize, record_bytes: u64) -> bool {
        let has_place = |active: &&Active| active.entries.len() < self.limits.records_max();
        self.active
            .as_ref()
            .filter(has_place)
            .is_some_and(|active| {
                let frame = frame_bytes(active.entries.len() + 1) - START_BYTES;
                active.end + start as u64 + record_bytes + frame <= active.file_bytes
            })
    }

    /// Where what is written from now on lies behind. What is staged is written before.
    pub(super) fn mark(&mut self) -> Mark {
        self.flush();
        let before = Mark {
            segment: self.manifest.newest,
            offset: u64::MAX,
        };
        self.active.as_ref().map_or(before, |active| Mark {
            segment: active.segment.number,
            offset: active.end,
        })
    }

    /// Writes what is staged; only then is it found. Whether it is written.
    pub(super) fn flush(&mut self) -> bool {
        if self.staged.is_empty() {
            return true;
        }
        let written = self.write();
        let is_written = written.is_ok();
        match written {
            Ok(()) => self.publish(),
            Err(error) => {
                let error = self.shared.failed("write", &error);
                self.abandon(&error);
            }
        }
        self.has_staged_puts = false;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_MAX);
        is_written
    }

    fn write(&mut self) -> io::Result<()> {
        self.save_manifest()?;
        let Some(active) = &mut self.active else {
            return Err(io::ErrorKind::NotFound.into());
        };
        active.segment.file.write_at(&self.buffer, active.end)?;
        if !active.segment.file.has_name()? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "its files were removed",
            ));
        }
        active.end += self.buffer.len() as u64;
        self.written_bytes += self.buffer.len() as u64;
        Ok(())
    }

    fn publish(&mut self) {
        let index = &self.shared.index;
        for Staged {
            origin,
            entry,
            place,
        } in self.staged.drain(..)
        {
            let before = match origin {
                Origin::Copy(from) => {
                    if index.replace_if(entry.hash, from, place) {
                        // Written anew, it may be longer or shorter.
                        self.ledger.remove(entry.space, from.bytes());
                        self.ledger.add(entry.space, entry.bytes());
                    } else {
                        let Entry { hash, space, .. } = entry;
                        self.forgotten.push(Forgotten {
                            hash,
                            space,
                            counted_bytes: None,
                        });
                    }
                    continue;
                }
                _ if entry.is_put() => {
                    self.ledger.add(entry.space, entry.bytes());
                    index.insert(entry.hash, place)
                }
                _ => index.remove(entry.hash),
            };
            if let Some(before) = before {
                self.ledger.remove(entry.space, before.bytes());
            }
        }
    }

    /// After a failure, part of what is staged may stand in the file: nothing more is written there, and what the changes
    /// were to replace is forgotten.
    fn abandon(&mut self, error: &TierError) {
        if let Some(active) = &mut self.active {
            active
                .entries
                .truncate(active.entries.len() - self.staged.len());
        }
        for Staged { origin, entry, .. } in std::mem::take(&mut self.staged) {
            match origin {
                Origin::Change(number) => self.failures.push((number, error.clone())),
                Origin::Forgotten => {}
                Origin::Copy(_) => continue,
            }
            self.forget(entry.space, entry.hash);
        }
        self.seal_active();
    }

    /// Nothing is under the hash from now on, and the disk is told as soon as it can be.
    pub(super) fn forget(&mut self, space: u32, hash: u64) {
        if let Some(before) = self.shared.index.remove(hash) {
            self.ledger.remove(space, before.bytes());
        }
        let counted_bytes = None;
        self.forgotten.push(Forgotten {
            hash,
            space,
            counted_bytes,
        });
    }

    /// Ends the active segment. Where it cannot be given a footer, the next start reads its records.
    pub(super) fn seal_active(&mut self) {
        let Some(active) = self.active.take() else {
            return;
        };
        let sealed = active.segment.seal(&active.entries, active.end);
        let synced = sealed.and_then(|file_bytes| {
            if self.limits.is_synced {
                active.segment.file.sync()?;
            }
            Ok(file_bytes)
        });
        let file_bytes = match synced {
            Ok(file_bytes) => {
                self.written_bytes += file_bytes - active.end;
                file_bytes
            }
            Err(error) => {
                self.shared.failed("end a segment", &error);
                active.file_bytes
            }
        };
        self.used_bytes = self.used_bytes - active.file_bytes + file_bytes;
        let segment = active.segment;
        self.sealed.push_back(Sealed {
            segment,
            file_bytes,
        });
    }

    /// Makes a segment active that has room for a record. Nothing may be staged.
    fn roll(&mut self, record_bytes: u64, is_copy: bool) -> Result<(), TierError> {
        let file_bytes = (frame_bytes(1) + record_bytes).max(self.limits.segment_bytes);
        // Copies may take the room that is kept for them.
        let reserve = if is_copy {
            0
        } else {
            self.limits.segment_bytes
        };
        let bytes_max = self.limits.bytes_max - reserve;
        let mut copied = 0;
        loop {
            if self.fits(0, record_bytes) {
                return Ok(());
            }
            self.seal_active();
            let is_full = self.used_bytes + file_bytes > bytes_max;
            if is_full || self.sealed.len() as u64 >= self.limits.segments_max() {
                // Passing over all of it without gain is enough.
                let is_dropped = copied > self.sealed.len();
                copied += 1;
                if !is_copy && self.reclaim_oldest(is_dropped) {
                    continue;
                }
                let error = io::Error::from(io::ErrorKind::StorageFull);
                return Err(self.shared.failed("make room", &error));
            }
            match self.create(file_bytes) {
                Ok(()) => return Ok(()),
                Err(error) if is_full_disk(&error) && !is_copy && self.reclaim_oldest(true) => {}
                Err(error) => return Err(self.shared.failed("begin a segment", &error)),
            }
        }
    }

    fn create(&mut self, file_bytes: u64) -> io::Result<()> {
        let number = self.manifest.newest + 1;
        let name = Segment::name(number);
        // One that is left of an attempt before holds nothing.
        self.volume.remove(&name)?;
        let file = self.volume.create(&name, file_bytes)?;
        let segment = Segment::new(number, file, self.manifest.salt);
        segment.start(file_bytes)?;
        self.manifest.newest = number;
        self.is_manifest_due = true;
        if let Err(error) = self.save_manifest() {
            self.manifest.newest = number - 1;
            return Err(error);
        }
        let segment = Arc::new(segment);
        self.shared
            .segments
            .write()
            .insert(segment.short(), segment.clone());
        self.used_bytes += file_bytes;
        self.written_bytes += START_BYTES;
        self.active = Some(Active {
            segment,
            file_bytes,
            end: START_BYTES,
            entries: Vec::new(),
        });
        Ok(())
    }

    /// Brings the manifest to the disk if it changed, and makes room for it there.
    pub(super) fn save_manifest(&mut self) -> io::Result<()> {
        while self.is_manifest_due {
            let spaces = self.shared.spaces.read().clone();
            let prefixes = self.shared.prefixes.read().clone();
            let (volume, is_synced) = (self.volume.as_ref(), self.limits.is_synced);
            match self.manifest.save(&spaces, &prefixes, volume, is_synced) {
                Ok(()) => self.is_manifest_due = false,
                Err(error) if is_full_disk(&error) && self.reclaim_oldest(true) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Brings what was written since the last time to the disk itself; whether it is there.
    pub(super) fn sync(&self) -> bool {
        let Some(active) = &self.active else {
            return true;
        };
        let synced = active.segment.file.sync();
        synced
            .inspect_err(|error| _ = self.shared.failed("sync", error))
            .is_ok()
    }

    /// Bytes of memory that the lists of records take.
    pub(super) fn memory_bytes(&self) -> u64 {
        let active = self
            .active
            .as_ref()
            .map_or(0, |active| active.entries.capacity());
        let victim = self.victim.as_ref().map_or(0, Victim::records);
        let survey = self.survey.as_ref().map_or(0, Survey::records);
        ((active + victim + survey) * size_of::<Entry>()) as u64
    }
}

fn is_full_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
