//! Whether compressing pays, as measured.

/// Records that are tried before it is judged.
const TRIED: u32 = 32;
/// What is left of what pays, at most, in percent.
const PERCENT_MAX: u64 = 90;
/// Records that are left alone after it did not pay; twice as many the next time, and so on.
const RESTING_MIN: u32 = 256;
const RESTING_MAX: u32 = 65_536;

/// How compressing has done lately for records of one kind.
#[derive(Debug)]
pub(super) struct Standing {
    tried: u32,
    bytes_in: u64,
    bytes_out: u64,
    resting: u32,
    resting_next: u32,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            tried: 0,
            bytes_in: 0,
            bytes_out: 0,
            resting: 0,
            resting_next: RESTING_MIN,
        }
    }
}

impl Standing {
    /// Whether to try the next record.
    pub(super) fn is_worth_it(&mut self) -> bool {
        let is_worth_it = self.resting == 0;
        self.resting = self.resting.saturating_sub(1);
        is_worth_it
    }

    /// What came of it.
    pub(super) fn tell(&mut self, bytes_in: usize, bytes_out: usize) {
        self.tried += 1;
        self.bytes_in += bytes_in as u64;
        self.bytes_out += bytes_out as u64;
        if self.tried < TRIED {
            return;
        }
        let pays = self.bytes_out * 100 <= self.bytes_in * PERCENT_MAX;
        *self = if pays {
            Self::default()
        } else {
            Self {
                resting: self.resting_next,
                resting_next: (self.resting_next * 2).min(RESTING_MAX),
                ..Self::default()
            }
        };
    }
}

/// Rounds of a contest, and records until the next one.
const ROUNDS: u32 = 8;
const RECORDS_BETWEEN: u32 = 4096;

/// Whether LZ4, which unpacks several times as fast, saves nearly what zstd does.
#[derive(Debug, Default)]
pub(super) struct Contest {
    rounds: u32,
    zstd_saved: u64,
    lz4_saved: u64,
    verdict: Option<bool>,
    until_next: u32,
}

impl Contest {
    /// Whether LZ4 has won; nothing while it is to be tried beside zstd.
    pub(super) fn verdict(&mut self) -> Option<bool> {
        self.until_next = self.until_next.saturating_sub(1);
        if self.until_next == 0 {
            self.verdict = None;
        }
        self.verdict
    }

    /// What the two made of one record.
    pub(super) fn tell(&mut self, bytes_in: usize, zstd: usize, lz4: usize) {
        self.rounds += 1;
        self.zstd_saved += bytes_in.saturating_sub(zstd) as u64;
        self.lz4_saved += bytes_in.saturating_sub(lz4) as u64;
        if self.rounds == ROUNDS {
            *self = Self {
                verdict: Some(self.lz4_saved * 4 >= self.zstd_saved * 3),
                until_next: RECORDS_BETWEEN,
                ..Self::default()
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that are tried of so many, where each is left with a share of its bytes.
    fn tried(standing: &mut Standing, records: usize, percent: usize) -> usize {
        (0..records)
            .filter(|_| {
                let is_tried = standing.is_worth_it();
                if is_tried {
                    standing.tell(1000, 10 * percent);
                }
                is_tried
            })
            .count()
    }

    #[test]
    fn what_does_not_pay_is_left_alone_and_looked_at_again() {
        let mut standing = Standing::default();
        assert_eq!(tried(&mut standing, 10_000, 90), 10_000);
        let mut standing = Standing::default();
        assert_eq!(tried(&mut standing, 32 + 256 + 32, 91), 64);
        // It rests for longer each time: 512, 1,024 …
        assert_eq!(tried(&mut standing, 512 + 32, 91), 32);
        assert!(tried(&mut standing, 1_000_000, 91) < 1_000);
        // Then the data change.
        tried(&mut standing, RESTING_MAX as usize, 50);
        assert_eq!(tried(&mut standing, 1_000, 50), 1_000);
        assert!((64..=128).contains(&tried(&mut standing, 320, 91)));
    }

    #[test]
    fn lz4_wins_where_it_saves_three_quarters_and_has_to_again() {
        let mut contest = Contest::default();
        let mut hold = |zstd, lz4| {
            let rounds = (0..20).take_while(|_| {
                let is_open = contest.verdict().is_none();
                if is_open {
                    contest.tell(1000, zstd, lz4);
                }
                is_open
            });
            assert_eq!(rounds.count(), ROUNDS as usize);
            let verdicts: Vec<_> = (0..RECORDS_BETWEEN - 2)
                .map(|_| contest.verdict())
                .collect();
            assert!(verdicts.windows(2).all(|pair| pair[0] == pair[1]));
            verdicts[0]
        };
        assert_eq!(hold(200, 400), Some(true));
        assert_eq!(hold(200, 401), Some(false));
        assert_eq!(hold(200, 2_000), Some(false));
    }
}
