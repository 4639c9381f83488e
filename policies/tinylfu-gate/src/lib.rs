//! Keeps values of keys that are written often enough, by a count that ages.
//!
//! The sketch and its ageing are those of "TinyLFU: A Highly Efficient Cache Admission Policy",
//! Einziger, Friedman and Manes, ACM Transactions on Storage 13(4), 2017. The paper compares the
//! newcomer with the entry that would go for it; a policy that decides before a write knows of no
//! such entry, so here a fixed threshold stands in its place.

use std::hash::BuildHasher;

use larder_sdk::map::FixedHash;
use larder_sdk::sketch::Sketch;
use larder_sdk::{Policy, Question, ShouldCache, Size};

larder_sdk::export! {
    name: "tinylfu-gate",
    about: "Keeps values of keys that are written often enough, by a count that ages",
    should_cache: TinyLfuGate,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// How often a key must have come lately, this time included.
    #[parameter(default = 2, min = 2, max = 15)]
    pub threshold: u8,
    /// For how many keys there is room; counts are halved after ten times as many writes.
    #[parameter(default = 65_536, min = 1, max = 2_000_000)]
    pub counted_keys: u32,
    /// Values smaller than this are kept however seldom they come.
    #[parameter(default = "0B")]
    pub free_below: Size,
}

/// The policy.
#[derive(Debug)]
pub struct TinyLfuGate {
    threshold: u8,
    free_below: Size,
    seed: u64,
    sketch: Sketch,
}

impl Policy for TinyLfuGate {
    type Parameters = Parameters;

    fn new(parameters: Parameters, seed: u64) -> Result<Self, String> {
        let mut sketch = Sketch::default();
        sketch.set_capacity(parameters.counted_keys as usize);
        Ok(Self {
            threshold: parameters.threshold,
            free_below: parameters.free_below,
            seed,
            sketch,
        })
    }
}

impl TinyLfuGate {
    /// With the seed, so that nobody can choose keys that are counted as one.
    fn hash(&self, question: &Question<'_>) -> u32 {
        let (tenant, key) = (question.tenant(), question.key());
        let place = (question.db(), question.tier());
        FixedHash.hash_one((self.seed, tenant, place, key)) as u32
    }
}

impl ShouldCache for TinyLfuGate {
    fn should_cache(&mut self, question: &Question<'_>) -> bool {
        let hash = self.hash(question);
        // Estimated before it is counted, as counting may halve all counts.
        let times = self.sketch.estimate(hash) + 1;
        self.sketch.add(hash);
        times >= self.threshold || question.value_bytes() < self.free_below.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn policy(threshold: u8, counted_keys: u32) -> TinyLfuGate {
        let parameters = Parameters {
            threshold,
            counted_keys,
            free_below: Size(100),
        };
        TinyLfuGate::new(parameters, 1).unwrap()
    }

    fn keeps(policy: &mut TinyLfuGate, key: &str) -> bool {
        policy.should_cache(&Ask::key(key).value_bytes(100).question())
    }

    #[test]
    fn a_key_is_kept_once_it_came_often_enough() {
        for threshold in [2, 3, 15] {
            let mut policy = policy(threshold, 1000);
            let refused = (0..100).take_while(|_| !keeps(&mut policy, "a"));
            assert_eq!(refused.count(), usize::from(threshold) - 1);
            assert!(keeps(&mut policy, "a") && !keeps(&mut policy, "b"));
        }
    }

    #[test]
    fn what_was_often_fades() {
        let mut policy = policy(4, 100);
        (0..6).for_each(|_| _ = keeps(&mut policy, "a"));
        assert!(keeps(&mut policy, "a"));
        // A thousand additions halve what was counted; three thousand leave hardly anything.
        (0..3000).for_each(|key| _ = keeps(&mut policy, &(key % 300).to_string()));
        let refused = (0..4).take_while(|_| !keeps(&mut policy, "a"));
        assert!(refused.count() > 0);
    }

    #[test]
    fn a_flood_of_strangers_is_refused() {
        let mut policy = policy(2, 10_000);
        let kept = (0..10_000).filter(|key: &u32| keeps(&mut policy, &key.to_string()));
        assert!(kept.count() < 500);
    }

    #[test]
    fn small_values_are_kept_at_once_and_counted() {
        let mut policy = policy(2, 1000);
        let mut small = Ask::key("a").value_bytes(99);
        assert!(policy.should_cache(&small.question()));
        assert!(keeps(&mut policy, "a"));
    }

    #[test]
    fn the_same_key_elsewhere_is_another() {
        let mut policy = policy(2, 1000);
        keeps(&mut policy, "a");
        let large = || Ask::key("a").value_bytes(100);
        for mut other in [large().db(1), large().tenant("shop"), large().tier(2)] {
            assert!(!policy.should_cache(&other.question()));
        }
        assert!(keeps(&mut policy, "a"));
    }

    #[test]
    fn one_counted_key_is_enough_to_start_with_and_the_largest_sketch_fits_an_instance() {
        let mut one = policy(2, 1);
        assert!(!keeps(&mut one, "a") && keeps(&mut one, "a"));
        assert!(policy(2, 2_000_000).sketch.memory_bytes() < 11 << 20);
    }
}
