//! The entries of a shard and everything kept to find them; always under the shard's lock.

use std::ops::Range;
use std::sync::Arc;

use larder_sdk::{Event, EventKind, Removal, Slot};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::ahead::{Ahead, AheadCounts};
use super::block::Block;
use super::clear::Clearing;
use super::index::Index;
use super::lease::{Ending, Leases};
use super::named::Marks;
use super::recorder::Recorder;
use super::slab::Slab;
use super::suspects::{Hearing, Suspects};
use super::tap::Tap;
use super::watch::Watches;
use super::wheel::{Step, Wheel};
use crate::below::Below;
use crate::changes::Changes;
use crate::entry::{Key, Millis};
use crate::foresight::Listener;
use crate::places::Places;
use crate::size_class::SizeClasses;
use crate::stats::TenantStats;
use crate::tags::Tags;
use crate::vault::Vault;

/// What a shard is made with.
#[derive(Clone, Copy)]
pub(crate) struct ShardConfig {
    pub(crate) classes: SizeClasses,
    pub(crate) share_bytes: u64,
    pub(crate) entry_bytes_max: usize,
    pub(crate) hash_seed: u64,
    pub(crate) random_seed: u64,
    pub(crate) start_ms: Millis,
    /// Entries that never expire are never evicted, and no evictor knows of them.
    pub(crate) volatile_only: bool,
}

/// What a tenant's shards share.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) changes: Arc<Changes>,
    pub(crate) tags: Arc<Tags>,
    pub(crate) below: Option<Arc<dyn Below>>,
    pub(crate) vault: Option<Arc<dyn Vault>>,
    pub(crate) ahead_counts: Arc<AheadCounts>,
}

#[cfg(test)]
impl Around {
    /// Nobody and nothing.
    pub(crate) fn nothing() -> Self {
        Self {
            changes: Arc::default(),
            tags: Arc::new(Tags::new([1, 2], &crate::tags::Known::default())),
            below: None,
            vault: None,
            ahead_counts: Arc::default(),
        }
    }
}

/// Where and when an operation takes place.
#[derive(Clone, Copy)]
pub(crate) struct At<'k> {
    pub(crate) hash: u64,
    /// As it is kept: with the place of its database.
    pub(crate) key: Key<'k>,
    pub(crate) now: Millis,
}

/// The hash of a key as it is kept.
#[inline]
pub(crate) fn hash(seed: u64, key: Key<'_>) -> u64 {
    xxh3_64_with_seed(key.bytes, seed.wrapping_add(u64::from(key.db) << 32))
}

/// See the module.
pub(crate) struct State {
    pub(super) config: ShardConfig,
    /// Where the databases of the tenant are, in all of its shards alike.
    pub(super) places: Places,
    pub(super) slab: Slab,
    pub(super) index: Index,
    pub(super) wheel: Wheel,
    pub(super) watches: Watches,
    pub(super) leases: Leases,
    pub(super) log: Vec<Event>,
    /// Freed, but the evictor has not been told yet.
    pub(super) retired: Vec<Slot>,
    pub(super) marks: Marks,
    /// What an evictor that is to take over will be told.
    pub(super) tap: Option<Box<Tap>>,
    /// Who records what clients do.
    pub(super) recorder: Option<Arc<Recorder>>,
    /// Who foretells what will be asked for.
    pub(super) listener: Option<Arc<dyn Listener>>,
    /// Who hears of changes.
    pub(super) changes: Arc<Changes>,
    /// The tenant's tags.
    pub(super) tags: Arc<Tags>,
    /// What lies below.
    pub(super) below: Option<Arc<dyn Below>>,
    /// Entries that may be older than what lies below.
    pub(super) suspects: Option<Box<Suspects>>,
    /// Those among them that whoever holds the lock takes for good.
    pub(crate) trusted: Vec<Slot>,
    /// Until when entries do not become such by themselves, where others may change what lies below.
    pub(super) hearing: Option<Hearing>,
    /// What was fetched ahead, if some of it waits to be asked for.
    pub(super) ahead: Option<Box<Ahead>>,
    pub(super) ahead_counts: Arc<AheadCounts>,
    /// Keeps values shut.
    pub(super) vault: Option<Arc<dyn Vault>>,
    /// What is being removed: what comes to it and goes meanwhile does not go down.
    pub(super) clearing: Clearing,
    pub(super) wants_misses: bool,
    pub(super) random: u64,
    pub(super) block_bytes: u64,
    pub(super) stats: TenantStats,
    /// What [`State::settle`] last told.
    settled_bytes: u64,
    pub(super) garbage: Garbage,
}

/// What is to be done when the lock has been given back: large blocks that were dropped are freed, those who
/// wait for leases that ended are woken.
pub(crate) struct Garbage {
    blocks: Vec<Block>,
    pub(super) ended: Vec<Ending>,
    classes: SizeClasses,
}

impl Garbage {
    pub(crate) fn free(self) {
        self.blocks
            .into_iter()
            .for_each(|block| block.free(self.classes));
        self.ended.into_iter().for_each(Ending::tell);
    }
}

impl State {
    /// Events that may wait; beyond it hits and misses are dropped.
    pub(crate) const NOTES_MAX: usize = 4096;
    /// Events that ask for delivery.
    pub(crate) const NOTES_DUE: usize = 256;
    /// Events that a writer may not leave behind undelivered.
    pub(crate) const EVENTS_MAX: usize = 64 * 1024;
    /// Freeing a block of at least this size may cost a system call.
    const GARBAGE_BYTES_MIN: usize = 32 * 1024;

    pub(super) fn new(
        config: ShardConfig,
        wants_misses: bool,
        Around {
            changes,
            tags,
            below,
            vault,
            ahead_counts,
        }: Around,
    ) -> Self {
        Self {
            config,
            places: Places::FIRST,
            slab: Slab::new(config.classes),
            index: Index::new(config.share_bytes),
            wheel: Wheel::new(config.start_ms),
            watches: Watches::default(),
            leases: Leases::default(),
            log: Vec::new(),
            retired: Vec::new(),
            marks: Marks::default(),
            tap: None,
            recorder: None,
            listener: None,
            changes,
            tags,
            suspects: None,
            trusted: Vec::new(),
            hearing: below.as_ref().and_then(|below| Hearing::of(&**below)),
            below,
            ahead: None,
            ahead_counts,
            vault,
            clearing: Clearing::default(),
            wants_misses,
            random: config.random_seed | 1,
            block_bytes: 0,
            stats: TenantStats::default(),
            settled_bytes: 0,
            garbage: Garbage {
                blocks: Vec::new(),
                ended: Vec::new(),
                classes: config.classes,
            },
        }
    }

    /// The change of this shard's bytes since it was last asked. The event buffer counts twice, as
    /// the evictor's side holds its like.
    pub(crate) fn settle(&mut self) -> i64 {
        let structures = self.slab.memory_bytes()
            + self.index.memory_bytes()
            + self.wheel.memory_bytes()
            + self.marks.memory_bytes()
            + self.leases.memory_bytes()
            + self
                .suspects
                .as_ref()
                .map_or(0, |suspects| suspects.memory_bytes())
            + self.ahead.as_ref().map_or(0, |ahead| ahead.memory_bytes())
            + 2 * self.log.capacity() * size_of::<Event>()
            + self.tap.as_ref().map_or(0, |tap| tap.memory_bytes());
        let bytes = self.block_bytes + structures as u64;
        let before = std::mem::replace(&mut self.settled_bytes, bytes);
        bytes as i64 - before as i64
    }

    pub(crate) fn block_bytes(&self) -> u64 {
        self.block_bytes
    }

    pub(crate) fn stats(&self) -> &TenantStats {
        &self.stats
    }

    /// Counts a write that was refused for want of room.
    pub(crate) fn count_refused(&mut self) {
        self.stats.refused += 1;
    }

    pub(crate) fn slots(&self) -> u32 {
        self.slab.slots()
    }

    pub(crate) fn watches(&mut self) -> &mut Watches {
        &mut self.watches
    }

    /// Where the databases are, as long as the lock is held.
    #[inline]
    pub(crate) fn places(&self) -> Places {
        self.places
    }

    /// Two databases change places; whoever watches a key of theirs takes it for changed. All shards are
    /// held.
    pub(crate) fn exchange(&mut self, one: u8, other: u8) {
        for db in [one, other] {
            let place = self.places.place_of(db);
            self.watches.all_changed(Some(place));
            self.end_leases(Some(place));
        }
        self.places = self.places.exchanged(one, other);
    }

    /// What to do once the lock has been given back.
    pub(crate) fn take_garbage(&mut self) -> Garbage {
        Garbage {
            blocks: std::mem::take(&mut self.garbage.blocks),
            ended: std::mem::take(&mut self.garbage.ended),
            classes: self.config.classes,
        }
    }

    pub(super) fn discard(&mut self, block: Block) {
        let bytes = block.bytes(self.config.classes);
        self.block_bytes -= bytes as u64;
        if bytes >= Self::GARBAGE_BYTES_MIN {
            self.garbage.blocks.push(block);
        } else {
            block.free(self.config.classes);
        }
    }

    // --- events ---

    pub(crate) fn events_waiting(&self) -> usize {
        self.log.len()
    }

    /// Gives the evictor's side the events so far, and takes back the slots it has been told of.
    pub(super) fn hand_over(&mut self, events: &mut Vec<Event>, released: &mut Vec<Slot>) {
        released.drain(..).for_each(|slot| self.slab.release(slot));
        std::mem::swap(&mut self.log, events);
        std::mem::swap(&mut self.retired, released);
    }

    #[inline]
    pub(super) fn note(&mut self, event: Event) {
        self.log.push(event);
        if let Some(tap) = &mut self.tap {
            tap.note(event);
        }
    }

    #[inline]
    pub(super) fn note_if_room(&mut self, event: Event) {
        if self.log.len() < Self::NOTES_MAX {
            self.note(event);
        } else {
            self.stats.events_dropped += 1;
        }
    }

    /// Whether the entry in `slot` may be evicted; the evictor is told of no other.
    #[inline]
    pub(super) fn may_evict(&self, slot: Slot) -> bool {
        let expires = |block: &Block| block.expiry() != 0;
        let may_go = !self.config.volatile_only || self.slab.get(slot).is_some_and(expires);
        may_go && !self.is_ahead(slot)
    }

    /// Entries that may be evicted, without those that wait to be asked for: where some may not, none waits.
    pub(crate) fn evictable(&self) -> u64 {
        match self.config.volatile_only {
            true => self.stats.entries_with_ttl.iter().sum(),
            false => self.stats.entries_total() - self.ahead(),
        }
    }

    // --- structure ---

    /// Puts a new entry in. `None` where all slots are taken.
    pub(super) fn insert_block(&mut self, hash: u64, block: Block) -> Option<Slot> {
        let (bytes, db, expiry) = (block.bytes(self.config.classes), block.db(), block.expiry());
        let data = (block.key().len() + block.value_len()) as u64;
        let slot = match self.slab.insert(block) {
            Ok(slot) => slot,
            Err(block) => {
                block.free(self.config.classes);
                return None;
            }
        };
        let (slab, seed) = (&self.slab, self.config.hash_seed);
        self.index
            .insert(hash, slot, |slot| hash_of(slab, seed, slot));
        if expiry != 0 {
            self.wheel.insert(slot, expiry);
            self.stats.entries_with_ttl[usize::from(db)] += 1;
        }
        self.block_bytes += bytes as u64;
        self.stats.data_bytes += data;
        self.stats.entries[usize::from(db)] += 1;
        self.stats.inserts += 1;
        Some(slot)
    }

    /// Takes the entry out of `slot`; the slot is retired until the evictor has been told.
    /// Returns the bytes it took, 0 if there was none.
    pub(crate) fn remove_slot(&mut self, slot: Slot, why: Removal) -> u64 {
        // Of one that has expired and was kept this was told then.
        if let Some(block) = self.slab.get(slot).filter(|block| !block.is_lapsed()) {
            let key = Key::new(block.db(), block.key());
            self.changes.tell(self.places, key, why.into());
            if let Some(below) = &self.below {
                match why {
                    Removal::Deleted => below.delete(key),
                    Removal::Evicted if self.is_clearing(key) || self.is_suspect(slot) => {}
                    Removal::Evicted => {
                        // What cannot be opened has nothing to go down with.
                        let _ = self.show(slot, |entry| below.evicted(key, entry));
                    }
                    // It ends there at the same time.
                    Removal::Expired => {}
                }
            }
        }
        let bytes = self.empty_slot(slot, why);
        if why == Removal::Evicted && bytes > 0 {
            self.stats.evictions += 1;
        }
        bytes
    }

    /// As [`Self::remove_slot`], untold.
    pub(super) fn empty_slot(&mut self, slot: Slot, why: Removal) -> u64 {
        let Some(block) = self.slab.get(slot) else {
            return 0;
        };
        let (key, expiry) = (Key::new(block.db(), block.key()), block.expiry());
        let was_known = self.may_evict(slot);
        let hash = hash(self.config.hash_seed, key);
        let (slab, seed) = (&self.slab, self.config.hash_seed);
        self.index
            .remove(hash, slot, |slot| hash_of(slab, seed, slot));
        let Some(block) = self.slab.take(slot) else {
            return 0;
        };
        self.clear_suspect(slot);
        self.waste(slot);
        let db = usize::from(block.db());
        let bytes = block.bytes(self.config.classes) as u64;
        self.stats.data_bytes -= (block.key().len() + block.value_len()) as u64;
        self.stats.entries[db] -= 1;
        self.stats.entries_with_ttl[db] -= u64::from(expiry != 0);
        let was_lapsed = block.is_lapsed();
        self.stats.stale -= u64::from(was_lapsed);
        if why == Removal::Expired && !was_lapsed {
            self.stats.expired += 1;
        }
        self.discard(block);
        self.retire(slot, was_known);
        if was_known {
            self.note_removed(slot, hash, why);
        }
        // What went from memory alone is as it was, and what had expired had changed then.
        if !was_lapsed && (why != Removal::Evicted || self.below.is_none()) {
            self.watches.changed(hash);
        }
        bytes
    }

    /// Hands an emptied slot out again once the evictor was told; at once where there is nothing to tell
    /// that could concern it.
    fn retire(&mut self, slot: Slot, was_known: bool) {
        if was_known || !self.log.is_empty() {
            self.retired.push(slot);
        } else {
            self.slab.release(slot);
        }
    }

    /// Notes that the evictor has nothing to do with the entry in `slot` any more.
    pub(super) fn note_removed(&mut self, slot: Slot, hash: u64, why: Removal) {
        self.note(Event {
            removal: why,
            ..Event::new(EventKind::Remove, slot, hash as u32)
        });
    }

    /// Removes what has expired, in `steps_max` steps of the wheel at most. Whether more is waiting.
    pub(crate) fn expire(&mut self, now: Millis, steps_max: usize) -> bool {
        for _ in 0..steps_max {
            match self.wheel.step(now) {
                Step::Due(slots) => {
                    let first = slots.start;
                    let earliest = self.expire_group(slots, now);
                    if earliest != 0 {
                        self.wheel.insert(first, earliest);
                    }
                }
                Step::Moved => {}
                Step::Idle => return false,
            }
        }
        true
    }

    /// Has what is due among some slots expire. Returns when the next of them is due, 0 for never.
    fn expire_group(&mut self, slots: Range<Slot>, now: Millis) -> Millis {
        let mut earliest = 0;
        for slot in slots {
            let mut due = self.slab.get(slot).map_or(0, Block::expiry);
            if due != 0 && due <= now {
                self.lapse(slot, now);
                due = self.slab.get(slot).map_or(0, Block::goes_at);
            }
            if due != 0 && (earliest == 0 || due < earliest) {
                earliest = due;
            }
        }
        earliest
    }

    /// The key of the live entry in `slot`, if it is in `db`.
    pub(crate) fn visit(&self, slot: Slot, db: u8, now: Millis) -> Option<&[u8]> {
        let place = self.places.place_of(db);
        let block = self.slab.get(slot).filter(|block| {
            let expiry = block.expires_at();
            let is_past = expiry.is_some_and(|expiry| expiry <= now);
            block.db() == place && !is_past && !self.is_void(block)
        });
        block.map(Block::key)
    }
}

fn hash_of(slab: &Slab, seed: u64, slot: Slot) -> u64 {
    slab.get(slot)
        .map_or(0, |block| hash(seed, Key::new(block.db(), block.key())))
}
