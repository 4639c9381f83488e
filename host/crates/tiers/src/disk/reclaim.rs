//! Making room: the oldest segment goes.
//!
//! What lives in it is copied to the end of the log while there is room for all that lives, in the index too, or while
//! little of the segment does; else only what was read since it came there, three quarters of all that is gone over at most, and the rest is
//! evicted.
//! As the oldest goes first, nothing a deletion refers to outlasts it.
//!
//! The work is done in steps, a multiple of what is written, so that no write waits for long.

use super::log::{Log, Origin};
use super::place::Place;
use super::scan::scan;
use super::segment::{Entry, START_BYTES, Segment};
use crate::codec::Form;

/// Bytes gone over for each that is written. While 70 % live, each byte written takes 3.3 of them on average,
/// and a sixteenth of the bound suffices for passing over all that lives at one go.
const PACE: u64 = 16;
/// A step is no smaller.
const STEP_BYTES_MIN: u64 = 64 * 1024;
/// Of the bound: as long as less lives, nothing of it is evicted.
const LIVE_PERCENT_MAX: u64 = 70;
/// How far segments of which little was read may pay for those of which all was.
const CREDIT_SEGMENTS_MAX: u64 = 4;

/// A segment that is being reclaimed.
pub(super) struct Victim {
    entries: Vec<Entry>,
    /// The next record to look at, and where it is.
    next: usize,
    offset: u64,
    copies: Copies,
}

/// What of it is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    All,
    /// What was read, as long as there is credit.
    Touched,
    Nothing,
}

impl Victim {
    /// How many records are listed.
    pub(super) fn records(&self) -> usize {
        self.entries.len()
    }
}

impl Log {
    /// A step, if room or files are getting short, after so many bytes were written.
    pub(super) fn reclaim_step(&mut self, written_bytes: u64) {
        let reserve = self.limits.segment_bytes * 2;
        let watermark =
            (self.limits.bytes_max - self.limits.bytes_max / 16).saturating_sub(reserve);
        let segments_max = self.limits.segments_max();
        let are_many = self.sealed.len() as u64 > segments_max - segments_max / 16;
        if self.used_bytes > watermark || are_many || self.is_crowded() {
            let is_over = self.walk((written_bytes * PACE).max(STEP_BYTES_MIN));
            // What was copied is found where it is now, before the segment goes.
            self.flush();
            if is_over {
                self.remove_oldest();
            }
        }
    }

    /// Whether more is found than may be.
    pub(super) fn is_crowded(&self) -> bool {
        self.shared.index.len() > self.limits.entries_max
    }

    /// Removes the oldest segment, at one go; with `is_dropped` all that lives there is evicted. Returns whether there
    /// was one that could be removed.
    pub(super) fn reclaim_oldest(&mut self, is_dropped: bool) -> bool {
        if !is_dropped {
            self.walk(u64::MAX);
            self.flush();
        }
        self.remove_oldest()
    }

    /// Removes all segments, in which nothing lives.
    pub(super) fn remove_dead(&mut self) {
        self.seal_active();
        while self.remove_oldest() {}
    }

    /// Goes over the oldest segment and stages copies, until the bytes are used up; whether it came to the end.
    fn walk(&mut self, mut left_bytes: u64) -> bool {
        if self.victim.is_none() {
            self.victim = self.choose();
        }
        while let Some((segment, victim)) = self.sealed.front().zip(self.victim.as_mut()) {
            let Some(entry) = victim.entries.get(victim.next).copied() else {
                return true;
            };
            if left_bytes == 0 {
                return false;
            }
            left_bytes = left_bytes.saturating_sub(entry.bytes());
            let segment = segment.segment.clone();
            let place = segment.place(victim.offset, entry);
            victim.next += 1;
            victim.offset += entry.bytes();
            let Some(found) = self.living(entry, place) else {
                continue;
            };
            if self.takes(found) && !self.copy(&segment, found) {
                // There is no room for copies: the rest is evicted.
                if let Some(victim) = &mut self.victim {
                    victim.copies = Copies::Nothing;
                }
            }
        }
        self.sealed.front().is_some()
    }

    /// Whether a record that lives in the victim is copied.
    fn takes(&mut self, place: Place) -> bool {
        match self.victim.as_ref().map(|victim| victim.copies) {
            Some(Copies::All) => true,
            Some(Copies::Touched) if place.is_touched() => {
                let left_bytes = self.credit_bytes.checked_sub(place.bytes());
                self.credit_bytes = left_bytes.unwrap_or(self.credit_bytes);
                left_bytes.is_some()
            }
            _ => false,
        }
    }

    fn choose(&mut self) -> Option<Victim> {
        let oldest = self.sealed.front()?;
        let entries = list(&oldest.segment)?;
        let mut offset = START_BYTES;
        let mut live_bytes = 0;
        for entry in &entries {
            if self
                .living(*entry, oldest.segment.place(offset, *entry))
                .is_some()
            {
                live_bytes += entry.bytes();
            }
            offset += entry.bytes();
        }
        let budget_bytes = oldest.file_bytes / 4 * 3;
        let room_bytes = self.limits.bytes_max / 100 * LIVE_PERCENT_MAX;
        let has_room = live_bytes <= budget_bytes || self.ledger.live_bytes() <= room_bytes;
        let is_all = has_room && !self.is_crowded();
        let credit_bytes_max = self.limits.segment_bytes * CREDIT_SEGMENTS_MAX;
        self.credit_bytes = (self.credit_bytes + budget_bytes).min(credit_bytes_max);
        let copies = if is_all { Copies::All } else { Copies::Touched };
        Some(Victim {
            entries,
            next: 0,
            offset: START_BYTES,
            copies,
        })
    }

    /// The place of a record as it stands in the index, while it is what counts for its key.
    pub(super) fn living(&self, entry: Entry, place: Place) -> Option<Place> {
        let is_wanted =
            entry.is_put() && self.ledger.is_open(entry.space) && !entry.is_expired(self.now);
        let found = self.shared.index.get(entry.hash).filter(|_| is_wanted)?;
        found.is_same(place).then_some(found)
    }

    /// Stages a copy; `false` when there is no room. What is damaged, or will not be read again, is not copied.
    fn copy(&mut self, segment: &Segment, place: Place) -> bool {
        let start = self.buffer.len();
        let Ok(Some(mut head)) = self.lift(segment, place) else {
            return true;
        };
        match self.form(start, &head, segment, place) {
            Form::Current => {}
            Form::Outdated => self.renew(start, &mut head, place),
            Form::Void => {
                self.buffer.truncate(start);
                return true;
            }
        }
        if let Some(survey) = &self.survey {
            let named = self.encoding.named(self.payload(start, &head));
            survey.count_ahead(segment, place, named);
        }
        self.stage(start, &head, Origin::Copy(place)).is_ok()
    }

    /// Removes the oldest segment's file, then what of it is in the index.
    pub(super) fn remove_oldest(&mut self) -> bool {
        let Some(oldest) = self.sealed.front() else {
            return false;
        };
        let segment = oldest.segment.clone();
        if let Err(error) = self.volume.remove(&Segment::name(segment.number)) {
            self.shared.failed("remove a file", &error);
            return false;
        }
        self.used_bytes -= oldest.file_bytes;
        self.sealed.pop_front();
        let listed = self.victim.take().map(|victim| victim.entries);
        match listed.or_else(|| list(&segment)) {
            Some(entries) => self.evict(&segment, &entries),
            // Which keys these were is told by the index alone.
            None => self.shared.index.retain(|_, place| {
                let is_kept = place.segment() != segment.short();
                self.evictions += u64::from(!is_kept);
                is_kept
            }),
        }
        self.shared.segments.write().remove(&segment.short());
        true
    }

    fn evict(&mut self, segment: &Segment, entries: &[Entry]) {
        let mut offset = START_BYTES;
        for entry in entries {
            if entry.is_put() {
                let place = segment.place(offset, *entry);
                let gone = self
                    .shared
                    .index
                    .remove_if(entry.hash, |at| at.is_same(place));
                if gone.is_some() && self.ledger.is_open(entry.space) {
                    self.ledger.remove(entry.space, entry.bytes());
                    self.evictions += u64::from(!entry.is_expired(self.now));
                }
            }
            offset += entry.bytes();
        }
    }
}

/// The records of a sealed segment, if they are known.
pub(super) fn list(segment: &Segment) -> Option<Vec<Entry>> {
    let footer = segment.footer().unwrap_or_default();
    footer.or_else(|| Some(scan(segment).unwrap_or_default()?.entries))
}
