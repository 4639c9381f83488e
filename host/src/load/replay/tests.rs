use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use clap::Parser;
use larder_resp::Args;
use serde_json::Value;

use super::*;
use crate::load::fake::{Store, serve};
use crate::trace::{Generator, Record, write};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    replay: ReplayArgs,
}

/// A trace in a file that goes away with it.
struct TraceFile(PathBuf);

impl TraceFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let file = format!("larder-replay-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn of(name: &str, records: &[Record]) -> Self {
        let mut bytes = Vec::new();
        write(records, &mut bytes).unwrap();
        Self::new(name, &bytes)
    }

    fn replay(&self, addr: &str, options: &str) -> anyhow::Result<Report> {
        let path = self.0.to_str().unwrap();
        let words = ["replay", path, "--addr", addr];
        let words = words.into_iter().chain(options.split_whitespace());
        Cli::try_parse_from(words).unwrap().replay.replay()
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn json(report: &Report) -> Value {
    serde_json::to_value(report).unwrap()
}

fn small() -> Vec<Record> {
    let generator = Generator {
        requests: 3_000,
        objects: 400,
        size_bytes: (0, 300),
        ..Generator::default()
    };
    generator.records()
}

fn records(ids: &[u64]) -> Vec<Record> {
    let record = |&id| Record {
        time_seconds: 0,
        id,
        size_bytes: 5,
        next_access: None,
        ttl_seconds: 0,
    };
    ids.iter().map(record).collect()
}

fn serve_store(mut store: Store) -> String {
    serve(move |args, reply| {
        store.answer(args, reply);
        true
    })
}

/// Notes each request as its name and the last digit of its key.
fn serve_noting(mut store: Store) -> (String, Arc<Mutex<Vec<String>>>) {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&notes);
    let addr = serve(move |args: Args<'_>, reply| {
        let name = String::from_utf8_lossy(args.name()).into_owned();
        notes
            .lock()
            .unwrap()
            .push(format!("{name} {}", char::from(args[1][15])));
        store.answer(args, reply);
        true
    });
    (addr, noted)
}

/// Hits of an LRU cache of `entries_max` that is asked in order.
fn lru_hits(records: &[Record], entries_max: usize) -> Vec<bool> {
    let mut recent = VecDeque::new();
    let hit = |record: &Record| {
        let found = recent.iter().position(|&id| id == record.id);
        if let Some(place) = found {
            recent.remove(place);
        }
        recent.push_back(record.id);
        if recent.len() > entries_max {
            recent.pop_front();
        }
        found.is_some()
    };
    records.iter().map(hit).collect()
}

#[test]
fn a_replay_hits_what_a_sequential_client_hits() {
    let records = small();
    let expected = lru_hits(&records, 50);
    let file = TraceFile::of("sequential", &records);
    let report = file
        .replay(&serve_store(Store::lru(50)), "--segments 7")
        .unwrap();
    assert!(report.is_good());
    let report = json(&report);

    let count = |hits: &[bool]| hits.iter().filter(|&&hit| hit).count();
    assert_eq!(report["requests"], 3_000);
    assert_eq!(report["hits"], count(&expected));
    assert_eq!(report["sets"], 3_000 - count(&expected));
    let mut at = 0;
    for segment in report["segments"].as_array().unwrap() {
        let requests = segment["requests"].as_u64().unwrap() as usize;
        assert!((428..=429).contains(&requests));
        assert_eq!(segment["hits"], count(&expected[at..at + requests]));
        at += requests;
    }
    assert_eq!(at, 3_000);
}

#[test]
fn batches_hit_the_same_where_nothing_is_evicted() {
    let file = TraceFile::of("batches", &small());
    let hits = |options| {
        let report = file
            .replay(&serve_store(Store::default()), options)
            .unwrap();
        assert!(report.is_good());
        json(&report)["hits"].as_u64().unwrap()
    };
    let sequential = hits("--pipeline 1");
    assert!(sequential > 0);
    assert_eq!(hits("--batch 16"), sequential);
    assert_eq!(hits("--pipeline 1024"), sequential);
}

#[test]
fn requests_keep_the_order_of_a_sequential_client() {
    let file = TraceFile::of("order", &records(&[1, 2, 1, 1]));
    let (addr, noted) = serve_noting(Store::default());
    file.replay(&addr, "").unwrap();
    let expected = ["GET 1", "SET 1", "GET 2", "SET 2", "GET 1", "GET 1"];
    assert_eq!(*noted.lock().unwrap(), expected);
}

#[test]
fn a_batch_ends_before_an_object_that_it_holds() {
    let file = TraceFile::of("cut", &records(&[1, 2, 1, 3]));
    let (addr, noted) = serve_noting(Store::default());
    file.replay(&addr, "--pipeline 8").unwrap();
    let expected = [
        "GET 1", "GET 2", "SET 1", "SET 2", "GET 1", "GET 3", "SET 3",
    ];
    assert_eq!(*noted.lock().unwrap(), expected);
}

#[test]
fn sizes_and_length_can_be_overridden() {
    let file = TraceFile::of("override", &records(&[1, 2, 3]));
    let lengths = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&lengths);
    let mut store = Store::default();
    let addr = serve(move |args, reply| {
        if let Some(value) = args.get(2) {
            lengths.lock().unwrap().push(value.len());
        }
        store.answer(args, reply);
        true
    });
    file.replay(&addr, "--value-bytes 100 --limit 2").unwrap();
    assert_eq!(*noted.lock().unwrap(), [100, 100]);
}

#[test]
fn a_wrong_value_is_seen() {
    let addr = serve(|_, reply| {
        reply.bulk(b"not it");
        true
    });
    let report = TraceFile::of("wrong", &records(&[1, 2]))
        .replay(&addr, "")
        .unwrap();
    assert!(!report.is_good());
    let report = json(&report);
    assert_eq!((&report["wrong"], &report["hits"]), (&2.into(), &0.into()));
    assert!(
        report["first_fault"]
            .as_str()
            .unwrap()
            .contains("GET 0000000000000001: 6 bytes, not it")
    );
}

#[test]
fn a_refused_set_is_counted_and_no_fault() {
    let addr = serve(|args, reply| {
        if args.name() == b"GET" {
            reply.null();
        } else {
            reply.error("OOM no room");
        }
        true
    });
    let mut requests = records(&[1, 2, 3]);
    requests[2].size_bytes = u32::MAX;
    let report = TraceFile::of("refused", &requests)
        .replay(&addr, "")
        .unwrap();
    assert!(report.is_good());
    let report = json(&report);
    assert_eq!(
        (&report["refused"], &report["sets"]),
        (&3.into(), &2.into())
    );
}

#[test]
fn a_server_that_goes_away_is_an_error() {
    let mut requests = 0;
    let addr = serve(move |_, reply| {
        requests += 1;
        reply.null();
        requests < 3
    });
    let error = TraceFile::of("gone", &records(&[1, 2, 3]))
        .replay(&addr, "")
        .err()
        .unwrap();
    assert!(
        format!("{error:#}").contains("stopped answering before request"),
        "{error:#}"
    );
}

#[test]
fn a_damaged_trace_is_refused_before_anything_is_asked() {
    let mut whole = Vec::new();
    write(&small(), &mut whole).unwrap();
    let packed = zstd::stream::encode_all(whole.as_slice(), 3).unwrap();
    let check = |name, bytes: &[u8], expected: &str| {
        let (addr, noted) = serve_noting(Store::default());
        let file = TraceFile::new(name, bytes);
        let error = format!("{:#}", file.replay(&addr, "").err().unwrap());
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(file.0.to_str().unwrap()), "{error}");
        assert!(noted.lock().unwrap().is_empty());
    };
    check(
        "cut-record",
        &whole[..240 + 7],
        "truncated at byte 240: record 10 has 7 of its 24",
    );
    check(
        "cut-frame",
        &packed[..packed.len() - 9],
        "damaged or truncated zstd data after byte",
    );
    check("empty", b"", "the trace is empty");
    check(
        "text",
        b"time,object,size\n1,2,3\n4,5,6\n",
        "not an oracleGeneral trace: at byte 0",
    );
}

#[test]
fn what_lies_past_the_limit_is_not_read() {
    let mut bytes = Vec::new();
    write(&records(&[1, 2, 3]), &mut bytes).unwrap();
    let file = TraceFile::new("limit", &bytes[..50]);
    let report = file
        .replay(&serve_store(Store::default()), "--limit 2")
        .unwrap();
    assert_eq!(json(&report)["requests"], 2);
}
