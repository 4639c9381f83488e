//! The built-in load generator against the server.

use std::time::Duration;

use e2e::harness::{Server, larder, run};
use serde_json::Value as Json;

const BENCH_MAX: Duration = Duration::from_secs(120);

#[track_caller]
fn bench(server: &Server, more: &[&str]) -> Json {
    let addr = server.addr().to_string();
    let mut command = larder(["bench", "--json", "--addr", &addr, "--seed", "7"]);
    let finished = run(command.args(more), BENCH_MAX);
    assert!(finished.status.success(), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// Every value proves itself, so a wrong one is seen; the store is too small for all of them.
#[test]
fn under_load_every_reply_comes_and_is_right() {
    let server = Server::start(&["--memory", "16MiB", "--threads", "2"]);
    for (pipeline, keys) in [("1", "20000"), ("16", "100000")] {
        let load = [
            "--duration",
            "2s",
            "--keys",
            keys,
            "--pipeline",
            pipeline,
            "--fill",
        ];
        let report = bench(&server, &load);
        for fault in ["errors", "wrong", "lost"] {
            assert_eq!(report[fault], 0, "{report}");
        }
        for op in ["get", "set", "del"] {
            let count = report["ops"][op]["count"].as_u64();
            assert!(count.is_some_and(|count| count > 10), "{op} in {report}");
            assert!(
                report["ops"][op]["latency_us"]["p99"].is_number(),
                "{op} in {report}"
            );
        }
        assert!(report["hits"].as_u64() > Some(0) && report["misses"].as_u64() > Some(0));
        assert_eq!(report["settings"]["clients"], 50);
    }
    assert!(server.metric("larder_evictions_total") > 0.0);
    assert_eq!(server.metric("larder_error_replies_total"), 0.0);
}

#[test]
fn a_load_without_a_server_fails() {
    let server = Server::start(&[]);
    let addr = server.addr().to_string();
    assert_eq!(server.stop().code(), Some(0));
    let finished = run(
        &mut larder(["bench", "--duration", "1s", "--addr", &addr]),
        BENCH_MAX,
    );
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains(&addr), "{finished:?}");
}
