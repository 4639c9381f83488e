use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{BoundedStream, CONNECTION_TIME_MAX, REQUEST_BYTES_MAX, ready};
use crate::testing::{Server, block_on, config, parts, serve};
use crate::{Health, Shared};

fn server() -> Server {
    serve(|config| config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0))))
}

/// What the server sends until it closes.
fn exchange(server: &Server, request: &[u8]) -> String {
    let addr = server.running.http_addr().expect("HTTP is on");
    let mut stream = TcpStream::connect(addr).expect("HTTP accepts");
    // It may be refused before all of it is written.
    let _ = stream.write_all(request);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8(response).expect("text")
}

fn get(server: &Server, path: &str) -> String {
    exchange(
        server,
        format!("GET {path} HTTP/1.1\r\nHost: larder\r\n\r\n").as_bytes(),
    )
}

#[test]
fn each_path_answers_and_closes() {
    let server = server();
    let check = |path, status, body| {
        let response = get(&server, path);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
        assert!(response.ends_with(body), "{response}");
        assert!(response.contains("connection: close"), "{response}");
    };
    check("/healthz", 200, "\r\n\r\nok\n");
    check("/readyz", 200, "\r\n\r\nready\n");
    check("/metrics", 200, "\r\n\r\nlarder_up 1\n");
    check("/nothing", 404, "");
    assert!(get(&server, "/metrics").contains("text/plain; version=0.0.4"));
}

#[test]
fn ready_is_said_only_while_it_is_true() {
    let shared = Arc::new(Shared::new(config(), parts()));
    let check = |status, body| {
        assert_eq!(block_on(ready(State(shared.clone()))), (status, body));
    };
    check(StatusCode::SERVICE_UNAVAILABLE, "starting\n");
    shared.set_health(Health::Ready);
    check(StatusCode::OK, "ready\n");
    shared.set_health(Health::Draining);
    check(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    shared.set_health(Health::Failed);
    check(
        StatusCode::SERVICE_UNAVAILABLE,
        "failed: a worker thread died\n",
    );
}

#[test]
fn a_request_without_end_is_cut_off() {
    let server = server();
    let mut request = b"GET /healthz HTTP/1.1\r\nX: ".to_vec();
    request.resize(4 * REQUEST_BYTES_MAX, b'x');
    let response = exchange(&server, &request);
    assert!(!response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(get(&server, "/healthz").ends_with("ok\n"));
}

#[test]
fn a_silent_connection_is_cut_off() {
    let paused = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    paused.expect("a runtime can be made").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (stream, _) = listener.accept().await.expect("somebody connected");
        let permit = Arc::new(Semaphore::new(1))
            .acquire_owned()
            .await
            .expect("open");
        let mut stream = BoundedStream::new(stream, permit);
        let started = tokio::time::Instant::now();
        let error = stream.read_u8().await.expect_err("nothing was sent");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= CONNECTION_TIME_MAX);
        drop(client);
    });
}
