use std::io::Write;

use super::*;
use crate::trace::{Generator, write};

fn records() -> Vec<Record> {
    Generator {
        requests: 5_000,
        size_bytes: (0, 9_000),
        ..Generator::default()
    }
    .records()
}

fn plain() -> Vec<u8> {
    let mut out = Vec::new();
    write(&records(), &mut out).unwrap();
    out
}

fn packed() -> Vec<u8> {
    zstd::stream::encode_all(plain().as_slice(), 3).unwrap()
}

/// Records before the end or the error, and the error.
fn read(input: impl Read) -> (Vec<Record>, Option<TraceError>) {
    let mut records = Vec::new();
    for next in OracleReader::new(input).unwrap() {
        match next {
            Ok(record) => records.push(record),
            Err(error) => return (records, Some(error)),
        }
    }
    (records, None)
}

fn check_error(input: &[u8], records: usize, expected: &str) {
    let (read, error) = read(input);
    assert_eq!(read.len(), records);
    let error = error.expect("an error").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn reads_plain_and_compressed_alike() {
    let (read_plain, error) = read(plain().as_slice());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read_plain, records());
    let (read_packed, error) = read(packed().as_slice());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read_packed, records());
}

#[test]
fn reads_several_frames_as_one_trace() {
    let bytes = plain();
    let (front, back) = bytes.split_at(1_001);
    let mut packed = zstd::stream::encode_all(front, 3).unwrap();
    packed.extend(zstd::stream::encode_all(back, 3).unwrap());
    let (read, error) = read(packed.as_slice());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read, records());
}

#[test]
fn reads_what_arrives_byte_by_byte() {
    struct Trickle<'a>(&'a [u8]);
    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let few = out.len().min(1);
            self.0.read(&mut out[..few])
        }
    }
    let (read, error) = read(Trickle(&packed()));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read, records());
}

#[test]
fn takes_both_marks_of_no_next_access() {
    let mut bytes = plain()[..RECORD_BYTES].to_vec();
    bytes[16..].copy_from_slice(&i64::MAX.to_le_bytes());
    assert_eq!(read(bytes.as_slice()).0[0].next_access, None);
    bytes[16..].copy_from_slice(&(-1_i64).to_le_bytes());
    assert_eq!(read(bytes.as_slice()).0[0].next_access, None);
}

#[test]
fn an_empty_trace_is_an_error() {
    check_error(b"", 0, "empty");
    check_error(&zstd::stream::encode_all(&b""[..], 3).unwrap(), 0, "empty");
}

#[test]
fn a_cut_record_is_an_error_with_its_place() {
    let bytes = plain();
    check_error(
        &bytes[..3],
        0,
        "truncated at byte 0: record 0 has 3 of its 24 bytes",
    );
    check_error(
        &bytes[..23],
        0,
        "truncated at byte 0: record 0 has 23 of its 24 bytes",
    );
    check_error(
        &bytes[..49],
        2,
        "truncated at byte 48: record 2 has 1 of its 24 bytes",
    );
    let packed = zstd::stream::encode_all(&bytes[..49], 3).unwrap();
    check_error(
        &packed,
        2,
        "truncated at byte 48: record 2 has 1 of its 24 bytes",
    );
}

#[test]
fn a_cut_frame_is_an_error_wherever_it_is_cut() {
    let packed = zstd::stream::encode_all(&plain()[..300 * RECORD_BYTES], 3).unwrap();
    let records = records();
    for keep in 4..packed.len() {
        let (read, error) = read(&packed[..keep]);
        assert!(
            matches!(error, Some(TraceError::Compressed { .. })),
            "cut at {keep}: {error:?}"
        );
        assert_eq!(read, records[..read.len()]);
    }
}

#[test]
fn damage_is_an_error() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&plain()).unwrap();
    let mut packed = encoder.finish().unwrap();
    let middle = packed.len() / 2;
    packed[middle] ^= 1;
    let (_, error) = read(packed.as_slice());
    assert!(matches!(
        error,
        Some(TraceError::Compressed { .. } | TraceError::Format { .. })
    ));
}

#[test]
fn other_formats_are_told_from_this_one() {
    check_error(
        b"time,object,size,next\n0,1,100,-1\n0,2,100,17\n",
        0,
        "at byte 0, record 0",
    );
    check_error(
        &[0; 240],
        0,
        "not an oracleGeneral trace: at byte 0, record 0 names request 0",
    );
    let mut bytes = plain();
    bytes[48 + 16..72].copy_from_slice(&2_i64.to_le_bytes());
    check_error(&bytes, 2, "at byte 48, record 2 names request 2");
}

#[test]
fn stops_after_an_error() {
    let bytes = plain();
    let mut reader = OracleReader::new(&bytes[..30]).unwrap();
    assert!(reader.next().unwrap().is_ok());
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

#[test]
fn a_failing_input_is_an_error_with_its_place() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk gone"))
        }
    }
    let bytes = plain();
    let (read, error) = read(bytes[..48].chain(Broken));
    assert_eq!(read.len(), 2);
    assert!(
        matches!(error, Some(TraceError::Io { offset: 48, .. })),
        "{error:?}"
    );
}

#[test]
fn a_missing_file_is_an_error() {
    let error = OracleReader::open(Path::new("/nonexistent/trace"))
        .err()
        .expect("an error");
    assert!(matches!(error, TraceError::Open { .. }), "{error:?}");
}
