//! How a connection stands, as it tells at the end of each turn: plain stores that nobody waits for.

use std::sync::atomic::{
    AtomicI32, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering,
};

use larder_engine::Millis;

use super::Client;
use crate::Session;
use crate::onlookers::Follower;

/// Instead of a number: none was carried out yet.
pub(super) const NO_COMMAND: u16 = u16::MAX;

/// Written by the connection's task alone.
pub(super) struct Standing {
    pub(super) seen_ms: AtomicU64,
    pub(super) command: AtomicU16,
    pub(super) db: AtomicU8,
    pub(super) marks: AtomicU32,
    pub(super) subscriptions: [AtomicU32; 3],
    /// Commands that wait for EXEC; -1 where none may.
    pub(super) queued: AtomicI32,
    pub(super) watched: AtomicU32,
    /// As CLIENT GETREDIR says.
    pub(super) redirect: AtomicI64,
    pub(super) transaction_bytes: AtomicU32,
    pub(super) input_bytes: AtomicU32,
    pub(super) input_free_bytes: AtomicU32,
    pub(super) output_bytes: AtomicU32,
}

/// Something that a connection does, or that was chosen for it; see CLIENT LIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Monitor,
    PubSub,
    Multi,
    Held,
    Tracking,
    BrokenRedirect,
    Broadcast,
    Unix,
    NoEvict,
    NoTouch,
}

impl Mark {
    /// All of them with their letters, in the order in which Redis lists them.
    pub(super) const ALL: &[(Self, char)] = &[
        (Self::Monitor, 'O'),
        (Self::PubSub, 'P'),
        (Self::Multi, 'x'),
        (Self::Held, 'b'),
        (Self::Tracking, 't'),
        (Self::BrokenRedirect, 'R'),
        (Self::Broadcast, 'B'),
        (Self::Unix, 'U'),
        (Self::NoEvict, 'e'),
        (Self::NoTouch, 'T'),
    ];

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What CLIENT LIST and KILL tell clients by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Normal,
    PubSub,
    /// Replicas and masters: there are none.
    Replication,
}

impl Type {
    /// The type of that name, in any case.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        match &*name.to_ascii_lowercase() {
            b"normal" => Some(Self::Normal),
            b"pubsub" => Some(Self::PubSub),
            b"master" | b"replica" | b"slave" => Some(Self::Replication),
            _ => None,
        }
    }
}

/// What the buffers of a connection hold, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Buffers {
    pub(crate) input: usize,
    pub(crate) input_free: usize,
    pub(crate) output: usize,
}

impl Standing {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            seen_ms: AtomicU64::new(now),
            command: AtomicU16::new(NO_COMMAND),
            db: AtomicU8::new(0),
            marks: AtomicU32::new(0),
            subscriptions: Default::default(),
            queued: AtomicI32::new(-1),
            watched: AtomicU32::new(0),
            redirect: AtomicI64::new(-1),
            transaction_bytes: AtomicU32::new(0),
            input_bytes: AtomicU32::new(0),
            input_free_bytes: AtomicU32::new(0),
            output_bytes: AtomicU32::new(0),
        }
    }

    /// What it does, or what was chosen for it, by letters as in Redis; `N` for nothing.
    pub(super) fn letters(&self, is_unix: bool) -> String {
        let marks = self.marks.load(Ordering::Relaxed);
        let letters = Mark::ALL.iter();
        let mut letters: String = letters
            .filter(|(mark, _)| marks & mark.bit() != 0 || (*mark == Mark::Unix && is_unix))
            .map(|(_, letter)| *letter)
            .collect();
        if letters.is_empty() {
            letters.push('N');
        }
        letters
    }

    pub(super) fn has(&self, mark: Mark) -> bool {
        self.marks.load(Ordering::Relaxed) & mark.bit() != 0
    }
}

fn store(value: &AtomicU32, number: usize) {
    value.store(u32::try_from(number).unwrap_or(u32::MAX), Ordering::Relaxed);
}

impl Client {
    /// Whether it is of that type.
    pub(crate) fn is_of(&self, wanted: Type) -> bool {
        match wanted {
            Type::Normal => !self.standing.has(Mark::PubSub),
            Type::PubSub => self.standing.has(Mark::PubSub),
            Type::Replication => false,
        }
    }

    /// Tells what the buffers hold.
    #[inline]
    pub(crate) fn hold(&self, buffers: Buffers) {
        let standing = &self.standing;
        store(&standing.input_bytes, buffers.input);
        store(&standing.input_free_bytes, buffers.input_free);
        store(&standing.output_bytes, buffers.output);
    }
}

impl Session {
    /// Lets others see how the connection stands; `command` is the number of what it asked for last.
    pub(crate) fn publish(&self, now: Millis, command: Option<u16>) {
        let standing = &self.client.standing;
        standing.seen_ms.store(now, Ordering::Relaxed);
        if let Some(command) = command {
            standing.command.store(command, Ordering::Relaxed);
        }
        standing.db.store(self.db, Ordering::Relaxed);
        let mut marks = 0;
        let follower = self.following.as_ref().map(|own| own.follower());
        for (mark, is_so) in [
            (Mark::Monitor, self.monitoring.is_some()),
            (Mark::Tracking, follower.is_some()),
            (
                Mark::BrokenRedirect,
                follower.is_some_and(Follower::is_broken),
            ),
            (
                Mark::Broadcast,
                follower.is_some_and(|own| own.mode().is_broadcast),
            ),
            (Mark::NoEvict, self.no_evict),
            (Mark::NoTouch, self.no_touch),
            (Mark::Held, self.is_paused),
        ] {
            marks |= u32::from(is_so) * mark.bit();
        }
        let mut queued = -1;
        let (mut watched, mut bytes, mut counts) = (0, 0, [0; 3]);
        if let Some(transaction) = &self.transaction {
            (watched, bytes) = (transaction.watched(), transaction.bytes());
            if let Some(commands) = transaction.queued() {
                queued = i32::try_from(commands).unwrap_or(i32::MAX);
                marks |= Mark::Multi.bit();
            }
        }
        if let Some(subscriptions) = &self.subscriptions {
            counts = subscriptions.counts();
            if subscriptions.total() > 0 {
                marks |= Mark::PubSub.bit();
            }
        }
        let redirect = follower.map_or(-1, Follower::redirect);
        standing.redirect.store(redirect, Ordering::Relaxed);
        standing.marks.store(marks, Ordering::Relaxed);
        standing.queued.store(queued, Ordering::Relaxed);
        store(&standing.watched, watched);
        store(&standing.transaction_bytes, bytes);
        for (own, count) in standing.subscriptions.iter().zip(counts) {
            store(own, count);
        }
    }
}
