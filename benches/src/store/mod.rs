//! The stores that are compared, behind one trait.
//!
//! All of them take keys and values of any length as slices, as a server gets them from its socket:
//! an insert copies both, a hit copies the value out. Stores that hand out values get an
//! `Arc<[u8]>`, the cheapest thing to hand out; keys are `Box<[u8]>`. Hashers are each store's own
//! default.

mod foyer;
mod larder;
mod moka;
mod quick;

use std::sync::Arc;

use anyhow::Result;

use crate::l1::Workload;

pub(crate) use larder::{Policy, engine, now, put};

/// Bytes of every key.
pub const KEY_BYTES: usize = 16;
/// Bytes of every value.
pub const VALUE_BYTES: usize = 64;
/// What [`weigh`] says of every entry.
const ENTRY_WEIGHT: u64 = (KEY_BYTES + VALUE_BYTES) as u64;

/// The key with this number. Cheap to make: a table of keys would cost every store a cache miss an
/// operation that is not its own.
#[inline]
pub fn key(number: u64) -> [u8; KEY_BYTES] {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = [0; KEY_BYTES];
    key[..8].copy_from_slice(&number.to_le_bytes());
    key[8..].copy_from_slice(&spread.to_le_bytes());
    key
}

/// A cache as the benchmark uses it.
pub trait Store: Send + Sync {
    /// The time that [`Store::get`] and [`Store::insert`] are handed: read once a batch.
    fn now(&self) -> u64 {
        0
    }

    /// Copies the value of `key` to `out`. Whether it was there.
    fn get(&self, key: &[u8], now: u64, out: &mut [u8; VALUE_BYTES]) -> bool;

    /// Puts a copy of `value`.
    fn insert(&self, key: &[u8], value: &[u8], now: u64);

    /// Removes `key`. Whether it was there.
    fn remove(&self, key: &[u8], now: u64) -> bool;

    /// What has to be done about every ten milliseconds.
    fn maintain(&self, _now: u64) {}

    /// Entries resident.
    fn entries(&self) -> u64;
}

/// A store, its name, and the benchmark compiled for it.
pub struct Contender {
    /// The store, its policy and how it is bounded.
    pub name: &'static str,
    /// Runs workloads on it.
    pub bench: Box<dyn Workload>,
}

/// What the stores are made for.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Keys there are.
    pub keys: u64,
    /// Of them, those that fit; all when `None`.
    pub held: Option<u64>,
    /// Threads that will use the store.
    pub threads: usize,
}

impl Shape {
    /// Weight that bounds a store: far from reached when all keys fit.
    fn weight_max(self) -> u64 {
        ENTRY_WEIGHT * self.held.unwrap_or(2 * self.keys)
    }
}

/// All stores, empty; Larder with S3-FIFO first.
///
/// # Errors
/// When Larder refuses its configuration.
pub fn contenders(shape: Shape) -> Result<Vec<Contender>> {
    let mut all = vec![
        contender(
            "larder s3-fifo",
            larder::Larder::new(Policy::S3Fifo, shape)?,
        ),
        contender("larder lru", larder::Larder::new(Policy::Lru, shape)?),
        contender("quick_cache", quick::Quick::new(shape)),
        contender("foyer-memory s3-fifo", foyer::Foyer::new(shape)),
        contender("moka, bounded", moka::Moka::bounded(shape)),
    ];
    if shape.held.is_none() {
        all.push(contender("moka, unbounded", moka::Moka::unbounded()));
    }
    Ok(all)
}

fn contender(name: &'static str, store: impl Store + 'static) -> Contender {
    Contender {
        name,
        bench: Box::new(store),
    }
}

/// What an entry weighs for stores that are bounded by weight.
fn weigh<K: AsRef<[u8]>, V: AsRef<[u8]>>(key: &K, value: &V) -> usize {
    key.as_ref().len() + value.as_ref().len()
}

/// Copies a value that was handed out.
fn copy(value: &Arc<[u8]>, out: &mut [u8; VALUE_BYTES]) -> bool {
    out.copy_from_slice(value);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_keeps_and_forgets() {
        let value = [7; VALUE_BYTES];
        let shape = Shape {
            keys: 100,
            held: None,
            threads: 1,
        };
        for Contender { name, bench } in contenders(shape).unwrap() {
            let store = bench.store();
            let now = store.now();
            let mut out = [0; VALUE_BYTES];
            assert!(!store.get(&key(1), now, &mut out), "{name}");
            store.insert(&key(1), &value, now);
            assert!(store.get(&key(1), now, &mut out), "{name}");
            assert_eq!(out, value, "{name}");
            store.maintain(now);
            assert_eq!(store.entries(), 1, "{name}");
            assert!(store.remove(&key(1), now), "{name}");
            assert!(!store.remove(&key(1), now), "{name}");
        }
    }
}
