//! Keeps a key from its second write on: what comes once does not take the room of what comes
//! again.
//!
//! Admission by a ghost that remembers the hashes of keys seen once, as content delivery networks
//! do it: "Algorithmic Nuggets in Content Delivery", Maggs and Sitaraman, ACM SIGCOMM CCR 45(3),
//! 2015 (cache on second hit).

use std::hash::BuildHasher;

use larder_sdk::ghost::GhostSet;
use larder_sdk::map::FixedHash;
use larder_sdk::{Policy, Question, ShouldCache, Size};

larder_sdk::export! {
    name: "second-hit",
    about: "Keeps a key from its second write on",
    should_cache: SecondHit,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// How many writes back a key is remembered: of the tenant, by each thread of the server.
    #[parameter(default = 65_536, min = 1, max = 1_000_000)]
    pub remembered_writes: u32,
    /// Values smaller than this are kept at once.
    #[parameter(default = "0B")]
    pub free_below: Size,
    /// A value that cost at least so many milliseconds is kept at once; 0 for none.
    #[parameter(default = 0)]
    pub dear_ms: u64,
}

/// The policy.
#[derive(Debug)]
pub struct SecondHit {
    free_below: Size,
    dear_ms: Option<u64>,
    seed: u64,
    /// What was written lately, kept or not.
    written: GhostSet,
}

impl Policy for SecondHit {
    type Parameters = Parameters;

    fn new(parameters: Parameters, seed: u64) -> Result<Self, String> {
        let mut written = GhostSet::default();
        written.set_capacity(parameters.remembered_writes as usize);
        Ok(Self {
            free_below: parameters.free_below,
            dear_ms: Some(parameters.dear_ms).filter(|&cost| cost > 0),
            seed,
            written,
        })
    }
}

impl SecondHit {
    /// With the seed, so that nobody can choose keys that pass for one another.
    fn hash(&self, question: &Question<'_>) -> u32 {
        let (tenant, key) = (question.tenant(), question.key());
        let place = (question.db(), question.tier());
        FixedHash.hash_one((self.seed, tenant, place, key)) as u32
    }

    fn is_free(&self, question: &Question<'_>) -> bool {
        let is_dear = |least| question.cost_ms().is_some_and(|cost| cost >= least);
        question.value_bytes() < self.free_below.0 || self.dear_ms.is_some_and(is_dear)
    }
}

impl ShouldCache for SecondHit {
    fn should_cache(&mut self, question: &Question<'_>) -> bool {
        let hash = self.hash(question);
        // Remembered from now on: a key that keeps coming is never a stranger again.
        let was_written = self.written.take(hash);
        self.written.insert(hash);
        was_written || self.is_free(question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn policy(remembered_writes: u32) -> SecondHit {
        let parameters = Parameters {
            remembered_writes,
            free_below: Size(100),
            dear_ms: 50,
        };
        SecondHit::new(parameters, 1).unwrap()
    }

    fn large(key: &str) -> Ask {
        Ask::key(key).value_bytes(100)
    }

    fn keeps(policy: &mut SecondHit, mut ask: Ask) -> bool {
        policy.should_cache(&ask.question())
    }

    #[test]
    fn a_key_is_kept_from_its_second_write_on() {
        let mut policy = policy(1000);
        let kept = [(); 4].map(|()| keeps(&mut policy, large("a")));
        assert_eq!(kept, [false, true, true, true]);
        assert!(!keeps(&mut policy, large("b")));
    }

    #[test]
    fn what_was_written_too_long_ago_is_a_stranger_again() {
        let mut policy = policy(100);
        keeps(&mut policy, large("early"));
        let mut flood = |keys: std::ops::Range<u32>| {
            keys.filter(|key| keeps(&mut policy, large(&key.to_string())))
                .count()
        };
        assert!(flood(0..1000) <= 5);
        // The last hundred are remembered, and hardly any of the others.
        assert!(flood(910..1000) >= 80);
        assert!(flood(0..500) <= 10);
        assert!(!keeps(&mut policy, large("early")));
    }

    #[test]
    fn the_same_key_elsewhere_is_another() {
        let mut policy = policy(1000);
        keeps(&mut policy, large("a"));
        for other in [
            large("a").db(1),
            large("a").tenant("shop"),
            large("a").tier(2),
        ] {
            assert!(!keeps(&mut policy, other));
        }
        assert!(keeps(&mut policy, large("a")));
    }

    #[test]
    fn small_and_dear_values_are_kept_at_once_and_remembered() {
        let mut policy = policy(1000);
        assert!(keeps(&mut policy, Ask::key("small").value_bytes(99)));
        assert!(keeps(&mut policy, large("small")));
        assert!(keeps(&mut policy, large("dear").cost_ms(50)));
        assert!(!keeps(&mut policy, large("cheap").cost_ms(49)));
    }

    #[test]
    fn by_default_size_and_cost_do_not_count() {
        let mut policy = SecondHit::new(Parameters::default(), 1).unwrap();
        assert!(!keeps(&mut policy, Ask::key("a").cost_ms(u64::MAX)));
        assert!(keeps(&mut policy, Ask::key("a")));
    }

    #[test]
    fn a_memory_of_one_write_knows_the_last_and_the_largest_fits_an_instance() {
        let mut one = policy(1);
        assert!(!keeps(&mut one, large("a")) && keeps(&mut one, large("a")));
        assert!(policy(1_000_000).written.memory_bytes() < 8 << 20);
    }
}
