//! Randomness from a seed: the same seed gives the same numbers everywhere.

/// A splitmix64 generator ("Fast splittable pseudorandom number generators", Steele, Lea and Flood,
/// OOPSLA 2014). Whoever sees some of its numbers can tell the others.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator for `seed`, which is that of [`Policy::new`](crate::Policy::new) or another.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let number = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        number
    }

    /// Any 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number from 0 up to, and not including, `end`; 0 where that is 0. For an `end` below 2^16
    /// as good as evenly distributed.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(end)) >> 32) as u32
    }

    /// Whether what happens `times` in `of` happens now.
    pub fn chance(&mut self, times: u32, of: u32) -> bool {
        self.below(of) < times
    }
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The bits of `number` spread over 64: what is one bit apart differs in about half of them.
#[inline]
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(STEP);
    let number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        let numbers = [(); 3].map(|()| random.next_u64());
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn numbers_below_an_end_are_spread_evenly() {
        let mut random = Random::new(7);
        let mut counts = [0; 10];
        (0..10_000).for_each(|_| counts[random.below(10) as usize] += 1);
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
        assert_eq!(random.below(0), 0);
        let rare = (0..10_000).filter(|_| random.chance(1, 100)).count();
        assert!((60..140).contains(&rare), "{rare}");
    }
}
