//! Hooks: who is told of entries that go though no client names them.

use std::sync::Arc;

use larder_engine::Key;
use larder_engine::changes::Change;
use larder_engine::glob::Pattern;

use crate::http::json_of;

/// Why an entry went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// With others, by a tag or a prefix.
    Invalidated,
    /// To make room.
    Evicted,
    /// Its time had come.
    Expired,
}

impl Gone {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Invalidated, Self::Evicted, Self::Expired];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalidated => "invalidate",
            Self::Evicted => "evict",
            Self::Expired => "expire",
        }
    }

    pub(super) fn of(change: Change) -> Option<Self> {
        match change {
            Change::Invalidated => Some(Self::Invalidated),
            Change::Evicted => Some(Self::Evicted),
            Change::Expired => Some(Self::Expired),
            Change::Written | Change::Expiry | Change::Removed | Change::Elsewhere => None,
        }
    }
}

/// Takes what a hook has to tell elsewhere.
pub trait HookSink: Send + Sync {
    /// Told under a shard's lock, an object of JSON: it must not wait.
    fn tell(&self, event: String);
}

/// Where a hook tells.
pub enum HookTarget {
    /// In a channel of the tenant.
    Channel(Vec<u8>),
    /// Elsewhere.
    Sink(Arc<dyn HookSink>),
}

/// Who is told of what.
pub struct Hook {
    /// Of whose entries.
    pub tenant: String,
    /// Of what.
    pub on: Vec<Gone>,
    /// Of which keys.
    pub keys: Pattern,
    /// Where.
    pub target: HookTarget,
}

impl Hook {
    pub(super) fn wants(&self, gone: Gone, key: Key<'_>) -> bool {
        self.on.contains(&gone) && self.keys.matches(key.bytes)
    }
}

/// What is told of a key.
pub(super) fn event(gone: Gone, key: Key<'_>) -> String {
    let (name, db, key) = (gone.name(), key.db, json_of(key.bytes));
    format!("{{\"event\":\"{name}\",\"db\":{db},\"key\":{key}}}")
}

#[cfg(test)]
mod tests;
