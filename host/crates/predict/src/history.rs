//! What is remembered of keys, in a table that never grows.

/// Records that one key can be in.
const WAYS: usize = 8;
/// How fast the mean gap follows the gaps.
const GAP_WEIGHT: f32 = 0.25;
const SHORT_HALF_LIFE_MS: f32 = 60_000.0;
const LONG_HALF_LIFE_MS: f32 = 3_600_000.0;

/// Times are kept in units of so many milliseconds, in powers of two: 32 bits of them last two years.
const UNIT_BITS: u32 = 4;
/// Counts that fade are kept in parts of so many.
const COUNT_PARTS: f32 = 64.0;
/// Deviations are kept in parts of so many of the gap, four gaps at most.
const DEVIATION_PARTS: f32 = 64.0;
/// Requests that are further apart are not of one visit.
const VISIT_MS: f32 = 1_800_000.0;
const HOUR_VISITS_MAX: u8 = 3;

/// What is remembered of a key, in 36 bytes: most of what a predictor takes are these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    key: [u32; 2],
    last: u32,
    /// Where in the log it was asked for last, if that is known.
    position: u32,
    pub(crate) size_bytes: u32,
    /// Mean of the times between requests, and mean deviation from it; both lean to the latest.
    pub(crate) gap_ms: f32,
    short: u16,
    long: u16,
    deviation: u8,
    uses: u8,
    /// Visits by the hour of the day, two bits each.
    hours: [u8; 6],
}

const _: () = assert!(size_of::<History>() == 36);

/// No position, and nobody's key.
const NONE: u32 = u32::MAX;
const NOBODY: [u32; 2] = [NONE; 2];

impl History {
    const EMPTY: Self = Self {
        key: NOBODY,
        last: 0,
        position: NONE,
        size_bytes: 0,
        gap_ms: 0.0,
        short: 0,
        long: 0,
        deviation: 0,
        uses: 0,
        hours: [0; 6],
    };

    /// Notes that it was asked for.
    pub(crate) fn ask(&mut self, now_ms: u64, hour: usize) {
        let gap = self.age_ms(now_ms);
        if self.uses == 0 || gap > VISIT_MS {
            let visits = (self.in_hour(hour) + 1).min(HOUR_VISITS_MAX);
            let shift = hour % 4 * 2;
            let four = &mut self.hours[hour / 4];
            *four = *four & !(HOUR_VISITS_MAX << shift) | visits << shift;
        }
        let mut deviation = self.gap_deviation_ms();
        match self.uses {
            0 => {}
            1 => (self.gap_ms, deviation) = (gap, gap),
            _ => {
                deviation += ((gap - self.gap_ms).abs() - deviation) * GAP_WEIGHT;
                self.gap_ms += (gap - self.gap_ms) * GAP_WEIGHT;
            }
        }
        self.deviation = (deviation / self.gap_ms.max(1.0) * DEVIATION_PARTS) as u8;
        let more = |count: f32| ((count + 1.0) * COUNT_PARTS).round() as u16;
        (self.short, self.long) = (more(self.short(now_ms)), more(self.long(now_ms)));
        self.last = unit(now_ms);
        self.uses = self.uses.saturating_add(1);
    }

    pub(crate) fn key(&self) -> u64 {
        u64::from(self.key[1]) << 32 | u64::from(self.key[0])
    }

    /// Requests, as many as fit.
    pub(crate) fn uses(&self) -> u8 {
        self.uses
    }

    pub(crate) fn position(&self) -> Option<u32> {
        (self.position != NONE).then_some(self.position)
    }

    pub(crate) fn set_position(&mut self, position: u32) {
        self.position = position;
    }

    pub(crate) fn gap_deviation_ms(&self) -> f32 {
        f32::from(self.deviation) / DEVIATION_PARTS * self.gap_ms
    }

    /// Requests of the last minutes, and hours: each counts half after every half-life.
    pub(crate) fn short(&self, now_ms: u64) -> f32 {
        f32::from(self.short) / COUNT_PARTS * self.decay(now_ms, SHORT_HALF_LIFE_MS)
    }

    pub(crate) fn long(&self, now_ms: u64) -> f32 {
        f32::from(self.long) / COUNT_PARTS * self.decay(now_ms, LONG_HALF_LIFE_MS)
    }

    fn decay(&self, now_ms: u64, half_life_ms: f32) -> f32 {
        (-(self.age_ms(now_ms) / half_life_ms)).exp2()
    }

    pub(crate) fn age_ms(&self, now_ms: u64) -> f32 {
        (u64::from(unit(now_ms).saturating_sub(self.last)) << UNIT_BITS) as f32
    }

    /// Visits in an hour of the day, three at most.
    pub(crate) fn in_hour(&self, hour: usize) -> u8 {
        self.hours[hour / 4] >> (hour % 4 * 2) & HOUR_VISITS_MAX
    }
}

fn unit(ms: u64) -> u32 {
    u32::try_from(ms >> UNIT_BITS).unwrap_or(u32::MAX)
}

fn halves(key: u64) -> [u32; 2] {
    [key as u32, (key >> 32) as u32]
}

/// Histories by key: of the few records that a key can be in, the one goes that was not asked for
/// for longest.
#[derive(Debug)]
pub(crate) struct Histories {
    records: Vec<History>,
    hand: usize,
}

impl Histories {
    /// As many as take at most so many bytes, and a few at least.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let sets = (bytes_max / size_of::<History>() / WAYS).max(1);
        Self {
            records: vec![History::EMPTY; sets * WAYS],
            hand: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records.len() * size_of::<History>()
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn get(&self, key: u64) -> Option<&History> {
        let set = self.set(key);
        let mut found = self.records[set..set + WAYS].iter();
        found.find(|record| record.key == halves(key))
    }

    /// The record of a key, made where there is none.
    pub(crate) fn of(&mut self, key: u64, now_ms: u64) -> &mut History {
        let set = self.set(key);
        let records = &mut self.records[set..set + WAYS];
        let (mut at, mut oldest) = (0, u32::MAX);
        for (way, record) in records.iter().enumerate() {
            if record.key == halves(key) {
                return &mut records[way];
            }
            if record.last < oldest {
                (at, oldest) = (way, record.last);
            }
        }
        records[at] = History {
            key: halves(key),
            last: unit(now_ms),
            ..History::EMPTY
        };
        &mut records[at]
    }

    fn set(&self, key: u64) -> usize {
        let sets = (self.records.len() / WAYS) as u128;
        ((u128::from(key) * sets) >> 64) as usize * WAYS
    }

    /// The next records of a walk around all of them.
    pub(crate) fn walk(&mut self, count: usize) -> impl Iterator<Item = &History> {
        let from = self.hand;
        let to = (from + count).min(self.records.len());
        self.hand = to % self.records.len();
        self.records[from..to]
            .iter()
            .filter(|record| record.key != NOBODY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyed::mix;

    #[test]
    fn the_table_never_grows_and_keeps_what_was_asked_for_lately() {
        let mut histories = Histories::new(1 << 20);
        let bytes = histories.bytes();
        assert!(bytes <= 1 << 20);
        for key in 0..100_000 {
            histories.of(mix(key), 16 * key).ask(16 * key, 0);
        }
        assert_eq!(histories.bytes(), bytes);
        let kept = |keys: std::ops::Range<u64>| {
            keys.filter(|key| histories.get(mix(*key)).is_some())
                .count()
        };
        assert!(kept(99_000..100_000) > 950, "{}", kept(99_000..100_000));
        assert_eq!(kept(0..1_000), 0);
    }

    #[test]
    fn gaps_counts_and_hours_follow_the_requests() {
        let mut histories = Histories::new(0);
        for minute in 0..=10 {
            histories.of(7, 0).ask(minute * 60_000, 23);
        }
        let history = histories.get(7).unwrap();
        assert_eq!((history.gap_ms, history.uses()), (60_000.0, 11));
        assert!(history.gap_deviation_ms() < 10_000.0);
        assert_eq!((history.in_hour(23), history.in_hour(22)), (1, 0));
        let now = 10 * 60_000;
        assert!((history.short(now) - 2.0).abs() < 0.01);
        assert!((history.short(now + 60_000) - 1.0).abs() < 0.01);
        assert!(history.long(now) > 9.0);
        for day in 1..=5 {
            histories.of(7, 0).ask(day * 86_400_000, 21);
        }
        let history = histories.get(7).unwrap();
        assert_eq!(
            [20, 21, 22, 23].map(|hour| history.in_hour(hour)),
            [0, 3, 0, 1]
        );
    }

    #[test]
    fn a_walk_comes_around() {
        let mut histories = Histories::new(1 << 16);
        histories.of(mix(1), 5).ask(5, 0);
        let around = histories.len() / 16;
        let seen = |histories: &mut Histories| histories.walk(16).count();
        let found: usize = (0..2 * around).map(|_| seen(&mut histories)).sum();
        assert_eq!(found, 2);
    }
}
