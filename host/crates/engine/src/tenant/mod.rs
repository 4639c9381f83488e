//! A tenant: a store of its own.

mod ahead;
mod authority;
mod distrust;
mod fetch;
mod guest;
mod hottest;
mod install;
mod invalidate;
mod lease;
mod listen;
mod locked;
mod record;
mod room;
mod standing;
mod store;
mod walk;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::below::Below;
use crate::changes::Changes;
use crate::edit::{Access, Edit};
use crate::engine::TenantConfig;
use crate::entry::{Entry, KEY_BYTES_MAX, Key, Millis};
use crate::error::{ConfigError, Error};
use crate::evictor::EvictorFactory;
use crate::places::{Places, Table};
use crate::reuse::{ReuseFactory, foreseeing};
use crate::shard::block::block_bytes;
use crate::shard::{AheadCounts, Around, At, Refusal, Shard, ShardConfig, State, hash};
use crate::size_class::SizeClasses;
use crate::stats::{Invalidation, TenantStats};
use crate::tags::{Known, Tags};

pub use ahead::{Prewarmed, Waits};
pub use fetch::Ticket;
pub(crate) use hottest::Heat;
pub use hottest::{HotCursor, HotKey, Hottest};
use invalidate::Sweep;
pub use locked::Locked;
pub use record::Recording;
pub use standing::Standing;
pub use store::{Several, Store};
pub use walk::FlushCursor;
pub use watch::Watch;

/// The least memory a tenant can work with.
pub const TENANT_BYTES_MIN: u64 = 1024 * 1024;

/// An entry may take this part of its tenant's memory.
const ENTRY_PART: u64 = 8;
/// Times a write makes more room because its value grew meanwhile, before it gives up.
const RETRIES_MAX: usize = 16;

/// A store of its own: shards, bytes, evictors and statistics that no other tenant sees.
pub struct Tenant {
    number: usize,
    name: String,
    /// Makes the evictors that rule.
    ruler: Mutex<Arc<dyn EvictorFactory>>,
    reuse: Option<Arc<dyn ReuseFactory>>,
    /// Held while evictors are replaced.
    succession: Mutex<()>,
    /// Its share of the memory as configured: what shards and evictors were made for.
    share_bytes: u64,
    /// What it may have of that.
    memory_bytes: AtomicU64,
    classes: SizeClasses,
    hash_seed: u64,
    /// Where its databases are.
    places: Table,
    /// For evictors, each with its shard's number.
    evictor_seed: u64,
    shards: Box<[Shard]>,
    /// Bytes in use: what the shards hold, their evictors' memory, and what writers have reserved.
    used_bytes: AtomicU64,
    /// Bytes that may be used; the governor may hold it below `memory_bytes`.
    budget_bytes: AtomicU64,
    /// What writers may fill: the budget, or more while maintenance is on its way down to that.
    ceiling_bytes: AtomicU64,
    /// Where evicting ahead goes on.
    next_shard: AtomicU64,
    volatile_only: bool,
    /// Whether somebody records what clients do.
    is_recorded: AtomicBool,
    /// Who hears of its changes.
    changes: Arc<Changes>,
    tags: Arc<Tags>,
    /// How far void entries were removed.
    sweep: Mutex<Sweep>,
    /// Invalidations, by [`Invalidation`].
    invalidations: [AtomicU64; Invalidation::ALL.len()],
    below: Option<Arc<dyn Below>>,
    /// What became of what was fetched ahead.
    ahead: Arc<AheadCounts>,
}

/// What the engine shares among tenants.
#[derive(Clone, Copy)]
pub(crate) struct Shared {
    pub(crate) classes: SizeClasses,
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    pub(crate) start_ms: Millis,
    pub(crate) volatile_only: bool,
}

impl Tenant {
    pub(crate) fn new(
        number: usize,
        config: &TenantConfig,
        shared: Shared,
    ) -> Result<Self, ConfigError> {
        let shards = shard_count(shared.threads, config.memory_bytes);
        let hash_seed = shared.seed;
        let (changes, below) = (Arc::new(Changes::default()), config.below.clone());
        let ahead = Arc::<AheadCounts>::default();
        let tags = tags_of(config, [shared.seed, seed_of(shared.seed, shards)]);
        let around = Around {
            changes: Arc::clone(&changes),
            tags: Arc::clone(&tags),
            below: below.clone(),
            vault: config.vault.clone(),
            ahead_counts: Arc::clone(&ahead),
        };
        let shard = |number: u64| {
            let random_seed = seed_of(shared.seed, number);
            let shard = ShardConfig {
                classes: shared.classes,
                share_bytes: config.memory_bytes / shards,
                entry_bytes_max: (config.memory_bytes / ENTRY_PART) as usize,
                hash_seed,
                random_seed,
                start_ms: shared.start_ms,
                volatile_only: shared.volatile_only,
            };
            let evictor = config
                .evictor
                .build(random_seed, config.memory_bytes / shards);
            evictor
                .map(|evictor| foreseeing(evictor, config.reuse.as_ref(), random_seed))
                .map(|evictor| Shard::new(shard, evictor, around.clone()))
                .map_err(|unfit| ConfigError::Evictor {
                    tenant: config.name.clone(),
                    reason: unfit.to_string(),
                })
        };
        let tenant = Self {
            number,
            name: config.name.clone(),
            ruler: Mutex::new(Arc::clone(&config.evictor)),
            reuse: config.reuse.clone(),
            succession: Mutex::new(()),
            share_bytes: config.memory_bytes,
            memory_bytes: AtomicU64::new(config.memory_bytes),
            classes: shared.classes,
            hash_seed,
            places: Table::new(),
            evictor_seed: shared.seed,
            shards: (0..shards).map(shard).collect::<Result<_, _>>()?,
            used_bytes: AtomicU64::new(0),
            budget_bytes: AtomicU64::new(config.memory_bytes),
            ceiling_bytes: AtomicU64::new(config.memory_bytes),
            next_shard: AtomicU64::new(0),
            volatile_only: shared.volatile_only,
            is_recorded: AtomicBool::new(false),
            changes,
            sweep: Mutex::new(Sweep::new(tags.now())),
            tags,
            invalidations: Default::default(),
            below,
            ahead,
        };
        tenant.use_bytes(tenant.tags.memory_bytes() as i64);
        for shard in &tenant.shards {
            tenant.use_bytes(shard.state.lock().settle());
        }
        Ok(tenant)
    }

    /// Its place among the engine's tenants, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The name it goes by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its share of the memory: as configured, or as [`Self::set_memory`] said since.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Whether nothing is evicted but what would expire anyway.
    pub fn is_volatile_only(&self) -> bool {
        self.volatile_only
    }

    /// Bytes one entry may take, key, header and the allocator's rounding included.
    pub fn entry_bytes_max(&self) -> usize {
        (self.share_bytes / ENTRY_PART) as usize
    }

    /// Who hears of its changes.
    pub fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// How many shards it has: a power of two.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// A read that counts: a hit or a miss in the statistics, the access noted for the evictor and
    /// the idle clock. `read` runs under the shard's lock: copy out, do nothing slow.
    #[inline]
    pub fn get<R>(
        &self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let mut at = self.at(key, now);
        let (shard, mut state) = self.enter(key, &mut at);
        let result = state.get(&at, read);
        let waiting = state.events_waiting();
        drop(state);
        if waiting >= State::NOTES_DUE && shard.is_prompt() {
            self.deliver(shard, waiting);
        }
        result
    }

    /// A look that leaves no trace: neither statistics nor evictor nor idle clock know of it.
    pub fn peek<R>(
        &self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let mut at = self.at(key, now);
        let (_, mut state) = self.enter(key, &mut at);
        state.peek(&at, read)
    }

    /// An atomic read-modify-write of one key.
    ///
    /// `edit` sees the entry and says what becomes of it; it runs under the shard's lock, and again
    /// if more room has to be made first, so it must be pure up to its answer. `bytes_hint` is the
    /// expected length of the new value and its label, 0 where none is written. Room is made before
    /// `edit` looks, as Redis makes it before a command; the entry itself may have to go for it, and
    /// `edit` then finds none.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::NoteTooLong`], [`Error::EntryTooLarge`],
    /// [`Error::OutOfMemory`]: nothing was changed. [`Error::Refused`], only for [`Access::Offer`]:
    /// there is no such entry any more.
    pub fn update<'v, R>(
        &self,
        key: Key<'_>,
        now: Millis,
        access: Access,
        bytes_hint: usize,
        mut edit: impl FnMut(Option<Entry<'_>>) -> (Edit<'v>, R),
    ) -> Result<R, Error> {
        check_key(key)?;
        let mut at = self.at(key, now);
        let mut room = match bytes_hint {
            0 => 0,
            hint => block_bytes(self.classes, 0, key.bytes.len(), hint),
        };
        let offered = match access {
            // Refused it would be evicted, and it may be one that never is.
            Access::Offer(priority) if !self.volatile_only => Some(priority),
            Access::Offer(_) | Access::Read | Access::Write | Access::Lease(_) => None,
        };
        for _ in 0..RETRIES_MAX {
            let reserved = match self.reserve(&at, room, offered) {
                Err(Error::Refused) => {
                    // Whoever wrote it meanwhile did so before this write.
                    self.remove(key, now);
                    return Err(Error::Refused);
                }
                reserved => reserved?,
            };
            let (shard, mut state) = self.enter(key, &mut at);
            let outcome = state.update(&at, access, reserved.bytes(), &mut edit);
            let change = state.settle();
            let (waiting, garbage) = (state.events_waiting(), state.take_garbage());
            drop(state);
            let took_time = reserved.took_time;
            reserved.settle(change);
            garbage.free();
            if waiting >= State::NOTES_DUE && !took_time {
                self.deliver(shard, waiting);
            }
            match outcome {
                Ok(result) => return Ok(result),
                Err(Refusal::Never(error)) => return Err(error),
                Err(Refusal::Short { bytes }) => room = bytes,
            }
        }
        Err(Error::OutOfMemory)
    }

    /// Removes a key. Whether it was there.
    pub fn remove(&self, key: Key<'_>, now: Millis) -> bool {
        let mut at = self.at(key, now);
        let (shard, mut state) = self.enter(key, &mut at);
        let removed = state.remove(&at);
        let change = state.settle();
        let (waiting, garbage) = (state.events_waiting(), state.take_garbage());
        drop(state);
        self.use_bytes(change);
        garbage.free();
        if waiting >= State::NOTES_DUE {
            self.deliver(shard, waiting);
        }
        removed
    }

    /// Entries in database `db`; those that expired and were not removed yet count.
    pub fn len(&self, db: u8) -> u64 {
        // All shards are asked about what is in one place, though the database may leave it meanwhile.
        let mut place = None;
        let entries = self.shards.iter().map(|shard| {
            let state = shard.state.lock();
            let place = *place.get_or_insert_with(|| state.places().place_of(db));
            state.stats().entries[usize::from(place)]
        });
        entries.sum()
    }

    /// Whether database `db` has no entry.
    pub fn is_empty(&self, db: u8) -> bool {
        self.len(db) == 0
    }

    /// The figures, summed over the shards, each as it is when its turn comes.
    pub fn stats(&self) -> TenantStats {
        let mut sum = self.stats_beside_shards();
        for shard in &self.shards {
            sum.add(shard.state.lock().stats());
        }
        sum.name(self.places.look());
        sum
    }

    /// The figures that no shard's lock is needed for.
    fn stats_beside_shards(&self) -> TenantStats {
        TenantStats {
            budget_bytes: self.budget_bytes.load(Ordering::Relaxed),
            used_bytes: self.used_bytes.load(Ordering::Relaxed),
            memory_bytes: self.memory_bytes(),
            shards: self.shards.len() as u64,
            invalidations: self.invalidations(),
            tags: self.tags.figures(),
            evictor_bytes: self.shards.iter().map(Shard::evictor_bytes).sum(),
            ..TenantStats::default()
        }
    }

    #[inline]
    fn at<'k>(&self, key: Key<'k>, now: Millis) -> At<'k> {
        self.at_by(self.places.look(), key, now)
    }

    /// Where a key is by that table.
    #[inline]
    fn at_by<'k>(&self, places: Places, key: Key<'k>, now: Millis) -> At<'k> {
        let key = places.kept(key);
        At {
            hash: hash(self.hash_seed, key),
            key,
            now,
        }
    }

    /// Locks the shard of a key that was found to be `at`, and says so there if it is elsewhere: databases may
    /// have changed places before the lock, but not while it is held.
    #[inline]
    fn enter<'k>(&self, key: Key<'k>, at: &mut At<'k>) -> (&Shard, MutexGuard<'_, State>) {
        let shard = self.shard_of(at.hash);
        let state = shard.state.lock();
        if state.places().place_of(key.db) == at.key.db {
            return (shard, state);
        }
        drop(state);
        self.enter_again(key, at)
    }

    /// Whoever comes too late again and again waits for as many SWAPDBs.
    #[cold]
    fn enter_again<'k>(&self, key: Key<'k>, at: &mut At<'k>) -> (&Shard, MutexGuard<'_, State>) {
        loop {
            *at = self.at(key, at.now);
            let shard = self.shard_of(at.hash);
            let state = shard.state.lock();
            if state.places().place_of(key.db) == at.key.db {
                return (shard, state);
            }
        }
    }

    fn shard_index(&self, hash: u64) -> usize {
        (hash >> 56) as usize & (self.shards.len() - 1)
    }

    fn shard_of(&self, hash: u64) -> &Shard {
        &self.shards[self.shard_index(hash)]
    }
}

/// The tenant's tags: those that outlast the process, where what lies below does.
fn tags_of(config: &TenantConfig, key: [u64; 2]) -> Arc<Tags> {
    let kept = config.below.as_ref().and_then(|below| below.tags());
    kept.unwrap_or_else(|| Arc::new(Tags::new(key, &Known::default())))
}

/// The seed of what is random in a shard.
fn seed_of(seed: u64, shard: u64) -> u64 {
    seed.rotate_left(17) ^ (shard + 1).wrapping_mul(0x9E37_79B9)
}

fn check_key(key: Key<'_>) -> Result<(), Error> {
    let (bytes, bytes_max) = (key.bytes.len(), KEY_BYTES_MAX);
    if bytes > bytes_max {
        Err(Error::KeyTooLong { bytes, bytes_max })
    } else {
        Ok(())
    }
}

/// Shards a thread. With four, two threads that only read wait for each other often enough to cost a
/// third of their time.
const SHARDS_A_THREAD: u64 = 16;
const SHARDS_MAX: u64 = 256;

/// So many shards a thread, but none below a mebibyte; a power of two.
fn shard_count(threads: usize, memory_bytes: u64) -> u64 {
    let wanted = (SHARDS_A_THREAD * threads.max(1) as u64)
        .next_power_of_two()
        .min(SHARDS_MAX);
    let affordable = (memory_bytes / TENANT_BYTES_MIN).max(1);
    wanted.min(1 << affordable.ilog2())
}

#[cfg(test)]
mod tests;
