//! Keys over which a level that several hosts share has authority: what becomes of them is decided there, in one step with a
//! look at what they are.
//!
//! Memory has such a key for the time of one command alone: what the level holds is borrowed, the command works on it, and
//! what it made is given back and becomes so in the level, unless it has changed there meanwhile.

use std::time::Instant;

use crate::entry::{Key, Millis};
use crate::tier::{Answer, Stored, TierError, TierKeyBuf};

/// What a level holds under a key at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The entry, if there is one. When it expires is told by the clock of whoever asked.
    pub stored: Option<Stored>,
    /// How the level knows whether it has changed.
    pub mark: Mark,
}

/// As a key was when it was seen, in the level's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// What changes with every change.
    pub state: Box<[u8]>,
    /// When it was looked at, by the level's clock.
    pub at_us: u64,
}

/// What becomes of a key that is as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Becomes {
    /// It stays: it only has to be unchanged.
    Same,
    /// This; whether its expiry stays what it is.
    Entry(Box<Stored>, bool),
    /// Nothing.
    Nothing,
}

impl Becomes {
    /// Bytes of its value.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Entry(stored, _) => stored.value.len(),
            Self::Same | Self::Nothing => 0,
        }
    }
}

/// A key, as it was seen, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Which.
    pub key: TierKeyBuf,
    /// As it was.
    pub mark: Mark,
    /// As it is to be.
    pub becomes: Becomes,
}

/// A tier that can have the authority over keys. Keys that are asked for together are seen and changed at one moment.
pub trait Arbiter: Send + Sync {
    /// What it holds under each of `keys`. Where that is more than `bytes_max` of values it is [`TierError::Refused`], and next
    /// to nothing of it is brought.
    fn look<'a>(
        &'a self,
        keys: &'a [TierKeyBuf],
        bytes_max: u64,
        now: Millis,
    ) -> Answer<'a, Result<Vec<Seen>, TierError>>;

    /// Does all of `swaps` if all keys are as they were seen, else nothing. Whether it has. `now` is when the expiries were
    /// told. What is not done by `until` is an error: [`TierError::Uncertain`] where it may have been done, or may yet be,
    /// [`TierError::Unavailable`] where it is not and will not be.
    fn swap<'a>(
        &'a self,
        swaps: &'a [Swap],
        now: Millis,
        until: Instant,
    ) -> Answer<'a, Result<bool, TierError>>;
}

/// How far a command is that looks at keys until its change is not in vain, and what it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Changes that were in vain so far.
    pub tries: u32,
    /// When it is given up, once it has begun.
    pub until: Option<Instant>,
    /// What the values of its keys may have.
    pub bytes_max: u64,
}

/// Keys as they were seen. Nobody else of this host looks at them until it is dropped.
pub struct Look {
    /// In the order in which they were asked for.
    pub seen: Vec<Seen>,
    /// When the command that looks is given up.
    pub until: Instant,
    /// Keeps others waiting.
    pub turns: Box<dyn Send>,
}

/// What lies below a tenant's memory and has the authority over some of its keys.
pub trait Authority: Send + Sync {
    /// Whether it has it over this one.
    fn rules(&self, key: Key<'_>) -> bool;

    /// As [`Arbiter::look`].
    fn look(
        &self,
        keys: &[Key<'_>],
        attempt: Attempt,
        now: Millis,
    ) -> Answer<'static, Result<Look, TierError>>;

    /// As [`Arbiter::swap`], of keys that are in the order in which they were seen, within the level's deadline.
    fn swap(
        &self,
        keys: &[Key<'_>],
        swaps: Vec<(Mark, Becomes)>,
        now: Millis,
    ) -> Answer<'static, Result<bool, TierError>>;
}
