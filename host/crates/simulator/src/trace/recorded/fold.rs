//! Makes requests of accesses: a read that found nothing and the write that answers it are one.

use std::collections::{HashMap, VecDeque};

use larder_engine::Millis;
use larder_engine::recording::{Kind, Recorded, Threshold};

use super::{Record, RecordedHead};

/// Requests that may wait behind a read for the write that answers it.
pub(super) const WAITING_MAX: usize = 64 * 1024;

const SECOND_MS: u64 = 1000;

/// See the module.
pub(super) struct Fold {
    threshold: Threshold,
    start_ms: Millis,
    /// Requests in order, those that still lack their write included.
    waiting: VecDeque<Waiting>,
    /// The number of the first of them, counted from the start.
    first: u64,
    /// By object, the number of the read that a write would answer.
    open: HashMap<u64, u64>,
    unanswered: u64,
}

struct Waiting {
    record: Record,
    is_whole: bool,
}

impl Fold {
    pub(super) fn new(head: &RecordedHead) -> Self {
        Self {
            threshold: head.threshold,
            start_ms: head.start_ms,
            waiting: VecDeque::new(),
            first: 0,
            open: HashMap::new(),
            unanswered: 0,
        }
    }

    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered
    }

    pub(super) fn add(&mut self, recorded: &Recorded) {
        if !self.threshold.admits(recorded.hash) {
            return;
        }
        let open = self.open.remove(&recorded.hash);
        let is_whole = recorded.kind != Kind::Miss;
        let record = Record {
            time_seconds: self.seconds(recorded.time_ms),
            id: recorded.hash,
            size_bytes: recorded.bytes,
            next_access: None,
            ttl_seconds: recorded.ttl_seconds,
        };
        match (recorded.kind, open.and_then(|number| self.place(number))) {
            (Kind::Remove | Kind::Expire, _) => return,
            (Kind::Write, Some(read)) => {
                read.record = Record {
                    time_seconds: read.record.time_seconds,
                    ..record
                };
                read.is_whole = true;
                return;
            }
            (Kind::Write | Kind::Hit | Kind::Miss, _) => {}
        }
        if !is_whole {
            let number = self.first + self.waiting.len() as u64;
            self.open.insert(recorded.hash, number);
        }
        self.waiting.push_back(Waiting { record, is_whole });
    }

    /// The next request, once it is whole. Where the accesses have ended, or too many requests wait, those
    /// that lack their write are given up.
    pub(super) fn next(&mut self, is_ended: bool) -> Option<Record> {
        loop {
            let Waiting { record, is_whole } = self.waiting.front()?;
            let (record, is_whole) = (*record, *is_whole);
            let is_open = !is_whole && self.open.get(&record.id) == Some(&self.first);
            if is_open && !is_ended && self.waiting.len() < WAITING_MAX {
                return None;
            }
            if is_open {
                self.open.remove(&record.id);
            }
            self.waiting.pop_front();
            self.first += 1;
            if is_whole {
                return Some(record);
            }
            self.unanswered += 1;
        }
    }

    fn place(&mut self, number: u64) -> Option<&mut Waiting> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.waiting.get_mut(at)
    }

    fn seconds(&self, time_ms: Millis) -> u32 {
        let seconds = time_ms.saturating_sub(self.start_ms) / SECOND_MS;
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}
