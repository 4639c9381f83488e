//! Who records what is done to a tenant: told under a shard's lock, so that what is done to one key is
//! recorded in its order.

use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_sdk::Slot;
use parking_lot::Mutex;
use siphasher::sip::SipHasher24;

use super::block::Block;
use super::state::{At, State};
use crate::entry::{Key, Millis};
use crate::recording::{Kind, Plan, RECORDED_BYTES, RING_RECORDS, Recorded, Taken, Threshold};

const SECOND_MS: u64 = 1000;

/// See the module. Nothing in it waits for whoever takes what was recorded, or allocates.
pub(crate) struct Recorder {
    db: u8,
    hasher: SipHasher24,
    rate_max: u64,
    /// A [`Threshold`]; lowered under the ring's lock.
    threshold: AtomicU64,
    ring: Mutex<Ring>,
}

struct Ring {
    records: VecDeque<[u8; RECORDED_BYTES]>,
    lost: u64,
    /// Of the latest record.
    time_ms: Millis,
    /// When the second began that the rate is counted in, and what came in it of what is recorded now.
    second_ms: Millis,
    second_records: u64,
}

impl Recorder {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            db: Key::new(plan.db, b"").db,
            hasher: SipHasher24::new_with_key(&plan.salt.0),
            rate_max: plan.rate_max.max(1),
            threshold: AtomicU64::new(plan.threshold.0),
            ring: Mutex::new(Ring {
                records: VecDeque::with_capacity(RING_RECORDS),
                lost: 0,
                time_ms: 0,
                second_ms: 0,
                second_records: 0,
            }),
        }
    }

    fn threshold(&self) -> Threshold {
        Threshold(self.threshold.load(Ordering::Relaxed))
    }

    fn hash(&self, key: Key<'_>) -> u64 {
        let mut hasher = self.hasher;
        hasher.write(&[key.db]);
        hasher.write(key.bytes);
        hasher.finish()
    }

    /// The key of `at` is as clients name it.
    fn note(&self, kind: Kind, at: &At<'_>, bytes: usize, expiry: Millis) {
        if at.key.db != self.db {
            return;
        }
        let hash = self.hash(at.key);
        if !self.threshold().admits(hash) {
            return;
        }
        let mut ring = self.ring.lock();
        if ring.is_over_rate(at.now, self.rate_max) {
            let halved = self.threshold().halved();
            self.threshold.store(halved.0, Ordering::Relaxed);
            if !halved.admits(hash) {
                return;
            }
        }
        // Another thread may have read the clock earlier and come later.
        ring.time_ms = ring.time_ms.max(at.now);
        let left_ms = expiry.saturating_sub(at.now);
        let recorded = Recorded {
            hash,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            ttl_seconds: u32::try_from(left_ms.div_ceil(SECOND_MS)).unwrap_or(u32::MAX),
            time_ms: ring.time_ms,
            kind,
        };
        ring.push(&recorded);
    }

    /// Appends the oldest records, so many at most, to `out`.
    pub(crate) fn take(&self, records_max: usize, out: &mut Vec<u8>) -> Taken {
        let mut ring = self.ring.lock();
        let records = ring.records.len().min(records_max);
        let (front, back) = ring.records.as_slices();
        let in_front = records.min(front.len());
        out.extend_from_slice(front[..in_front].as_flattened());
        out.extend_from_slice(back[..records - in_front].as_flattened());
        ring.records.drain(..records);
        Taken {
            records,
            waiting: ring.records.len(),
            threshold: self.threshold(),
            lost: ring.lost,
        }
    }
}

impl Ring {
    /// Counts a record in its second; whether it is one too many. Of those before it, half count as
    /// recorded below half of the threshold.
    fn is_over_rate(&mut self, now: Millis, rate_max: u64) -> bool {
        if now.abs_diff(self.second_ms) >= SECOND_MS {
            self.second_ms = now;
            self.second_records = 0;
        }
        let is_over = self.second_records >= rate_max;
        if is_over {
            self.second_records /= 2;
        }
        self.second_records += 1;
        is_over
    }

    fn push(&mut self, recorded: &Recorded) {
        if self.records.len() < RING_RECORDS {
            self.records.push_back(recorded.to_bytes());
        } else {
            self.lost += 1;
        }
    }
}

impl State {
    /// Has what is done to the shard from now on recorded; `None` ends that.
    pub(crate) fn record_to(&mut self, recorder: Option<Arc<Recorder>>) {
        self.recorder = recorder;
    }

    /// Notes an access for whoever records; `slot` is the entry's, if there is one.
    #[inline]
    pub(super) fn record(&self, kind: Kind, at: &At<'_>, slot: Option<Slot>) {
        if let Some(recorder) = &self.recorder {
            self.note_to(recorder, kind, at, slot);
        }
    }

    #[cold]
    fn note_to(&self, recorder: &Recorder, kind: Kind, at: &At<'_>, slot: Option<Slot>) {
        let block = slot.and_then(|slot| self.slab.get(slot));
        let bytes = block.map_or(0, |block| block.bytes(self.config.classes));
        let key = self.places.named(at.key);
        recorder.note(
            kind,
            &At { key, ..*at },
            bytes,
            block.map_or(0, Block::expiry),
        );
    }
}

#[cfg(test)]
mod tests;
