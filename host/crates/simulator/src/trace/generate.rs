//! A seeded stand-in for recorded traces: what a cache meets in real ones, in one stream.

use std::collections::HashMap;

use super::{Random, Record, Zipf, mix};

/// Describes a made-up trace: a popular catalogue whose favourites change, objects asked for
/// once and never again, and scans that sweep a stretch of the catalogue.
///
/// The same description gives the same records on every machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Generator {
    /// Names the trace: another seed, another trace of the same kind.
    pub seed: u64,
    /// Length of the trace.
    pub requests: usize,
    /// Objects in the catalogue, at least 1; one-hit objects come on top.
    pub objects: u64,
    /// Skew of the popularity, from 0 (none) up; 0.99 is usual.
    pub zipf: f64,
    /// Popular requests after which the most popular object gives way to an unpopular one; 0: never.
    pub drift_requests: u64,
    /// Share of the requests, 0 to 1, that ask for an object of their own.
    pub one_hit_share: f64,
    /// Share of the requests, 0 to 1, that belong to a scan.
    pub scan_share: f64,
    /// Objects that a scan sweeps, at least 1.
    pub scan_objects: u64,
    /// Smallest and largest size of an object; each keeps its size.
    pub size_bytes: (u32, u32),
}

impl Default for Generator {
    /// A trace that tells policies apart: scan resistance and quick demotion pay, and LRU loses.
    fn default() -> Self {
        Self {
            seed: 1,
            requests: 300_000,
            objects: 50_000,
            zipf: 0.9,
            drift_requests: 100,
            one_hit_share: 0.1,
            scan_share: 0.1,
            scan_objects: 2_000,
            size_bytes: (1, 1),
        }
    }
}

impl Generator {
    /// The records, with their next accesses.
    ///
    /// # Panics
    /// When a field is outside the range that it states.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        assert!(
            self.scan_objects > 0,
            "a scan must sweep at least one object"
        );
        assert!(
            self.size_bytes.0 <= self.size_bytes.1,
            "smallest size above the largest"
        );
        assert!(
            self.one_hit_share + self.scan_share <= 1.0,
            "shares above 1"
        );
        let mut stream = Stream::new(self);
        let mut records: Vec<Record> = (0..self.requests)
            .map(|index| self.record(index, stream.next()))
            .collect();
        link(&mut records);
        records
    }

    fn record(&self, index: usize, object: u64) -> Record {
        let (low, high) = self.size_bytes;
        let spread = u64::from(high - low) + 1;
        let size = u64::from(low) + Random::new(self.seed ^ object).below(spread);
        Record {
            time_seconds: u32::try_from(index / 1_000).unwrap_or(u32::MAX),
            id: mix(object),
            size_bytes: size as u32,
            next_access: None,
            ttl_seconds: 0,
        }
    }
}

/// Fills in each record's next access.
fn link(records: &mut [Record]) {
    let mut next = HashMap::new();
    for (index, record) in records.iter_mut().enumerate().rev() {
        record.next_access = next.insert(record.id, index as u64);
    }
}

/// Numbers of the objects asked for, one after another: the catalogue is `0..objects`, one-hit
/// objects lie above.
struct Stream<'a> {
    settings: &'a Generator,
    random: Random,
    popularity: Zipf,
    popular: u64,
    one_hits: u64,
    /// What the scan under way has still to ask for: the next object, and how many.
    scan: (u64, u64),
}

impl<'a> Stream<'a> {
    fn new(settings: &'a Generator) -> Self {
        Self {
            settings,
            random: Random::new(settings.seed),
            popularity: Zipf::new(settings.objects, settings.zipf),
            popular: 0,
            one_hits: 0,
            scan: (0, 0),
        }
    }

    fn next(&mut self) -> u64 {
        let draw = self.random.unit();
        if draw < self.settings.one_hit_share {
            self.one_hits += 1;
            self.settings.objects + self.one_hits
        } else if draw < self.settings.one_hit_share + self.settings.scan_share {
            self.scanned()
        } else {
            self.popular()
        }
    }

    /// Scans are interleaved with the other requests, as those of a shared cache are.
    fn scanned(&mut self) -> u64 {
        let objects = self.settings.objects;
        if self.scan.1 == 0 {
            self.scan = (self.random.below(objects), self.settings.scan_objects);
        }
        let (object, left) = self.scan;
        self.scan = ((object + 1) % objects, left - 1);
        object
    }

    /// Every step of the drift moves each object one rank down and the last one to the top: what
    /// is popular was new once, and fades.
    fn popular(&mut self) -> u64 {
        let steps = self
            .popular
            .checked_div(self.settings.drift_requests)
            .unwrap_or(0);
        self.popular += 1;
        let objects = self.settings.objects;
        let rank = self.popularity.sample(&mut self.random);
        (rank - 1 + objects - steps % objects) % objects
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn small() -> Generator {
        Generator {
            requests: 20_000,
            objects: 2_000,
            scan_objects: 100,
            ..Generator::default()
        }
    }

    #[test]
    fn same_description_same_trace() {
        assert_eq!(small().records(), small().records());
        assert_ne!(
            small().records(),
            Generator { seed: 2, ..small() }.records()
        );
    }

    #[test]
    fn next_access_is_the_next_request_of_the_object() {
        let records = small().records();
        for (index, record) in records.iter().enumerate() {
            let later = records[index + 1..]
                .iter()
                .position(|other| other.id == record.id);
            assert_eq!(
                record.next_access,
                later.map(|steps| (index + 1 + steps) as u64)
            );
        }
    }

    #[test]
    fn sizes_belong_to_objects_and_fill_their_range() {
        let records = Generator {
            size_bytes: (10, 13),
            ..small()
        }
        .records();
        let mut sizes = HashMap::new();
        for record in &records {
            assert_eq!(
                *sizes.entry(record.id).or_insert(record.size_bytes),
                record.size_bytes
            );
        }
        let distinct: HashSet<u32> = sizes.into_values().collect();
        assert_eq!(distinct, HashSet::from([10, 11, 12, 13]));
    }

    #[test]
    fn each_part_shows() {
        let ids = |generator: Generator| -> HashSet<u64> {
            generator.records().iter().map(|record| record.id).collect()
        };
        let none = Generator {
            one_hit_share: 0.0,
            scan_share: 0.0,
            drift_requests: 0,
            ..small()
        };
        let plain = ids(none).len();
        assert!(
            ids(Generator {
                one_hit_share: 0.5,
                ..none
            })
            .len()
                > plain + 9_000 - 2_000
        );
        assert!(
            ids(Generator {
                scan_share: 0.5,
                ..none
            })
            .len()
                > plain
        );

        let favourite = |records: &[Record]| {
            let mut counts = HashMap::new();
            records
                .iter()
                .for_each(|record| *counts.entry(record.id).or_insert(0) += 1);
            counts
                .into_iter()
                .max_by_key(|&(_, count)| count)
                .map(|(id, _)| id)
        };
        let halves = |generator: Generator| {
            let records = generator.records();
            let (before, after) = records.split_at(records.len() / 2);
            (favourite(before), favourite(after))
        };
        let (before, after) = halves(none);
        assert_eq!(before, after);
        let (before, after) = halves(Generator {
            drift_requests: 100,
            ..none
        });
        assert_ne!(before, after);
    }
}
