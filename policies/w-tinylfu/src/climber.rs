//! How large the window is: hill climbing on the hit ratio.

/// Accesses between two steps, for each entry.
const ACCESSES_AN_ENTRY: u64 = 10;
/// The window's part of the capacity lies between these.
const SHARE_MIN: f64 = 0.005;
const SHARE_MAX: f64 = 0.8;
/// The first step, in parts of the capacity.
const STEP: f64 = 0.0625;
/// Each step is so much of the one before, so that the window comes to rest.
const STEP_DECAY: f64 = 0.98;
/// A hit ratio that differs by so much from the one before is that of another workload: steps are
/// large again.
const RESTART: f64 = 0.05;

/// The window's part of the capacity.
#[derive(Debug)]
pub(crate) struct Climber {
    share: f64,
    /// Below zero where the window shrinks.
    step: f64,
    hits: u64,
    accesses: u64,
    /// The hit ratio before the last step.
    last_hit_ratio: Option<f64>,
}

impl Climber {
    pub(crate) fn new(window_percent: u32) -> Self {
        Self {
            share: f64::from(window_percent) / 100.0,
            step: STEP,
            hits: 0,
            accesses: 0,
            last_hit_ratio: None,
        }
    }

    /// What the window may have of `capacity_bytes`.
    pub(crate) fn window_bytes(&self, capacity_bytes: u64) -> u64 {
        ((capacity_bytes as f64 * self.share) as u64).min(capacity_bytes)
    }

    /// Counts an access, and steps where it is time to.
    pub(crate) fn count(&mut self, is_hit: bool, entries: u32) {
        self.hits += u64::from(is_hit);
        self.accesses += 1;
        if self.accesses >= ACCESSES_AN_ENTRY * u64::from(entries.max(1)) {
            let hit_ratio = self.hits as f64 / self.accesses as f64;
            (self.hits, self.accesses) = (0, 0);
            self.climb(hit_ratio);
        }
    }

    fn climb(&mut self, hit_ratio: f64) {
        let Some(last) = self.last_hit_ratio.replace(hit_ratio) else {
            return;
        };
        let gain = hit_ratio - last;
        if gain < 0.0 {
            self.step = -self.step;
        }
        self.share = (self.share + self.step).clamp(SHARE_MIN, SHARE_MAX);
        self.step = match gain.abs() >= RESTART {
            true => STEP.copysign(self.step),
            false => self.step * STEP_DECAY,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where it comes to rest on a hill whose top is at `top`.
    fn rest(top: f64) -> f64 {
        let mut climber = Climber::new(1);
        for _ in 0..300 {
            climber.climb(0.5 - (climber.share - top).abs() / 4.0);
        }
        climber.share
    }

    #[test]
    fn it_finds_the_top_of_a_hill() {
        for top in [0.01, 0.2, 0.5, 0.8] {
            assert!((rest(top) - top).abs() < 0.04, "{top}: {}", rest(top));
        }
    }

    #[test]
    fn steps_are_taken_after_ten_accesses_an_entry() {
        let mut climber = Climber::new(1);
        (0..199).for_each(|_| climber.count(true, 10));
        assert_eq!(climber.share, 0.01);
        climber.count(true, 10);
        assert_eq!(climber.share, 0.01 + STEP);
    }
}
