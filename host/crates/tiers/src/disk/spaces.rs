//! Tenants and databases by number, and what lives in each.
//!
//! The number is part of every key's hash and of every record. Clearing a database gives it another number: what
//! was there is never found again, and reclaiming finds it dead.

use std::collections::HashMap;
use std::sync::Arc;

use larder_engine::DATABASES;

use super::segment::ENTRY_BYTES;

/// The number of each database that holds something, or did. No number is given twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spaces {
    tenants: HashMap<Arc<str>, [u32; DATABASES as usize]>,
}

impl Spaces {
    pub(super) fn number(&self, tenant: &str, db: u8) -> Option<u32> {
        let numbers = self.tenants.get(tenant)?;
        numbers
            .get(usize::from(db))
            .copied()
            .filter(|number| *number != 0)
    }

    /// The tenant and database of a number, if it is somebody's.
    pub(super) fn owner(&self, number: u32) -> Option<(Arc<str>, u8)> {
        self.tenants.iter().find_map(|(tenant, numbers)| {
            let mut databases = (0..DATABASES).zip(numbers);
            let (db, _) = databases.find(|(_, of)| **of == number && number != 0)?;
            Some((tenant.clone(), db))
        })
    }

    pub(super) fn set(&mut self, tenant: &Arc<str>, db: u8, number: u32) {
        let numbers = self.tenants.entry(tenant.clone()).or_default();
        numbers[usize::from(db % DATABASES)] = number;
    }

    /// Takes the numbers away from a tenant's database, or all of its databases, and tells which.
    pub(super) fn clear(&mut self, tenant: &str, db: Option<u8>) -> Vec<u32> {
        let Some(numbers) = self.tenants.get_mut(tenant) else {
            return Vec::new();
        };
        let cleared = numbers.iter_mut().enumerate();
        let cleared = cleared.filter(|(of, _)| db.is_none_or(|db| usize::from(db) == *of));
        let cleared = cleared.map(|(_, number)| std::mem::take(number));
        cleared.filter(|number| *number != 0).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u8, u32)> {
        let all = self.tenants.iter();
        all.flat_map(|(tenant, numbers)| {
            let numbers = (0..DATABASES).zip(numbers);
            numbers
                .filter(|(_, number)| **number != 0)
                .map(|(db, number)| (&**tenant, db, *number))
        })
    }
}

/// What lives in the spaces that are somebody's.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    spaces: HashMap<u32, Live>,
    total: Live,
}

#[derive(Debug, Clone, Copy, Default)]
struct Live {
    entries: u64,
    bytes: u64,
}

impl Ledger {
    pub(super) fn open(&mut self, space: u32) {
        self.spaces.entry(space).or_default();
    }

    /// Whether the space is somebody's.
    pub(super) fn is_open(&self, space: u32) -> bool {
        self.spaces.contains_key(&space)
    }

    pub(super) fn close(&mut self, space: u32) {
        if let Some(live) = self.spaces.remove(&space) {
            self.total.entries -= live.entries;
            self.total.bytes -= live.bytes;
        }
    }

    /// A record of so many bytes came.
    pub(super) fn add(&mut self, space: u32, bytes: u64) {
        if let Some(live) = self.spaces.get_mut(&space) {
            for live in [live, &mut self.total] {
                live.entries += 1;
                live.bytes += bytes;
            }
        }
    }

    /// A record of so many bytes went.
    pub(super) fn remove(&mut self, space: u32, bytes: u64) {
        if let Some(live) = self.spaces.get_mut(&space) {
            // Where keys of two spaces have the same hash, one of them may be told off the other's.
            let (entries, bytes) = (live.entries.min(1), live.bytes.min(bytes));
            for live in [live, &mut self.total] {
                live.entries -= entries;
                live.bytes -= bytes;
            }
        }
    }

    /// All spaces are empty.
    pub(super) fn forget_all(&mut self) {
        self.spaces
            .values_mut()
            .for_each(|live| *live = Live::default());
        self.total = Live::default();
    }

    pub(super) fn entries(&self) -> u64 {
        self.total.entries
    }

    /// Bytes of records and their lines in footers.
    pub(super) fn live_bytes(&self) -> u64 {
        self.total.bytes + self.total.entries * ENTRY_BYTES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cleared_space_takes_what_lived_there_with_it() {
        let (mut spaces, mut ledger) = (Spaces::default(), Ledger::default());
        let tenant: Arc<str> = "a".into();
        for (db, number) in [(0, 1), (7, 2)] {
            spaces.set(&tenant, db, number);
            ledger.open(number);
            ledger.add(number, 100);
        }
        ledger.add(9, 100);
        assert_eq!(ledger.entries(), 2);
        assert_eq!(spaces.owner(2), Some((tenant.clone(), 7)));
        assert_eq!((spaces.owner(0), spaces.owner(3)), (None, None));
        assert_eq!(spaces.clear("a", Some(7)), [2]);
        ledger.close(2);
        assert_eq!((ledger.entries(), ledger.is_open(2)), (1, false));
        assert_eq!(
            (spaces.number("a", 7), spaces.number("a", 0)),
            (None, Some(1))
        );
        ledger.remove(2, 100);
        ledger.remove(1, 100);
        ledger.remove(1, 100);
        assert_eq!((ledger.entries(), ledger.live_bytes()), (0, 0));
        assert_eq!(spaces.clear("a", None), [1]);
        assert!(spaces.clear("b", None).is_empty());
    }
}
