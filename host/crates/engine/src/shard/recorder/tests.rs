use super::*;
use crate::recording::Salt;

const NOW: Millis = 1_700_000_000_000;

fn plan(threshold: Threshold, rate_max: u64) -> Plan {
    Plan {
        db: 1,
        salt: Salt([7; 16]),
        threshold,
        rate_max,
    }
}

fn hit(recorder: &Recorder, name: u64, now: Millis) {
    let name = name.to_le_bytes();
    let key = Key::new(1, &name);
    recorder.note(Kind::Hit, &At { hash: 0, key, now }, 96, 0);
}

fn taken(recorder: &Recorder) -> (Vec<Recorded>, Taken) {
    let mut out = Vec::new();
    let taken = recorder.take(usize::MAX, &mut out);
    let (records, rest) = out.as_chunks();
    assert!(rest.is_empty());
    let records = records.iter().map(Recorded::from_bytes);
    (records.collect::<Option<_>>().unwrap(), taken)
}

/// The example that the authors of SipHash give: the salt counts from 0, and so does the message.
#[test]
fn the_hash_is_siphash_of_database_and_key() {
    let recorder = Recorder::new(&Plan {
        salt: Salt(std::array::from_fn(|at| at as u8)),
        ..plan(Threshold::ALL, u64::MAX)
    });
    let message: Vec<u8> = (1..15).collect();
    assert_eq!(recorder.hash(Key::new(0, &message)), 0xa129_ca61_49be_45e5);
}

#[test]
fn of_an_object_all_accesses_are_recorded_or_none() {
    let recorder = Recorder::new(&plan(Threshold::of_percent(10.0).unwrap(), u64::MAX));
    for round in 0..3 {
        (0..10_000).for_each(|name| hit(&recorder, name, NOW + round));
    }
    let (records, taken) = taken(&recorder);
    assert!((2700..3300).contains(&records.len()), "{}", records.len());
    let hashes = |round: u64| {
        let of_round = records.iter().filter(|r| r.time_ms == NOW + round);
        of_round.map(|r| r.hash).collect::<Vec<_>>()
    };
    assert_eq!((hashes(0), hashes(1)), (hashes(1), hashes(2)));
    let all = hashes(0);
    assert!(all.iter().all(|&hash| taken.threshold.admits(hash)));
}

#[test]
fn what_does_not_fit_is_lost_and_counted_and_nothing_grows() {
    let recorder = Recorder::new(&plan(Threshold::ALL, u64::MAX));
    let capacity = recorder.ring.lock().records.capacity();
    let over = RING_RECORDS as u64 + 10;
    (0..over).for_each(|name| hit(&recorder, name, NOW));
    let mut out = Vec::new();
    let first = recorder.take(100, &mut out);
    let expected = Taken {
        records: 100,
        waiting: RING_RECORDS - 100,
        threshold: Threshold::ALL,
        lost: 10,
    };
    assert_eq!(first, expected);
    // Round the end of the ring.
    (0..50).for_each(|name| hit(&recorder, name, NOW + 1));
    let (records, taken) = taken(&recorder);
    assert_eq!((records.len(), taken.lost), (RING_RECORDS - 50, 10));
    assert!(records.is_sorted_by_key(|record| record.time_ms));
    assert_eq!(records[RING_RECORDS - 51].time_ms, NOW + 1);
    assert_eq!(recorder.ring.lock().records.capacity(), capacity);
}

#[test]
fn more_than_the_rate_halves_the_threshold_and_a_new_second_begins_anew() {
    let recorder = Recorder::new(&plan(Threshold::ALL, 1000));
    (0..1000).for_each(|name| hit(&recorder, name, NOW));
    assert_eq!(recorder.threshold(), Threshold::ALL);
    (1000..1010).for_each(|name| hit(&recorder, name, NOW + 999));
    assert_eq!(recorder.threshold(), Threshold::ALL.halved());
    taken(&recorder);
    (0..8000).for_each(|name| hit(&recorder, name, NOW + 1500));
    let (records, taken) = taken(&recorder);
    // An eighth of 8,000 are the 1,000 allowed, as far as chance has it.
    let eighths = taken.threshold.percent() / 12.5;
    assert!([0.5, 1.0].contains(&eighths), "{eighths}");
    let kept = records.iter().filter(|r| taken.threshold.admits(r.hash));
    assert!((400..=1100).contains(&kept.count()));
    assert!(records.len() < 3000, "{}", records.len());
}

#[test]
fn time_never_goes_backwards_in_what_is_recorded() {
    let recorder = Recorder::new(&plan(Threshold::ALL, 10));
    hit(&recorder, 1, NOW);
    hit(&recorder, 2, NOW - 5);
    // A clock that was set back an hour does not make one long second of that hour.
    (0..30).for_each(|n| hit(&recorder, n, NOW - 3_600_000 + n * 1000));
    let (records, taken) = taken(&recorder);
    assert!(records.iter().all(|record| record.time_ms == NOW));
    assert_eq!((records.len(), taken.threshold), (32, Threshold::ALL));
}

#[test]
fn other_databases_are_not_recorded() {
    let recorder = Recorder::new(&plan(Threshold::ALL, u64::MAX));
    let key = Key::new(2, b"k");
    recorder.note(
        Kind::Miss,
        &At {
            hash: 0,
            key,
            now: NOW,
        },
        0,
        0,
    );
    assert_eq!(taken(&recorder).0, []);
}
