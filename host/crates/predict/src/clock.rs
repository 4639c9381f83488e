//! Time that begins at 0 and never goes back, whatever the wall clock does.

/// By so much accesses that come together may be out of order.
const DISORDER_MS: u64 = 1_000;
/// A cache that nobody asks anything for so long, or a clock that was set: nobody can say which.
const GAP_MS: u64 = 3_600_000;
const HOUR_MS: i128 = 3_600_000;

/// Follows the wall clock.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    now_ms: u64,
    /// What the wall shows at time 0; it changes when the wall clock goes back. `None` before the first look.
    zero_ms: Option<i128>,
}

/// What the wall clock did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Back(u64),
    On(u64),
}

impl Clock {
    /// The time, once it is `wall_ms` on the wall, and whether that was a step.
    pub(crate) fn set(&mut self, wall_ms: u64) -> (u64, Option<Step>) {
        let wall = i128::from(wall_ms);
        let zero = *self.zero_ms.get_or_insert(wall);
        let passed = wall - zero - i128::from(self.now_ms);
        let (back, on) = ((-passed).max(0) as u64, passed.max(0) as u64);
        if back > DISORDER_MS {
            self.zero_ms = Some(wall - i128::from(self.now_ms));
            return (self.now_ms, Some(Step::Back(back)));
        }
        self.now_ms += on;
        (self.now_ms, (on > GAP_MS).then_some(Step::On(on)))
    }

    /// The hour of the day, of UTC, in which a time falls.
    pub(crate) fn hour(&self, at_ms: u64) -> usize {
        let wall = self.zero_ms.unwrap_or(0) + i128::from(at_ms);
        (wall / HOUR_MS).rem_euclid(24) as usize
    }
}

/// Follows how long nobody asks for anything: what becomes of a candidate then tells nothing of it, so it is waited for in
/// the rest of the time.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    asked_ms: u64,
    looked_ms: u64,
    still_ms: u64,
    is_pause: bool,
}

impl Pauses {
    /// Something was asked for.
    pub(crate) fn asked(&mut self, now_ms: u64) {
        self.asked_ms = now_ms;
    }

    /// It is a pause from half of the horizon on: what goes by then had the other half, at least, to be asked for.
    pub(crate) fn look(&mut self, now_ms: u64, horizon_ms: u64) {
        self.is_pause = now_ms.saturating_sub(self.asked_ms) >= horizon_ms / 2;
        if self.is_pause {
            self.still_ms += now_ms - self.looked_ms;
        }
        self.looked_ms = now_ms;
    }

    /// Whether it was one at the last look.
    pub(crate) fn is_pause(&self) -> bool {
        self.is_pause
    }

    /// What all pauses until the last look took.
    pub(crate) fn still_ms(&self) -> u64 {
        self.still_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_and_time_goes_on() {
        let mut clock = Clock::default();
        let day = 86_400_000;
        assert_eq!(clock.set(day), (0, None));
        assert_eq!(clock.set(day + 10), (10, None));
        assert_eq!(clock.set(day), (10, None), "a little disorder");
        assert_eq!(
            clock.set(day - 7_200_000),
            (10, Some(Step::Back(7_200_010)))
        );
        assert_eq!(clock.set(day - 7_199_000), (1_010, None));
        assert_eq!(clock.hour(1_010), 22, "the hour is the wall's");
        assert_eq!(clock.set(day).1, Some(Step::On(7_199_000)));
        assert_eq!(clock.hour(clock.now_ms), 0);
    }

    #[test]
    fn a_pause_begins_when_nothing_was_asked_for_in_half_of_the_horizon() {
        let mut pauses = Pauses::default();
        pauses.asked(1_000);
        for (now_ms, is_pause, still_ms) in [
            (1_999, false, 0),
            (2_000, true, 1),
            (2_050, true, 51),
            (9_000, true, 7_001),
        ] {
            pauses.look(now_ms, 2_000);
            assert_eq!((pauses.is_pause(), pauses.still_ms()), (is_pause, still_ms));
        }
        pauses.asked(9_005);
        pauses.look(9_010, 2_000);
        assert_eq!((pauses.is_pause(), pauses.still_ms()), (false, 7_001));
    }
}
