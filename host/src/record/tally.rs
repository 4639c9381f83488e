//! What was recorded so far.

use std::fmt;
use std::time::Duration;

use larder_engine::recording::{Head, Kind, RECORDED_BYTES, Recorded, Threshold};
use larder_simulator::trace::RecordedHead;

/// Counts over a recording.
pub(super) struct Tally {
    /// The server's clock at the first block.
    start_ms: Option<u64>,
    threshold: Threshold,
    lost: u64,
    records: u64,
    hits: u64,
    misses: u64,
    writes: u64,
    elapsed: Duration,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            start_ms: None,
            threshold: Threshold::ALL,
            lost: 0,
            records: 0,
            hits: 0,
            misses: 0,
            writes: 0,
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Whether a block came.
    pub(super) fn has_begun(&self) -> bool {
        self.start_ms.is_some()
    }

    /// Counts a block that came when so much time had gone by.
    pub(super) fn add(&mut self, head: Head, records: &[[u8; RECORDED_BYTES]], elapsed: Duration) {
        self.start_ms.get_or_insert(head.time_ms);
        (self.threshold, self.lost, self.elapsed) = (head.threshold, head.lost, elapsed);
        self.records += records.len() as u64;
        for recorded in records.iter().filter_map(Recorded::from_bytes) {
            match recorded.kind {
                Kind::Hit => self.hits += 1,
                Kind::Miss => self.misses += 1,
                Kind::Write => self.writes += 1,
                Kind::Remove | Kind::Expire => {}
            }
        }
    }

    /// The head of the file.
    pub(super) fn head(&self) -> RecordedHead {
        RecordedHead {
            threshold: self.threshold,
            start_ms: self.start_ms.unwrap_or(0),
            records: self.records,
            lost: self.lost,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            records,
            hits,
            misses,
            writes,
            lost,
            ..
        } = self;
        write!(
            f,
            "{records} accesses in {:.1} s ({hits} hits, {misses} misses, {writes} writes), {lost} lost, \
             of {:.4}% of the objects",
            self.elapsed.as_secs_f64(),
            self.threshold.percent()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_says_when_it_began_and_the_last_how_it_stands() {
        let mut tally = Tally::new();
        assert!(!tally.has_begun());
        let recorded = |kind| {
            let recorded = Recorded {
                hash: 1,
                bytes: 1,
                ttl_seconds: 0,
                time_ms: 7,
                kind,
            };
            recorded.to_bytes()
        };
        let head = |threshold, lost, time_ms| Head {
            threshold,
            lost,
            time_ms,
        };
        tally.add(head(Threshold::ALL, 0, 5), &[], Duration::ZERO);
        let records = [Kind::Hit, Kind::Hit, Kind::Miss, Kind::Expire].map(recorded);
        let half = Threshold::of_percent(50.0).unwrap();
        tally.add(head(half, 9, 8), &records, Duration::from_millis(1500));
        let head = tally.head();
        assert_eq!((head.start_ms, head.records, head.lost), (5, 4, 9));
        assert_eq!(head.threshold, half);
        assert_eq!(
            tally.to_string(),
            "4 accesses in 1.5 s (2 hits, 1 misses, 0 writes), 9 lost, of 50.0000% of the objects"
        );
    }
}
