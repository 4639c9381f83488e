//! Tags: many entries are void at once because a tag of theirs was invalidated.
//!
//! Invalidations of a tenant are counted, and the count is the stamp of time here. A note that has tags begins with the
//! stamp of when its entry was written, followed by the tags; an entry is void once one of its tags was invalidated after
//! that. What is behind the tags is whoever's who wrote the note.
//!
//! Of a tag only a hash is known, and of tags as many as were agreed; where there are more, those that were invalidated
//! longest ago are forgotten, an eighth of all at once. What was written before the last of them has any tag of its own
//! taken for one of them, and is void. So is what has a tag with the same hash: neither makes anything live that is void.
//!
//! Hosts that share a level count together, there: in *ticks*, each worth [`STAMPS_A_TICK`] stamps. What a host invalidates
//! and has not told yet is counted between two of them, so it never gives a stamp beyond the tick that is known.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use siphasher::sip::SipHasher13;
use siphasher::sip128;
use siphasher::sip128::Hasher128 as _;

/// The kind of the part of a note that is a tag: a byte, then the length in two, then the tag.
pub const TAG_PART: u8 = 2;
/// The kind of the part that is the stamp. Written as tags are, it comes before them.
pub const STAMP_PART: u8 = 7;
/// What the note of an entry with tags begins with when it is handed in. What has it is stamped as it is written.
pub const UNSTAMPED: [u8; HEAD_BYTES] = [STAMP_PART, STAMP_BYTES as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Stamps that are given to what hosts that share a level count as one. Ticks are milliseconds where the time has passed,
/// and no host invalidates more often.
pub const STAMPS_A_TICK: u64 = 1 << 20;
/// How far others may have counted of which nothing was heard: a day, where they count as time passes. What is stamped with
/// more was written under another count, which nothing can be said of.
const AHEAD_MAX: u64 = 86_400_000 * STAMPS_A_TICK;
/// What hosts tell each other of a tag that is longer: its digest.
pub const ID_BYTES_MAX: usize = 64;

const STAMP_BYTES: usize = 8;
const HEAD_BYTES: usize = 3 + STAMP_BYTES;
/// Tags that a tenant knows at most.
pub(crate) const KNOWN_MAX: usize = 64 * 1024;
/// Of the tags known, this part is forgotten at once.
const FORGOTTEN_PART: usize = 8;
/// Slots of the smallest table. There are twice as many as tags at least, so that some are free.
const SLOTS_MIN: usize = 16;

/// What is known of invalidations, to be written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The stamp of the last one.
    pub now: u64,
    /// What has tags and was written before is void.
    pub floor: u64,
    /// Tags by hash, each with when it was invalidated last.
    pub tags: Vec<(u64, u64)>,
}

/// Tags, by [`id_of`].
pub type TagIds = Arc<BTreeSet<Box<[u8]>>>;

/// What a level knows of invalidations that hosts share, or a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalidated {
    /// As [`Known::now`].
    pub now: u64,
    /// As [`Known::floor`].
    pub floor: u64,
    /// Tags by [`id_of`], each with when it was invalidated last.
    pub tags: Vec<(Box<[u8]>, u64)>,
}

/// The tags of one tenant. See the module.
pub struct Tags {
    /// Under which tags are hashed.
    key: [u64; 2],
    /// Whether others give stamps as well.
    is_shared: AtomicBool,
    now: AtomicU64,
    /// Replaced as a whole where it is too small or full; else tags are added to it and nothing is taken out, so that
    /// whoever reads needs no lock.
    table: ArcSwap<Table>,
    /// Held by whoever invalidates.
    known: Mutex<usize>,
    floor_raises: AtomicU64,
}

/// Figures of a tenant's tags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TagFigures {
    /// Tags that are known.
    pub known: u64,
    /// Times that tags were forgotten.
    pub floor_raises: u64,
}

struct Table {
    floor: u64,
    slots: Box<[Slot]>,
}

/// Free where its hash is 0. The stamp is there before the hash.
#[derive(Default)]
struct Slot {
    hash: AtomicU64,
    stamp: AtomicU64,
}

impl Table {
    /// One with room for some tags more than there are.
    fn new(floor: u64, tags: &[(u64, u64)]) -> Self {
        let slots = (2 * (tags.len() + 1)).next_power_of_two().max(SLOTS_MIN);
        let table = Self {
            floor,
            slots: (0..slots).map(|_| Slot::default()).collect(),
        };
        for (hash, stamp) in tags {
            table.set(*hash, *stamp);
        }
        table
    }

    /// The slot of a hash: its own, or a free one.
    fn slot(&self, hash: u64) -> (&Slot, bool) {
        let mut at = hash as usize;
        // It ends, as half of them are free.
        loop {
            let slot = &self.slots[at & (self.slots.len() - 1)];
            match slot.hash.load(Ordering::Acquire) {
                0 => return (slot, false),
                found if found == hash => return (slot, true),
                _ => at = at.wrapping_add(1),
            }
        }
    }

    /// When a tag was invalidated, as far as that is known.
    fn stamp_of(&self, hash: u64) -> Option<u64> {
        let (slot, is_known) = self.slot(hash);
        is_known.then(|| slot.stamp.load(Ordering::Acquire))
    }

    fn set(&self, hash: u64, stamp: u64) {
        let (slot, _) = self.slot(hash);
        slot.stamp.store(stamp, Ordering::Release);
        slot.hash.store(hash, Ordering::Release);
    }

    fn tags(&self) -> Vec<(u64, u64)> {
        let slots = self.slots.iter().map(|slot| {
            let hash = slot.hash.load(Ordering::Acquire);
            (hash, slot.stamp.load(Ordering::Acquire))
        });
        slots.filter(|(hash, _)| *hash != 0).collect()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tags")
            .field("now", &self.now)
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

impl Tags {
    /// What is known so far. `key` is a secret, the same for as long as that is kept.
    pub fn new(key: [u64; 2], known: &Known) -> Self {
        Self {
            key,
            is_shared: AtomicBool::new(false),
            // An entry that is to be stamped has 0.
            now: AtomicU64::new(known.now.max(1)),
            table: ArcSwap::from_pointee(Table::new(known.floor, &known.tags)),
            known: Mutex::new(known.tags.len()),
            floor_raises: AtomicU64::new(0),
        }
    }

    /// From now on others give stamps as well, and some may be written that this host has not heard of yet.
    pub fn share(&self) {
        self.is_shared.store(true, Ordering::Relaxed);
    }

    /// The stamp of the last invalidation.
    #[inline]
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    /// What is known at the moment.
    pub fn known(&self) -> Known {
        let _writing = self.known.lock();
        let table = self.table.load();
        Known {
            now: self.now(),
            floor: table.floor,
            tags: table.tags(),
        }
    }

    /// Figures.
    pub fn figures(&self) -> TagFigures {
        TagFigures {
            known: *self.known.lock() as u64,
            floor_raises: self.floor_raises.load(Ordering::Relaxed),
        }
    }

    /// Bytes that the tags take.
    pub fn memory_bytes(&self) -> u64 {
        (self.table.load().slots.len() * size_of::<Slot>()) as u64
    }

    /// Everything that has one of these tags and was written before is void from now on. `known_max` tags at most are
    /// known then. By how many bytes [`Self::memory_bytes`] has changed.
    pub fn invalidate<'t>(
        &self,
        tags: impl IntoIterator<Item = &'t [u8]>,
        known_max: usize,
    ) -> i64 {
        let mut known = self.known.lock();
        let before = self.memory_bytes() as i64;
        let stamp = self.now() + 1;
        for tag in tags {
            self.raise(&mut known, self.hash(&id_of(tag)), stamp, known_max);
        }
        self.now.store(stamp, Ordering::Release);
        self.memory_bytes() as i64 - before
    }

    /// Learns of what others have invalidated, in any order and as often as it comes. Else as [`Self::invalidate`]; `None`
    /// where all of it is known.
    pub fn learn(&self, learned: &Invalidated, known_max: usize) -> Option<i64> {
        let mut known = self.known.lock();
        let before = self.memory_bytes() as i64;
        let table = self.table.load();
        let mut is_new = learned.floor > table.floor;
        if is_new {
            let mut tags = table.tags();
            tags.retain(|(_, stamp)| *stamp > learned.floor);
            *known = tags.len();
            self.table.store(Arc::new(Table::new(learned.floor, &tags)));
        }
        drop(table);
        let mut now = learned.now.max(learned.floor);
        for (id, stamp) in &learned.tags {
            is_new |= self.raise(&mut known, self.hash(id), *stamp, known_max);
            now = now.max(*stamp);
        }
        is_new |= self.now.fetch_max(now, Ordering::AcqRel) < now;
        is_new.then(|| self.memory_bytes() as i64 - before)
    }

    /// A tag was invalidated then, unless that is known, or nothing that it concerns is left. Whether that is new.
    fn raise(&self, known: &mut usize, hash: u64, stamp: u64, known_max: usize) -> bool {
        let mut table = self.table.load();
        match table.stamp_of(hash) {
            Some(before) if before >= stamp => return false,
            Some(_) => {}
            None => {
                let is_full = 2 * (*known + 1) > table.slots.len();
                if is_full || *known >= known_max {
                    *known = self.renew(&table, known_max);
                    table = self.table.load();
                }
                if stamp <= table.floor {
                    return false;
                }
                *known += 1;
            }
        }
        table.set(hash, stamp);
        true
    }

    /// Puts another table in the place of one that has no room. How many tags it knows.
    fn renew(&self, table: &Table, known_max: usize) -> usize {
        let (mut tags, mut floor) = (table.tags(), table.floor);
        if tags.len() >= known_max {
            let spared = known_max - (known_max / FORGOTTEN_PART).max(1);
            let forgotten = tags.len() - spared;
            let (_, latest, _) =
                tags.select_nth_unstable_by_key(forgotten - 1, |(_, stamp)| *stamp);
            floor = floor.max(latest.1);
            tags.drain(..forgotten);
            self.floor_raises.fetch_add(1, Ordering::Relaxed);
        }
        self.table.store(Arc::new(Table::new(floor, &tags)));
        tags.len()
    }

    /// Whether what has this note is void.
    #[inline]
    pub fn is_void(&self, note: &[u8]) -> bool {
        match split(note) {
            Some((stamp, tags)) if stamp != self.now() => self.is_void_since(stamp, tags),
            _ => false,
        }
    }

    /// Whether a tag was invalidated after that, or may have been.
    #[cold]
    fn is_void_since(&self, stamp: u64, tags: &[u8]) -> bool {
        let table = self.table.load();
        let is_void = |tag| {
            let invalidated = table.stamp_of(self.hash(&id_of(tag)));
            invalidated.is_some_and(|invalidated| invalidated > stamp)
        };
        stamp < table.floor || !self.follows(stamp) || tags_of(tags).any(is_void)
    }

    /// Whether a stamp was given by the count that is known here. What others have counted meanwhile is counted here from
    /// now on, so that what this host invalidates next is later.
    fn follows(&self, stamp: u64) -> bool {
        let ahead = stamp.saturating_sub(self.now());
        if ahead == 0 {
            return true;
        }
        let is_of_others = self.is_shared.load(Ordering::Relaxed) && ahead < AHEAD_MAX;
        if is_of_others {
            self.now.fetch_max(stamp, Ordering::AcqRel);
        }
        is_of_others
    }

    fn hash(&self, id: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.key[0], self.key[1]);
        hasher.write(id);
        hasher.finish().max(1)
    }
}

/// What a tag is called where hosts tell each other of it. Two of the same name are taken for one.
pub fn id_of(tag: &[u8]) -> Cow<'_, [u8]> {
    if tag.len() <= ID_BYTES_MAX {
        return Cow::Borrowed(tag);
    }
    let mut hasher = sip128::SipHasher13::new();
    hasher.write(tag);
    Cow::Owned(hasher.finish128().as_bytes().to_vec())
}

/// The stamp of a note and what follows it, if it has one.
#[inline]
fn split(note: &[u8]) -> Option<(u64, &[u8])> {
    let head = note.strip_prefix(&UNSTAMPED[..HEAD_BYTES - STAMP_BYTES])?;
    let (stamp, tags) = head.split_first_chunk()?;
    Some((u64::from_le_bytes(*stamp), tags))
}

/// The tags that come first.
fn tags_of(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&[TAG_PART, low, high], behind) = rest.split_first_chunk()? else {
            return None;
        };
        let (tag, behind) = behind.split_at_checked(u16::from_le_bytes([low, high]).into())?;
        rest = behind;
        Some(tag)
    })
}

/// The tags of a note.
pub fn tags_in(note: &[u8]) -> impl Iterator<Item = &[u8]> {
    tags_of(split(note).map_or(&[], |(_, tags)| tags))
}

/// A note with its stamp, if it is to have one.
pub fn stamped(note: &[u8], stamp: u64) -> Option<Vec<u8>> {
    let behind = note.strip_prefix(&UNSTAMPED)?;
    let head = &UNSTAMPED[..HEAD_BYTES - STAMP_BYTES];
    Some([head, &stamp.to_le_bytes(), behind].concat())
}

/// Has what is written with this note be stamped anew, if it has tags.
pub fn unstamp(note: &mut [u8]) {
    if split(note).is_some() {
        note[..HEAD_BYTES].copy_from_slice(&UNSTAMPED);
    }
}

#[cfg(test)]
mod tests;
