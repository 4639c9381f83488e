//! Values that come from an origin over HTTP when they are nowhere in the cache.

use std::fs;

use e2e::harness::{Client, Origin, PATIENCE, Server, eventually, larder, run};
use larder_resp::{Value, encode_command};

use crate::tls::Files;
use crate::values::{NIL, bulk, ok};

const SECRET: &str = "hunter2-of-the-origin";

/// A server whose keys `page:…` come from an origin, and those `slow:…` with little patience.
fn start(origin: &Origin, flags: &[&str]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    let url = format!("http://{}/pages/{{key}}", origin.addr());
    let text = format!(
        "[[loader]]
        match = 'page:*'
        url = '{url}'
        headers = {{ Authorization = 'env:ORIGIN_TOKEN' }}
        ttl = '100s'
        absent_ttl = '1h'
        timeout = '1m'
        size_max = '100KiB'
        [[loader]]
        match = 'slow:*'
        url = '{url}'
        ttl = '100s'
        timeout = '50ms'
        [[loader]]
        match = 'while:*'
        url = '{url}'
        ttl = '1s'
        stale_while_revalidate = '1h'
        timeout = '1m'
        early_refresh = 0
        [[loader]]
        match = 'error:*'
        url = '{url}'
        ttl = '1s'
        stale_if_error = '1h'
        early_refresh = 0"
    );
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let mut all = vec!["--config", &file];
    all.extend(flags);
    let server = Server::start_with(&all, |command| {
        command.env("ORIGIN_TOKEN", format!("Bearer {SECRET}"));
    });
    (server, folder)
}

/// Sends a request; of how many bytes.
fn send(client: &mut Client, request: &[&str]) -> usize {
    let args: Vec<&[u8]> = request.iter().map(|arg| arg.as_bytes()).collect();
    let mut bytes = Vec::new();
    encode_command(&mut bytes, &args);
    client.send(&bytes).unwrap();
    bytes.len()
}

/// Waits until the origin was asked so often.
fn asked(origin: &Origin, times: usize) {
    eventually("the origin is asked", || {
        (origin.requests().len() >= times).then_some(())
    });
    assert_eq!(origin.requests().len(), times);
}

#[test]
fn fifty_clients_who_want_a_key_ask_the_origin_once_and_no_secret_is_shown() {
    let origin = Origin::start("hello");
    origin.answer(
        "200 OK",
        "content-type: text/html; charset=utf-8\r\ncache-control: max-age=50\r\n",
        "hello",
    );
    origin.hold(true);
    let (server, folder) = start(&origin, &[]);
    let mut clients: Vec<_> = (0..50).map(|_| server.client()).collect();
    let bytes = clients.iter_mut();
    let bytes: usize = bytes
        .map(|client| send(client, &["GET", "page:1 \u{e4}"]))
        .sum();
    // Who comes when the load has ended, and before its value is in memory, begins another.
    eventually("all have asked", || {
        (server.metric("larder_input_bytes_total") >= bytes as f64).then_some(())
    });
    asked(&origin, 1);
    origin.hold(false);
    for client in &mut clients {
        assert_eq!(client.receive().unwrap(), bulk("hello"));
    }
    let mut client = server.client();
    let Value::Integer(ttl) = client.call(&["TTL", "page:1 \u{e4}"]) else {
        panic!("no number");
    };
    assert!((1..=50).contains(&ttl), "{ttl}");
    assert_eq!(client.call(&["EXISTS", "page:2"]), Value::Integer(0));
    asked(&origin, 1);
    let head = &origin.requests()[0];
    assert!(
        head.starts_with("get /pages/page%3a1%20%c3%a4 http/1.1"),
        "{head}"
    );
    assert!(
        head.contains(&format!("authorization: bearer {SECRET}")),
        "{head}"
    );
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    assert_eq!(server.metric("larder_loader_values_total"), 1.0);
    let file = folder.path().join("larder.toml").display().to_string();
    let mut print = larder(["print-config", "--config", &file]);
    let printed = run(print.env("ORIGIN_TOKEN", SECRET), PATIENCE).stdout;
    assert!(printed.contains("env:ORIGIN_TOKEN"), "{printed}");
    let told = [
        printed,
        server.get("/metrics").body,
        server.process().stderr(),
        format!("{:?}", client.call(&["INFO", "everything"])),
    ];
    for text in told {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn an_absence_is_remembered_and_a_failure_is_not() {
    let origin = Origin::start("");
    let (server, _folder) = start(&origin, &[]);
    let mut client = server.client();
    origin.answer("404 Not Found", "", "no such page");
    for _ in 0..3 {
        assert_eq!(client.call(&["GET", "page:1"]), NIL);
    }
    asked(&origin, 1);
    assert_eq!(client.call(&["SET", "page:1", "own"]), ok());
    assert_eq!(client.call(&["GET", "page:1"]), bulk("own"));
    assert_eq!(server.get("/v1/keys/page%3A1").body, "own");

    let failures = [
        ("503 Service Unavailable", ""),
        ("302 Found", "location: http://127.0.0.1:1/\r\n"),
        ("200 OK", "content-encoding: gzip\r\n"),
    ];
    for (status, headers) in failures {
        origin.answer(status, headers, "");
        assert_eq!(client.call(&["GET", "page:2"]), NIL);
    }
    origin.break_down();
    assert_eq!(client.call(&["GET", "page:2"]), NIL);
    origin.answer("200 OK", "", &"v".repeat((100 << 10) + 1));
    assert_eq!(client.call(&["GET", "page:2"]), NIL);
    let page = server.get("/metrics").body;
    for (kind, count) in [("status", 3), ("connection", 1), ("too_large", 1)] {
        let line = format!(
            "larder_loader_failures_total{{tenant=\"default\",loader=\"page:*\",kind=\"{kind}\"}} {count}"
        );
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }
    origin.answer("200 OK", "", "there");
    assert_eq!(client.call(&["GET", "page:2"]), bulk("there"));
    assert_eq!(server.get("/v1/keys/page%3A3").body, "there");
}

#[test]
fn while_an_origin_takes_its_time_others_are_served_and_a_change_makes_its_answer_void() {
    let origin = Origin::start("old");
    origin.hold(true);
    let (server, _folder) = start(&origin, &["--threads", "1"]);
    let (mut waiting, mut other) = (server.client(), server.client());
    send(&mut waiting, &["GET", "page:1"]);
    asked(&origin, 1);
    assert_eq!(other.call(&["SET", "a", "1"]), ok());
    assert_eq!(other.call(&["GET", "a"]), bulk("1"));
    // The patience for these keys is over before the origin answers.
    assert_eq!(
        other.call(&["MGET", "slow:1", "a"]),
        Value::Array(vec![NIL, bulk("1")])
    );
    assert_eq!(other.call(&["DEL", "page:1"]), Value::Integer(0));
    origin.answer("200 OK", "", "new");
    origin.hold(false);
    assert_eq!(waiting.receive().unwrap(), bulk("new"));
    assert_eq!(other.call(&["GET", "page:1"]), bulk("new"));
}

#[test]
fn what_was_loaded_is_written_to_the_level_below_and_outlives_the_process() {
    let origin = Origin::start("hello");
    let data = tempfile::tempdir().unwrap();
    let data = data.path().display().to_string();
    let flags = ["--l2", "disk", "--data", &data];
    let (server, _folder) = start(&origin, &flags);
    assert_eq!(server.client().call(&["GET", "page:1"]), bulk("hello"));
    assert!(server.stop().success());
    let (server, _folder) = start(&origin, &flags);
    assert_eq!(server.client().call(&["GET", "page:1"]), bulk("hello"));
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn stale_values_are_answered_at_once_while_they_are_loaded_anew() {
    let origin = Origin::start("old");
    let (server, _folder) = start(&origin, &[]);
    let mut client = server.client();
    assert_eq!(client.call(&["GET", "while:1"]), bulk("old"));
    origin.answer("200 OK", "", "new");
    origin.hold(true);
    eventually("it is loaded anew", || {
        assert_eq!(client.call(&["GET", "while:1"]), bulk("old"));
        (origin.requests().len() == 2).then_some(())
    });
    for _ in 0..100 {
        assert_eq!(client.call(&["GET", "while:1"]), bulk("old"));
    }
    assert_eq!(origin.requests().len(), 2);
    origin.hold(false);
    eventually("the new value is there", || {
        let value = client.call(&["GET", "while:1"]);
        assert_ne!(value, NIL);
        (value == bulk("new")).then_some(())
    });
}

#[test]
fn stale_values_are_answered_while_the_origin_is_down() {
    let origin = Origin::start("old");
    let (server, _folder) = start(&origin, &[]);
    let mut client = server.client();
    assert_eq!(client.call(&["GET", "error:1"]), bulk("old"));
    origin.break_down();
    eventually("it was tried to load it anew, twice", || {
        assert_eq!(client.call(&["GET", "error:1"]), bulk("old"));
        (server.metric("larder_loader_failures_total") >= 2.0).then_some(())
    });
    origin.answer("200 OK", "", "new");
    eventually("the new value is there", || {
        let value = client.call(&["GET", "error:1"]);
        assert_ne!(value, NIL);
        (value == bulk("new")).then_some(())
    });
}

#[test]
fn what_an_origin_gives_tags_goes_by_them() {
    let origin = Origin::start("");
    let tags = "larder-tags: user:7, a%2Cb\r\ncontent-type: text/plain\r\n";
    origin.answer("200 OK", tags, "first");
    let (server, _folder) = start(&origin, &["--l2", "disk"]);
    let mut client = server.client();
    assert_eq!(client.call(&["GET", "page:1"]), bulk("first"));
    let head = server.get("/v1/keys/page:1").head.to_ascii_lowercase();
    assert!(head.contains("larder-tags: user:7,a%2cb\r\n"), "{head}");
    origin.answer("200 OK", tags, "second");
    for (tag, value, times) in [("user:8", "first", 1), ("a,b", "second", 2)] {
        assert_eq!(client.call(&["CACHE.INVALIDATE", "TAG", tag]), ok());
        assert_eq!(client.call(&["GET", "page:1"]), bulk(value));
        asked(&origin, times);
    }
}

#[test]
fn an_origin_over_https_is_asked_where_its_authority_is_trusted() {
    let files = Files::new();
    let origin = files.serve(&["--tls-http"]);
    assert_eq!(origin.client().call(&["SET", "page", "hello"]), ok());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    let url = format!("https://localhost:{}/v1/keys/{{key}}", origin.http().port());
    fs::write(
        &file,
        format!("[[loader]]\nmatch = '*'\nurl = '{url}'\nttl = '1m'"),
    )
    .unwrap();
    let file = file.display().to_string();
    let start = |trusted: &Files| {
        let authority = trusted.shown("ca");
        Server::start_with(&["--config", &file], |command| {
            command.env("SSL_CERT_FILE", authority);
        })
    };
    let server = start(&files);
    let mut client = server.client();
    assert_eq!(client.call(&["GET", "page"]), bulk("hello"));
    assert_eq!(client.call(&["GET", "none"]), NIL);
    let absences = server.metric("larder_loader_absences_total");
    let failures = server.metric("larder_loader_failures_total");
    assert_eq!((absences, failures), (1.0, 0.0));

    let others = Files::new();
    let server = start(&others);
    assert_eq!(server.client().call(&["GET", "page"]), NIL);
    assert_eq!(server.metric("larder_loader_failures_total"), 1.0);
    server.process().said("invalid peer certificate");
}
