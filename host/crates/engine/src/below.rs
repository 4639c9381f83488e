//! The port to what lies below a tenant's memory, as its shards and commands see it.
//!
//! A shard tells of its changes under its lock, in their order. Whoever finds a key absent asks for its [`Sight`];
//! what is not at hand is loaded, and put into memory by a [`crate::Ticket`] that was taken before: a change that came
//! meanwhile makes it void.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::authority::Authority;
use crate::entry::{Entry, Key, Millis};
use crate::tags::Tags;
use crate::tier::{Answer, Stored, TierError};

/// What is known of a key without waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// There is nothing.
    Absent,
    /// This, which is on its way down.
    There(Arc<Stored>),
    /// There may be something; to be loaded.
    Maybe,
}

/// How many replicas are to have a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replication {
    /// So many, in the level that waits for the fewest.
    pub replicas: u32,
    /// Changes that not as many had in time, or that were acknowledged before they were done, since the start.
    pub short: u64,
}

/// How far down a key is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// What the cache holds: memory and levels.
    Cache,
    /// Beyond it, where a loader says what keys like this one stand for.
    Origin,
}

/// Where something came from that is admitted to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was in the cache.
    Levels,
    /// A loader brought it.
    Loader {
        /// Whether the cache had nothing of the key. It may have where a level could not be asked: what was brought is
        /// then not to stay in memory unasked.
        is_known_absent: bool,
    },
}

/// What a load found, which several may have asked for.
pub type Loaded = Result<Option<Arc<Stored>>, TierError>;

/// What lies below the memory of one tenant.
pub trait Below: Send + Sync {
    /// An entry was written, or its expiry changed. Told under the shard's lock: it must not wait nor come back
    /// to the tenant. Whether the entry is to stay in memory.
    fn put(&self, key: Key<'_>, entry: Entry<'_>) -> bool;

    /// A key was removed, which may not have been in memory. Told as [`Self::put`] is.
    fn delete(&self, key: Key<'_>);

    /// An entry went from memory to make room. Told as [`Self::put`] is.
    fn evicted(&self, key: Key<'_>, entry: Entry<'_>);

    /// A database, or all of them, is about to be emptied: nothing that was told before is there any more.
    fn clear(&self, db: Option<u8>);

    /// The keys of a database that begin so are about to go, as with [`Self::clear`].
    ///
    /// # Errors
    /// [`TierError::Refused`] where as many prefixes are being removed as may be: nothing has changed.
    fn clear_prefix(&self, db: u8, prefix: &[u8]) -> Result<(), TierError>;

    /// Another number when [`Self::clear`] or [`Self::clear_prefix`] begins and when it is over. What was looked for before is
    /// void.
    fn clears(&self) -> u64;

    /// What there is of a key, as far as that is known at once. Takes well under a microsecond; it may be
    /// asked under the shard's lock.
    fn sight(&self, key: Key<'_>, reach: Reach, now: Millis) -> Sight;

    /// Loads what there is of a key. Those who ask for the same at the same time share one load. Dropping the
    /// answer does not end it.
    fn load(&self, key: Key<'_>, reach: Reach, now: Millis) -> Answer<'static, Loaded>;

    /// As [`Self::load`], of a key that nobody has asked for yet: that there is none is not remembered, as it may be made
    /// before anybody asks.
    fn load_ahead(&self, key: Key<'_>, reach: Reach, now: Millis) -> Answer<'static, Loaded> {
        self.load(key, reach, now)
    }

    /// Waits for a place among the loads that nobody has asked for, which leave some of the others free where there are few. It
    /// is to be held until [`Self::load_ahead`] has ended; meanwhile the key may have come.
    fn place_ahead(&self, key: Key<'_>, reach: Reach) -> Option<Answer<'static, Box<dyn Send>>> {
        let _ = (key, reach);
        None
    }

    /// What was loaded came into memory. Told as [`Self::put`] is, but not while its database is emptied.
    fn admitted(&self, key: Key<'_>, entry: Entry<'_>) -> Origin {
        let _ = (key, entry);
        Origin::Levels
    }

    /// The tenant's tags, where they outlast the process as what is below does.
    fn tags(&self) -> Option<Arc<Tags>> {
        None
    }

    /// Another host has changed a key, or may have changed any: what was looked for before is void, and what of the key
    /// lies here alone goes. Told as [`Self::put`] is of a key, and of any before the memory doubts them.
    fn changed_elsewhere(&self, key: Option<Key<'_>>) {
        let _ = key;
    }

    /// Until when what is in memory is as good as what others do is told; `None` where there are no others. Later it is as if
    /// anything may have been changed elsewhere, whatever was said of it.
    fn good_until(&self) -> Option<Arc<AtomicU64>> {
        None
    }

    /// Whether it can be asked at the moment for a key that may have been changed elsewhere, and would answer. Where a change
    /// of this host is on its way nobody else knows more of the key. Asked as [`Self::put`] is told.
    fn can_tell(&self, key: Key<'_>) -> bool {
        let _ = key;
        true
    }

    /// For how long what may have been changed elsewhere is found in memory at most, while it cannot be asked for that.
    fn stale_ms_max(&self) -> Millis {
        Millis::MAX
    }

    /// Who has the authority over some keys, if a level does. Of these nothing is kept in memory.
    fn authority(&self) -> Option<&dyn Authority> {
        None
    }

    /// Tags were invalidated, which is to outlast the process and to reach those who share a level. Told as [`Self::put`]
    /// is, under no lock.
    fn tags_invalidated(&self, tags: &[&[u8]]) {
        let _ = tags;
    }

    /// Others have invalidated tags, which is to outlast the process; nobody waits for that.
    fn tags_learned(&self) {}

    /// An entry was read whose label says what it cost to load. Told as [`Self::put`] is.
    fn was_read(&self, key: Key<'_>, entry: Entry<'_>, now: Millis) {
        let _ = (key, entry, now);
    }

    /// An entry that was loaded will be asked for, and its time will be over before: it is to be loaded anew.
    fn renew(&self, key: Key<'_>) {
        let _ = key;
    }

    /// As [`Self::load`] within the cache, and the thread waits for it; for `patience` at most.
    fn load_here(&self, key: Key<'_>, now: Millis, patience: Duration) -> Loaded;

    /// How many changes were told by this thread so far.
    fn told(&self) -> u64;

    /// What to wait for before the changes that this thread has told are acknowledged; `None` for nothing.
    fn settled(&self) -> Option<Answer<'static, ()>>;

    /// How many replicas have what was told once that is settled, where a level waits for any.
    fn replication(&self) -> Option<Replication> {
        None
    }

    /// Whether so much is on its way down that those who write have to wait for [`Self::settled`].
    fn is_full(&self) -> bool;

    /// Whether so much waits for a slower tier that is away that nothing more is to be written.
    fn refuses(&self) -> bool {
        false
    }

    /// The thread waits until there is room for more on its way down; for `patience` at most. Whether there is.
    fn await_room_here(&self, patience: Duration) -> bool;
}
