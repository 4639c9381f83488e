//! Changes in their order, the last of each key alone.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use hashbrown::HashTable;
use larder_engine::tags::{id_of, tags_in};
use larder_engine::tier::{TierChange, TierKey, Told};

use super::{Coming, hash_of};

/// What a change takes beside its key and value: its places in list and table, and its allocations.
const CHANGE_BYTES: u64 = 160;
/// What a tag takes at most: its name and its place in a set.
const TAG_BYTES: u64 = 96;
/// Less than this part of the bound is not worth looking for among changes that hold no value.
const VALUES_PART: u64 = 4;

/// See the module.
#[derive(Default)]
pub(super) struct Batch<C> {
    pub(super) changes: C,
    /// Places in `changes` of the last change of each key, unless all of its database goes behind it.
    places: HashTable<u32>,
    clears: Vec<Cleared>,
    /// Places of what is to be invalidated, by tenant.
    invalidations: HashMap<Arc<str>, usize>,
    pub(super) bytes: u64,
    /// Of those, values.
    value_bytes: u64,
    /// Changes before this one have been looked at for values to leave out.
    hand: usize,
    /// Places of changes whose values were left out.
    pub(super) left_out: HashSet<usize>,
}

/// What is cleared: keys of a database, or of all, that begin so.
struct Cleared {
    tenant: Arc<str>,
    db: Option<u8>,
    prefix: Box<[u8]>,
}

impl Cleared {
    fn covers(&self, key: TierKey<'_>) -> bool {
        let is_database = self.db.is_none_or(|db| db == key.db);
        *self.tenant == *key.tenant && is_database && key.bytes.starts_with(&self.prefix)
    }

    /// Whether it covers every key that another does.
    fn contains(&self, other: &Self) -> bool {
        let is_database = self.db.is_none() || self.db == other.db;
        self.tenant == other.tenant && is_database && other.prefix.starts_with(&self.prefix)
    }
}

/// What was left out for want of room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) values: u64,
    pub(super) databases: u64,
}

impl Batch<Vec<Told>> {
    /// Adds a change. It takes the place of one of the same key.
    pub(super) fn push(&mut self, told: Told) {
        let key = match &told.change {
            TierChange::Clear(tenant, db) => {
                self.clear(Cleared {
                    tenant: Arc::clone(tenant),
                    db: *db,
                    prefix: Box::default(),
                });
                let is_same = |last: &&mut Told| matches!(&last.change, TierChange::Clear(of, which) if of == tenant && which == db);
                match self.changes.last_mut().filter(is_same) {
                    Some(last) => *last = told,
                    None => self.append(told),
                }
                return;
            }
            TierChange::ClearPrefix(key) => {
                self.clear(Cleared {
                    tenant: Arc::clone(&key.tenant),
                    db: Some(key.db),
                    prefix: key.bytes.clone(),
                });
                self.append(told);
                return;
            }
            TierChange::Invalidate(..) => {
                self.invalidate(told);
                return;
            }
            TierChange::Put(key, _) | TierChange::Delete(key) => key,
        };
        let hash = hash_of(key.borrow());
        let (changes, key) = (&self.changes, key.borrow());
        if let Some(place) = self.places.find(hash, |place| is_of(changes, *place, key)) {
            self.replace(*place as usize, told);
            return;
        }
        let place = self.changes.len() as u32;
        self.append(told);
        let changes = &self.changes;
        self.places
            .insert_unique(hash, place, |place| hash_at(changes, *place));
    }

    /// All that is to be invalidated of a tenant is one change, as tags are invalidated again and again.
    fn invalidate(&mut self, told: Told) {
        let TierChange::Invalidate(tenant, tags) = &told.change else {
            return;
        };
        let Some(place) = self.invalidations.get(tenant).copied() else {
            self.invalidations
                .insert(Arc::clone(tenant), self.changes.len());
            self.append(told);
            return;
        };
        let before = &mut self.changes[place].change;
        self.bytes -= bytes_of(before);
        if let TierChange::Invalidate(_, known) = before {
            match (known.as_mut(), tags) {
                (Some(known), Some(tags)) => Arc::make_mut(known).extend(tags.iter().cloned()),
                _ => *known = None,
            }
        }
        self.bytes += bytes_of(before);
    }

    fn append(&mut self, told: Told) {
        self.bytes += bytes_of(&told.change);
        self.value_bytes += value_bytes_of(&told.change);
        self.changes.push(told);
    }

    fn replace(&mut self, place: usize, told: Told) {
        self.bytes += bytes_of(&told.change);
        self.value_bytes += value_bytes_of(&told.change);
        let before = mem::replace(&mut self.changes[place], told).change;
        self.bytes -= bytes_of(&before);
        self.value_bytes -= value_bytes_of(&before);
        self.left_out.remove(&place);
    }

    fn clear(&mut self, cleared: Cleared) {
        let changes = &self.changes;
        self.places.retain(|place| {
            let key = key_at(changes, *place);
            !key.is_some_and(|key| cleared.covers(key))
        });
        // Who looks for a key looks at each of them.
        self.clears.retain(|before| !cleared.contains(before));
        self.clears.push(cleared);
    }

    /// Leaves out what has to go so that `bytes_max` are kept: the oldest values, so that their keys will hold nothing;
    /// where that is not enough all of the databases that it changes, which will be empty. Nothing that was there
    /// before comes back either way.
    pub(super) fn make_room(&mut self, bytes_max: u64) -> LeftOut {
        let mut left_out = LeftOut::default();
        if self.bytes <= bytes_max {
            return left_out;
        }
        let is_worth_it = self.value_bytes >= bytes_max / VALUES_PART;
        while is_worth_it && self.value_bytes > 0 && self.bytes > bytes_max {
            let place = self.hand % self.changes.len();
            self.hand = place + 1;
            let Told { change, at } = &self.changes[place];
            if let TierChange::Put(key, _) = change {
                let change = TierChange::Delete(key.clone());
                let nothing = Told { change, at: *at };
                self.replace(place, nothing);
                self.left_out.insert(place);
                left_out.values += 1;
            }
        }
        if self.bytes > bytes_max {
            left_out.databases = self.collapse();
        }
        left_out
    }

    /// Empties all databases that it changes, instead, and where tags are to be invalidated all are. How many databases.
    fn collapse(&mut self) -> u64 {
        let changes = mem::take(self).changes;
        let at = changes.iter().map(|told| told.at).max();
        let changes = changes.iter().map(|told| &told.change);
        let (mut databases, mut tenants) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            match change {
                TierChange::Put(key, _)
                | TierChange::Delete(key)
                | TierChange::ClearPrefix(key) => {
                    databases.insert((Arc::clone(&key.tenant), Some(key.db)));
                }
                TierChange::Clear(tenant, db) => _ = databases.insert((Arc::clone(tenant), *db)),
                TierChange::Invalidate(tenant, _) => _ = tenants.insert(Arc::clone(tenant)),
            }
        }
        let count = databases.len() as u64;
        let clears = databases.into_iter();
        let clears = clears.map(|(tenant, db)| TierChange::Clear(tenant, db));
        let tenants = tenants.into_iter();
        let all = tenants.map(|tenant| TierChange::Invalidate(tenant, None));
        for (change, at) in clears.chain(all).zip(at.into_iter().cycle()) {
            self.push(Told { change, at });
        }
        count
    }

    /// The same, to be done.
    pub(super) fn begin(self) -> Batch<Arc<Vec<Told>>> {
        Batch {
            changes: Arc::new(self.changes),
            places: self.places,
            clears: self.clears,
            invalidations: self.invalidations,
            bytes: self.bytes,
            value_bytes: self.value_bytes,
            hand: self.hand,
            left_out: self.left_out,
        }
    }
}

impl<C> Batch<C> {
    /// How many prefixes it clears.
    pub(super) fn prefixes(&self) -> usize {
        let is_prefix = |cleared: &&Cleared| !cleared.prefix.is_empty();
        self.clears.iter().filter(is_prefix).count()
    }

    /// Whether it invalidates a tag of this note.
    pub(super) fn voids(&self, changes: &[Told], tenant: &str, note: &[u8]) -> bool {
        let place = self.invalidations.get(tenant);
        match place
            .and_then(|place| changes.get(*place))
            .map(|told| &told.change)
        {
            Some(TierChange::Invalidate(_, Some(ids))) => {
                tags_in(note).any(|tag| ids.contains(&*id_of(tag)))
            }
            Some(TierChange::Invalidate(_, None)) => true,
            _ => false,
        }
    }

    /// What there will be of a key, if it changes that.
    pub(super) fn coming(&self, changes: &[Told], hash: u64, key: TierKey<'_>) -> Option<Coming> {
        let place = self.places.find(hash, |place| is_of(changes, *place, key));
        let told = place.and_then(|place| changes.get(*place as usize));
        match told.map(|told| &told.change) {
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

fn key_at(changes: &[Told], place: u32) -> Option<TierKey<'_>> {
    match &changes.get(place as usize)?.change {
        TierChange::Put(key, _) | TierChange::Delete(key) => Some(key.borrow()),
        TierChange::Clear(..) | TierChange::ClearPrefix(_) | TierChange::Invalidate(..) => None,
    }
}

fn is_of(changes: &[Told], place: u32, key: TierKey<'_>) -> bool {
    key_at(changes, place) == Some(key)
}

fn hash_at(changes: &[Told], place: u32) -> u64 {
    key_at(changes, place).map_or(0, hash_of)
}

fn value_bytes_of(change: &TierChange) -> u64 {
    match change {
        TierChange::Put(_, stored) => (stored.value.len() + stored.note.len()) as u64,
        TierChange::Delete(_)
        | TierChange::Clear(..)
        | TierChange::ClearPrefix(_)
        | TierChange::Invalidate(..) => 0,
    }
}

/// Bytes of memory that a change takes on its way.
pub(super) fn bytes_of(change: &TierChange) -> u64 {
    let own_bytes = match change {
        TierChange::Put(key, _) | TierChange::Delete(key) | TierChange::ClearPrefix(key) => {
            key.bytes.len() as u64
        }
        TierChange::Invalidate(_, Some(tags)) => tags.len() as u64 * TAG_BYTES,
        TierChange::Clear(..) | TierChange::Invalidate(_, None) => 0,
    };
    own_bytes + value_bytes_of(change) + CHANGE_BYTES
}
