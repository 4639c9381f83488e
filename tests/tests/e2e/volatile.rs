//! A server that evicts only what expires.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use e2e::fuzz::successions;
use e2e::harness::{Client, PATIENCE, Random, Server, eventually, policy, seeds};
use larder::config::Eviction;
use larder_engine::EvictorFactory;
use larder_policy_runtime::{Sandbox, SandboxConfig, Settings};
use larder_resp::Value;

use crate::main_job::Wasm;
use crate::values::{NIL, bulk, error_text, ok};

const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";

#[test]
fn what_never_expires_stays_until_writes_are_refused() {
    let server = Server::start(&["--memory", "4MiB", "--volatile-only"]);
    let mut client = server.client();
    assert_eq!(server.info()["maxmemory_policy"], "volatile-s3-fifo");
    let named = client.call(&["CONFIG", "GET", "maxmemory-policy"]);
    let expected = ["maxmemory-policy", "volatile-s3-fifo"].map(bulk);
    assert_eq!(named, Value::Array(expected.to_vec()));

    let value = "v".repeat(2000);
    for n in 0..4000 {
        let key = format!("soon{n}");
        assert_eq!(client.call(&["SET", &key, &value, "EX", "1000"]), ok());
    }
    let kept = fill(&mut client, &value);
    assert!(kept > 1000, "{kept}");
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(kept));

    let refused = |reply: Value| assert!(error_text(reply).starts_with(OOM));
    refused(client.call(&["SET", "more", &value]));
    refused(client.call(&[
        "EVAL",
        "return redis.call('set', 'more', ARGV[1])",
        "0",
        &value,
    ]));
    assert_eq!(client.call(&["MULTI"]), ok());
    client.call(&["SET", "more", &value]);
    client.call(&["GET", "0"]);
    let Value::Array(replies) = client.call(&["EXEC"]) else {
        panic!("no replies");
    };
    refused(replies[0].clone());
    assert_eq!(replies[1], bulk(&value));
    assert_eq!(put(&server, "more", &value), 507);

    assert_eq!(client.call(&["DEL", "0"]), Value::Integer(1));
    for n in 1..SOON {
        let expire = client.call(&["EXPIRE", &format!("{n}"), "1000"]);
        assert_eq!(expire, Value::Integer(1));
    }
    for key in ["0", "more"] {
        eventually("there is room again", || {
            (client.call(&["SET", key, &value]) == ok()).then_some(())
        });
    }
    let evicted = (1..SOON).filter(|n| client.call(&["GET", &format!("{n}")]) == NIL);
    assert!(evicted.count() > 0);
    for n in SOON..kept {
        assert_eq!(client.call(&["GET", &format!("{n}")]), bulk(&value));
    }
}

/// Entries that come to expire when the memory is full: several times what the structures vary by.
const SOON: i64 = 100;
/// Refusals in a row after which there is no room whatever.
const REFUSALS: usize = 100;

/// Writes entries that never expire until there is no room for one. How many there are.
fn fill(client: &mut Client, value: &str) -> i64 {
    let (mut kept, mut refusals) = (0, 0);
    while refusals < REFUSALS {
        let set = client.call(&["SET", &format!("{kept}"), value]);
        let is_kept = set == ok();
        assert!(is_kept || error_text(set).starts_with(OOM));
        kept += i64::from(is_kept);
        refusals = if is_kept { 0 } else { refusals + 1 };
    }
    kept
}

/// The status of a PUT over HTTP.
fn put(server: &Server, key: &str, value: &str) -> u16 {
    let mut stream = TcpStream::connect(server.http()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let len = value.len();
    let head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length:";
    write!(stream, "PUT /v1/keys/{key} {head} {len}\r\n\r\n{value}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn no_policy_and_no_succession_of_policies_evicts_what_never_expires() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let twin = |name: &str| -> Arc<dyn EvictorFactory> {
        let module = fs::read(policy(name)).unwrap();
        let loaded = sandbox.load(name, &module, &Settings::default(), Arc::default());
        Arc::new(Wasm(loaded.unwrap()))
    };
    let natives = Eviction::all();
    let evictors: Vec<_> = natives
        .flat_map(|native| [native.factory(), twin(native.name())])
        .collect();
    for seed in seeds(&[1]) {
        let data = Random::new(seed).bytes(260_000);
        println!("SEED={seed}");
        successions(&data, &evictors);
    }
}
