//! A set that remembers the hashes of what left recently: a ghost queue without its keys.
//!
//! Four bytes a place: a 16-bit tag and a 16-bit age in buckets of sixteen, the bucket chosen by
//! the hash. What is older than `capacity` insertions counts as forgotten; a full bucket forgets
//! its oldest early (about one in a hundred), and one look-up in four thousand is wrong. This is
//! the fingerprint table that the S3-FIFO paper (SOSP 2023, section 4.2) proposes.

const WAYS: usize = 16;
/// Places a remembered hash, in eighths, so that few buckets overflow.
const PLACES_EIGHTHS: usize = 11;
/// Ages that so many insertions as there are places are divided into; a 16-bit age wraps after
/// sixteen times as many.
const AGES: u64 = 4096;

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// 0: never used.
    tag: u16,
    age: u16,
}

/// Remembers about the last `capacity` hashes put into it.
#[derive(Debug, Default)]
pub struct GhostSet {
    buckets: Vec<[Place; WAYS]>,
    capacity: u64,
    /// The age that insertions get now, and how many got it already.
    age: u16,
    insertions: u64,
}

impl GhostSet {
    /// Sets how many hashes are to be remembered. Growing beyond what was made room for (or
    /// shrinking below a quarter) starts with an empty set.
    pub fn set_capacity(&mut self, capacity: usize) {
        let capacity = capacity.max(1);
        let room = self.buckets.len() * WAYS * 8 / PLACES_EIGHTHS;
        if capacity > room || capacity < room / 4 && room > 4 * WAYS {
            let places = (capacity + capacity / 4) * PLACES_EIGHTHS / 8;
            // The old one goes first, so that there are never two.
            self.buckets = Vec::new();
            self.buckets = vec![[Place::default(); WAYS]; places.div_ceil(WAYS)];
        }
        self.capacity = capacity as u64;
    }

    /// Remembers `hash`. Without a capacity nothing is remembered.
    pub fn insert(&mut self, hash: u32) {
        if self.buckets.is_empty() {
            return;
        }
        self.insertions += 1;
        if self.insertions >= self.insertions_an_age() {
            self.insertions = 0;
            self.age = self.age.wrapping_add(1);
        }
        let age = self.age;
        let tag = tag(hash);
        let bucket = self.bucket(hash);
        let places = &mut self.buckets[bucket];
        let mut oldest = 0;
        for (i, place) in places.iter().enumerate() {
            if place.tag == 0 || place.tag == tag {
                oldest = i;
                break;
            }
            if age.wrapping_sub(place.age) > age.wrapping_sub(places[oldest].age) {
                oldest = i;
            }
        }
        places[oldest] = Place { tag, age };
    }

    /// Whether `hash` is remembered; forgets it.
    pub fn take(&mut self, hash: u32) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let (age, tag, bucket) = (self.age, tag(hash), self.bucket(hash));
        let ages_max = (self.capacity / self.insertions_an_age()) as u16;
        for place in &mut self.buckets[bucket] {
            if place.tag == tag && age.wrapping_sub(place.age) <= ages_max {
                *place = Place::default();
                return true;
            }
        }
        false
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<[Place; WAYS]>()
    }

    /// Follows from the places there are, not from the capacity, so that ages stay comparable while
    /// the capacity wavers.
    fn insertions_an_age(&self) -> u64 {
        ((self.buckets.len() * WAYS) as u64 / AGES).max(1)
    }

    fn bucket(&self, hash: u32) -> usize {
        // The host chooses shard and place by other bits; multiplying spreads these once more.
        let mixed = hash.wrapping_mul(0x9E37_79B1);
        ((u64::from(mixed) * self.buckets.len() as u64) >> 32) as usize
    }
}

fn tag(hash: u32) -> u16 {
    ((hash ^ (hash >> 16)) as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> u32 {
        n.wrapping_mul(0x85EB_CA6B) ^ n.rotate_left(13).wrapping_mul(0xC2B2_AE35)
    }

    #[test]
    fn remembers_the_last_and_forgets_the_rest() {
        for capacity in [10u32, 100, 10_000, 100_000] {
            let mut ghost = GhostSet::default();
            ghost.set_capacity(capacity as usize);
            for n in 0..4 * capacity {
                ghost.insert(hash(n));
            }
            let recent = (3 * capacity..4 * capacity)
                .filter(|&n| ghost.take(hash(n)))
                .count();
            let old = (0..capacity).filter(|&n| ghost.take(hash(n))).count();
            assert!(
                recent as f64 >= 0.96 * f64::from(capacity),
                "{recent} of {capacity}"
            );
            assert!(
                old as f64 <= 0.01 * f64::from(capacity),
                "{old} of {capacity}"
            );
        }
    }

    #[test]
    fn a_capacity_that_wavers_forgets_nothing() {
        let mut ghost = GhostSet::default();
        for n in 0..60_000 {
            ghost.set_capacity(8190 + n as usize % 5);
            ghost.insert(hash(n));
        }
        let recent = (52_500..60_000).filter(|&n| ghost.take(hash(n))).count();
        assert!(recent > 7200, "{recent} of 7500");
        let old = (0..40_000).filter(|&n| ghost.take(hash(n))).count();
        assert!(old < 400, "{old} of 40,000");
    }

    #[test]
    fn a_taken_hash_is_forgotten_and_memory_is_bounded() {
        let mut ghost = GhostSet::default();
        assert!(!ghost.take(1));
        ghost.set_capacity(1_000_000);
        ghost.insert(7);
        assert!(ghost.take(7));
        assert!(!ghost.take(7));
        assert!(ghost.memory_bytes() <= 7_000_000);
    }
}
