//! Two levels: what the simulator says of them is what a server does.

use std::collections::HashSet;
use std::time::Duration;

use e2e::harness::{Server, larder, run};
use larder_engine::MEMORY_BYTES_MIN;
use serde_json::Value as Json;

use super::{SIMULATION_MAX, made, simulate};
use crate::main_job::trace::Trace;

const REPLAY_MAX: Duration = Duration::from_secs(300);
/// So much of the trace that it ends soon on a busy machine.
const REQUESTS: usize = 120_000;
/// How far the hits of a level may be apart, in points of all requests.
const POINTS_MAX: f64 = 1.0;

/// What an entry takes in memory beside its value: head and key; allocations come in steps.
const ENTRY_BYTES: u64 = 64;
/// What a record takes on disk beside the value: head, key, what the entry carries, padding, checksum, and its line of the footer.
const RECORD_BYTES: u64 = 32 + 16 + 4 + 7 + 8 + 20;

#[track_caller]
fn json(stdout: &str) -> Json {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

#[test]
fn rows_tell_hits_by_level_and_more_below_misses_less() {
    let (_folder, path) = made();
    let row = |more: &[&str]| {
        let args = ["--policy", "s3-fifo", "--size", "1%", "--format", "json"];
        let finished = simulate(&path, &[&args, more].concat());
        assert!(finished.status.success(), "{finished:?}");
        json(&finished.stdout)[0].clone()
    };
    let number = |row: &Json, name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{row}"));
    let [alone, small, large] = [&[][..], &["--l2", "5%"], &["--l2", "20%"]].map(row);
    assert_eq!(alone["hits_l2"], Json::Null);
    assert_eq!(
        (&large["l2"], &large["size"]),
        (&"20%".into(), &"1%".into())
    );
    let times = number(&large, "l2_capacity") / number(&alone, "capacity");
    assert!((19.0..21.0).contains(&times), "{times}");
    for row in [&small, &large] {
        let hits = number(row, "hits_l1") + number(row, "hits_l2");
        let misses = number(row, "requests") * number(row, "miss_ratio");
        assert!(
            (hits + misses - number(row, "requests")).abs() < 1.0,
            "{row}"
        );
        // What comes up from below is as new to the memory as what was loaded.
        let alone = number(&alone, "requests") * (1.0 - number(&alone, "miss_ratio"));
        assert_eq!(number(row, "hits_l1"), alone.round(), "{row}");
    }
    assert!(number(&large, "hits_l2") > number(&small, "hits_l2"));
    assert!(number(&small, "hits_l2") > 0.0);
}

/// A hundredth of the objects in memory, a tenth on disk. The least memory there is sets how large values are. What
/// the memory holds is what it was seen to hold; that one client asks, for one key after the other, is the simulator's
/// view of the world.
#[test]
fn a_server_with_a_disk_hits_in_each_level_what_the_simulator_says() {
    let trace = Trace::load();
    let ids = &trace.ids[..REQUESTS];
    let objects = ids.iter().collect::<HashSet<_>>().len() as u64;
    let value_bytes = MEMORY_BYTES_MIN * 100 / objects - ENTRY_BYTES;
    let on_disk = objects / 10;
    let l2_size = (on_disk * (value_bytes + RECORD_BYTES)).to_string();
    let memory = MEMORY_BYTES_MIN.to_string();
    let server = Server::start(&[
        "--threads",
        "1",
        "--memory",
        &memory,
        "--l2",
        "disk",
        "--l2-size",
        &l2_size,
        "--compression-enabled=false",
    ]);

    let (addr, limit) = (server.addr().to_string(), REQUESTS.to_string());
    let mut replay = larder(["replay", "--json", "--addr", &addr, "--limit", &limit]);
    replay.args(["--value-bytes", &value_bytes.to_string()]);
    let finished = run(replay.arg(&trace.path), REPLAY_MAX);
    assert!(finished.status.success(), "{finished:?}");
    let report = json(&finished.stdout);
    for fault in ["errors", "wrong", "refused"] {
        assert_eq!(report[fault], 0, "{report}");
    }
    let hits = report["hits"].as_u64().unwrap_or_default();
    let below = server.metric("larder_tier_hits_total") as u64;
    let held = server.metric("larder_entries") as u64;
    assert!(
        (objects / 200..objects / 50).contains(&held),
        "{held} of {objects}"
    );

    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part.oracleGeneral");
    let mut cut = larder(["trace", "convert", "--limit", &limit]);
    let finished = run(cut.arg(&trace.path).arg(&part), SIMULATION_MAX);
    assert!(finished.status.success(), "{finished:?}");
    let (held, on_disk) = (held.to_string(), on_disk.to_string());
    let finished = simulate(
        &part,
        &[
            "--policy", "s3-fifo", "--size", &held, "--l2", &on_disk, "--shards", "4", "--format",
            "json",
        ],
    );
    assert!(finished.status.success(), "{finished:?}");
    let row = &json(&finished.stdout)[0];
    let expected = ["hits_l1", "hits_l2"].map(|name| row[name].as_u64().unwrap());
    let percent = |hits: u64| 100.0 * hits as f64 / REQUESTS as f64;
    let found = [hits - below, below].map(percent);
    let expected = expected.map(percent);
    println!(
        "{objects} objects, {held} in memory: {found:.2?} %, the simulator has {expected:.2?} %"
    );
    for (found, expected) in found.into_iter().zip(expected) {
        assert!(
            (found - expected).abs() <= POINTS_MAX,
            "{found:.2}, {expected:.2}"
        );
    }
}
