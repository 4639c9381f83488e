//! Who is told of entries that go by themselves: a webhook, and who listens to a channel.

use std::fs;

use e2e::harness::{Client, Origin, Server, eventually};
use hmac::{Hmac, KeyInit, Mac};
use larder_resp::Value;
use serde_json::json;
use sha2::Sha256;

use crate::values::{bulk, ok};

const SECRET: &str = "hunter2-of-the-hooks";

/// A server that tells `receiver` of all keys `k:…` that go, and a channel of those that were invalidated.
fn start(receiver: &Origin) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    let text = format!(
        "[[hook]]
        on = ['invalidate', 'evict', 'expire']
        match = 'k:*'
        url = 'http://{}/gone?from=larder'
        secret = 'env:HOOK_SECRET'
        [[hook]]
        on = ['invalidate']
        channel = 'gone'",
        receiver.addr()
    );
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let server = Server::start_with(&["--config", &file, "--memory", "4MiB"], |command| {
        command.env("HOOK_SECRET", SECRET);
    });
    (server, folder)
}

fn event(name: &str, key: &str) -> serde_json::Value {
    json!({"event": name, "db": 0, "key": key})
}

/// The events that were brought, in their order; those of a batch that came again, again.
fn events(receiver: &Origin) -> Vec<serde_json::Value> {
    let bodies = receiver.bodies();
    let events = bodies.iter().flat_map(|body| {
        let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["tenant"], "default");
        match body["events"].take() {
            serde_json::Value::Array(events) => events,
            other => panic!("no events: {other}"),
        }
    });
    events.collect()
}

/// Every request has the seal of its time and body.
fn check_seals(receiver: &Origin) {
    for (head, body) in receiver.requests().iter().zip(receiver.bodies()) {
        assert!(
            head.starts_with("post /gone?from=larder http/1.1\r\n"),
            "{head}"
        );
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {head}"))
        };
        assert_eq!(header("content-type: "), "application/json");
        let mut seal = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        seal.update(format!("{}.{body}", header("larder-timestamp: ")).as_bytes());
        let digits = seal.finalize().into_bytes();
        let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(header("larder-signature: "), digits);
    }
}

/// Waits until so many events were sent and dropped, and batches failed.
fn counted(server: &Server, sent: u64, dropped: u64, failures: u64) {
    let labels = "tenant=\"default\",hook=\"0\"";
    let lines = [
        format!("larder_hook_events_total{{{labels},result=\"sent\"}} {sent}\n"),
        format!("larder_hook_events_total{{{labels},result=\"dropped\"}} {dropped}\n"),
        format!("larder_hook_failures_total{{{labels}}} {failures}\n"),
        format!("larder_hook_waiting_bytes{{{labels}}} 0\n"),
    ];
    eventually("events are counted", || {
        let page = server.get("/metrics").body;
        lines.iter().all(|line| page.contains(line)).then_some(())
    });
}

fn expire(client: &mut Client, key: &str) {
    assert_eq!(client.call(&["SET", key, "v", "PX", "1"]), ok());
}

#[test]
fn a_webhook_is_told_again_until_it_takes_a_batch_and_given_up_at_last() {
    let receiver = Origin::start("");
    receiver.refuse(2);
    let (server, _folder) = start(&receiver);
    let mut client = server.client();
    expire(&mut client, "other");
    expire(&mut client, "k:1");
    counted(&server, 1, 0, 2);
    assert_eq!(events(&receiver), vec![event("expire", "k:1"); 3]);

    receiver.refuse(6);
    expire(&mut client, "k:2");
    counted(&server, 1, 1, 8);
    expire(&mut client, "k:3");
    counted(&server, 2, 1, 8);
    assert_eq!(events(&receiver).last(), Some(&event("expire", "k:3")));
    check_seals(&receiver);
    let printed = server.get("/metrics").body + &server.process().stderr();
    assert!(!printed.contains(SECRET));
}

#[test]
fn entries_that_go_are_told_of_by_what_had_them_go() {
    let receiver = Origin::start("");
    let (server, _folder) = start(&receiver);
    let (mut client, mut listener) = (server.client(), server.client());
    listener.call(&["SUBSCRIBE", "gone"]);
    for key in ["k:a", "k:b", "c"] {
        let reply = client.call(&["CACHE.SET", key, "v", "TAGS", "1", &key[key.len() - 1..]]);
        assert_eq!(reply, ok());
    }
    let mut heard = |key: &str| {
        let Some(Value::Array(message)) = listener.receive() else {
            panic!("nobody says anything");
        };
        let text = match &message[..] {
            [_, channel, Value::Bulk(Some(text))] if *channel == bulk("gone") => text,
            other => panic!("no message: {other:?}"),
        };
        let told: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert_eq!(told, event("invalidate", key));
    };
    // What is void by a tag is told of as it is removed.
    for (order, name, key) in [
        ("TAG", "a", "k:a"),
        ("PREFIX", "k:", "k:b"),
        ("TAG", "c", "c"),
    ] {
        assert_eq!(client.call(&["CACHE.INVALIDATE", order, name]), ok());
        heard(key);
    }
    expire(&mut client, "k:d");
    let mut expected = vec![
        event("invalidate", "k:a"),
        event("invalidate", "k:b"),
        event("expire", "k:d"),
    ];
    eventually("all three are brought", || {
        (events(&receiver).len() >= 3).then_some(())
    });
    assert_eq!(events(&receiver), expected);

    let value = "v".repeat(10_000);
    let mut number = 0;
    let evicted = eventually("an entry goes for others", || {
        for _ in 0..50 {
            number += 1;
            assert_eq!(client.call(&["SET", &format!("k:{number}"), &value]), ok());
        }
        events(&receiver).get(3).cloned()
    });
    let key = evicted["key"].as_str().unwrap().to_owned();
    assert_eq!(client.call(&["EXISTS", &key]), Value::Integer(0));
    expected.push(event("evict", &key));
    assert_eq!(events(&receiver)[..4], expected);
    check_seals(&receiver);
}
