//! The sample configurations of each use: their policies do what the comments beside them say.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use e2e::harness::{Client, Server, explain, policies_of};
use larder_resp::Value;

use crate::values::{NIL, ok};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A server of that use, in less memory; all of its policies are in force.
#[track_caller]
fn start(sample: &str) -> Server {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/config");
    let config = samples.join(sample).with_extension("toml");
    let policies = policies_of(sample);
    // One thread, as what is remembered of writes belongs to the thread that they came to.
    let server = Server::start(&[
        "--config",
        &config.display().to_string(),
        "--policies",
        &policies.display().to_string(),
        "--memory",
        "48MiB",
        "--threads",
        "1",
    ]);
    for car in fs::read_dir(samples.join("policies").join(sample)).unwrap() {
        let car = car.unwrap().path();
        server.await_policy(car.file_stem().unwrap().to_str().unwrap(), "active");
    }
    server
}

/// Writes, and asserts how long that is kept.
#[track_caller]
fn lives(client: &mut Client, line: &str, expected_ms: RangeInclusive<i64>) {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(client.call(&words), ok(), "{line}");
    match client.call(&["PTTL", words[1]]) {
        Value::Integer(ttl) => assert!(expected_ms.contains(&ttl), "{line}: {ttl}"),
        other => panic!("{line}: {other:?}"),
    }
}

/// Writes as many bytes to the key of a command; whether that is kept.
#[track_caller]
fn keeps(client: &mut Client, line: &str, bytes: usize) -> bool {
    let value = "v".repeat(bytes);
    let words: Vec<&str> = line
        .split(' ')
        .map(|word| if word == "VALUE" { &value } else { word })
        .collect();
    assert_eq!(client.call(&words), ok(), "{line}");
    client.call(&["EXISTS", words[1]]) == Value::Integer(1)
}

/// Up to a minute may have passed since.
fn about(ms: i64) -> RangeInclusive<i64> {
    ms - MINUTE_MS..=ms
}

#[test]
fn streaming_keeps_metadata_each_for_its_time_and_spreads_titles() {
    let server = start("streaming");
    let mut client = server.client();
    assert!(keeps(&mut client, "SET title:big VALUE", 256 << 10));
    assert!(!keeps(&mut client, "SET title:big VALUE", (256 << 10) + 1));
    lives(&mut client, "SET artwork:1 v", about(DAY_MS));
    lives(
        &mut client,
        "SET position:7 v EX 86400",
        9 * MINUTE_MS..=10 * MINUTE_MS,
    );
    lives(&mut client, "SET live:3 v EX 60", 0..=5_000);
    lives(&mut client, "SET live:4 v PX 4000", 0..=4_000);
    lives(&mut client, "SET other v", about(HOUR_MS));
    let mut times = Vec::new();
    for title in 0..50 {
        let key = format!("title:{title}");
        let spread = 6 * HOUR_MS * 8 / 10 - MINUTE_MS..=6 * HOUR_MS;
        lives(&mut client, &format!("SET {key} v"), spread);
        let Value::Integer(ttl) = client.call(&["PTTL", &key]) else {
            panic!("PTTL gives no number");
        };
        times.push(ttl);
    }
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(last - first > 10 * MINUTE_MS, "{times:?}");
}

#[test]
fn sessions_of_strangers_give_way_and_carts_stay() {
    let server = start("sessions");
    let mut client = server.client();
    lives(&mut client, "SET session:1 v", about(30 * MINUTE_MS));
    lives(&mut client, "SET cart:1 v", about(7 * DAY_MS));
    lives(&mut client, "SET csrf:1 v EX 60", 0..=MINUTE_MS);
    let value = "v".repeat(4_000);
    let known = [
        "CACHE.SET",
        "session:known",
        &value,
        "ATTR",
        "1",
        "customer",
        "known",
    ];
    assert_eq!(client.call(&known), ok());
    let priority = |client: &mut Client, key: &str| explain(client, key)["priority"].clone();
    assert_eq!(priority(&mut client, "session:known"), Value::Integer(150));
    assert_eq!(priority(&mut client, "session:1"), Value::Integer(50));
    assert_eq!(priority(&mut client, "cart:1"), Value::Integer(200));
    let carts: Vec<String> = (0..500).map(|n| format!("cart:{n}")).collect();
    let sets: Vec<_> = carts.iter().map(|key| ["SET", key, &value]).collect();
    assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
    for batch in 0..60 {
        let keys: Vec<String> = (0..500).map(|n| format!("session:{batch}:{n}")).collect();
        let sets: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
        assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
    }
    assert!(server.metric("larder_evictions_total") > 10_000.0);
    let gets: Vec<_> = carts.iter().map(|key| ["GET", key]).collect();
    let replies = client.pipeline(&gets);
    let kept = replies.iter().filter(|reply| **reply != NIL).count();
    assert!(kept >= 490, "{kept} of 500 carts");
    assert_ne!(client.call(&["GET", "session:known"]), NIL);
    assert_eq!(server.metric("larder_policy_offences_total"), 0.0);
}

#[test]
fn api_results_live_by_type_and_searches_are_kept_from_the_second_on() {
    let server = start("api");
    let mut client = server.client();
    assert_eq!(
        client.call(&["CONFIG", "GET", "eviction"]),
        Value::Array(vec![
            crate::values::bulk("eviction"),
            crate::values::bulk("gdsf")
        ])
    );
    assert!(!keeps(&mut client, "SET api:export VALUE", (1 << 20) + 1));
    assert!(!keeps(&mut client, "SET api:search:a VALUE", 10));
    assert!(keeps(&mut client, "SET api:search:a VALUE", 10));
    assert!(keeps(
        &mut client,
        "CACHE.SET api:search:b VALUE COST 500",
        10
    ));
    assert!(!keeps(
        &mut client,
        "CACHE.SET api:search:c VALUE COST 499",
        10
    ));
    let spread = |ms: i64| ms * 9 / 10 - MINUTE_MS..=ms;
    lives(
        &mut client,
        "CACHE.SET api:user:7 v TYPE json",
        spread(5 * MINUTE_MS),
    );
    lives(&mut client, "CACHE.SET api:page v TYPE html", 1..=MINUTE_MS);
    lives(
        &mut client,
        "CACHE.SET api:logo v TYPE image/png",
        spread(DAY_MS),
    );
    lives(&mut client, "SET api:plain v", spread(5 * MINUTE_MS));
    lives(&mut client, "SET lock:7 v PX 30000", 1..=30_000);
}

#[test]
fn outputs_of_models_that_were_dear_are_kept_at_once_and_longest() {
    let server = start("models");
    let mut client = server.client();
    assert!(!keeps(&mut client, "SET completion:a VALUE", 10));
    assert!(keeps(&mut client, "SET completion:a VALUE", 10));
    let dear = "CACHE.SET completion:b VALUE TYPE completion TAGS 1 large COST 2000";
    assert!(keeps(&mut client, dear, 10));
    lives(&mut client, &dear.replace("VALUE", "v"), about(DAY_MS));
    lives(
        &mut client,
        "CACHE.SET e:1 v TYPE embedding",
        about(30 * DAY_MS),
    );
    lives(&mut client, "SET other v", about(HOUR_MS));
    for (key, priority) in [("completion:b", 200), ("e:1", 150), ("other", 100)] {
        let told = explain(&mut client, key);
        assert_eq!(told["priority"], Value::Integer(priority), "{key}");
        assert_eq!(
            told["eviction_policy"],
            crate::values::bulk("30-business-priority"),
            "{told:?}"
        );
    }
}
