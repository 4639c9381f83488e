//! Going over all that lives, oldest first, a step at a time: what it names is counted, what would have another form now
//! is written anew, what is damaged or will not be read again is deleted. Segments in which nothing lives any more go on the way.
//!
//! What is written meanwhile has the form of its time and is not gone over. What is reclaimed before its turn comes is
//! counted then.

use std::sync::Arc;

use larder_engine::tier::TierError;

use super::log::{Log, Origin};
use super::place::Place;
use super::prefixes::Prefixes;
use super::reclaim::list;
use super::segment::{Entry, START_BYTES, Segment};
use crate::codec::{Census, Form, Named};

/// How far a survey has come.
#[derive(Debug)]
pub enum Surveyed {
    /// So many bytes of segments are left.
    Ongoing(u64),
    /// All was gone over: this is what it names.
    Done(Census),
    /// Something could not be read or written; the next step begins anew.
    Stuck,
}

/// A survey that goes on.
pub(super) struct Survey {
    /// The segment that is gone over, its records, the next of them and where it is.
    number: u64,
    entries: Vec<Entry>,
    next: usize,
    offset: u64,
    /// The last segment to go over.
    last: u64,
    census: Census,
    /// What was cleared before it began: nothing of it is left when it has ended.
    prefixes: Prefixes,
}

impl Survey {
    /// How many records are listed.
    pub(super) fn records(&self) -> usize {
        self.entries.len()
    }

    /// Counts what a record names that goes from a place which was not gone over yet: where it goes nobody comes by.
    pub(super) fn count_ahead(&self, segment: &Segment, place: Place, named: Named) {
        let is_ahead = (segment.number, place.offset()) >= (self.number, self.offset);
        if is_ahead && segment.number <= self.last {
            self.census.add(named);
        }
    }
}

impl Log {
    /// Goes over so many bytes more. What was staged is to be flushed before.
    pub(super) fn survey_step(&mut self, left_bytes: u64) -> Surveyed {
        let survey = self.survey.take();
        let mut survey = survey.unwrap_or_else(|| self.begin_survey());
        match self.go_over(&mut survey, left_bytes) {
            // What it deletes is to be on the disk first.
            Ok(true) if self.forgotten.is_empty() => match self.forget_prefixes(&survey.prefixes) {
                Ok(()) => Surveyed::Done(survey.census),
                Err(Unfinished) => Surveyed::Stuck,
            },
            Ok(_) => {
                let rest = self.sealed.iter().filter(|sealed| {
                    (survey.number..=survey.last).contains(&sealed.segment.number)
                });
                let bytes = rest.map(|sealed| sealed.file_bytes).sum();
                self.survey = Some(survey);
                Surveyed::Ongoing(bytes)
            }
            Err(Unfinished) => Surveyed::Stuck,
        }
    }

    /// Forgets what was cleared and gone over. Its deletions come to the disk before a manifest without it does.
    fn forget_prefixes(&mut self, done: &Prefixes) -> Result<(), Unfinished> {
        if done.is_empty() {
            return Ok(());
        }
        if self.limits.is_synced && !self.sync() {
            return Err(Unfinished);
        }
        self.shared.prefixes.write().forget(done);
        self.is_manifest_due = true;
        Ok(())
    }

    fn begin_survey(&mut self) -> Survey {
        self.seal_active();
        Survey {
            number: 0,
            entries: Vec::new(),
            next: 0,
            offset: START_BYTES,
            last: self.manifest.newest,
            census: Census::default(),
            prefixes: self.shared.prefixes.read().clone(),
        }
    }

    /// Whether it came to the end.
    fn go_over(&mut self, survey: &mut Survey, mut left_bytes: u64) -> Result<bool, Unfinished> {
        while left_bytes > 0 {
            let is_there = |number| {
                let mut sealed = self.sealed.iter();
                sealed.find(|sealed| sealed.segment.number == number)
            };
            let entry = survey.entries.get(survey.next).copied();
            let Some((entry, sealed)) = entry.zip(is_there(survey.number)) else {
                if !self.turn_to_next(survey)? {
                    return Ok(true);
                }
                continue;
            };
            let segment = Arc::clone(&sealed.segment);
            left_bytes = left_bytes.saturating_sub(entry.bytes());
            let place = segment.place(survey.offset, entry);
            survey.next += 1;
            survey.offset += entry.bytes();
            if let Some(place) = self.living(entry, place) {
                self.look_at(&survey.census, &segment, entry, place)?;
            }
        }
        self.flush();
        Ok(false)
    }

    /// Ends a segment, which goes if it is the oldest and nothing lives there, and lists the next; whether there is one.
    fn turn_to_next(&mut self, survey: &mut Survey) -> Result<bool, Unfinished> {
        // What was copied is found where it is now, before the segment goes.
        self.flush();
        let oldest = self.sealed.front().map(|oldest| &oldest.segment);
        let oldest = oldest.filter(|oldest| oldest.number == survey.number);
        let is_dead = oldest.is_some_and(|oldest| !self.lives(oldest, &survey.entries));
        if is_dead && !self.remove_oldest() {
            return Err(Unfinished);
        }
        let mut rest = self.sealed.iter().map(|sealed| &sealed.segment);
        let Some(next) = rest.find(|segment| segment.number > survey.number) else {
            return Ok(false);
        };
        if next.number > survey.last {
            return Ok(false);
        }
        survey.entries = list(next).ok_or(Unfinished)?;
        survey.number = next.number;
        (survey.next, survey.offset) = (0, START_BYTES);
        Ok(true)
    }

    /// Whether anything lives in a segment.
    fn lives(&self, segment: &Segment, entries: &[Entry]) -> bool {
        let mut offset = START_BYTES;
        entries.iter().any(|entry| {
            let place = segment.place(offset, *entry);
            offset += entry.bytes();
            self.living(*entry, place).is_some()
        })
    }

    /// Counts what a record names that lives, and writes it anew if need be.
    fn look_at(
        &mut self,
        census: &Census,
        segment: &Segment,
        entry: Entry,
        place: Place,
    ) -> Result<(), Unfinished> {
        let start = self.buffer.len();
        let Some(mut head) = self.lift(segment, place)? else {
            self.forget(entry.space, entry.hash);
            return Ok(());
        };
        let form = self.form(start, &head, segment, place);
        if form == Form::Outdated {
            self.renew(start, &mut head, place);
        }
        if form != Form::Void {
            census.add(self.encoding.named(self.payload(start, &head)));
        }
        match form {
            Form::Current => self.buffer.truncate(start),
            Form::Outdated => self.stage(start, &head, Origin::Copy(place))?,
            Form::Void => {
                self.buffer.truncate(start);
                self.forget(entry.space, entry.hash);
            }
        }
        Ok(())
    }
}

/// What went wrong was counted where it did.
struct Unfinished;

impl From<TierError> for Unfinished {
    fn from(_: TierError) -> Self {
        Self
    }
}
