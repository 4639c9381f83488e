//! Why a record is not read, and why none is made.

use larder_engine::tier::TierError;
use thiserror::Error;

use super::{DictionaryId, KeyId};

/// Why the bytes under a key are not an entry. Such a record counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    /// It ends too early, goes on too long, or was never a record.
    #[error("a record is cut short, or is none")]
    Malformed,
    /// It has a form that is not known here.
    #[error("a record was written by a newer version of Larder (form {0})")]
    Newer(u8),
    /// It claims to hold more than an entry may have.
    #[error("a record claims to hold {0} bytes, more than an entry may have")]
    TooLarge(u64),
    /// The key that it was sealed under is gone.
    #[error("a record is sealed under the key {0}, which the key ring does not have")]
    UnknownKey(KeyId),
    /// The dictionary that it was compressed with is gone.
    #[error("a record is compressed with the dictionary {0}, which is not there any more")]
    UnknownDictionary(DictionaryId),
    /// Its seal does not fit to what it holds and where it was found.
    #[error("a record's seal is broken: it was changed, or was written under another key")]
    Forged,
    /// It would have to be sealed, and is not.
    #[error("a record is not sealed, as it would have to be")]
    Unsealed,
    /// What it holds cannot be unpacked to what it says.
    #[error("what a record holds cannot be unpacked")]
    Unpackable,
}

impl Damage {
    /// All kinds, as figures name them.
    pub const KINDS: [&str; 8] = [
        "malformed",
        "newer",
        "too_large",
        "unknown_key",
        "unknown_dictionary",
        "forged",
        "unsealed",
        "unpackable",
    ];

    /// Its place in [`Self::KINDS`].
    pub(super) fn kind(self) -> usize {
        match self {
            Self::Malformed => 0,
            Self::Newer(_) => 1,
            Self::TooLarge(_) => 2,
            Self::UnknownKey(_) => 3,
            Self::UnknownDictionary(_) => 4,
            Self::Forged => 5,
            Self::Unsealed => 6,
            Self::Unpackable => 7,
        }
    }
}

impl From<Damage> for TierError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.to_string())
    }
}

/// Why no record was made of an entry, which stays in memory alone then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It is to be sealed, and nothing is there to seal it with.
    #[error(
        "an entry may leave the process only sealed, and there is no key for it: make a key ring with `larder keys new` and name it, and set `encrypt` to \"marked\" or \"all\""
    )]
    NoKey,
    /// It is longer than what would be read again.
    #[error("an entry of {0} bytes is more than the {1} that a tier takes")]
    TooLarge(usize, usize),
    /// Without random numbers nothing can be sealed.
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(String),
}

impl From<Refusal> for TierError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoRandomness(_) => Self::Unavailable(refusal.to_string()),
            Refusal::NoKey | Refusal::TooLarge(..) => Self::Refused(refusal.to_string()),
        }
    }
}
