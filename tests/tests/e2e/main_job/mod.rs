//! The main job, on real input: a trace replayed through a real connection, with memory for a
//! tenth of what it touches.

mod model;
pub(crate) mod trace;
mod twins;

use std::collections::HashSet;
use std::time::Duration;

use e2e::harness::{Server, larder, run};
use larder_engine::MEMORY_BYTES_MIN;
use larder_resp::Value;
use serde_json::Value as Json;

use crate::values::ok;
use model::{Model, S3Fifo};
use trace::Trace;
pub(crate) use twins::Wasm;

const REPLAY_MAX: Duration = Duration::from_secs(300);

/// One thread has so many shards, where each has a mebibyte at least.
const SHARDS: usize = 4;
const VALUE_BYTES: usize = 100;

/// How far the server's hit ratio may be from the model's.
const POINTS_MAX: f64 = 1.0;

#[test]
fn the_hit_ratio_is_that_of_the_policy_and_no_reply_is_wrong() {
    let trace = Trace::load();
    let requests = trace.ids.len();
    let objects = trace.ids.iter().collect::<HashSet<_>>().len();
    let memory = memory_for(objects / 10).to_string();
    let server = Server::start(&["--threads", "1", "--memory", &memory]);
    let report = replay(&server, &trace);
    let count = |name: &str| {
        report[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {report}"))
    };
    assert_eq!(count("requests"), requests as u64);
    let of_segments = |name: &str| -> u64 {
        let segments = report["segments"].as_array().into_iter().flatten();
        segments.filter_map(|segment| segment[name].as_u64()).sum()
    };
    assert_eq!(of_segments("requests"), requests as u64);
    assert_eq!(of_segments("hits"), count("hits"));
    assert_eq!(count("sets"), count("requests") - count("hits"));
    for fault in ["errors", "wrong", "refused"] {
        assert_eq!(count(fault), 0, "{report}");
    }
    // Both sides have counted the same.
    assert_eq!(server.metric("larder_hits_total"), count("hits") as f64);
    assert_eq!(server.metric("larder_inserts_total"), count("sets") as f64);
    assert_eq!(server.metric("larder_events_dropped_total"), 0.0);

    // What the model may hold is what the server holds in fact: how much bookkeeping an entry
    // costs is not what is asked here.
    let held = server.metric("larder_entries") as usize;
    let part = held as f64 / objects as f64;
    assert!(
        memory == MEMORY_BYTES_MIN.to_string() || (0.09..0.11).contains(&part),
        "{part}"
    );
    let mut model = S3Fifo::new(SHARDS, held);
    let hits = trace.ids.iter().filter(|id| model.request(**id)).count();
    let ratio = |hits: u64| 100.0 * hits as f64 / requests as f64;
    let (found, expected) = (ratio(count("hits")), ratio(hits as u64));
    println!(
        "{requests} requests, {objects} objects, {held} held: {found:.2} %, model {expected:.2} %"
    );
    assert!(
        (found - expected).abs() <= POINTS_MAX,
        "{found:.2} %, the model has {expected:.2} %"
    );
}

#[track_caller]
fn replay(server: &Server, trace: &Trace) -> Json {
    let addr = server.addr().to_string();
    let value_bytes = VALUE_BYTES.to_string();
    let mut command = larder([
        "replay",
        "--json",
        "--value-bytes",
        &value_bytes,
        "--addr",
        &addr,
    ]);
    let finished = run(command.arg(&trace.path), REPLAY_MAX);
    assert!(finished.status.success(), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// The memory that so many entries of the replay take, as a server of the same kind shows it.
#[track_caller]
fn memory_for(entries: usize) -> u64 {
    const PROBE_BYTES: u64 = 8 << 20;
    const BATCH: usize = 500;
    let server = Server::start(&["--threads", "1", "--memory", &PROBE_BYTES.to_string()]);
    let mut client = server.client();
    let value = "v".repeat(VALUE_BYTES);
    for batch in 0..200 {
        let keys: Vec<String> = (0..BATCH)
            .map(|number| format!("{:016x}", batch * BATCH + number))
            .collect();
        let requests: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
        let replies = client.pipeline(&requests);
        assert!(replies.iter().all(|reply| *reply == ok()));
    }
    let Value::Integer(held @ 1..) = client.call(&["DBSIZE"]) else {
        panic!("nothing is held")
    };
    let bytes = u128::from(PROBE_BYTES) * entries as u128 / held.unsigned_abs() as u128;
    u64::try_from(bytes).map_or(u64::MAX, |bytes| bytes.max(MEMORY_BYTES_MIN))
}
