use std::num::Wrapping;

use larder_engine::native;
use larder_policy_lru::Lru;
use larder_policy_s3_fifo::S3Fifo;

use super::*;
use crate::bound::{Bound, Rule};
use crate::replay::{Native, Ported, Replay};
use crate::trace::Generator;

fn records(requests: usize) -> Vec<Record> {
    Generator {
        requests,
        size_bytes: (1, 9),
        ..Generator::default()
    }
    .records()
}

fn run_all(records: &[Record], cells: Vec<Box<dyn Cell>>, threads: usize) -> Vec<Outcome> {
    let records = records.iter().map(|record| Ok(*record));
    let (outcomes, error) = run(records, cells, threads, false, &Control::default());
    assert!(error.is_none());
    outcomes
}

fn s3_fifo(capacity_bytes: u64, shards: usize) -> Box<dyn Cell> {
    let drivers = (0..shards).map(|_| Native(S3Fifo::default())).collect();
    Box::new(Replay::new(drivers, capacity_bytes).unwrap())
}

fn lru(capacity_bytes: u64) -> Box<dyn Cell> {
    let drivers = vec![Native(Lru::default())];
    Box::new(Replay::new(drivers, capacity_bytes).unwrap())
}

#[test]
fn the_outcome_does_not_depend_on_threads_or_on_how_a_policy_is_told() {
    let records = records(100_000);
    let ported = || {
        let evictor = native("s3-fifo", S3Fifo::default)
            .build(1, u64::MAX)
            .unwrap();
        Box::new(Replay::new(vec![Ported::new(evictor)], 9_000).unwrap()) as Box<dyn Cell>
    };
    let cells = || vec![s3_fifo(9_000, 1), lru(9_000), s3_fifo(9_000, 4), ported()];
    let alone = run_all(&records, cells(), 1);
    let tallies = |outcomes: &[Outcome]| outcomes.iter().map(|o| o.tally).collect::<Vec<_>>();
    assert_eq!(tallies(&run_all(&records, cells(), 3)), tallies(&alone));
    assert_eq!(alone[3].tally, alone[0].tally);
    let checksums = [0, 1, 2].map(|cell| Wrapping(alone[cell].tally.victims_checksum));
    assert!(checksums[0] != checksums[1] && checksums[0] != checksums[2]);
    let misses = [0, 1, 2].map(|cell| alone[cell].tally.misses);
    assert!(misses[0] < misses[1], "{misses:?}");
    assert!(misses[0].abs_diff(misses[2]) < misses[0] / 20, "{misses:?}");
}

#[test]
fn nobody_beats_who_knows_the_future() {
    let mut records = records(50_000);
    let size_aware = Bound::new(Rule::FarthestTimesSize, 9_000, 1);
    let farthest = Bound::new(Rule::Farthest, 9_000, 1);
    let outcomes = run_all(
        &records,
        vec![Box::new(size_aware), Box::new(farthest), s3_fifo(9_000, 1)],
        2,
    );
    let misses: Vec<_> = outcomes.iter().map(|o| o.tally.misses).collect();
    assert!(misses.is_sorted(), "{misses:?}");
    // With one size for all, the second is the best there is: three frames and Belady's own string.
    let string = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1];
    records.truncate(string.len());
    for (at, (record, id)) in records.iter_mut().zip(string).enumerate() {
        let next = string[at + 1..].iter().position(|&later| later == id);
        (record.id, record.size_bytes) = (id, 1);
        record.next_access = next.map(|ahead| (at + 1 + ahead) as u64);
    }
    let farthest = Bound::new(Rule::Farthest, 3, 1);
    let outcomes = run_all(&records, vec![Box::new(farthest)], 1);
    assert_eq!(outcomes[0].tally.misses, 9);
}

#[test]
fn a_footprint_counts_each_object_once() {
    let record = |id, size_bytes, time_seconds| Record {
        time_seconds,
        id,
        size_bytes,
        next_access: None,
        ttl_seconds: 0,
    };
    let records = [record(1, 10, 5), record(2, 3, 4), record(1, 50, 6)];
    let (found, error) = Footprint::of(records.into_iter().map(Ok));
    assert!(error.is_none());
    assert_eq!((found.requests, found.objects, found.bytes), (3, 2, 13));
    assert_eq!((found.one_hit_objects, found.backward_time), (1, Some(1)));
    assert_eq!((found.object_bytes_max, found.knows_future), (50, false));
    let are_numbers = |ids: &[u64]| {
        let records = ids.iter().map(|id| Ok(record(*id, 1, 0)));
        Footprint::of(records).0.ids_are_numbers
    };
    assert!(are_numbers(&[70, 3, 71, 70]));
    assert!(!are_numbers(&[1, 2, 1, 3]), "numbered as they came");
    assert!(!are_numbers(&[70, 3, u64::MAX / 3]), "hashes");
}

#[test]
fn a_damaged_trace_and_a_stop_keep_what_was_counted() {
    let records = records(40_000);
    let cut = |at: usize| {
        let good = records[..at].iter().map(|record| Ok(*record));
        good.chain([Err(TraceError::Empty)])
    };
    let control = Control::default();
    let (outcomes, error) = run(cut(30_000), vec![lru(500)], 2, false, &control);
    assert!(matches!(error, Some(TraceError::Empty)));
    assert_eq!(outcomes[0].tally.requests, 30_000);
    assert_eq!(control.requests.load(Ordering::Relaxed), 30_000);
    control.stop.store(true, Ordering::Relaxed);
    let (outcomes, error) = run(cut(30_000), vec![lru(500)], 2, false, &control);
    assert_eq!((outcomes[0].tally.requests, error.is_none()), (0, true));
}

#[test]
fn a_bound_holds_memory_for_its_entries_and_not_for_the_requests() {
    let generator = Generator {
        requests: 200_000,
        objects: 100,
        drift_requests: 0,
        one_hit_share: 0.0,
        scan_share: 0.0,
        ..Generator::default()
    };
    let farthest = Bound::new(Rule::Farthest, 50, 1);
    let outcomes = run_all(&generator.records(), vec![Box::new(farthest)], 1);
    assert!(outcomes[0].policy_bytes < 64 << 10, "{:?}", outcomes[0]);
}
