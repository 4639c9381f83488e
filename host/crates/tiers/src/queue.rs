//! Changes on their way to one tier: in order, the last of each key alone, and seen by whoever asks meanwhile.
//!
//! While the tier is away nobody waits for them. They are kept up to a bound; above it values are left out, and what is to
//! be removed is not.

mod batch;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use larder_engine::Millis;
use larder_engine::tags::tags_in;
use larder_engine::tier::{Stored, TierChange, TierKey, Told};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use batch::{Batch, LeftOut};

/// What a tier will hold of a key once it has caught up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Coming {
    /// This.
    Put(Arc<Stored>),
    /// Nothing.
    Nothing,
}

impl Coming {
    /// What there will be, unless it has expired.
    pub(crate) fn stored(self, now: Millis) -> Option<Arc<Stored>> {
        match self {
            Self::Put(stored) if !stored.is_expired(now) => Some(stored),
            Self::Put(_) | Self::Nothing => None,
        }
    }
}

/// What becomes of writes when as much waits for a tier that is away as may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest values do not come there.
    #[default]
    Drop,
    /// Those who write are told so; what removes something goes on.
    Fail,
}

/// See the module.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    filled: Notify,
    done: watch::Sender<Done>,
    bytes: AtomicU64,
    /// As `done` has it, to be looked at by whoever writes.
    is_away: AtomicBool,
    bytes_max: u64,
    overflow: Overflow,
    counts: Counts,
}

#[derive(Default)]
struct Inner {
    /// What the next round takes.
    next: Batch<Vec<Told>>,
    /// What the tier is doing, or is to do again.
    flying: Batch<Arc<Vec<Told>>>,
    /// Rounds that were begun.
    begun: u64,
}

/// How far the tier is.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    /// Rounds that are done.
    rounds: u64,
    /// Whether nobody waits for the next one.
    is_away: bool,
}

/// What happened while the tier was away.
#[derive(Default)]
pub(crate) struct Counts {
    /// Changes that nobody waited for.
    pub(crate) deferred: AtomicU64,
    /// Values that were left out.
    pub(crate) dropped: AtomicU64,
    /// Databases that were emptied instead of being changed.
    pub(crate) collapses: AtomicU64,
}

impl Queue {
    /// One that whoever writes waits for above `bytes_max`.
    pub(crate) fn new(bytes_max: u64, overflow: Overflow) -> Self {
        Self {
            inner: Mutex::default(),
            filled: Notify::new(),
            done: watch::Sender::default(),
            bytes: AtomicU64::new(0),
            is_away: AtomicBool::new(false),
            bytes_max,
            overflow,
            counts: Counts::default(),
        }
    }

    /// Bytes on their way.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What happened while the tier was away.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether nobody waits for the tier.
    pub(crate) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Whether whoever writes has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() > self.bytes_max && !self.is_away()
    }

    /// Whether whoever writes is to be told that there is no room.
    pub(crate) fn refuses(&self) -> bool {
        self.overflow == Overflow::Fail && self.is_away() && self.bytes() > self.bytes_max
    }

    /// Whether more than so many percent of the room are taken.
    pub(crate) fn is_above(&self, percent: u64) -> bool {
        self.bytes().saturating_mul(100) > self.bytes_max.saturating_mul(percent)
    }

    /// Adds a change behind all others. It takes the place of one of the same key that was not begun.
    pub(crate) fn push(&self, change: TierChange) {
        let at = Instant::now();
        let mut inner = self.inner.lock();
        let was_empty = inner.next.changes.is_empty();
        inner.next.push(Told { change, at });
        if self.is_away() {
            self.counts.deferred.fetch_add(1, Ordering::Relaxed);
            let bytes_max = self.kept_bytes_max(inner.flying.bytes);
            self.count(inner.next.make_room(bytes_max));
        }
        self.count_bytes(&inner);
        drop(inner);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Bytes that may wait behind what the tier has, which cannot be made less. Where values are refused there is room
    /// for what removes some.
    fn kept_bytes_max(&self, flying_bytes: u64) -> u64 {
        let half = self.bytes_max / 2;
        let bytes_max = match self.overflow {
            Overflow::Drop => self.bytes_max,
            Overflow::Fail => self.bytes_max + half,
        };
        bytes_max.saturating_sub(flying_bytes).max(half)
    }

    /// While it is locked, as another's count is of another moment.
    fn count_bytes(&self, inner: &Inner) {
        let bytes = inner.next.bytes + inner.flying.bytes;
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    fn count(&self, left_out: LeftOut) {
        let counts = &self.counts;
        counts.dropped.fetch_add(left_out.values, Ordering::Relaxed);
        counts
            .collapses
            .fetch_add(left_out.databases, Ordering::Relaxed);
    }

    /// What is on its way of a key, if something is.
    pub(crate) fn coming(&self, key: TierKey<'_>) -> Option<Coming> {
        let hash = hash_of(key);
        let inner = self.inner.lock();
        let next = inner.next.coming(&inner.next.changes, hash, key);
        next.or_else(|| inner.flying.coming(&inner.flying.changes, hash, key))
    }

    /// Whether a tag of an entry, which is there already, is on its way to be invalidated.
    pub(crate) fn voids(&self, tenant: &str, note: &[u8]) -> bool {
        if tags_in(note).next().is_none() {
            return false;
        }
        let inner = self.inner.lock();
        let next = inner.next.voids(&inner.next.changes, tenant, note);
        next || inner.flying.voids(&inner.flying.changes, tenant, note)
    }

    /// How many prefixes are on their way.
    pub(crate) fn prefixes(&self) -> u64 {
        let inner = self.inner.lock();
        (inner.next.prefixes() + inner.flying.prefixes()) as u64
    }

    /// The next round: everything there is, once there is something.
    pub(crate) async fn take(&self) -> Arc<Vec<Told>> {
        loop {
            // Made before the look, so that what comes behind it is not missed.
            let filled = self.filled.notified();
            if let Some(round) = self.begin() {
                return round;
            }
            filled.await;
        }
    }

    fn begin(&self) -> Option<Arc<Vec<Told>>> {
        let mut inner = self.inner.lock();
        if inner.next.changes.is_empty() {
            return None;
        }
        inner.begun += 1;
        inner.flying = mem::take(&mut inner.next).begin();
        Some(Arc::clone(&inner.flying.changes))
    }

    /// The places in the round that was taken of changes whose values were left out. Memory may have them yet.
    pub(crate) fn take_left_out(&self) -> HashSet<usize> {
        mem::take(&mut self.inner.lock().flying.left_out)
    }

    /// Nobody waits for the tier until a round is done.
    pub(crate) fn give_up_waiting(&self) {
        let inner = self.inner.lock();
        if self.is_away.swap(true, Ordering::Relaxed) {
            return;
        }
        let waiting = inner.next.changes.len() + inner.flying.changes.len();
        let deferred = &self.counts.deferred;
        deferred.fetch_add(waiting as u64, Ordering::Relaxed);
        self.done.send_modify(|done| done.is_away = true);
    }

    /// The round that was taken is done. Whether nobody waited for it.
    pub(crate) fn finish(&self) -> bool {
        let mut inner = self.inner.lock();
        let flying = mem::take(&mut inner.flying);
        self.count_bytes(&inner);
        let rounds = inner.begun;
        let was_away = self.is_away.swap(false, Ordering::Relaxed);
        self.done.send_replace(Done {
            rounds,
            is_away: false,
        });
        drop(inner);
        drop(flying);
        was_away
    }

    /// Changes that are on their way.
    pub(crate) fn len(&self) -> usize {
        let inner = self.inner.lock();
        inner.next.changes.len() + inner.flying.changes.len()
    }

    /// Rounds that are done.
    pub(crate) fn rounds(&self) -> u64 {
        self.done.borrow().rounds
    }

    /// Waits until everything that was added so far is done, or nobody waits for the tier any more; `None` where nothing is
    /// on its way, or nobody does.
    pub(crate) fn settled(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        self.passed(|done, round| done.rounds >= round || done.is_away)
    }

    /// Waits until everything that was added so far is done; `None` where nothing is on its way.
    pub(crate) fn emptied(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        self.passed(|done, round| done.rounds >= round)
    }

    fn passed(
        &self,
        is_past: fn(&Done, u64) -> bool,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let inner = self.inner.lock();
        let round = match (
            inner.next.changes.is_empty(),
            inner.flying.changes.is_empty(),
        ) {
            (false, _) => inner.begun + 1,
            (true, false) => inner.begun,
            (true, true) => return None,
        };
        let mut done = self.done.subscribe();
        if is_past(&done.borrow(), round) {
            return None;
        }
        drop(inner);
        Some(async move {
            // The queue is there for as long as whoever waits.
            let _ = done.wait_for(|done| is_past(done, round)).await;
        })
    }
}

/// The hash of a key among those of all tenants. What it is used for lasts for moments and is bounded, so it needs no
/// secret.
pub(crate) fn hash_of(key: TierKey<'_>) -> u64 {
    let tenant = xxh3_64_with_seed(key.tenant.as_bytes(), u64::from(key.db));
    xxh3_64_with_seed(key.bytes, tenant)
}
