//! A set that remembers the hashes of what left recently: a ghost queue without its keys.
//!
//! Four bytes a place: a 16-bit tag and a 16-bit age in buckets of sixteen, the bucket chosen by
//! the hash. What is older than `capacity` insertions counts as forgotten; a full bucket forgets
//! its oldest early (about one in a hundred), and one look-up in four thousand is wrong. This is
//! the fingerprint table that the S3-FIFO paper (SOSP 2023, section 4.2) proposes. As calls cost more
//! in WebAssembly than what is done here, it is inlined.

/// Places a bucket.
const WAYS: usize = 16;
/// A tag that no hash has.
const NO_TAG: u16 = 0;
/// Places a remembered hash, in eighths, so that few buckets overflow.
const PLACES_EIGHTHS: usize = 11;
/// At least so many ages, and less than twice as many, are what insertions are divided into until
/// there were as many as there are places. A 16-bit age wraps after eight times as many.
const AGES: usize = 4096;
/// An age that is older than any that is remembered.
const LONG_AGO: u16 = 1 << 15;

/// Numbers a word.
const LANES: usize = 4;
const LANE_BITS: usize = 16;
/// The lowest bit of each lane, the highest, and all but the highest.
const LOWEST_BITS: u64 = 0x0001_0001_0001_0001;
const HIGHEST_BITS: u64 = LOWEST_BITS << (LANE_BITS - 1);
const LOWER_BITS: u64 = !HIGHEST_BITS;

/// Sixteen numbers of 16 bits, four a word and compared so, by arithmetic that is quick everywhere,
/// in WebAssembly without vectors, too. Place `p` has lane `p / 4` of word `p % 4`.
#[derive(Debug, Clone, Copy, Default)]
struct Column([u64; WAYS / LANES]);

/// Places of a bucket: the four lowest bits of each lane.
#[derive(Debug, Clone, Copy)]
struct Places(u64);

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    tags: Column,
    ages: Column,
}

/// Remembers about the last `capacity` hashes put into it.
#[derive(Debug, Default)]
pub struct GhostSet {
    buckets: Vec<Bucket>,
    /// The capacities that what is made room for suits.
    capacity_min: usize,
    capacity_max: usize,
    /// What is older is forgotten.
    ages_max: u16,
    /// The age that insertions get now, and how many got it already.
    age: u16,
    insertions: usize,
    /// How many get one, as a power of two.
    insertions_an_age_log2: u32,
}

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (bit < u64::BITS as usize).then_some(bit / LANE_BITS * LANES + bit % LANES)
    }
}

impl Column {
    #[inline]
    fn get(&self, place: usize) -> u16 {
        (self.0[place % LANES] >> (place / LANES * LANE_BITS)) as u16
    }

    #[inline]
    fn set(&mut self, place: usize, number: u16) {
        let shift = place / LANES * LANE_BITS;
        let word = &mut self.0[place % LANES];
        *word = *word & !(0xFFFF << shift) | u64::from(number) << shift;
    }

    /// The places whose lane gets its highest bit from `test`.
    #[inline]
    fn places(&self, test: impl Fn(u64) -> u64) -> Places {
        let words = self.0.iter().enumerate();
        Places(words.fold(0, |places, (i, word)| {
            places | (test(*word) >> (LANE_BITS - 1) & LOWEST_BITS) << i
        }))
    }

    #[inline]
    fn equal_to(&self, number: u16) -> Places {
        let wanted = u64::from(number) * LOWEST_BITS;
        // No carry leaves its lane; the highest bit is set where any was.
        self.places(|word| {
            let differ = word ^ wanted;
            !(((differ & LOWER_BITS) + LOWER_BITS) | differ)
        })
    }

    /// The places that are more than `max`, which is below [`LONG_AGO`], behind `now`.
    #[inline]
    fn behind(&self, now: u16, max: u16) -> Places {
        let now = u64::from(now) * LOWEST_BITS;
        let beyond = u64::from(LONG_AGO - 1 - max) * LOWEST_BITS;
        self.places(|word| {
            // A borrow stops at the highest bit of its lane, which is then put right.
            let lower = (now | HIGHEST_BITS) - (word & LOWER_BITS);
            let behind = lower ^ ((now ^ !word) & HIGHEST_BITS);
            ((behind & LOWER_BITS) + beyond) | behind
        })
    }

    /// The first of the places that are furthest behind `now`.
    #[cold]
    fn furthest_behind(&self, now: u16) -> usize {
        let behind = |place: &usize| now.wrapping_sub(self.get(*place));
        (0..WAYS).rev().max_by_key(behind).unwrap_or_default()
    }
}

impl GhostSet {
    /// Sets how many hashes are to be remembered. Growing beyond what was made room for (or
    /// shrinking below a quarter) starts with an empty set.
    #[inline(always)]
    pub fn set_capacity(&mut self, capacity: usize) {
        let capacity = capacity.max(1);
        if capacity > self.capacity_max || capacity < self.capacity_min {
            self.make_room(capacity);
        }
        self.ages_max = (capacity >> self.insertions_an_age_log2) as u16;
    }

    #[cold]
    fn make_room(&mut self, capacity: usize) {
        let places = (capacity + capacity / 4) * PLACES_EIGHTHS / 8;
        // The old one goes first, so that there are never two.
        self.buckets = Vec::new();
        self.buckets = vec![Bucket::default(); places.div_ceil(WAYS)];
        let places = self.buckets.len() * WAYS;
        self.capacity_max = places * 8 / PLACES_EIGHTHS;
        let is_small = self.capacity_max <= 4 * WAYS;
        self.capacity_min = if is_small { 0 } else { self.capacity_max / 4 };
        self.insertions_an_age_log2 = (places / AGES).max(1).ilog2();
        self.age = LONG_AGO;
    }

    /// Remembers `hash`. Without a capacity nothing is remembered.
    #[inline(always)]
    pub fn insert(&mut self, hash: u32) {
        if self.buckets.is_empty() {
            return;
        }
        self.insertions += 1;
        if self.insertions >> self.insertions_an_age_log2 != 0 {
            self.insertions = 0;
            self.age = self.age.wrapping_add(1);
        }
        let (tag, bucket) = (tag(hash), self.bucket(hash));
        let bucket = &mut self.buckets[bucket];
        let same = bucket.tags.equal_to(tag).next();
        let place = same.or_else(|| bucket.ages.behind(self.age, self.ages_max).next());
        let place = place.unwrap_or_else(|| bucket.ages.furthest_behind(self.age));
        bucket.tags.set(place, tag);
        bucket.ages.set(place, self.age);
    }

    /// Whether `hash` is remembered; forgets it.
    #[inline(always)]
    pub fn take(&mut self, hash: u32) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let (tag, bucket) = (tag(hash), self.bucket(hash));
        let bucket = &mut self.buckets[bucket];
        for place in bucket.tags.equal_to(tag) {
            if self.age.wrapping_sub(bucket.ages.get(place)) <= self.ages_max {
                bucket.tags.set(place, NO_TAG);
                bucket.ages.set(place, self.age.wrapping_sub(LONG_AGO));
                return true;
            }
        }
        false
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    #[inline]
    fn bucket(&self, hash: u32) -> usize {
        // The host chooses shard and place by other bits; multiplying spreads these once more.
        let mixed = hash.wrapping_mul(0x9E37_79B1);
        ((u64::from(mixed) * self.buckets.len() as u64) >> 32) as usize
    }
}

#[inline]
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
