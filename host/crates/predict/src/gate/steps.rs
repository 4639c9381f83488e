//! What the scores of a model are worth.

use crate::share::Share;

/// Steps of a model's score.
const STEPS: usize = 20;
/// Candidates of a step that make its share, and how many tell something.
const STEP_CANDIDATES: u32 = 64;
const STEP_CANDIDATES_MIN: u32 = 32;
/// Of these, so many were never seen.
const STEP_CANDIDATES_AGAINST: u32 = 8;
/// Candidates that tell how many there are of each step.
const CANDIDATES: f32 = 4_096.0;
/// What became, of late, of the candidates with scores of each step: what a score is worth.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    shares: [Share; STEPS],
    /// How many candidates there were of late.
    counts: [f32; STEPS],
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            shares: [Share::against(STEP_CANDIDATES_AGAINST); STEPS],
            counts: [0.0; STEPS],
        }
    }
}

impl Steps {
    pub(super) fn of(score: f32) -> usize {
        ((score * STEPS as f32) as usize).min(STEPS - 1)
    }

    pub(super) fn told(&mut self, step: usize, is_asked: bool) {
        self.shares[step].told(is_asked, STEP_CANDIDATES);
        self.counts[step] += 1.0;
        if self.counts.iter().sum::<f32>() > CANDIDATES {
            self.counts.iter_mut().for_each(|count| *count /= 2.0);
        }
    }

    /// The share of a step's candidates that are asked for, if enough is known.
    pub(super) fn share(&self, step: usize) -> Option<f32> {
        self.shares[step].of_at_least(STEP_CANDIDATES_MIN)
    }

    /// The lowest share of a step, `share_min` at least, that can be fetched with all that are better for `mean_min` of
    /// them to be asked for; `mean_min` where there is none.
    pub(super) fn least(&self, mean_min: f32, share_min: f32) -> f32 {
        let known = (0..STEPS).filter_map(|step| Some((self.share(step)?, self.counts[step])));
        let mut known: Vec<_> = known.filter(|(share, _)| *share >= share_min).collect();
        known.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
        let mut spare = 0.0;
        let rest = known.iter().take_while(|(share, count)| {
            spare += (share - mean_min) * count;
            spare >= 0.0
        });
        rest.last().map_or(mean_min, |(share, _)| *share)
    }

    /// The highest share of all.
    pub(super) fn best(&self) -> Option<f32> {
        let shares = (0..STEPS).filter_map(|step| self.share(step));
        shares.max_by(f32::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_steps_make_room_for_worse_ones_by_how_many_there_are_of_each() {
        // Steps of whose candidates nine, six, four and two in ten are asked for: how many there are of each.
        for (counts, least, together) in [
            ([1, 0, 1, 0], 0.4, "65 %"),
            ([1, 0, 3, 0], 0.9, "52.5 %"),
            ([0, 4, 1, 0], 0.4, "56 %"),
            ([0, 1, 1, 0], 0.6, "50 %"),
            ([9, 0, 0, 1], 0.9, "83 %, but too far below"),
            ([0, 0, 9, 0], 0.55, "40 %"),
        ] {
            let mut steps = Steps::default();
            for number in 0..300 {
                for (tenths, count) in [9, 6, 4, 2].into_iter().zip(counts) {
                    (0..count).for_each(|_| steps.told(tenths, number * 7 % 10 < tenths));
                }
            }
            let found = steps.least(0.55, 0.3);
            assert!((found - least).abs() < 0.04, "{together}: {found}");
        }
    }
}
