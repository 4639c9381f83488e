//! Keys, and what a reader sees of an entry.

use crate::shard::block::{Block, label_len};
use crate::tier::Stored;

/// Unix time in milliseconds.
pub type Millis = u64;

/// The latest expiry that is told apart (in the year 2109); later ones count as this one.
pub const MILLIS_MAX: Millis = (1 << 42) - 1;

/// Databases a tenant has.
pub const DATABASES: u8 = 16;

/// Bytes a key may have.
pub const KEY_BYTES_MAX: usize = 64 * 1024;

/// A key in one of a tenant's databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// The database, below [`DATABASES`]; what lies above is folded onto it.
    pub db: u8,
    /// The key itself, any bytes.
    pub bytes: &'a [u8],
}

impl<'a> Key<'a> {
    /// The key `bytes` in database `db`.
    pub const fn new(db: u8, bytes: &'a [u8]) -> Self {
        Self {
            db: db % DATABASES,
            bytes,
        }
    }
}

/// Bytes that the note of a label may have.
pub const LABEL_NOTE_BYTES_MAX: usize = 32 * 1024;

/// Times of an entry beside its expiry, in milliseconds. None of them takes no bytes, else twelve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// It is kept for so long beyond its expiry, for who asks for stale values; all others take it for gone.
    pub stale_ms: u32,
    /// It is due for a refresh so long before its expiry.
    pub refresh_ms: u32,
    /// It took so long to be made.
    pub cost_ms: u32,
}

impl Times {
    /// No times.
    pub const NONE: Self = Self {
        stale_ms: 0,
        refresh_ms: 0,
        cost_ms: 0,
    };
}

/// What an entry carries beside its value. Without one it takes no bytes, else four, its times and the note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Label<'a> {
    /// 0 to 255, higher is worth more; eviction policies are told.
    pub priority: u8,
    /// Whatever the writer wants to keep with it, [`LABEL_NOTE_BYTES_MAX`] at most. It may begin with [`crate::tags`];
    /// nothing else of it is read here.
    pub note: &'a [u8],
    /// How long it is worth something.
    pub times: Times,
}

impl Label<'_> {
    /// No label.
    pub const NONE: Self = Self {
        priority: 0,
        note: &[],
        times: Times::NONE,
    };

    /// Bytes that an entry takes for it.
    pub fn bytes(self) -> usize {
        label_len(self, false)
    }
}

/// A resident entry, seen under its shard's lock.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub(crate) block: &'a Block,
    /// The value, where the block has it shut.
    pub(crate) opened: Option<&'a [u8]>,
    pub(crate) start_ms: Millis,
}

impl<'a> Entry<'a> {
    /// The key.
    pub fn key(&self) -> &'a [u8] {
        self.block.key()
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &'a [u8] {
        match self.opened {
            Some(value) => value,
            None => self.block.value(),
        }
    }

    /// What it carries beside its value.
    pub fn label(&self) -> Label<'a> {
        self.block.label()
    }

    /// When it expires, if ever.
    pub fn expires_at(&self) -> Option<Millis> {
        self.block.expires_at()
    }

    /// A copy of it.
    pub fn to_stored(&self) -> Stored {
        let label = self.label();
        Stored {
            value: self.value().into(),
            expires_at: self.expires_at(),
            priority: label.priority,
            note: label.note.into(),
            times: label.times,
        }
    }

    /// Milliseconds since it was last read or written, in steps of 16.
    pub fn idle_ms(&self, now: Millis) -> u64 {
        idle_ms(self.block, self.start_ms, now)
    }
}

/// Milliseconds since an entry was last read or written.
pub(crate) fn idle_ms(block: &Block, start_ms: Millis, now: Millis) -> u64 {
    let now = stamp(now, start_ms);
    u64::from(now.wrapping_sub(block.stamp())) * STAMP_MS
}

/// Resolution of the last-access stamp; 32 bits of it last two years.
pub(crate) const STAMP_MS: u64 = 16;

/// The last-access stamp of a moment.
pub(crate) fn stamp(now: Millis, start_ms: Millis) -> u32 {
    (now.saturating_sub(start_ms) / STAMP_MS) as u32
}
