//! What a read-modify-write may do to an entry.

use std::borrow::Cow;

use crate::{Label, Millis};

/// Whether an operation counts as a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Counts a hit or a miss, and a hit is noted for the evictor.
    Read,
    /// Counts neither.
    Write,
    /// Counts neither, and where the key is new and room is short, the eviction policy may refuse it:
    /// [`crate::Error::Refused`]. With the priority it is to have.
    Offer(u8),
    /// Counts neither, and takes place only while this is the token of the key's lease: else
    /// [`crate::Error::LeaseOver`].
    Lease(u64),
}

impl Access {
    /// The same, but a read counts for nothing.
    pub(crate) fn quiet(self) -> Self {
        match self {
            Self::Read => Self::Write,
            other => other,
        }
    }
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
        /// What it carries from now on beside its value; `None` for what it carries already.
        label: Option<Label<'v>>,
    },
    /// These bytes go behind its value; its expiry and label stay. Where there was none it comes into being.
    Append(&'v [u8]),
    /// These bytes go into its value, over what is there and beyond its end; where its value ends before
    /// `at`, zeros go between, even if no byte follows. Its expiry and label stay. Where there was none it comes into being.
    Patch {
        /// Where in the value, in bytes.
        at: usize,
        /// What to write there.
        bytes: Cow<'v, [u8]>,
    },
    /// Only its expiry changes; `None` takes it away.
    Expire(Option<Millis>),
    /// It goes.
    Remove,
}

impl<'v> Edit<'v> {
    /// A new value without a label; one that keeps its expiry keeps its label, too.
    pub fn put(value: impl Into<Cow<'v, [u8]>>, expiry: Expiry) -> Self {
        Self::Put {
            value: value.into(),
            expiry,
            label: (expiry != Expiry::Keep).then_some(Label::NONE),
        }
    }
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
