//! What a read-modify-write may do to an entry.

use std::borrow::Cow;

use crate::Millis;

/// Whether an operation counts as a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Counts a hit or a miss, and a hit is noted for the evictor.
    Read,
    /// Counts neither.
    Write,
}

/// What becomes of an entry.
#[derive(Debug, Clone)]
pub enum Edit<'v> {
    /// It stays as it is.
    Keep,
    /// It gets this value; where there was none, it comes into being.
    Put {
        /// The whole new value.
        value: Cow<'v, [u8]>,
        /// What becomes of its expiry.
        expiry: Expiry,
    },
    /// These bytes go behind its value; its expiry stays. Where there was none it comes into being.
    Append(&'v [u8]),
    /// Only its expiry changes; `None` takes it away.
    Expire(Option<Millis>),
    /// It goes.
    Remove,
}

/// What becomes of an expiry when a value is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It stays; a new entry never expires.
    Keep,
    /// The entry never expires.
    Never,
    /// The entry expires then. A moment that has passed removes it.
    At(Millis),
}
