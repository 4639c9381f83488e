//! When requests are made.

use super::Generator;

pub(super) const HOUR_SECONDS: u64 = 3_600;
pub(super) const HOURS: u64 = 24;
const DAY_SECONDS: u64 = HOURS * HOUR_SECONDS;

/// How busy each hour of the day is, in percent of the mean hour: they add up to 2,400. Nights are
/// quiet, evenings are not.
const BUSY_PERCENT: [u8; HOURS as usize] = [
    50, 35, 25, 20, 20, 30, 50, 80, 105, 120, 125, 130, 135, 130, 125, 120, 125, 135, 150, 165,
    170, 150, 115, 90,
];

/// Gives requests their time: evenly, or so that a day's hours are as busy as they are.
pub(super) struct Rhythm {
    requests_per_second: f64,
    is_daily: bool,
}

impl Rhythm {
    pub(super) fn new(settings: &Generator) -> Self {
        Self {
            requests_per_second: settings.requests_per_second,
            is_daily: settings.daily_share > 0.0,
        }
    }

    /// The second that a request falls into. Nothing but the exact operations of floating point is
    /// used, so it is the same everywhere.
    pub(super) fn second(&self, index: usize) -> u64 {
        let even = index as f64 / self.requests_per_second;
        if !self.is_daily {
            return even as u64;
        }
        let day = even as u64 / DAY_SECONDS;
        let mut left = even - (day * DAY_SECONDS) as f64;
        let mut hour_begins = day.saturating_mul(DAY_SECONDS);
        for percent in BUSY_PERCENT {
            // What the hour takes of a day on which all hours are alike.
            let share = f64::from(percent) / 100.0 * HOUR_SECONDS as f64;
            if left < share {
                return hour_begins.saturating_add((left / share * HOUR_SECONDS as f64) as u64);
            }
            left -= share;
            hour_begins = hour_begins.saturating_add(HOUR_SECONDS);
        }
        // Only rounding leads here.
        hour_begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(daily_share: f64, requests_per_second: f64) -> Rhythm {
        Rhythm::new(&Generator {
            daily_share,
            requests_per_second,
            ..Generator::default()
        })
    }

    #[test]
    fn evenly_is_exact() {
        let even = rhythm(0.0, 1_000.0);
        let far = 4_000_000_000_000;
        for index in (0..300_000).chain(far..far + 3_000) {
            assert_eq!(even.second(index), index as u64 / 1_000);
        }
        assert_eq!(rhythm(0.0, 0.5).second(3), 6);
        assert_eq!(rhythm(0.0, 1e-300).second(usize::MAX), u64::MAX);
        assert_eq!(rhythm(0.5, 1e-300).second(usize::MAX), u64::MAX);
    }

    #[test]
    fn each_day_is_as_busy_as_its_hours_and_time_never_goes_back() {
        assert_eq!(BUSY_PERCENT.map(u32::from).iter().sum::<u32>(), 2_400);
        let daily = rhythm(0.5, 1.0);
        let mut hours = [0_u64; 3 * HOURS as usize];
        let mut before = 0;
        for index in 0..3 * DAY_SECONDS as usize {
            let second = daily.second(index);
            assert!(second >= before, "request {index}");
            before = second;
            hours[(second / HOUR_SECONDS) as usize] += 1;
        }
        for (hour, requests) in hours.iter().enumerate() {
            let wanted = u64::from(BUSY_PERCENT[hour % HOURS as usize]) * HOUR_SECONDS / 100;
            assert!(requests.abs_diff(wanted) <= 1, "{hour}: {requests}");
        }
    }
}
