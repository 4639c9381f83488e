//! Where databases are kept: what SWAPDB exchanges.
//!
//! A database has a number by which clients know it, and a place that is a part of its entries' hashes and
//! blocks for ever. Databases change places while all shards of their tenant are held, so under any
//! shard's lock everything is where it is.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::entry::{DATABASES, Key};

/// The place of each database, four bits each, so that one load sees one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places(u64);

impl Places {
    /// Each database in the place of its number.
    pub(crate) const FIRST: Self = Self(0xFEDC_BA98_7654_3210);

    /// The place of a database.
    #[inline]
    pub(crate) fn place_of(self, db: u8) -> u8 {
        (self.0 >> shift(db)) as u8 & (DATABASES - 1)
    }

    /// The database in a place.
    pub(crate) fn database_at(self, place: u8) -> u8 {
        let mut databases = 0..DATABASES;
        databases
            .find(|db| self.place_of(*db) == place)
            .unwrap_or(place)
    }

    /// A key as clients name it, as it is kept.
    #[inline]
    pub(crate) fn kept(self, key: Key<'_>) -> Key<'_> {
        Key {
            db: self.place_of(key.db),
            ..key
        }
    }

    /// A key as it is kept, as clients name it.
    pub(crate) fn named(self, key: Key<'_>) -> Key<'_> {
        Key {
            db: self.database_at(key.db),
            ..key
        }
    }

    /// What is counted by place, by database.
    pub(crate) fn by_database<T: Copy>(
        self,
        by_place: [T; DATABASES as usize],
    ) -> [T; DATABASES as usize] {
        std::array::from_fn(|db| by_place[usize::from(self.place_of(db as u8))])
    }

    /// The table where two databases have changed places.
    pub(crate) fn exchanged(self, one: u8, other: u8) -> Self {
        let differing = u64::from(self.place_of(one) ^ self.place_of(other));
        Self(self.0 ^ differing << shift(one) ^ differing << shift(other))
    }
}

fn shift(db: u8) -> u32 {
    u32::from(db % DATABASES) * 4
}

/// The table of a tenant, for whoever holds no shard yet. It may have changed by the time he does.
pub(crate) struct Table(AtomicU64);

impl Table {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Places::FIRST.0))
    }

    /// The locks of shards order this look behind the change that the shard knows of.
    #[inline]
    pub(crate) fn look(&self) -> Places {
        Places(self.0.load(Ordering::Relaxed))
    }

    /// To be called while all shards are held.
    pub(crate) fn change(&self, places: Places) {
        self.0.store(places.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_follows_databases_wherever_they_go() {
        let mut model: [u8; 16] = std::array::from_fn(|db| db as u8);
        let mut places = Places::FIRST;
        for (one, other) in [(0, 1), (1, 15), (7, 7), (15, 0), (0, 1), (14, 15), (3, 0)] {
            model.swap(one, other);
            places = places.exchanged(one as u8, other as u8);
            for (db, place) in (0..).zip(model) {
                assert_eq!(places.place_of(db), place);
                assert_eq!(places.database_at(place), db);
                let key = Key::new(db, b"k");
                assert_eq!(places.named(places.kept(key)), key);
            }
        }
        let counted = places.by_database(std::array::from_fn(|place| place as u8));
        assert_eq!(counted, model);
        assert_ne!(places, Places::FIRST);
    }
}
