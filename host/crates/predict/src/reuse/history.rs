//! How an entry was asked for so far, in twelve bytes. Time is counted in requests to its shard.

/// Times between requests that are kept.
const GAPS: usize = 4;
/// There was no such request.
const NEVER: u8 = u8::MAX;
/// The count ends here.
const COUNT_MAX: u8 = 32;
/// Steps of a doubling, of a gap and of the frequency.
const GAP_STEPS: f32 = 8.0;
const FREQUENCY_STEPS: f32 = 2048.0;

/// Numbers by which a model rates an entry.
pub(super) const FEATURES: usize = 4 + GAPS;
/// What a model sees of an entry: logarithms of its age, of its gaps, of how often it was asked for of late and of its size,
/// and how often in all.
pub(super) type Row = [f32; FEATURES];

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct History {
    /// The request that was its last, in the shard's count, which wraps.
    last: u32,
    /// How often of late: a count that halves with every half-life, as a logarithm.
    frequency: u16,
    /// The times between its last requests, as logarithms, the latest first.
    gaps: [u8; GAPS],
    /// Requests in all; none where this is nobody's.
    count: u8,
}

impl History {
    /// Of an entry that was asked for once, now.
    pub(super) fn new(now: u32) -> Self {
        Self {
            last: now,
            frequency: 0,
            gaps: [NEVER; GAPS],
            count: 1,
        }
    }

    /// Whether it is an entry's.
    pub(super) fn is_any(&self) -> bool {
        self.count > 0
    }

    /// Requests since its last one.
    pub(super) fn age(&self, now: u32) -> u32 {
        now.wrapping_sub(self.last)
    }

    /// It is asked for again.
    pub(super) fn ask(&mut self, now: u32, half_life: f32) {
        let gap = self.age(now);
        self.gaps.copy_within(..GAPS - 1, 1);
        self.gaps[0] = (log2(gap) * GAP_STEPS).round().min(f32::from(NEVER - 1)) as u8;
        let count = self.frequency(gap, half_life).exp2() + 1.0;
        self.frequency = (count.log2() * FREQUENCY_STEPS) as u16;
        self.last = now;
        self.count = (self.count + 1).min(COUNT_MAX);
    }

    /// The logarithm of how often it was asked for of late.
    fn frequency(&self, age: u32, half_life: f32) -> f32 {
        f32::from(self.frequency) / FREQUENCY_STEPS - age as f32 / half_life
    }

    /// What a model sees of it.
    pub(super) fn row(&self, now: u32, size: u32, half_life: f32) -> Row {
        let age = self.age(now);
        let gap = |at: usize| f32::from(self.gaps[at]) / GAP_STEPS;
        [
            log2(age),
            gap(0),
            gap(1),
            gap(2),
            gap(3),
            // What has gone to nothing need not be told apart.
            self.frequency(age, half_life).max(-6.0),
            f32::from(self.count),
            log2(size),
        ]
    }
}

fn log2(number: u32) -> f32 {
    (number as f32 + 1.0).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_move_on_and_the_frequency_halves_with_its_half_life() {
        assert_eq!(size_of::<History>(), 12);
        let mut history = History::new(u32::MAX - 2);
        assert_eq!(history.row(u32::MAX - 2, 0, 8.0)[5..], [0.0, 1.0, 0.0]);
        history.ask(4, 8.0);
        history.ask(5, 8.0);
        let row = history.row(8, 255, 8.0);
        assert_eq!(
            row[..3],
            [2.0, 1.0, 3.0],
            "3 ago, 1 before, and 7 over the end of the count"
        );
        assert!(row[3] > 31.0 && row[4] > 31.0, "not asked for as often");
        assert_eq!(row[6..], [3.0, 8.0]);
        let once_more = history.row(16, 255, 8.0);
        assert!((row[5] - once_more[5] - 1.0).abs() < 0.001);
    }

    #[test]
    fn what_is_asked_for_all_the_time_is_told_from_what_is_asked_for_often() {
        let often = |times| {
            let mut history = History::new(0);
            (1..times).for_each(|now| history.ask(now, 10_000.0));
            history.row(times, 0, 10_000.0)[5]
        };
        assert!(often(1_000) > often(500) + 0.9);
    }
}
