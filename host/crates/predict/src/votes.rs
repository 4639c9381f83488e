//! How many speak for a key of late, and how often each source was right.

use crate::candidate::{Candidate, Source};
use crate::samples::Sample;
use crate::share::Share;
use crate::tracker::When;

/// Keys whose votes are kept; one takes the place of another.
const KEYS: usize = 1 << 14;
/// Candidates of a source that make its success.
const SUCCESS_CANDIDATES: u32 = 64;

/// Votes of candidates, which count half after every quarter of a horizon, and the sources' success.
#[derive(Debug)]
pub(crate) struct Votes {
    keys: Vec<(u64, u64, f32)>,
    success: [Share; Source::COUNT],
}

impl Votes {
    /// The bytes that it takes.
    pub(crate) const BYTES: usize = KEYS * size_of::<(u64, u64, f32)>();

    pub(crate) fn new() -> Self {
        Self {
            keys: vec![(0, 0, 0.0); KEYS],
            success: [Share::default(); Source::COUNT],
        }
    }

    /// Adds a vote for a key, and tells how much speaks for it.
    pub(crate) fn add(&mut self, candidate: &Candidate, when: &When) -> f32 {
        let (key, now_ms) = (candidate.key, when.now_ms);
        let vote = match candidate.source {
            Source::Follows => candidate.support,
            _ => 0.0,
        };
        let slot = &mut self.keys[(key >> 8) as usize & (KEYS - 1)];
        if slot.0 != key {
            *slot = (key, now_ms, 0.0);
        }
        let passed = now_ms.saturating_sub(slot.1) as f32;
        let decay = (-4.0 * passed / when.horizon_ms as f32).exp2();
        *slot = (key, now_ms, slot.2 * decay + vote);
        slot.2
    }

    /// It is known what became of a candidate.
    pub(crate) fn told(&mut self, sample: &Sample) {
        if let Some(success) = self.success.get_mut(sample.row[0] as usize) {
            success.told(sample.is_asked, SUCCESS_CANDIDATES);
        }
    }

    /// Share of the candidates of a source that were asked for of late.
    pub(crate) fn success(&self, source: Source) -> f32 {
        let share = &self.success[usize::from(source.number())];
        share.of_at_least(1).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FEATURES;

    #[test]
    fn votes_add_up_and_fade_and_sources_are_known_by_their_success() {
        let candidate = Candidate {
            key: 7,
            source: Source::Follows,
            run: 0.0,
            support: 0.5,
            ahead: 0.0,
            is_drawn: false,
            size_bytes: 1,
        };
        let when = |now_ms| When {
            now_ms,
            horizon_ms: 400,
            hour: 0,
            days: 1.0,
        };
        let mut votes = Votes::new();
        assert_eq!(votes.add(&candidate, &when(1_000)), 0.5);
        assert_eq!(votes.add(&candidate, &when(1_000)), 1.0);
        assert_eq!(
            votes.add(&candidate, &when(1_100)),
            1.0,
            "a half, and another"
        );
        let sample = Sample {
            row: [f32::from(Source::Follows.number()); FEATURES],
            is_asked: true,
            is_drawn: false,
        };
        (0..1_000).for_each(|_| votes.told(&sample));
        assert!(votes.success(Source::Follows) > 0.99);
        assert_eq!(votes.success(Source::Due), 0.0);
    }
}
