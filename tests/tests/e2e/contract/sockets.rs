//! The Unix socket, CONFIG GET, and the databases: what one connection sees of others.

use std::fs;

use e2e::harness::{Client, Server};
use larder_resp::Value;

use crate::values::{NIL, bulk, error_text, ok};

#[test]
fn the_unix_socket_serves_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.sock");
    let server = Server::start(&[
        "--unix-socket",
        &path.display().to_string(),
        "--threads",
        "2",
    ]);
    let mut over_unix = Client::connect_unix(&path);
    assert_eq!(over_unix.call(&["SET", "a", "1"]), ok());
    assert_eq!(server.client().call(&["GET", "a"]), bulk("1"));
    // A client that left its connection open does not keep the server from ending.
    assert_eq!(server.stop().code(), Some(0));
    assert!(!path.exists(), "the socket is left behind");
    assert_eq!(over_unix.receive(), None);
}

#[test]
fn a_socket_that_a_killed_server_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.sock");
    let flags = ["--unix-socket", &path.display().to_string()];
    // Dropping it kills it.
    drop(Server::start(&flags));
    assert!(path.exists());
    let _second = Server::start(&flags);
    assert_eq!(
        Client::connect_unix(&path).call(&["PING"]),
        Value::Simple("PONG".into())
    );
}

#[test]
fn config_get_answers_by_pattern() {
    let server = Server::start(&["--memory", "16MiB"]);
    let mut client = server.client();
    let listen = ["CONFIG", "GET", "MAXMEMORY", "databases"];
    assert_eq!(
        client.call(&listen),
        Value::Array(vec![
            bulk("databases"),
            bulk("16"),
            bulk("maxmemory"),
            bulk((16 << 20).to_string())
        ])
    );
    assert_eq!(
        client.call(&["CONFIG", "GET", "nothing*"]),
        Value::Array(Vec::new())
    );
    let Value::Array(all) = client.call(&["CONFIG", "GET", "*"]) else {
        panic!("no array")
    };
    for name in [
        "save",
        "appendonly",
        "port",
        "timeout",
        "eviction",
        "limits.output_max",
    ] {
        assert!(
            all.iter().step_by(2).any(|each| *each == bulk(name)),
            "no {name} in {all:?}"
        );
    }
    let Value::Map(pairs) = ({
        client.call(&["HELLO", "3"]);
        client.call(&["CONFIG", "GET", "maxmemory-policy"])
    }) else {
        panic!("no map")
    };
    assert_eq!(pairs, [(bulk("maxmemory-policy"), bulk("allkeys-s3-fifo"))]);
}

#[test]
fn databases_are_apart_and_connections_share_them() {
    let server = Server::start(&["--threads", "2"]);
    let (mut one, mut other) = (server.client(), server.client());
    assert_eq!(one.call(&["SET", "a", "0"]), ok());
    assert_eq!(one.call(&["SELECT", "15"]), ok());
    assert_eq!(one.call(&["GET", "a"]), NIL);
    assert_eq!(one.call(&["SET", "a", "15"]), ok());
    assert_eq!(other.call(&["GET", "a"]), bulk("0"));
    assert_eq!(one.call(&["FLUSHDB"]), ok());
    assert_eq!(other.call(&["GET", "a"]), bulk("0"));
    assert_eq!(other.call(&["FLUSHALL"]), ok());
    assert_eq!(other.call(&["DBSIZE"]), Value::Integer(0));
    assert!(error_text(one.call(&["SELECT", "16"])).starts_with("ERR DB index"));
}

/// Nothing outlives the process: the data folder is all it writes, and holds no entry.
#[test]
fn a_restart_begins_empty() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let flags = ["--data", &data.display().to_string()];
    let first = Server::start(&flags);
    assert_eq!(first.client().call(&["SET", "a", "1"]), ok());
    assert_eq!(first.stop().code(), Some(0));
    let mut left: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["policies.d", "policy-code"]);
    assert_eq!(
        Server::start(&flags).client().call(&["DBSIZE"]),
        Value::Integer(0)
    );
}
