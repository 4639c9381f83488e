//! The keys that values are sealed with: a file, read whole, that nobody but its owner may read.
//!
//! ```text
//! larder key ring 1
//! key 5f0c7a1e 1795338000 l6vX…4w=
//! key 81d4e0b7 1798016400 9xT0…Jk= active
//! ```
//!
//! A key is its id, when it was made (Unix seconds) and 32 random bytes; new records are sealed under the
//! active one, all others only open what was sealed before. `#` begins a line that is passed over.

mod file;

use std::fmt;
use std::path::PathBuf;

use larder_engine::Millis;
use rand::TryRng;
use rand::rngs::SysRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::KeyId;
use super::xaes::KEY_BYTES;

/// Keys that a ring may have.
pub const KEYS_MAX: usize = 64;

/// What values are sealed with; one of its keys is active. Copies share nothing, and wipe themselves.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<RingKey>,
    active: usize,
}

#[derive(Clone)]
struct RingKey {
    id: KeyId,
    created_seconds: u64,
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

/// What may be told of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its name.
    pub id: KeyId,
    /// When it was made, in Unix seconds.
    pub created_seconds: u64,
    /// Whether new records are sealed under it.
    pub is_active: bool,
}

/// What is wrong with a key ring. No text of it tells anything of a secret.
#[derive(Debug, Error)]
pub enum RingError {
    /// There is no such file.
    #[error("{0}: there is no key ring; `larder keys new {0}` makes one", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("{}: the key ring cannot be {what}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// Others may read or change it, or it is no file of this user.
    #[error("{}: {why}", .path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// It is not what it should be.
    #[error("{}: {problem}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: Problem,
    },
    /// Another one is there.
    #[error("{}: there is a key ring already; `larder keys rotate` gives it another key", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What was asked of it is impossible.
    #[error("{0}")]
    Impossible(Problem),
}

/// What is wrong with what a key ring says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// There is nothing in it.
    #[error(
        "the key ring is empty: restore it from a copy, or remove it and make one with `larder keys new`"
    )]
    Empty,
    /// It is something else.
    #[error("this is no key ring: it has to begin with `larder key ring 1`")]
    NoRing,
    /// Its form is not known here.
    #[error("the key ring was made by a newer version of Larder (form {0}); this one reads form 1")]
    Newer(u32),
    /// It ends within a key, or before the first.
    #[error("the key ring is cut short in line {0}: restore it from a copy")]
    Short(usize),
    /// A line is none of a key ring.
    #[error(
        "the key ring cannot be understood in line {0}, which should be `key ID SECONDS SECRET` and perhaps `active`"
    )]
    Garbage(usize),
    /// Two of its keys have one name.
    #[error("the key ring has the key {0} twice: restore it from a copy")]
    Twice(KeyId),
    /// It does not have exactly one active key.
    #[error(
        "the key ring has {0} active keys, and needs one: mark the newest as `active`, no other"
    )]
    Active(usize),
    /// It has, or would have, more keys than a ring may.
    #[error(
        "the key ring has more than {KEYS_MAX} keys: remove old ones with `larder keys remove`"
    )]
    TooMany,
    /// It does not have the key that was named.
    #[error("the key ring has no key {0}")]
    NoKey(KeyId),
    /// The key that was named is in use.
    #[error("the key {0} is the active one: give the ring another with `larder keys rotate` first")]
    IsActive(KeyId),
    /// There is nothing to make a key of.
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(String),
}

impl KeyRing {
    /// A ring with one key, which is active.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate(now: Millis) -> Result<Self, RingError> {
        Ok(Self {
            keys: vec![RingKey::generate(now)?],
            active: 0,
        })
    }

    /// Gives it another key, which is the active one from now on.
    ///
    /// # Errors
    /// When there are too many already, or the system gives no random numbers.
    pub fn rotate(&mut self, now: Millis) -> Result<KeyId, RingError> {
        if self.keys.len() >= KEYS_MAX {
            return Err(RingError::Impossible(Problem::TooMany));
        }
        let mut key = RingKey::generate(now)?;
        while self.position(key.id).is_some() {
            key = RingKey::generate(now)?;
        }
        let id = key.id;
        self.active = self.keys.len();
        self.keys.push(key);
        Ok(id)
    }

    /// Takes a key away: what is sealed under it cannot be read any more.
    ///
    /// # Errors
    /// When it is the active one, or there is no such key.
    pub fn remove(&mut self, id: KeyId) -> Result<(), RingError> {
        let Some(at) = self.position(id) else {
            return Err(RingError::Impossible(Problem::NoKey(id)));
        };
        if at == self.active {
            return Err(RingError::Impossible(Problem::IsActive(id)));
        }
        self.keys.remove(at);
        self.active -= usize::from(at < self.active);
        Ok(())
    }

    /// Its keys in the order in which they were made.
    pub fn keys(&self) -> impl Iterator<Item = KeyEntry> + '_ {
        self.keys.iter().enumerate().map(|(at, key)| KeyEntry {
            id: key.id,
            created_seconds: key.created_seconds,
            is_active: at == self.active,
        })
    }

    /// The key that new records are sealed under.
    pub fn active(&self) -> KeyId {
        self.keys[self.active].id
    }

    pub(super) fn secret(&self, id: KeyId) -> Option<&[u8; KEY_BYTES]> {
        self.position(id).map(|at| &*self.keys[at].secret)
    }

    fn position(&self, id: KeyId) -> Option<usize> {
        self.keys.iter().position(|key| key.id == id)
    }
}

impl RingKey {
    fn generate(now: Millis) -> Result<Self, RingError> {
        let (mut id, mut secret) = ([0; 4], Zeroizing::new([0; KEY_BYTES]));
        SysRng
            .try_fill_bytes(&mut id)
            .and_then(|()| SysRng.try_fill_bytes(&mut *secret))
            .map_err(|error| RingError::Impossible(Problem::NoRandomness(error.to_string())))?;
        Ok(Self {
            id: KeyId(u32::from_le_bytes(id)),
            created_seconds: now / 1000,
            secret,
        })
    }
}

/// Without the secrets.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
