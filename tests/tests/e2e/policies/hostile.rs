//! Policies that want to hurt: each is named with its file and the reason, and nobody else suffers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use e2e::harness::{Server, drop_policy, eventually, policy};
use larder_resp::Value;

use super::guest;
use crate::values::{bulk, ok};

/// What no reply may take, on a machine that does other things: a policy's deadline is 2 ms.
const REPLY_MAX: Duration = Duration::from_secs(2);
/// Calls that a policy behaves for: more than it is tried with before it may rule.
const GOOD_CALLS: u32 = 250;

/// A least-recently-used policy by hand that does `deed` in each of its answers, and `event_deed`
/// with its events, once it has answered often enough to be trusted.
pub(crate) fn turncoat(deed: &str, event_deed: &str) -> Vec<u8> {
    let honest = include_str!("../../../guests/lru_like.wat");
    let turn = |deed: &str, count: &str| {
        format!(
            "(global.set $calls (i32.add (global.get $calls) (i32.const {count})))\n\
             (if (i32.gt_u (global.get $calls) (i32.const {GOOD_CALLS})) (then {deed}))\n"
        )
    };
    let victims = "    (local.set $wanted";
    let events = "    (local.set $at (i32.const 1024))\n";
    assert!(honest.contains(victims) && honest.contains(events));
    let text = honest
        .replacen(victims, &(turn(deed, "1") + victims), 1)
        .replacen(events, &(turn(event_deed, "0") + events), 1)
        .replacen(
            "(global $oldest",
            "(global $calls (mut i32) (i32.const 0))\n  (global $oldest",
            1,
        );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Writes and reads on one connection until the policy has been seen to fail, and checks every reply.
#[track_caller]
fn work_until_it_fails(server: &Server, name: &str) -> String {
    let mut client = server.client();
    let value = "v".repeat(200);
    let mut slowest = Duration::ZERO;
    for batch in 0..4000 {
        let keys: Vec<String> = (0..200).map(|n| format!("{name}:{batch}:{n}")).collect();
        let start = Instant::now();
        let sets: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
        assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
        let last = keys.last().unwrap();
        assert_eq!(client.call(&["GET", last]), bulk(&value));
        slowest = slowest.max(start.elapsed());
        let rows = server.policy_rows();
        if matches!(&*rows[name]["state"], "failing" | "quarantined") {
            assert!(slowest < REPLY_MAX, "{slowest:?}");
            return rows[name]["why"].clone();
        }
    }
    panic!("{name} never failed: {:?}", server.policy_rows());
}

#[test]
fn one_that_turns_on_us_is_found_out_and_the_cache_goes_on() {
    let spin = "(loop $forever (br $forever))";
    let no_event = "";
    let bomb = "(loop $more (drop (memory.grow (i32.const 64))) (br $more))";
    let slots = |list: &[u32]| {
        let stores: String = (0..)
            .zip(list)
            .map(|(at, slot)| {
                format!(
                    "(i32.store offset={} (i32.const 9216) (i32.const {}))",
                    4 * at,
                    *slot as i32
                )
            })
            .collect();
        format!(
            "{stores} (return (i64.const {}))",
            (9216_u64 << 32) | list.len() as u64
        )
    };
    let cases = [
        ("trap", "unreachable".to_owned(), no_event, "trap"),
        ("loop", spin.to_owned(), no_event, "CPU time"),
        ("loop-events", String::new(), spin, "CPU time"),
        ("bomb", bomb.to_owned(), no_event, ""),
        (
            "outside",
            "(return (i64.const 0x7fffffff00000004))".to_owned(),
            no_event,
            "",
        ),
        (
            "too-many",
            "(return (i64.const 0x24007fffffff))".to_owned(),
            no_event,
            "",
        ),
        (
            "foreign",
            slots(&[1 << 30]),
            no_event,
            "no slot of this shard",
        ),
        ("twice", slots(&[0, 0, 0]), no_event, ""),
        ("nothing", slots(&[]), no_event, "free 0 bytes"),
    ];
    let server = Server::start(&["--memory", "4MiB", "--threads", "1"]);
    for (name, deed, event_deed, reason) in cases {
        drop_policy(
            &server.policies(),
            &format!("{name}.wasm"),
            &turncoat(&deed, event_deed),
        );
        server.await_policy(name, "active");
        let why = work_until_it_fails(&server, name);
        assert!(why.contains(reason), "{name}: {why}");
        fs::remove_file(server.policies().join(format!("{name}.wasm"))).unwrap();
        server.await_no_policy(name);
    }
    assert_eq!(server.policy_rows()["s3-fifo"]["state"], "active");
    assert_eq!(server.metric("larder_error_replies_total"), 0.0);
    assert_eq!(server.metric("larder_unfit_shards"), 0.0);
}

#[test]
fn one_that_fails_again_and_again_is_quarantined_until_it_is_enabled() {
    let server = Server::start(&["--memory", "4MiB", "--threads", "1"]);
    let file = turncoat("unreachable", "");
    drop_policy(&server.policies(), "turncoat.wasm", &file);
    server.await_policy("turncoat", "active");
    let mut client = server.client();
    let value = "v".repeat(200);
    let mut batch = 0;
    eventually("it is quarantined", || {
        for _ in 0..50 {
            batch += 1;
            let keys: Vec<String> = (0..200).map(|n| format!("{batch}:{n}")).collect();
            let sets: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
            assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
        }
        (server.policy_rows()["turncoat"]["state"] == "quarantined").then_some(())
    });
    assert_eq!(server.policy_rows()["s3-fifo"]["state"], "active");
    assert!(server.metric("larder_policy_offences_total") > 1.0);
    assert_eq!(client.call(&["POLICY", "ENABLE", "turncoat"]), ok());
    server.await_policy("turncoat", "active");
}

#[test]
fn what_cannot_be_a_policy_is_refused_with_the_reason() {
    let server = Server::start(&["--threads", "1"]);
    let folder = server.policies();
    let eviction = r#"(func (export "larder_events") (param i32))
        (func (export "larder_victims") (param i32) (result i64) (i64.const 0))"#;
    let kind = "\\\"eviction\\\"";
    let honest = guest("honest", kind, eviction);
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let start = wat("(module (func $s (loop $l (br $l))) (start $s))");
    let looping_init = turned(
        &honest_text(),
        "(func (export \"larder_init\") (param $bytes i32) (result i32)",
        "(loop $l (br $l))",
    );
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), ""),
        ("text", b"hello, I am a policy".to_vec(), ""),
        ("truncated", honest[..honest.len() / 2].to_vec(), ""),
        ("no-marker", wat("(module)"), "larder_abi"),
        (
            "other-abi",
            wat("(module (func (export \"larder_abi_v7\")))"),
            "7",
        ),
        (
            "imports",
            wat(
                "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func)) (func (export \"larder_abi_v1\")))",
            ),
            "fd_write",
        ),
        ("start", start, ""),
        ("init", looping_init, ""),
        ("few", honest, ""),
        ("huge", vec![0; 20 << 20], ""),
    ];
    for (name, bytes, reason) in &cases {
        drop_policy(&folder, &format!("{name}.wasm"), bytes);
        let row = server.await_policy(name, "refused");
        assert!(
            !row["why"].is_empty() && row["why"].contains(reason),
            "{row:?}"
        );
        assert_eq!(row["file"], format!("{name}.wasm"));
    }
    let secret = folder.join("secret.wasm");
    let hidden = folder.join(".secret.part");
    fs::write(&hidden, fs::read(policy("lru")).unwrap()).unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o000)).unwrap();
    let is_unreadable = fs::File::open(&hidden).is_err();
    fs::rename(&hidden, &secret).unwrap();
    // Whoever may read everything reads this, too.
    if is_unreadable {
        let row = server.await_policy("secret", "refused");
        assert!(row["why"].contains("cannot be read"), "{row:?}");
        fs::remove_file(&secret).unwrap();
        server.await_no_policy("secret");
    } else {
        server.await_policy("secret", "active");
        fs::remove_file(&secret).unwrap();
        server.await_no_policy("secret");
    }
    assert_eq!(server.client().call(&["SET", "k", "v"]), ok());
    eventually("the native policy rules", || {
        (server.policy_rows()["s3-fifo"]["state"] == "active").then_some(())
    });
    for (name, ..) in &cases {
        server.process().said(&format!("{name}.wasm"));
    }
}

fn honest_text() -> String {
    include_str!("../../../guests/lru_like.wat").to_owned()
}

fn turned(text: &str, function: &str, deed: &str) -> Vec<u8> {
    assert!(text.contains(function));
    let text = text.replacen(function, &format!("{function} {deed}"), 1);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn decisions_that_mean_nothing_leave_the_value_as_the_client_wrote_it() {
    let server = Server::start(&["--threads", "1"]);
    // By the first byte of the key, so that what it is tried with is answered well.
    let functions = r#"
        (func $bad (result i32)
          (i32.eq (i32.load8_u (i32.add (i32.const 1024) (i32.load (i32.const 1064)))) (i32.const 33)))
        (func (export "larder_should_cache") (param i32) (result i32)
          (select (i32.const 7) (i32.const 1) (call $bad)))
        (func (export "larder_ttl") (param i32) (result i64)
          (select (i64.const -1) (i64.const -2) (call $bad)))
        (func (export "larder_priority") (param i32) (result i32)
          (select (i32.const 300) (i32.const 3) (call $bad)))"#;
    let kinds = "\\\"should_cache\\\",\\\"ttl\\\",\\\"priority\\\"";
    drop_policy(
        &server.policies(),
        "odd.wasm",
        &guest("odd", kinds, functions),
    );
    server.await_policy("odd", "active");
    let mut client = server.client();
    assert_eq!(client.call(&["SET", "good", "v", "EX", "100"]), ok());
    for _ in 0..3 {
        assert_eq!(client.call(&["SET", "!bad", "v", "EX", "100"]), ok());
        assert_eq!(client.call(&["GET", "!bad"]), bulk("v"));
        assert_eq!(client.call(&["TTL", "!bad"]), Value::Integer(100));
    }
    eventually("it is noticed", || {
        let row = server.policy_rows()["odd"].clone();
        (row["state"] != "active").then_some(())
    });
    assert!(server.metric("larder_policy_offences_total") >= 1.0);
}
