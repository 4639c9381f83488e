//! What is in a trace: how large, how long, and how its requests are spread over its objects.

use crate::IdMap;
use crate::run::Footprint;
use crate::trace::{Record, TraceError};

/// Requests that an object of the head has at least: below, chance decides over ranks.
const HEAD_REQUESTS_MIN: u64 = 10;
/// Objects that the head has at least: from fewer nothing is estimated.
const HEAD_OBJECTS_MIN: usize = 10;

/// What a reading of a trace brought to light.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// What it takes up.
    pub footprint: Footprint,
    /// Bytes of all requests.
    pub request_bytes: u64,
    /// The smallest size that was asked for.
    pub object_bytes_min: u32,
    /// The earliest time.
    pub time_seconds_min: u32,
    /// The latest time.
    pub time_seconds_max: u32,
    /// Requests for the hundredth of the objects, rounded up, that is asked for most.
    pub top_requests: u64,
    /// An estimate of the exponent of a Zipf distribution: least squares over the logarithms of
    /// rank and count of all objects with ten requests or more, each decade of ranks weighing the
    /// same. `None` where these are fewer than ten.
    pub zipf_estimate: Option<f64>,
}

impl Statistics {
    /// Reads a trace to its end, or until it cannot be read on, and why. Memory follows the
    /// objects, some 60 to 110 bytes each.
    pub fn of(
        records: impl Iterator<Item = Result<Record, TraceError>>,
    ) -> (Self, Option<TraceError>) {
        let mut found = Self {
            object_bytes_min: u32::MAX,
            time_seconds_min: u32::MAX,
            ..Self::default()
        };
        let mut counts = IdMap::default();
        let (footprint, error) = Footprint::of(records.inspect(|record| {
            if let Ok(record) = record {
                found.note(record);
                *counts.entry(record.id).or_insert(0) += 1;
            }
        }));
        if footprint.requests == 0 {
            return (Self::default(), error);
        }
        let mut counts: Vec<u64> = counts.into_values().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        found.footprint = footprint;
        found.top_requests = counts[..counts.len().div_ceil(100)].iter().sum();
        found.zipf_estimate = zipf_estimate(&counts);
        (found, error)
    }

    fn note(&mut self, record: &Record) {
        self.request_bytes += u64::from(record.size_bytes);
        self.object_bytes_min = self.object_bytes_min.min(record.size_bytes);
        self.time_seconds_min = self.time_seconds_min.min(record.time_seconds);
        self.time_seconds_max = self.time_seconds_max.max(record.time_seconds);
    }
}

/// From the largest count down.
fn zipf_estimate(counts: &[u64]) -> Option<f64> {
    let head = &counts[..counts.partition_point(|&count| count >= HEAD_REQUESTS_MIN)];
    if head.len() < HEAD_OBJECTS_MIN {
        return None;
    }
    // Ranks an eighth apart: were all taken, the many at the end would drown the few at the top.
    let ranks = std::iter::successors(Some(1), |rank| Some(rank + rank / 8 + 1));
    let points: Vec<_> = ranks
        .take_while(|&rank| rank <= head.len())
        .map(|rank| ((rank as f64).ln(), (head[rank - 1] as f64).ln()))
        .collect();
    let count = points.len() as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |(sum_x, sum_y), (x, y)| (sum_x + x, sum_y + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let covariance: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    // Negated by a difference, so that an even spread gives 0 and not -0.
    Some(0.0 - covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Generator;

    fn of(records: &[Record]) -> Statistics {
        let (found, error) = Statistics::of(records.iter().map(|record| Ok(*record)));
        assert!(error.is_none());
        found
    }

    fn record(time_seconds: u32, id: u64, size_bytes: u32) -> Record {
        Record {
            time_seconds,
            id,
            size_bytes,
            next_access: None,
            ttl_seconds: 0,
        }
    }

    #[test]
    fn sums_and_extremes_are_those_of_the_records() {
        let found = of(&[record(5, 1, 30), record(9, 2, 10), record(7, 1, 40)]);
        assert_eq!((found.footprint.requests, found.footprint.bytes), (3, 40));
        assert_eq!(found.request_bytes, 80);
        assert_eq!(found.object_bytes_min, 10);
        assert_eq!((found.time_seconds_min, found.time_seconds_max), (5, 9));
        assert_eq!(found.top_requests, 2);
        assert_eq!(found.zipf_estimate, None);
    }

    #[test]
    fn the_top_hundredth_is_rounded_up() {
        let spread = |objects: u64| {
            let often = std::iter::repeat_n(0, 50);
            let ids = often.chain(1..objects);
            of(&ids.map(|id| record(0, id, 1)).collect::<Vec<_>>()).top_requests
        };
        assert_eq!((spread(100), spread(101), spread(201)), (50, 51, 52));
    }

    #[test]
    fn nothing_read_is_nothing_found() {
        let (found, error) = Statistics::of([Err(TraceError::Empty)].into_iter());
        assert_eq!(found, Statistics::default());
        assert!(matches!(error, Some(TraceError::Empty)));
    }

    #[test]
    fn what_was_read_before_an_error_counts() {
        let read = [Ok(record(1, 1, 1)), Err(TraceError::TooMany)];
        let (found, error) = Statistics::of(read.into_iter());
        assert_eq!((found.footprint.requests, found.time_seconds_max), (1, 1));
        assert!(error.is_some());
    }

    #[test]
    fn the_exponent_of_what_was_made_is_found() {
        for zipf in [0.0, 0.6, 0.9, 1.2] {
            let made = Generator {
                zipf,
                objects: 5_000,
                drift_requests: 0,
                one_hit_share: 0.0,
                scan_share: 0.0,
                ..Generator::default()
            };
            let found = of(&made.records()).zipf_estimate.unwrap();
            assert!((found - zipf).abs() < 0.1, "{zipf}: {found}");
        }
    }
}
