//! The same requests to Larder and to the system's Redis: replies, errors and what is stored
//! afterwards have to be the same, but for the differences that are wanted (see [`wanted`]).
//!
//! The variable `SEED` repeats one run.

mod acl;
mod clients;
mod commands;
mod generate;
mod notifications;
mod scripts;
mod sequences;
mod stated;
mod table;
mod tracking;
mod wanted;

use std::collections::BTreeSet;

use e2e::harness::{Client, Redis, Server, seeds};
use larder_resp::Value;

use crate::values::bulk;
use generate::{Generator, Request};
use wanted::WANTED;

const SEEDS: [u64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const REQUESTS: usize = 20_000;
/// Requests sent at once: few enough that their replies fit into the buffers of the system.
const BATCH: usize = 50;
/// Databases that the generator selects.
const DATABASES: [&str; 3] = ["0", "1", "15"];
const MISMATCHES_MAX: usize = 10;

/// Commands that end or change the connection, compared in modules of their own.
const ELSEWHERE: [&str; 24] = [
    "acl",
    "auth",
    "discard",
    "exec",
    "monitor",
    "multi",
    "quit",
    "reset",
    "unwatch",
    "watch",
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "publish",
    "spublish",
    "pubsub",
    "eval",
    "evalsha",
    "eval_ro",
    "evalsha_ro",
    "script",
];

/// Both servers, and a connection to each.
struct Pair {
    redis: Client,
    larder: Client,
    seed: u64,
    /// Rows of [`WANTED`] that were needed.
    used: BTreeSet<usize>,
    mismatches: Vec<String>,
}

impl Pair {
    fn new(redis: &Redis, larder: &Server, seed: u64) -> Self {
        let (redis, larder) = (redis.client(), larder.client());
        Self {
            redis,
            larder,
            seed,
            used: BTreeSet::new(),
            mismatches: Vec::new(),
        }
    }

    /// Sends the same to both. Returns the replies of Larder.
    #[track_caller]
    fn exchange(&mut self, requests: &[Request]) -> Vec<Value> {
        let expected = self.redis.pipeline(requests);
        let replies = self.larder.pipeline(requests);
        for ((request, expected), reply) in requests.iter().zip(&expected).zip(&replies) {
            self.compare(request, expected, reply);
        }
        replies
    }

    fn compare(&mut self, request: &Request, redis: &Value, larder: &Value) {
        if redis == larder {
            return;
        }
        match WANTED
            .iter()
            .position(|row| (row.covers)(request, redis, larder))
        {
            Some(row) => drop(self.used.insert(row)),
            None => self.mismatches.push(format!(
                "{}\n  redis:  {}\n  larder: {}",
                shown(request),
                brief(redis),
                brief(larder)
            )),
        }
    }

    /// Compares all that is stored.
    #[track_caller]
    fn compare_stores(&mut self) {
        for db in DATABASES {
            self.exchange(&[request(&["SELECT", db]), request(&["DBSIZE"])]);
            let scan = request(&["SCAN", "0", "COUNT", "100000"]);
            let replies = self.exchange(&[scan]);
            let reads: Vec<Request> = keys(&replies[0])
                .into_iter()
                .flat_map(|key| {
                    [b"GET".to_vec(), b"PEXPIRETIME".to_vec()].map(|name| vec![name, key.clone()])
                })
                .collect();
            for batch in reads.chunks(BATCH) {
                self.exchange(batch);
            }
        }
    }

    #[track_caller]
    fn expect_no_mismatch(&self) {
        let count = self.mismatches.len();
        let first = &self.mismatches[..count.min(MISMATCHES_MAX)];
        assert!(
            count == 0,
            "{count} differences, SEED={}\n{}",
            self.seed,
            first.join("\n")
        );
    }
}

fn request(words: &[&str]) -> Request {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// The keys that SCAN brought, all of them.
#[track_caller]
fn keys(scanned: &Value) -> Vec<Vec<u8>> {
    let Value::Array(parts) = scanned else {
        panic!("no scan: {scanned:?}")
    };
    let [cursor, Value::Array(keys)] = &parts[..] else {
        panic!("no scan: {scanned:?}")
    };
    assert_eq!(*cursor, bulk("0"), "not all was scanned");
    let bytes = |key: &Value| match key {
        Value::Bulk(Some(bytes)) => bytes.clone(),
        other => panic!("no key: {other:?}"),
    };
    keys.iter().map(bytes).collect()
}

fn shown(request: &Request) -> String {
    let words: Vec<_> = request
        .iter()
        .map(|word| format!("\"{}\"", word.escape_ascii()))
        .collect();
    words.join(" ")
}

fn brief(value: &Value) -> String {
    let text = match value {
        Value::Bulk(Some(bytes)) => format!("\"{}\"", bytes.escape_ascii()),
        other => format!("{other:?}"),
    };
    text.chars().take(300).collect()
}

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = Redis::start("the comparison with redis-server") else {
        return;
    };
    let larder = Server::start(&["--memory", "64MiB", "--threads", "2"]);
    let mut used = BTreeSet::new();
    let mut sent = BTreeSet::new();
    for seed in seeds(&SEEDS) {
        for version in ["2", "3"] {
            let mut pair = Pair::new(&redis, &larder, seed);
            let start = [&["HELLO", version][..], &["FLUSHALL"], &["SELECT", "0"]];
            pair.exchange(&start.map(request));
            let mut generator = Generator::new(seed);
            for _ in 0..REQUESTS / BATCH {
                let batch: Vec<Request> = (0..BATCH).map(|_| generator.request()).collect();
                sent.extend(batch.iter().map(|request| request[0].to_ascii_lowercase()));
                pair.exchange(&batch);
            }
            pair.compare_stores();
            pair.expect_no_mismatch();
            used.extend(pair.used);
        }
    }
    if seeds(&SEEDS) != SEEDS {
        return;
    }
    for (row, wanted) in WANTED.iter().enumerate() {
        assert!(
            used.contains(&row),
            "no longer a difference: {}",
            wanted.reason
        );
    }
    for name in commands::names(&mut larder.client()) {
        assert!(
            sent.contains(name.as_bytes()) || ELSEWHERE.contains(&name.as_str()),
            "{name} was never sent"
        );
    }
}
