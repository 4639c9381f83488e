//! What was fetched ahead, and nobody has asked for yet. It waits apart: the evictor does not know of it, its room is
//! bounded, and it goes when its time is over. Once somebody asks for it, that is to the evictor what a miss is and the
//! insert that follows.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use larder_sdk::{Event, EventKind, Removal, Slot};

use super::block::Block;
use super::state::{At, State};
use crate::entry::Millis;
use crate::stats::AheadFigures;

/// What became of what a tenant has fetched ahead.
#[derive(Default)]
pub(crate) struct AheadCounts {
    pub(crate) fetched: AtomicU64,
    used: AtomicU64,
    wasted: AtomicU64,
    bytes: AtomicU64,
}

impl AheadCounts {
    pub(crate) fn figures(&self) -> AheadFigures {
        let [fetched, used, wasted, bytes] = [&self.fetched, &self.used, &self.wasted, &self.bytes]
            .map(|count| count.load(Ordering::Relaxed));
        AheadFigures {
            fetched,
            used,
            wasted,
            bytes,
        }
    }
}

/// An entry that was loaded is about to end when it has this many times what its load took left, and a little for
/// whoever looks ahead.
const LOADS: Millis = 4;
const ENDING_MS: Millis = 100;

/// Whether an entry was loaded, and will not be good for long: it takes a load to have it beyond that.
pub(crate) fn is_ending(block: &Block, now: Millis) -> bool {
    let times = block.label().times;
    let left_ms = |expiry: Millis| expiry.saturating_sub(now + Millis::from(times.refresh_ms));
    let enough_ms = LOADS * Millis::from(times.cost_ms) + ENDING_MS;
    times.cost_ms > 0
        && block
            .expires_at()
            .is_some_and(|expiry| left_ms(expiry) < enough_ms)
}

/// Places in the order for what waits no more, beside as many as there are entries that wait.
const ORDER_SPARE: usize = 64;
/// By so much those who tell the time may be apart.
const DISORDER_MS: Millis = 1_000;

/// The slots of a shard's entries that wait.
#[derive(Default)]
pub(super) struct Ahead {
    waiting: HashMap<Slot, Wait>,
    /// As they came. Of a slot that waits no more, or anew, nothing is made.
    order: VecDeque<(Millis, Slot)>,
}

struct Wait {
    since: Millis,
    until: Millis,
    bytes: u64,
}

impl Wait {
    /// Whether its time is over. One that has not begun yet never ends in time: the clock went back.
    fn is_over(&self, now: Millis) -> bool {
        self.until <= now || now + DISORDER_MS < self.since
    }
}

impl Ahead {
    /// Forgets what waits no more, once that is most of the order: the first may wait for long.
    fn tidy(&mut self) {
        let Self { waiting, order } = self;
        if order.len() > 2 * waiting.len() + ORDER_SPARE {
            order.retain(|(until, slot)| {
                let wait = waiting.get(slot);
                wait.is_some_and(|wait| wait.until == *until)
            });
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.waiting.capacity() * size_of::<(Slot, Wait)>()
            + self.order.capacity() * size_of::<(Millis, Slot)>()
    }
}

impl State {
    /// Whether the entry in `slot` waits to be asked for.
    #[inline]
    pub(super) fn is_ahead(&self, slot: Slot) -> bool {
        let ahead = self.ahead.as_ref();
        ahead.is_some_and(|ahead| ahead.waiting.contains_key(&slot))
    }

    /// Entries that wait.
    pub(crate) fn ahead(&self) -> u64 {
        self.ahead
            .as_ref()
            .map_or(0, |ahead| ahead.waiting.len() as u64)
    }

    /// Places that the order has taken.
    #[cfg(test)]
    pub(crate) fn ahead_order(&self) -> usize {
        let ahead = self.ahead.as_ref();
        ahead.map_or(0, |ahead| ahead.order.len())
    }

    /// The entry in `slot`, of which the evictor was not told, waits from now on.
    pub(super) fn wait(&mut self, slot: Slot, bytes: u64, since: Millis, until: Millis) {
        let ahead = self.ahead.get_or_insert_default();
        let wait = Wait {
            since,
            until,
            bytes,
        };
        ahead.waiting.insert(slot, wait);
        ahead.order.push_back((until, slot));
        ahead.tidy();
        self.ahead_counts.fetched.fetch_add(1, Ordering::Relaxed);
        self.ahead_counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The entry in `slot` waits no more; whether it did.
    fn end_wait(&mut self, slot: Slot) -> bool {
        let Some(ahead) = &mut self.ahead else {
            return false;
        };
        let Some(wait) = ahead.waiting.remove(&slot) else {
            return false;
        };
        if ahead.waiting.is_empty() {
            self.ahead = None;
        }
        self.ahead_counts
            .bytes
            .fetch_sub(wait.bytes, Ordering::Relaxed);
        true
    }

    /// The entry in `slot` goes, or another value takes its place: if it waited, then in vain.
    #[inline]
    pub(super) fn waste(&mut self, slot: Slot) {
        if self.ahead.is_some() && self.end_wait(slot) {
            self.ahead_counts.wasted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The entry in `slot` is asked for; if it waited, it is like others from now on. Whether it did.
    pub(crate) fn use_ahead(&mut self, slot: Slot, at: &At<'_>) -> bool {
        let has_waited = self.end_wait(slot);
        if has_waited {
            self.ahead_counts.used.fetch_add(1, Ordering::Relaxed);
            if self.wants_misses {
                self.note_if_room(Event::new(EventKind::Miss, 0, at.hash as u32));
            }
            if self.may_evict(slot) {
                self.note_put(EventKind::Insert, at, slot, self.bytes(slot));
            }
        }
        has_waited
    }

    /// Has those go whose time is over.
    pub(crate) fn drop_late(&mut self, now: Millis) {
        while let Some(slot) = self.next_ahead(Some(now)) {
            self.remove_slot(slot, Removal::Evicted);
        }
    }

    /// Has one go that waits, the one that came first; returns the bytes that it took, 0 where there is none.
    pub(super) fn drop_ahead(&mut self, keep: Option<Slot>) -> u64 {
        match self.next_ahead(None).filter(|slot| Some(*slot) != keep) {
            Some(slot) => self.remove_slot(slot, Removal::Evicted),
            None => 0,
        }
    }

    /// The first that waits, and whose time is over by then.
    fn next_ahead(&mut self, by: Option<Millis>) -> Option<Slot> {
        let ahead = self.ahead.as_mut()?;
        while let Some(&(until, slot)) = ahead.order.front() {
            let wait = ahead.waiting.get(&slot);
            if let Some(wait) = wait.filter(|wait| wait.until == until) {
                return by.is_none_or(|now| wait.is_over(now)).then_some(slot);
            }
            ahead.order.pop_front();
        }
        None
    }
}
