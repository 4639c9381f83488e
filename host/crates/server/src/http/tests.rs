//! HTTP over real sockets.

mod api;
mod description;
mod invalidate;
mod timing;
mod users;
mod warm;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::link::{
    BoundedStream, CONNECTIONS_MAX, CROWDED_TIME_MAX, HEAD_BYTES_MAX, IDLE_TIME_MAX, Link,
};
use super::router::readiness;
use super::wire::Wire;
use crate::testing::{Server, config, parts, serve};
use crate::{Health, Shared};

fn server() -> Server {
    serve(|config| config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0))))
}

fn connect(server: &Server) -> TcpStream {
    let addr = server.running.http_addr().expect("HTTP is on");
    let stream = TcpStream::connect(addr).expect("HTTP accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("not zero");
    stream
}

/// What the server sends until it closes.
fn exchange(server: &Server, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(server);
    // It may be refused before all of it is written.
    let _ = stream.write_all(request);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    response
}

/// A response.
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        let mut named = lines.find_map(|line| {
            let (other, value) = line.split_once(": ")?;
            other.eq_ignore_ascii_case(name).then_some(value)
        });
        named.take()
    }

    #[track_caller]
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One request with these header lines besides, and its response.
#[track_caller]
fn ask(server: &Server, method: &str, path: &str, head: &[&str], body: &[u8]) -> Response {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !head.iter().any(|line| line.starts_with("Host:")) {
        request.push_str("Host: localhost\r\n");
    }
    for line in head {
        request.push_str(&format!("{line}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let response = exchange(server, &[request.as_bytes(), body].concat());
    let head_bytes = response.windows(4).position(|end| end == b"\r\n\r\n");
    let Some(head_bytes) = head_bytes else {
        panic!(
            "no response to {method} {path}: {}",
            response.escape_ascii()
        );
    };
    let head = String::from_utf8_lossy(&response[..head_bytes]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Response {
        status: status.expect("a status"),
        head,
        body: response[head_bytes + 4..].to_vec(),
    }
}

#[test]
fn those_who_watch_are_answered_under_any_name() {
    let server = server();
    let get = |path| ask(&server, "GET", path, &["Host: larder"], b"");
    for (path, status, body) in [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, "ready\n"),
        ("/metrics", 200, "larder_up 1\n"),
    ] {
        let response = get(path);
        assert_eq!(
            (response.status, &*response.text()),
            (status, body),
            "{path}"
        );
    }
    let metrics = get("/metrics");
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(get("/v1/stats").status, 421);
}

#[test]
fn ready_is_said_only_while_it_is_true() {
    let long = Some(Duration::from_millis(17_900));
    let hangs = "hangs: a worker thread has been at one thing for 17 s\n";
    for (health, silence, status, body) in [
        (Health::Starting, None, 503, "starting\n"),
        (Health::Ready, None, 200, "ready\n"),
        (Health::Ready, long, 503, hangs),
        (Health::Draining, long, 503, "draining\n"),
        (Health::Failed, long, 503, "failed: a worker thread died\n"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(readiness(health, silence, &[], &[]), (status, body.into()));
    }
    let [redis, disk] = ["redis", "disk"].map(|name| vec![name.to_owned()]);
    let said = |required: &[String], others: &[String]| {
        let (status, body) = readiness(Health::Ready, None, required, others);
        (status.as_u16(), body.into_owned())
    };
    assert_eq!(said(&[], &disk), (200, "ready, without disk\n".to_owned()));
    let away = "away: a tier that is required does nothing at the moment: redis\n";
    assert_eq!(said(&redis, &disk), (503, away.to_owned()));
    let draining = readiness(Health::Draining, None, &redis, &[]).1;
    assert_eq!(draining, "draining\n");
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let server = server();
    let mut stream = connect(&server);
    for _ in 0..3 {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("it reads");
        let mut response = Vec::new();
        while !response.ends_with(b"ok\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("it answers");
            response.push(byte[0]);
        }
        assert!(!response.windows(5).any(|word| word == b"close"));
    }
}

#[test]
fn a_head_above_the_bound_is_refused() {
    let server = server();
    let mut request = b"GET /healthz HTTP/1.1\r\nX: ".to_vec();
    request.resize(4 * HEAD_BYTES_MAX, b'x');
    let response = exchange(&server, &request);
    assert!(!response.starts_with(b"HTTP/1.1 200"));
    // What is just above comes to its end, and the client reads why it is refused.
    request.truncate(HEAD_BYTES_MAX + 1);
    let response = String::from_utf8(exchange(&server, &request)).expect("text");
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
    assert!(response.ends_with("32 KiB at most\n"), "{response}");
    assert_eq!(ask(&server, "GET", "/healthz", &[], b"").text(), "ok\n");
}

/// How long a connection that sends nothing is waited for.
fn patience_with_silence(places: usize) -> Duration {
    let paused = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    paused.expect("a runtime can be made").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (stream, peer) = listener.accept().await.expect("somebody connected");
        let places = Arc::new(Semaphore::new(places));
        let place = places.clone().acquire_owned().await.expect("open");
        let shared = Arc::new(Shared::new(config(), parts()));
        let link = Link::new(peer, places);
        let mut stream = BoundedStream::new(Wire::Plain(stream), link, place, shared);
        let started = tokio::time::Instant::now();
        let error = stream.read_u8().await.expect_err("nothing was sent");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        drop(client);
        started.elapsed()
    })
}

#[test]
fn silence_is_waited_for_as_long_as_there_are_places() {
    let usual = patience_with_silence(CONNECTIONS_MAX);
    assert!(usual >= IDLE_TIME_MAX, "{usual:?}");
    let crowded = patience_with_silence(1);
    assert!(
        crowded >= CROWDED_TIME_MAX && crowded < IDLE_TIME_MAX,
        "{crowded:?}"
    );
}
