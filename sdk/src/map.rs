//! Maps and sets whose order follows from what was done to them alone.
//!
//! Those of the standard library iterate in an order that differs from run to run, and a policy
//! that depends on it could not be repeated. These iterate in the order of insertion. Removing is
//! `swap_remove`, which is quick and puts the last item in the place of the removed one; the order
//! is still the same in each run. `shift_remove` keeps the order of insertion and takes time in
//! proportion to the items.
//!
//! The hasher is fixed, so someone who chooses keys can make them collide: bound a map that keys of
//! clients enter.
//!
//! ```
//! use larder_sdk::map::Map;
//!
//! let mut seen: Map<&[u8], u32> = Map::default();
//! for key in [b"b", b"a", b"b"] {
//!     *seen.entry(key).or_default() += 1;
//! }
//! assert!(seen.iter().eq([(&&b"b"[..], &2), (&&b"a"[..], &1)]));
//! ```

use std::hash::{BuildHasher, Hasher};

use crate::random::mix;

/// A map in the order of insertion.
pub type Map<K, V> = indexmap::IndexMap<K, V, FixedHash>;
/// A set in the order of insertion.
pub type Set<T> = indexmap::IndexSet<T, FixedHash>;

/// Makes hashers that are all alike.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedHash;

/// A hasher without a key.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedHasher(u64);

impl BuildHasher for FixedHash {
    type Hasher = FixedHasher;

    fn build_hasher(&self) -> FixedHasher {
        FixedHasher::default()
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }

    /// As many bits on any target, so that a map takes the same places everywhere.
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_insertion_and_of_removals_alone() {
        let mut map: Map<u32, ()> = (0..10).map(|n| (n * 7 % 10, ())).collect();
        map.swap_remove(&7);
        assert!(map.keys().eq(&[0, 3, 4, 1, 8, 5, 2, 9, 6]));
        map.shift_remove(&4);
        assert!(map.keys().eq(&[0, 3, 1, 8, 5, 2, 9, 6]));
    }

    #[test]
    fn hashes_are_the_same_everywhere() {
        assert_eq!(FixedHash.hash_one(1u32), 0x910A_2DEC_8902_5CC1);
        assert_ne!(
            FixedHash.hash_one(&b"ab"[..]),
            FixedHash.hash_one(&b"ab\0"[..])
        );
    }
}
