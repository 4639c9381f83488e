//! A time to live learnt from how often keys are updated.
//!
//! Keys form **families**: `page:17` and `page:18` are of the family `page`. Of each, a few keys
//! are watched at a time. When one is written again, the interval since is weighed into the
//! family's mean, and another key takes its place. Values then live for a part of that mean.
//!
//! A key is watched from a write on that finds a place free, and until it is written again, or for
//! longer than anything that would change the TTL. So what is measured is how long a written value
//! stays the newest, as often for a key as it is written, and keys that are never written again
//! count as well.

use std::time::Duration;

use larder_sdk::{Operation, Policy, Question, TTL_MS_MAX, Ttl, TtlAnswer};

mod families;

use families::Families;

larder_sdk::export! {
    name: "adaptive-ttl",
    about: "A time to live learnt from how often keys that begin alike are updated",
    ttl: AdaptiveTtl,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// What of the mean interval between updates of a key its values live for.
    #[parameter(default = 0.5, min = 0.01, max = 100.0)]
    pub factor: f64,
    /// The shortest TTL that is set.
    #[parameter(default = "1s", min = "1ms")]
    pub min: Duration,
    /// The longest TTL that is set.
    #[parameter(default = "1h", min = "1ms")]
    pub max: Duration,
    /// Intervals that must have been seen in a family before it gets a TTL of its own.
    #[parameter(default = 8, min = 1)]
    pub intervals: u32,
    /// What a new interval counts for in the mean, in percent.
    #[parameter(default = 10, min = 1, max = 100)]
    pub weight_percent: u8,
    /// The last of these in a key ends its family; empty to have each key for a family.
    #[parameter(default = ":")]
    pub separator: String,
    /// Families known at a time, to each thread of the server.
    #[parameter(default = 1024, min = 1, max = 16_384)]
    pub families: u32,
}

/// The policy.
#[derive(Debug)]
pub struct AdaptiveTtl {
    factor: f64,
    min_ms: u64,
    max_ms: u64,
    intervals: u32,
    separator: Vec<u8>,
    families: Families,
}

impl Policy for AdaptiveTtl {
    type Parameters = Parameters;

    fn new(parameters: Parameters, seed: u64) -> Result<Self, String> {
        let (min, max) = (parameters.min, parameters.max);
        if min > max {
            return Err(format!("min ({min:?}) is above max ({max:?})"));
        }
        if max > Duration::from_millis(TTL_MS_MAX) {
            return Err("max is more than a hundred years".into());
        }
        let (min_ms, max_ms) = (min.as_millis() as u64, max.as_millis() as u64);
        // A longer interval would give the longest TTL as this one does.
        let interval_max_ms = (max_ms as f64 / parameters.factor) as u64 + 1;
        let weight = f64::from(parameters.weight_percent) / 100.0;
        Ok(Self {
            factor: parameters.factor,
            min_ms,
            max_ms,
            intervals: parameters.intervals,
            separator: parameters.separator.into(),
            families: Families::new(parameters.families as usize, interval_max_ms, weight, seed),
        })
    }
}

impl AdaptiveTtl {
    /// The family of `key`, if it has one.
    fn family<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        if self.separator.is_empty() {
            return Some(key);
        }
        let mut ends = key.windows(self.separator.len());
        let end = ends.rposition(|part| part == self.separator)?;
        Some(&key[..end])
    }
}

impl Ttl for AdaptiveTtl {
    fn ttl(&mut self, question: &Question<'_>) -> TtlAnswer {
        let Some(family) = self.family(question.key()) else {
            return TtlAnswer::Keep;
        };
        let hash = self.families.hash(question, family);
        // What is loaded is as old as it was: that says nothing of updates.
        if question.operation() == Operation::Write {
            let key = self.families.hash(question, question.key());
            self.families.written(hash, key, question.now_ms());
        }
        match self.families.mean_ms(hash, self.intervals) {
            Some(mean_ms) => {
                let ttl_ms = (mean_ms * self.factor) as u64;
                TtlAnswer::Millis(ttl_ms.clamp(self.min_ms, self.max_ms))
            }
            None => TtlAnswer::Keep,
        }
    }
}

#[cfg(test)]
mod tests;
