//! Spreads times to live, so that entries that were written together do not expire together.

use std::hash::BuildHasher;
use std::time::Duration;

use larder_sdk::map::FixedHash;
use larder_sdk::{Policy, Question, TTL_MS_MAX, Ttl, TtlAnswer};

larder_sdk::export! {
    name: "ttl-jitter",
    about: "Spreads times to live, so that entries written together do not expire together",
    ttl: TtlJitter,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// By how much a TTL changes at most, in percent of it.
    #[parameter(default = 10, max = 90)]
    pub percent: u64,
    /// Whether TTLs are lengthened as well, which takes `may_extend = true`.
    #[parameter(default = false)]
    pub lengthen: bool,
    /// TTLs below this are left as they are.
    #[parameter(default = "1s")]
    pub shortest: Duration,
}

/// The policy.
#[derive(Debug)]
pub struct TtlJitter {
    parameters: Parameters,
    seed: u64,
}

impl Policy for TtlJitter {
    type Parameters = Parameters;

    fn new(parameters: Parameters, seed: u64) -> Result<Self, String> {
        Ok(Self { parameters, seed })
    }
}

impl TtlJitter {
    /// The TTL for what has the hash `hash`: evenly spread over what is allowed, both ends
    /// included. As less than all of a TTL is taken off it, something is left of each.
    fn spread(&self, ttl_ms: u64, hash: u64) -> u64 {
        let ttl_ms = ttl_ms.min(TTL_MS_MAX);
        let span_ms = ttl_ms * self.parameters.percent / 100;
        let (longest_ms, width_ms) = match self.parameters.lengthen {
            true => (ttl_ms + span_ms, 2 * span_ms),
            false => (ttl_ms, span_ms),
        };
        let part_ms = (u128::from(hash) * u128::from(width_ms + 1)) >> u64::BITS;
        (longest_ms - part_ms as u64).min(TTL_MS_MAX)
    }
}

impl Ttl for TtlJitter {
    fn ttl(&mut self, question: &Question<'_>) -> TtlAnswer {
        let shortest_ms = self.parameters.shortest.as_millis();
        let asked_ms = question.ttl_ms();
        let Some(ttl_ms) = asked_ms.filter(|&ttl_ms| u128::from(ttl_ms) >= shortest_ms) else {
            return TtlAnswer::Keep;
        };
        let (tenant, key) = (question.tenant(), question.key());
        let hash = FixedHash.hash_one((self.seed, tenant, question.db(), key));
        match self.spread(ttl_ms, hash) {
            same_ms if same_ms == ttl_ms => TtlAnswer::Keep,
            spread_ms => TtlAnswer::Millis(spread_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn policy(percent: u64, lengthen: bool, seed: u64) -> TtlJitter {
        let parameters = Parameters {
            percent,
            lengthen,
            ..Parameters::default()
        };
        TtlJitter::new(parameters, seed).unwrap()
    }

    /// What `ttl_ms` becomes for a thousand keys, ascending.
    fn spread(policy: &mut TtlJitter, ttl_ms: u64) -> Vec<u64> {
        let keys = (0..1000).map(|key| format!("page:{key}"));
        let ttls = keys.map(
            |key| match policy.ttl(&Ask::key(key).ttl_ms(ttl_ms).question()) {
                TtlAnswer::Millis(ttl_ms) => ttl_ms,
                TtlAnswer::Keep => ttl_ms,
                TtlAnswer::Never => panic!("a TTL is never taken away"),
            },
        );
        let mut ttls: Vec<_> = ttls.collect();
        ttls.sort_unstable();
        ttls
    }

    #[test]
    fn ttls_are_spread_evenly_below_what_was_asked_for() {
        let ttls = spread(&mut policy(10, false, 1), 60_000);
        assert!(ttls[0] >= 54_000 && ttls[999] <= 60_000);
        for tenth in 0..10 {
            let ms = 54_000 + tenth * 600..54_600 + tenth * 600;
            let here = ttls.iter().filter(|&ttl| ms.contains(ttl)).count();
            assert!((65..140).contains(&here), "{here} in {ms:?}");
        }
    }

    #[test]
    fn they_are_lengthened_where_that_is_set() {
        let ttls = spread(&mut policy(10, true, 1), 60_000);
        assert!((54_000..54_500).contains(&ttls[0]));
        assert!((65_500..=66_000).contains(&ttls[999]));
        let longer = ttls.iter().filter(|&&ttl_ms| ttl_ms > 60_000).count();
        assert!((430..570).contains(&longer), "{longer}");
    }

    #[test]
    fn a_key_has_its_own_by_the_seed() {
        let mut ask = Ask::key("page:7").ttl_ms(1_000_000);
        let mut ttl = |seed| policy(50, false, seed).ttl(&ask.question());
        assert_eq!(ttl(1), ttl(1));
        assert_ne!(ttl(1), ttl(2));
    }

    #[test]
    fn no_expiry_and_short_ttls_stay() {
        let mut policy = policy(90, true, 1);
        assert_eq!(policy.ttl(&Ask::key("a").question()), TtlAnswer::Keep);
        assert_eq!(spread(&mut policy, 999), [999; 1000]);
        assert_ne!(spread(&mut policy, 1000), [1000; 1000]);
    }

    #[test]
    fn extremes_are_ttls() {
        for (percent, lengthen) in [(0, false), (0, true), (90, false), (90, true)] {
            let parameters = Parameters {
                percent,
                lengthen,
                shortest: Duration::ZERO,
            };
            let policy = TtlJitter::new(parameters, 1).unwrap();
            for ttl_ms in [1, 2, 3, 1000, TTL_MS_MAX, u64::MAX] {
                for hash in [0, u64::MAX / 2, u64::MAX] {
                    let spread_ms = policy.spread(ttl_ms, hash);
                    assert!((1..=TTL_MS_MAX).contains(&spread_ms));
                    let is_same = spread_ms == ttl_ms.min(TTL_MS_MAX);
                    assert!(percent > 0 || is_same, "{ttl_ms} becomes {spread_ms}");
                }
            }
        }
    }
}
