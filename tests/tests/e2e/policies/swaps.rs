//! Rules that change under load: nothing is lost, nothing is wrong, and every step can be seen.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use e2e::harness::{Server, drop_policy, eventually, larder, policy, run};
use larder_resp::Value;
use serde_json::Value as Json;

use super::{Ended, deploy, turncoat, withdraw};
use crate::main_job::trace::Trace;
use crate::values::ok;

const LOAD_MAX: Duration = Duration::from_secs(300);

fn finished(command: &mut Command) -> Json {
    let finished = run(command, LOAD_MAX);
    assert!(finished.status.success(), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

#[track_caller]
fn assert_faultless(report: &Json) {
    for fault in ["errors", "wrong", "lost"] {
        assert!(report[fault] == 0 || report[fault].is_null(), "{report}");
    }
}

/// Reads and writes for as long as there is something to disturb; more keys than there is memory for, so that
/// policies are asked all the time.
fn bench_until(is_done: &AtomicBool, addr: &str) {
    while !is_done.load(Ordering::Relaxed) {
        let mut bench = larder(["bench", "--json", "--seed", "3", "--keys", "400000"]);
        bench.args(["--pipeline", "8", "--duration", "3s", "--addr", addr]);
        assert_faultless(&finished(&mut bench));
    }
}

#[track_caller]
fn write_until_it_traps(server: &Server, policy: &str) {
    // It turns when it has been asked for victims often enough; a slow machine's load may take long to fill the memory.
    // Its state tells of a trap for as long only as it is made anew.
    let mut client = server.client();
    let (mut batches, value) = (0.., "v".repeat(4000));
    eventually("it has trapped", || {
        let batch: u32 = batches.next()?;
        let keys: Vec<String> = (0..200).map(|n| format!("more:{batch}:{n}")).collect();
        let sets: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
        assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
        (server.policy_info(policy, "traps") != "0").then_some(())
    });
}

#[test]
fn rules_change_under_load_and_no_reply_is_lost_or_wrong() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("policies.d");
    let data_flag = data.path().display().to_string();
    let flags = ["--memory", "16MiB", "--threads", "2", "--data", &data_flag];
    let server = Server::start(&flags);
    let addr = server.addr().to_string();
    let trace = Trace::load();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whatever happens here, the load ends.
        let _ended = Ended(&is_done);
        let replay = scope.spawn(|| {
            let mut replay = larder(["replay", "--json", "--value-bytes", "100", "--addr", &addr]);
            // A part of the trace: one request at a time beside a load that takes all there is.
            finished(replay.args(["--limit", "150000"]).arg(&trace.path))
        });
        let bench = scope.spawn(|| bench_until(&is_done, &addr));
        let put = |name: &str, of: &str| {
            drop_policy(
                &folder,
                &format!("{name}.wasm"),
                &fs::read(policy(of)).unwrap(),
            );
        };
        let remove = |name: &str| fs::remove_file(folder.join(format!("{name}.wasm"))).unwrap();
        let rows = server.policy_rows();
        assert_eq!(rows["s3-fifo"]["runtime"], "native");
        assert_eq!(rows["s3-fifo"]["state"], "active");
        put("lru", "lru");
        let row = server.await_policy("lru", "active");
        assert_eq!((&*row["runtime"], &*row["kinds"]), ("wasm", "eviction"));
        assert_eq!(server.info()["maxmemory_policy"], "allkeys-lru");
        put("fifo3", "s3-fifo");
        server.await_policy("fifo3", "active");
        assert_eq!(server.policy_rows()["lru"]["state"], "candidate");
        drop_policy(&folder, "trapping.wasm", &turncoat("unreachable", ""));
        server.await_policy("trapping", "active");
        write_until_it_traps(&server, "trapping");
        remove("trapping");
        server.await_no_policy("trapping");
        remove("fifo3");
        server.await_no_policy("fifo3");
        server.await_policy("lru", "active");
        remove("lru");
        server.await_no_policy("lru");
        assert_eq!(server.policy_rows()["s3-fifo"]["state"], "active");
        put("lru", "s3-fifo");
        server.await_policy("lru", "active");
        let first = server.policy_info("lru", "digest");
        put("lru", "lru");
        eventually("the second version rules", || {
            (server.policy_info("lru", "digest") != first).then_some(())
        });
        assert_eq!(server.client().call(&["POLICY", "ROLLBACK", "lru"]), ok());
        assert_eq!(server.policy_info("lru", "digest"), first);
        assert_eq!(server.policy_info("lru", "state"), "active");
        assert_faultless(&replay.join().unwrap());
        is_done.store(true, Ordering::Relaxed);
        bench.join().unwrap();
    });
    assert_eq!(server.metric("larder_error_replies_total"), 0.0);
    assert_rules_after_restart(server, &flags);
}

/// Who rules survives, rolled back as it was.
#[track_caller]
fn assert_rules_after_restart(server: Server, flags: &[&str]) {
    let digest = server.policy_info("lru", "digest");
    assert_eq!(server.stop().code(), Some(0));
    let server = Server::start(flags);
    assert_eq!(server.policy_rows()["lru"]["state"], "active");
    assert_eq!(server.policy_info("lru", "digest"), digest);
    assert_eq!(server.info()["maxmemory_policy"], "allkeys-lru");
}

#[test]
fn a_swap_keeps_every_entry() {
    let server = Server::start(&["--memory", "64MiB", "--threads", "1"]);
    let mut client = server.client();
    for batch in 0..50 {
        let keys: Vec<String> = (0..1000).map(|n| format!("k{batch}:{n}")).collect();
        let sets: Vec<_> = keys.iter().map(|key| ["SET", key, "value"]).collect();
        assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
    }
    deploy(&server, "lru", "lru", None);
    server.await_policy("lru", "active");
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(50_000));
    withdraw(&server, "lru");
    server.await_no_policy("lru");
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(50_000));
    assert_eq!(
        client.call(&["GET", "k49:999"]),
        crate::values::bulk("value")
    );
}
