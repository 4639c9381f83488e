//! A second level below a cache, as the disk tier of a server keeps it: a log of segments, each of a 64th of its bytes,
//! of which the oldest is reclaimed when room gets short.
//!
//! What is written goes down at once; what is evicted goes down where it is not there any more; what is
//! read there stays.

use std::collections::VecDeque;

use larder_engine::decision::Verdict;

use crate::Request;

/// Segments of the log.
const SEGMENTS: u64 = 64;
/// Of the bound: as long as less lives, nothing of it is evicted.
const LIVE_PERCENT_MAX: u64 = 70;
/// How far segments of which little was read may pay for those of which all was.
const CREDIT_SEGMENTS_MAX: u64 = 4;

/// What is known of an object that was written once.
#[derive(Debug, Clone, Copy, Default)]
struct Object {
    /// The number of its newest record; 0 where it has none.
    record: u64,
    size_bytes: u32,
    /// In seconds; `None`: never.
    expires_at: Option<u64>,
    priority: u8,
    /// Whether it was read since it came to where it is.
    is_touched: bool,
}

impl Object {
    fn is_expired(&self, now_seconds: u64) -> bool {
        self.expires_at.is_some_and(|expiry| expiry <= now_seconds)
    }
}

/// A record of the log: of which object, the how many-th, and how large.
type Record = (u32, u64, u32);

#[derive(Debug, Default)]
struct Segment {
    records: Vec<Record>,
    bytes: u64,
}

/// What of a segment is copied that is reclaimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    All,
    /// What was read, as long as there is credit.
    Touched,
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub struct Below {
    bytes_max: u64,
    segment_bytes: u64,
    /// By number.
    objects: Vec<Object>,
    /// Oldest first.
    sealed: VecDeque<Segment>,
    sealed_bytes: u64,
    active: Segment,
    records: u64,
    live_bytes: u64,
    credit_bytes: u64,
}

/// What was found below.
pub(super) struct Found {
    pub(super) size_bytes: u32,
    pub(super) verdict: Verdict,
}

impl Below {
    /// An empty one of so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        let segment_bytes = (bytes_max / SEGMENTS).max(1);
        Self {
            bytes_max,
            segment_bytes,
            objects: Vec::new(),
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            active: Segment::default(),
            records: 0,
            live_bytes: 0,
            credit_bytes: segment_bytes,
        }
    }

    /// What there is of an object.
    pub(super) fn read(&mut self, object: u32, now_seconds: u32) -> Option<Found> {
        let now = u64::from(now_seconds);
        let found = self.objects.get_mut(object as usize)?;
        if found.record == 0 || found.is_expired(now) {
            return None;
        }
        found.is_touched = true;
        Some(Found {
            size_bytes: found.size_bytes,
            verdict: Verdict {
                keep: true,
                ttl_ms: found.expires_at.map(|expiry| (expiry - now) * 1000),
                priority: found.priority,
                is_secret: false,
            },
        })
    }

    /// Keeps what was written.
    pub(super) fn put(&mut self, request: &Request, verdict: Verdict) {
        let now = u64::from(request.time_seconds);
        let number = request.object as usize;
        if number >= self.objects.len() {
            self.objects.resize(number + 1, Object::default());
        }
        self.forget(request.object);
        self.objects[number] = Object {
            record: 0,
            size_bytes: request.size_bytes,
            expires_at: verdict.ttl_ms.map(|ttl_ms| now + ttl_ms.div_ceil(1000)),
            priority: verdict.priority,
            is_touched: false,
        };
        self.append(request.object, now);
    }

    /// Keeps what was evicted above, where it is not here any more.
    pub(super) fn demote(&mut self, object: u32, now_seconds: u32) {
        let now = u64::from(now_seconds);
        let found = self.objects.get(object as usize);
        if found.is_some_and(|found| found.record == 0 && !found.is_expired(now)) {
            self.append(object, now);
        }
    }

    /// Appends a record of an object that has none.
    fn append(&mut self, object: u32, now_seconds: u64) {
        let size = u64::from(self.objects[object as usize].size_bytes);
        if size > self.bytes_max / 8 {
            return;
        }
        // Beside the segment that is written to another one is kept free for copies.
        while !self.fits(size) && self.used_bytes() + 2 * self.segment_bytes > self.bytes_max {
            if !self.reclaim(now_seconds, true) {
                break;
            }
        }
        self.write(object);
        let reserve = self.bytes_max / 16 + 2 * self.segment_bytes;
        if self.used_bytes() > self.bytes_max.saturating_sub(reserve) {
            self.reclaim(now_seconds, false);
        }
    }

    fn fits(&self, size: u64) -> bool {
        self.active.bytes + size <= self.segment_bytes
    }

    /// The segment that is written to has all its room from the beginning.
    fn used_bytes(&self) -> u64 {
        self.sealed_bytes + self.segment_bytes
    }

    fn write(&mut self, object: u32) {
        let held = &mut self.objects[object as usize];
        let size = u64::from(held.size_bytes);
        self.records += 1;
        held.record = self.records;
        held.is_touched = false;
        let record = (object, self.records, held.size_bytes);
        self.live_bytes += size;
        if !self.fits(size) && self.active.bytes > 0 {
            let full = std::mem::take(&mut self.active);
            self.sealed_bytes += full.bytes;
            self.sealed.push_back(full);
        }
        self.active.bytes += size;
        self.active.records.push(record);
    }

    /// Its record counts no more.
    fn forget(&mut self, object: u32) {
        let held = &mut self.objects[object as usize];
        if held.record != 0 {
            held.record = 0;
            self.live_bytes -= u64::from(held.size_bytes);
        }
    }

    /// Removes the oldest segment; what is worth it goes to the end, unless all is to be dropped. Whether there was one.
    fn reclaim(&mut self, now_seconds: u64, is_dropped: bool) -> bool {
        let Some(oldest) = self.sealed.pop_front() else {
            return false;
        };
        let mut copies = match is_dropped {
            true => Copies::Nothing,
            false => self.choose(&oldest, now_seconds),
        };
        for (object, record, size_bytes) in oldest.records {
            let held = self.objects[object as usize];
            if held.record != record {
                continue;
            }
            self.forget(object);
            let size = u64::from(size_bytes);
            let is_worth_it = !held.is_expired(now_seconds)
                && match copies {
                    Copies::All => true,
                    Copies::Touched if held.is_touched => self.pay(size),
                    Copies::Touched | Copies::Nothing => false,
                };
            if !is_worth_it {
                continue;
            }
            if self.fits(size) || self.used_bytes() + self.segment_bytes <= self.bytes_max {
                self.write(object);
            } else {
                copies = Copies::Nothing;
            }
        }
        // It went only now: copies were made beside it.
        self.sealed_bytes -= oldest.bytes;
        true
    }

    fn choose(&mut self, oldest: &Segment, now_seconds: u64) -> Copies {
        let is_living = |(object, record, _): &&Record| {
            let held = &self.objects[*object as usize];
            held.record == *record && !held.is_expired(now_seconds)
        };
        let living = oldest.records.iter().filter(is_living);
        let live_bytes: u64 = living.map(|(.., size_bytes)| u64::from(*size_bytes)).sum();
        let budget_bytes = oldest.bytes / 4 * 3;
        let credit_bytes_max = self.segment_bytes * CREDIT_SEGMENTS_MAX;
        self.credit_bytes = (self.credit_bytes + budget_bytes).min(credit_bytes_max);
        if live_bytes <= budget_bytes || self.live_bytes <= self.bytes_max / 100 * LIVE_PERCENT_MAX
        {
            return Copies::All;
        }
        Copies::Touched
    }

    fn pay(&mut self, size: u64) -> bool {
        let left_bytes = self.credit_bytes.checked_sub(size);
        self.credit_bytes = left_bytes.unwrap_or(self.credit_bytes);
        left_bytes.is_some()
    }
}

#[cfg(test)]
mod tests;
