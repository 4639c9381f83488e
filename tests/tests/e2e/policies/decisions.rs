//! Policies that decide over values: what clients see of them.

use e2e::harness::{Client, Server, explain};
use larder_resp::Value;

use super::{deploy, withdraw};
use crate::values::{NIL, bulk, ok};

fn ttl(server: &Server, key: &str) -> i64 {
    match server.client().call(&["PTTL", key]) {
        Value::Integer(ttl) => ttl,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chain_keeps_shortens_and_refuses_as_its_side_cars_say() {
    let server = Server::start(&[]);
    let mut client = server.client();
    deploy(
        &server,
        "10-gate",
        "size-gate",
        Some("[parameters]\nmax_bytes = \"1KiB\"\n"),
    );
    deploy(
        &server,
        "20-ttl",
        "ttl-by-prefix",
        Some("keys = \"s*\"\n[parameters]\nrules = [\"session: 30m\", \"short: 100ms\"]\n"),
    );
    server.await_policy("10-gate", "active");
    server.await_policy("20-ttl", "active");
    assert_eq!(client.call(&["SET", "big", "old"]), ok());
    assert_eq!(client.call(&["SET", "big", &"x".repeat(2000)]), ok());
    assert_eq!(client.call(&["GET", "big"]), NIL);
    is_given_to_one(&mut client);
    assert_eq!(client.call(&["SET", "session1", "v"]), ok());
    let set = ttl(&server, "session1");
    assert!((1_700_000..=1_800_000).contains(&set), "{set}");
    assert_eq!(client.call(&["SET", "session2", "v", "EX", "5"]), ok());
    assert!(
        (1..=5_000).contains(&ttl(&server, "session2")),
        "shorter stays"
    );
    assert_eq!(client.call(&["SET", "session3", "v", "EX", "999999"]), ok());
    assert!(ttl(&server, "session3") <= 1_800_000, "longer is shortened");
    assert_eq!(client.call(&["SET", "other", "v"]), ok());
    assert_eq!(ttl(&server, "other"), -1);
    assert_eq!(client.call(&["INCR", "session4"]), Value::Integer(1));
    assert_eq!(
        ttl(&server, "session4"),
        -1,
        "a counter is no value of policies"
    );
    let told = explain(&mut client, "session1");
    let Value::Array(decisions) = &told["decisions"] else {
        panic!("{told:?}");
    };
    let said = format!("{decisions:?}");
    assert!(!decisions.is_empty(), "{told:?}");
    assert_eq!(told["resident"], bulk("yes"), "{said}");
    assert_eq!(server.policy_info("10-gate", "refused_values"), "1");
    withdraw(&server, "10-gate");
    server.await_no_policy("10-gate");
    assert_eq!(client.call(&["SET", "big", &"x".repeat(2000)]), ok());
    assert_eq!(client.call(&["STRLEN", "big"]), Value::Integer(2000));
    assert_eq!(client.call(&["POLICY", "DISABLE", "20-ttl"]), ok());
    assert_eq!(client.call(&["SET", "session5", "v"]), ok());
    assert_eq!(ttl(&server, "session5"), -1);
    assert_eq!(client.call(&["POLICY", "ENABLE", "20-ttl"]), ok());
    assert_eq!(client.call(&["SET", "session5", "v"]), ok());
    assert!(ttl(&server, "session5") > 0);
}

/// A lock is there for whoever was told so, though a policy would not keep what is written under it.
fn is_given_to_one(client: &mut Client) {
    let token = "x".repeat(2000);
    for (args, replies) in [
        (&["SET", "lock", &token, "NX", "EX", "600"][..], [ok(), NIL]),
        (
            &["SETNX", "lock2", &token],
            [Value::Integer(1), Value::Integer(0)],
        ),
    ] {
        for reply in replies {
            assert_eq!(client.call(args), reply, "{args:?}");
        }
    }
}

#[test]
fn the_highly_valued_stays_while_a_flood_of_the_lowly_valued_passes() {
    let server = Server::start(&["--memory", "8MiB", "--threads", "1"]);
    let mut client = server.client();
    let side_car = "[parameters]\nrules = [\"tag vip: 250\"]\ndefault = 10\n";
    deploy(&server, "value", "business-priority", Some(side_car));
    let row = server.await_policy("value", "active");
    assert_eq!(row["kinds"], "eviction,priority");
    let value = "v".repeat(500);
    let vips: Vec<String> = (0..500).map(|n| format!("vip{n}")).collect();
    for key in &vips {
        let reply = client.call(&["CACHE.SET", key, &value, "TAGS", "1", "vip"]);
        assert_eq!(reply, ok());
    }
    assert_eq!(
        explain(&mut client, "vip7")["priority"],
        Value::Integer(250)
    );
    for batch in 0..100 {
        let keys: Vec<String> = (0..500).map(|n| format!("flood{batch}:{n}")).collect();
        let sets: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
        assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
    }
    assert!(server.metric("larder_evictions_total") > 20_000.0);
    let gets: Vec<_> = vips.iter().map(|key| ["GET", key]).collect();
    let kept = client
        .pipeline(&gets)
        .iter()
        .filter(|reply| **reply != NIL)
        .count();
    assert!(kept >= 490, "{kept} of 500");
    assert_eq!(server.metric("larder_policy_offences_total"), 0.0);
    let evicted = server.metric("larder_evictions_total");
    let by_fallback: f64 = server.info()["evicted_keys_by_fallback"].parse().unwrap();
    assert!(evicted - by_fallback > 1000.0, "{by_fallback} of {evicted}");
}
