//! The port to whoever wants to hear of changes: which key, and what became of it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use larder_sdk::Removal;

use crate::entry::Key;
use crate::places::Places;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its value was written.
    Written,
    /// Its expiry was set or taken away.
    Expiry,
    /// It was removed.
    Removed,
    /// It went because its time had come.
    Expired,
    /// It went to make room.
    Evicted,
    /// It went with others, by a tag or a prefix.
    Invalidated,
    /// Another host changed it below; it may not have been here.
    Elsewhere,
}

impl From<Removal> for Change {
    fn from(removal: Removal) -> Self {
        match removal {
            Removal::Deleted => Self::Removed,
            Removal::Expired => Self::Expired,
            Removal::Evicted => Self::Evicted,
        }
    }
}

/// Hears of the changes of a tenant.
pub trait Listener: Send + Sync {
    /// Told under the shard's lock, in the order of the changes of each key. It must not wait for
    /// anybody nor come back to the tenant.
    fn changed(&self, key: Key<'_>, change: Change);

    /// A database, or all of them, has been emptied; what went is not told one by one. Told when the last
    /// of it is gone, maybe while shards are held.
    fn emptied(&self, db: Option<u8>);
}

/// Who hears of the changes of a tenant, and whether anybody wants to at the moment.
#[derive(Default)]
pub struct Changes {
    listener: OnceLock<Arc<dyn Listener>>,
    wanted: AtomicUsize,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl Changes {
    /// Has `listener` told of changes while they are wanted. The first one stays.
    pub fn connect(&self, listener: Arc<dyn Listener>) {
        self.listener.get_or_init(|| listener);
    }

    /// Somebody wants changes told from now on. What is written after the caller's next look at an entry
    /// is told; before that it may not be.
    pub fn want(&self) {
        self.wanted.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends one [`Self::want`].
    pub fn want_no_more(&self) {
        self.wanted.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether anybody wants changes told.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    /// The shard's lock orders this look at whether changes are wanted behind a [`Self::want`] that came
    /// before another look at the same entry, so it need not order anything itself.
    #[inline]
    fn listener(&self) -> Option<&Arc<dyn Listener>> {
        match self.is_wanted() {
            false => None,
            true => self.listener.get(),
        }
    }

    /// `key` is as it is kept.
    #[inline]
    pub(crate) fn tell(&self, places: Places, key: Key<'_>, change: Change) {
        if let Some(listener) = self.listener() {
            listener.changed(places.named(key), change);
        }
    }

    pub(crate) fn tell_emptied(&self, db: Option<u8>) {
        if let Some(listener) = self.listener() {
            listener.emptied(db);
        }
    }
}
