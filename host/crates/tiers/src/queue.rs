//! Changes on their way to one tier: in order, the last of each key alone, and seen by whoever asks meanwhile.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;
use larder_engine::Millis;
use larder_engine::tier::{Stored, TierChange, TierKey};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a change takes beside its key and value: its places in list and table, and its allocations.
const CHANGE_BYTES: u64 = 160;

/// What a tier will hold of a key once it has caught up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Coming {
    /// This.
    Put(Arc<Stored>),
    /// Nothing.
    Nothing,
}

impl Coming {
    /// What there will be, unless it has expired.
    pub(crate) fn stored(self, now: Millis) -> Option<Arc<Stored>> {
        match self {
            Self::Put(stored) if !stored.is_expired(now) => Some(stored),
            Self::Put(_) | Self::Nothing => None,
        }
    }
}

/// See the module.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    filled: Notify,
    /// Rounds that are done.
    done: watch::Sender<u64>,
    bytes: AtomicU64,
    bytes_max: u64,
}

/// What is cleared: keys of a database, or of all, that begin so.
struct Cleared {
    tenant: Arc<str>,
    db: Option<u8>,
    prefix: Box<[u8]>,
}

struct Inner {
    /// What the next round takes.
    next: Batch<Vec<TierChange>>,
    /// What the tier is doing.
    flying: Batch<Arc<Vec<TierChange>>>,
    /// Rounds that were begun.
    begun: u64,
}

#[derive(Default)]
struct Batch<C> {
    changes: C,
    /// Places in `changes` of the last change of each key, unless all of its database goes behind it.
    places: HashTable<u32>,
    clears: Vec<Cleared>,
    bytes: u64,
}

impl Queue {
    /// One that whoever writes waits for above `bytes_max`.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                next: Batch::default(),
                flying: Batch::default(),
                begun: 0,
            }),
            filled: Notify::new(),
            done: watch::Sender::new(0),
            bytes: AtomicU64::new(0),
            bytes_max,
        }
    }

    /// Bytes on their way.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether whoever writes has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() > self.bytes_max
    }

    /// Adds a change behind all others. It takes the place of one of the same key that was not begun.
    pub(crate) fn push(&self, change: TierChange) {
        let bytes = bytes_of(&change);
        let mut inner = self.inner.lock();
        let was_empty = inner.next.changes.is_empty();
        let freed = inner.next.push(change);
        inner.next.bytes = inner.next.bytes + bytes - freed;
        drop(inner);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// What is on its way of a key, if something is.
    pub(crate) fn coming(&self, key: TierKey<'_>) -> Option<Coming> {
        let hash = hash_of(key);
        let inner = self.inner.lock();
        let next = inner.next.coming(&inner.next.changes, hash, key);
        next.or_else(|| inner.flying.coming(&inner.flying.changes, hash, key))
    }

    /// How many prefixes are on their way.
    pub(crate) fn prefixes(&self) -> u64 {
        let inner = self.inner.lock();
        let clears = inner.next.clears.iter().chain(&inner.flying.clears);
        clears.filter(|cleared| !cleared.prefix.is_empty()).count() as u64
    }

    /// The next round: everything there is, once there is something.
    pub(crate) async fn take(&self) -> Arc<Vec<TierChange>> {
        loop {
            // Made before the look, so that what comes behind it is not missed.
            let filled = self.filled.notified();
            if let Some(round) = self.begin() {
                return round;
            }
            filled.await;
        }
    }

    fn begin(&self) -> Option<Arc<Vec<TierChange>>> {
        let mut inner = self.inner.lock();
        if inner.next.changes.is_empty() {
            return None;
        }
        let next = mem::take(&mut inner.next);
        inner.begun += 1;
        inner.flying = Batch {
            changes: Arc::new(next.changes),
            places: next.places,
            clears: next.clears,
            bytes: next.bytes,
        };
        Some(Arc::clone(&inner.flying.changes))
    }

    /// The round that was taken is done.
    pub(crate) fn finish(&self) {
        let mut inner = self.inner.lock();
        let flying = mem::take(&mut inner.flying);
        let begun = inner.begun;
        drop(inner);
        self.bytes.fetch_sub(flying.bytes, Ordering::Relaxed);
        self.done.send_replace(begun);
    }

    /// Waits until everything that was added so far is done; `None` where nothing is on its way.
    pub(crate) fn settled(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let inner = self.inner.lock();
        let round = match (
            inner.next.changes.is_empty(),
            inner.flying.changes.is_empty(),
        ) {
            (false, _) => inner.begun + 1,
            (true, false) => inner.begun,
            (true, true) => return None,
        };
        let mut done = self.done.subscribe();
        drop(inner);
        Some(async move {
            // The queue is there for as long as whoever waits.
            let _ = done.wait_for(|done| *done >= round).await;
        })
    }
}

impl Batch<Vec<TierChange>> {
    /// Adds a change. Bytes of the one whose place it took.
    fn push(&mut self, change: TierChange) -> u64 {
        let key = match &change {
            TierChange::Clear(tenant, db) => {
                self.clear(Cleared {
                    tenant: Arc::clone(tenant),
                    db: *db,
                    prefix: Box::default(),
                });
                self.changes.push(change);
                return 0;
            }
            TierChange::ClearPrefix(key) => {
                self.clear(Cleared {
                    tenant: Arc::clone(&key.tenant),
                    db: Some(key.db),
                    prefix: key.bytes.clone(),
                });
                self.changes.push(change);
                return 0;
            }
            TierChange::Put(key, _) | TierChange::Delete(key) => key,
        };
        let hash = hash_of(key.borrow());
        let (changes, key) = (&mut self.changes, key.borrow());
        if let Some(place) = self.places.find(hash, |place| is_of(changes, *place, key)) {
            let before = mem::replace(&mut changes[*place as usize], change);
            return bytes_of(&before);
        }
        let place = changes.len() as u32;
        changes.push(change);
        self.places
            .insert_unique(hash, place, |place| hash_at(changes, *place));
        0
    }

    fn clear(&mut self, cleared: Cleared) {
        let changes = &self.changes;
        self.places.retain(|place| {
            let key = key_at(changes, *place);
            !key.is_some_and(|key| cleared.covers(key))
        });
        self.clears.push(cleared);
    }
}

impl<C> Batch<C> {
    fn coming(&self, changes: &[TierChange], hash: u64, key: TierKey<'_>) -> Option<Coming> {
        let place = self.places.find(hash, |place| is_of(changes, *place, key));
        match place.and_then(|place| changes.get(*place as usize)) {
            Some(TierChange::Put(_, stored)) => Some(Coming::Put(Arc::clone(stored))),
            Some(_) => Some(Coming::Nothing),
            None => {
                let mut clears = self.clears.iter();
                let is_cleared = clears.any(|cleared| cleared.covers(key));
                is_cleared.then_some(Coming::Nothing)
            }
        }
    }
}

impl Cleared {
    fn covers(&self, key: TierKey<'_>) -> bool {
        let is_database = self.db.is_none_or(|db| db == key.db);
        *self.tenant == *key.tenant && is_database && key.bytes.starts_with(&self.prefix)
    }
}

fn key_at(changes: &[TierChange], place: u32) -> Option<TierKey<'_>> {
    match changes.get(place as usize)? {
        TierChange::Put(key, _) | TierChange::Delete(key) => Some(key.borrow()),
        TierChange::Clear(..) | TierChange::ClearPrefix(_) => None,
    }
}

fn is_of(changes: &[TierChange], place: u32, key: TierKey<'_>) -> bool {
    key_at(changes, place) == Some(key)
}

fn hash_at(changes: &[TierChange], place: u32) -> u64 {
    key_at(changes, place).map_or(0, hash_of)
}

/// The hash of a key among those of all tenants. What it is used for lasts for moments and is bounded, so it needs no
/// secret.
pub(crate) fn hash_of(key: TierKey<'_>) -> u64 {
    let tenant = xxh3_64_with_seed(key.tenant.as_bytes(), u64::from(key.db));
    xxh3_64_with_seed(key.bytes, tenant)
}

fn bytes_of(change: &TierChange) -> u64 {
    let bytes = match change {
        TierChange::Put(key, stored) => key.bytes.len() + stored.value.len() + stored.note.len(),
        TierChange::Delete(key) | TierChange::ClearPrefix(key) => key.bytes.len(),
        TierChange::Clear(..) => 0,
    };
    bytes as u64 + CHANGE_BYTES
}
