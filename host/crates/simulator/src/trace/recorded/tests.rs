use std::io::Write;

use larder_engine::recording::Kind;

use super::fold::WAITING_MAX;
use super::*;

const START: Millis = 1_700_000_000_000;

fn recorded(kind: Kind, hash: u64, bytes: u32, time_ms: u64) -> Recorded {
    Recorded {
        hash,
        bytes,
        ttl_seconds: 0,
        time_ms: START + time_ms,
        kind,
    }
}

fn head(threshold: u64, records: usize) -> RecordedHead {
    RecordedHead {
        threshold: Threshold(threshold),
        start_ms: START,
        records: records as u64,
        lost: 3,
    }
}

fn file(head: &RecordedHead, records: &[Recorded]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(head.to_bytes().to_vec(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    for record in records {
        encoder.write_all(&record.to_bytes()).unwrap();
    }
    encoder.finish().unwrap()
}

/// What was read before the end or the error, the error, and how many reads no write answered.
fn read(bytes: &[u8]) -> (Vec<Record>, Option<TraceError>, u64) {
    let mut reader = match RecordedReader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error), 0),
    };
    let mut records = Vec::new();
    let mut error = None;
    for next in &mut reader {
        match next {
            Ok(record) => records.push(record),
            Err(failed) => error = Some(failed),
        }
    }
    (records, error, reader.unanswered())
}

/// Object, size, seconds of each request, and how many reads no write answered.
fn requests(threshold: u64, records: &[Recorded]) -> (Vec<(u64, u32, u32)>, u64) {
    let (read, error, unanswered) = read(&file(&head(threshold, records.len()), records));
    assert!(error.is_none(), "{error:?}");
    let fields = |r: &Record| (r.id, r.size_bytes, r.time_seconds);
    (read.iter().map(fields).collect(), unanswered)
}

#[test]
fn a_read_and_the_write_that_answers_it_are_one_request_where_the_read_was() {
    let records = [
        recorded(Kind::Miss, 1, 0, 0),
        recorded(Kind::Write, 2, 20, 500),
        recorded(Kind::Hit, 2, 20, 1000),
        Recorded {
            ttl_seconds: 60,
            ..recorded(Kind::Write, 1, 10, 2000)
        },
        recorded(Kind::Hit, 1, 10, 2999),
        recorded(Kind::Write, 1, 11, 3000),
    ];
    let expected = [(1, 10, 0), (2, 20, 0), (2, 20, 1), (1, 10, 2), (1, 11, 3)];
    assert_eq!(requests(u64::MAX, &records), (expected.to_vec(), 0));
    let (read, _, _) = read(&file(&head(u64::MAX, records.len()), &records));
    assert_eq!((read[0].ttl_seconds, read[3].ttl_seconds), (60, 0));
    assert!(read.iter().all(|record| record.next_access.is_none()));
}

#[test]
fn a_read_that_no_write_answers_is_no_request_and_is_counted() {
    let records = [
        // Asked for twice before it was written, as by two clients.
        recorded(Kind::Miss, 1, 0, 0),
        recorded(Kind::Miss, 1, 0, 0),
        recorded(Kind::Write, 1, 10, 0),
        recorded(Kind::Write, 1, 10, 0),
        // Never written.
        recorded(Kind::Miss, 2, 0, 0),
        // Something else came between.
        recorded(Kind::Miss, 3, 0, 0),
        recorded(Kind::Remove, 3, 30, 0),
        recorded(Kind::Write, 3, 30, 0),
        recorded(Kind::Expire, 3, 30, 0),
    ];
    let expected = [(1, 10, 0), (1, 10, 0), (3, 30, 0)];
    assert_eq!(requests(u64::MAX, &records), (expected.to_vec(), 3));
}

#[test]
fn objects_above_the_last_threshold_are_left_out() {
    let records = [1, 2, 3, 2, 1].map(|hash| recorded(Kind::Hit, hash, 5, 0));
    let expected = [(1, 5, 0), (2, 5, 0), (2, 5, 0), (1, 5, 0)];
    assert_eq!(requests(2, &records), (expected.to_vec(), 0));
}

#[test]
fn no_more_than_so_many_requests_wait_for_a_write() {
    let others = |count| (0..count).map(|n| recorded(Kind::Hit, 100 + n as u64, 1, 0));
    let write = recorded(Kind::Write, 1, 10, 9000);
    let miss = recorded(Kind::Miss, 1, 0, 0);
    let within: Vec<_> = [miss]
        .into_iter()
        .chain(others(WAITING_MAX - 2))
        .chain([write])
        .collect();
    let (read, unanswered) = requests(u64::MAX, &within);
    assert_eq!(
        (read[0], read.len(), unanswered),
        ((1, 10, 0), WAITING_MAX - 1, 0)
    );
    let beyond: Vec<_> = [miss]
        .into_iter()
        .chain(others(WAITING_MAX))
        .chain([write])
        .collect();
    let (read, unanswered) = requests(u64::MAX, &beyond);
    assert_eq!((read[WAITING_MAX], unanswered), ((1, 10, 9), 1));
    assert_eq!(read.len(), WAITING_MAX + 1);
}

#[test]
fn the_head_comes_back() {
    let bytes = file(&head(7, 0), &[]);
    assert_eq!(RecordedReader::new(&bytes[..]).unwrap().head(), head(7, 0));
    assert_eq!(&bytes[..8], b"LARDERTR");
}

#[test]
fn what_is_cut_off_or_damaged_is_told_with_its_place_after_what_came_before() {
    let records: Vec<_> = (0..5000)
        .map(|n: u64| {
            recorded(
                Kind::Hit,
                n.wrapping_mul(0x9E37_79B9_7F4A_7C15),
                n as u32,
                n,
            )
        })
        .collect();
    let whole = file(&head(u64::MAX, records.len()), &records);
    let told = |bytes: &[u8], expected: &str| {
        let (read, error, _) = read(bytes);
        let error = error.expect("an error").to_string();
        assert!(error.contains(expected), "{error}");
        read.len()
    };
    let kept = told(
        &whole[..whole.len() - 1000],
        "damaged or truncated zstd data",
    );
    assert!(kept < 5000);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    told(&damaged, "damaged or truncated zstd data");
    told(
        &whole[..56],
        "zstd data after byte 0 of the decompressed trace",
    );
    told(&whole[..55], "byte 55: the recording ends in its head");
    told(b"", "the trace is empty");
    told(&whole[1..], "byte 0: this is no recording of larder");
    let mut newer = whole.clone();
    newer[8] = 2;
    told(
        &newer,
        "byte 8: the recording is of version 2; 1 can be read",
    );
    let mut altered = whole.clone();
    altered[16] ^= 1;
    told(&altered, "byte 48: the head of the recording is damaged");
    let missing = file(&head(u64::MAX, records.len() + 1), &records);
    assert_eq!(
        told(
            &missing,
            "truncated at byte 120000: record 5000 has 0 of its 24"
        ),
        5000
    );
    let more = file(&head(u64::MAX, records.len() - 1), &records);
    assert_eq!(told(&more, "5000 records, and not 4999"), 5000);
    let mut unknown = zstd::Encoder::new(head(u64::MAX, 2).to_bytes().to_vec(), 1).unwrap();
    unknown.write_all(&records[0].to_bytes()).unwrap();
    unknown.write_all(&[9; RECORDED_BYTES]).unwrap();
    let unknown = unknown.finish().unwrap();
    assert_eq!(told(&unknown, "byte 24: record 1 is of no known kind"), 1);
}

#[test]
fn a_recording_without_requests_is_empty() {
    let records = [recorded(Kind::Miss, 1, 0, 0)];
    let (read, error, unanswered) = read(&file(&head(u64::MAX, 1), &records));
    assert!(matches!(error, Some(TraceError::Empty)));
    assert_eq!((read.len(), unanswered), (0, 1));
}
