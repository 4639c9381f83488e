//! Events of entries that maintenance removes: kept until it has given the shard's lock back, so that
//! however long it takes to look up who listens, neither that shard nor the other tenants wait for it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_engine::Key;

use super::Event;
use super::hook::Gone;

/// Bytes of events that may wait; more are dropped and counted.
const BYTES_MAX: usize = 16 << 20;
/// Room for events that stays when none wait.
const EVENTS_KEPT: usize = 256;
/// Bytes that an event takes beside its key.
const EVENT_BYTES: usize = 64;

thread_local! {
    /// Whether events that come of themselves wait on this thread.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Has events of what this thread removes wait until [`Backlog::next`] is asked for them.
pub(crate) fn defer_events() {
    WAITS.set(true);
}

/// Events that wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Backlog {
    waiting: Mutex<Waiting>,
    /// Whether any wait or the last is being told: what comes then waits behind it.
    is_busy: AtomicBool,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Late>,
    bytes: usize,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A keyspace notification.
    Event(Event),
    /// What the hook of that number has to tell in its channel.
    Hook(usize, Gone),
}

/// An event that has waited.
pub(super) struct Late {
    pub(super) what: What,
    pub(super) db: u8,
    pub(super) key: Box<[u8]>,
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an event back where it has to wait; whether it does. The shard's lock orders the look at
    /// whether others wait behind what came of the same key before.
    pub(super) fn takes(&self, what: What, key: Key<'_>) -> bool {
        if !WAITS.get() && !self.is_busy.load(Ordering::Relaxed) {
            return false;
        }
        let mut waiting = self.lock();
        if !WAITS.get() && !self.is_busy.load(Ordering::Relaxed) {
            return false;
        }
        let bytes = key.bytes.len() + EVENT_BYTES;
        if waiting.bytes + bytes > BYTES_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        waiting.bytes += bytes;
        waiting.events.push_back(Late {
            what,
            db: key.db,
            key: key.bytes.into(),
        });
        self.is_busy.store(true, Ordering::Relaxed);
        true
    }

    /// The next of those that wait, once the one before it was told.
    pub(super) fn next(&self) -> Option<Late> {
        if !self.is_busy.load(Ordering::Relaxed) {
            return None;
        }
        let mut waiting = self.lock();
        let late = waiting.events.pop_front();
        match &late {
            Some(late) => waiting.bytes -= late.key.len() + EVENT_BYTES,
            None => {
                // What a burst took is given back.
                waiting.events.shrink_to(EVENTS_KEPT);
                self.is_busy.store(false, Ordering::Relaxed);
            }
        }
        late
    }

    /// Events that were dropped since the server started.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_others_wait_waits_behind_them_and_too_much_is_dropped() {
        let backlog = Backlog::default();
        let long = vec![b'k'; 60_000];
        let (key, set) = (Key::new(3, b"k"), What::Event(Event::SET));
        let expired = What::Event(Event::EXPIRED);
        assert!(!backlog.takes(set, key), "nobody waits");
        let maintain = || {
            defer_events();
            (0..300)
                .filter(|_| backlog.takes(expired, Key::new(0, &long)))
                .count()
        };
        let taken = std::thread::scope(|scope| scope.spawn(maintain).join());
        assert_eq!(taken.ok(), Some(300));
        let kept = BYTES_MAX / (60_000 + EVENT_BYTES);
        assert_eq!(backlog.dropped(), 300 - kept as u64);
        assert!(backlog.takes(set, key));
        let mut told = 0;
        while let Some(late) = backlog.next() {
            assert!(backlog.takes(set, key), "it is being told");
            told += 1;
            if late.what == set {
                assert_eq!((late.db, &late.key[..]), (3, &b"k"[..]));
                break;
            }
            assert_eq!(late.what, expired);
        }
        assert_eq!(told, kept + 1);
        while backlog.next().is_some() {}
        assert!(!backlog.takes(set, key), "nobody waits any more");
    }
}
