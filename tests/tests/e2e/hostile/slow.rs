//! Clients that take their time: with their requests, or with our replies.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::harness::{Client, Server, eventually};

use super::{Bystander, await_calm, closed};
use crate::values::ok;

const MIB: usize = 1 << 20;

/// Whether the server has closed the connection; what it said before is read and forgotten.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 1024];
    match stream.read(&mut buffer) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// A slow-loris: requests that go on and on, a byte at a time.
#[test]
fn a_request_has_to_be_sent_in_time() {
    const CONNECTIONS: usize = 50;
    const TIMEOUT: Duration = Duration::from_millis(400);
    let server = Server::start(&["--limits-request-timeout", "400ms"]);
    let bystander = Bystander::of(&server);
    let mut idle = server.client();
    idle.call(&["PING"]);
    let start = Instant::now();
    let mut slow: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = TcpStream::connect(server.addr()).unwrap();
            stream
                .write_all(b"*2\r\n$4\r\nECHO\r\n$1000000\r\n")
                .unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    eventually("all slow requests are given up", || {
        slow.retain_mut(|stream| stream.write_all(b"v").is_ok() && !is_closed(stream));
        assert!(
            start.elapsed() >= TIMEOUT || slow.len() == CONNECTIONS,
            "given up too soon"
        );
        slow.is_empty().then_some(())
    });
    assert_eq!(closed(&server, "timeout"), CONNECTIONS);
    idle.call(&["PING"]);
    await_calm(&server, 2);
    bystander.expect_unharmed();
}

#[test]
fn silence_is_allowed_as_long_as_the_settings_say() {
    let server = Server::start(&["--limits-idle-timeout", "300ms"]);
    let bystander = Bystander::of(&server);
    let start = Instant::now();
    let mut silent = server.client();
    assert_eq!(silent.receive(), None);
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(closed(&server, "timeout"), 1);
    bystander.expect_unharmed();
}

/// Replies for a hundred times the memory are asked for and never read.
#[test]
fn a_client_that_never_reads_is_closed_and_takes_bounded_memory() {
    const CONNECTIONS: usize = 10;
    const REQUESTS: usize = 200;
    let flags = [
        "--limits-client-buffers-max",
        "8MiB",
        "--limits-request-timeout",
        "1s",
    ];
    let server = Server::start(&[&flags[..], &["--memory", "16MiB"]].concat());
    let value = vec![b'v'; MIB / 2];
    assert_eq!(server.client().call(&[&b"SET"[..], b"large", &value]), ok());
    let bystander = Bystander::of(&server);
    let before = server.process().resident_bytes();
    let greedy: Vec<Client> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = server.client();
            client
                .send("GET large\r\n".repeat(REQUESTS).as_bytes())
                .unwrap();
            client
        })
        .collect();
    eventually("all of them are closed", || {
        let grown = server.process().resident_bytes().saturating_sub(before);
        assert!(grown < 28 << 20, "{grown} bytes for 8 MiB of buffers");
        let given_up = closed(&server, "timeout") + closed(&server, "limit");
        (given_up == CONNECTIONS).then_some(())
    });
    drop(greedy);
    await_calm(&server, 1);
    bystander.expect_unharmed();
}

#[test]
fn the_replies_of_a_connection_have_a_bound() {
    let server = Server::start(&["--limits-output-max", "2MiB", "--memory", "16MiB"]);
    let bystander = Bystander::of(&server);
    let value = vec![b'v'; MIB / 2];
    let mut client = server.client();
    assert_eq!(client.call(&[&b"SET"[..], b"large", &value]), ok());
    client.call(&["MGET", "large", "large", "large"]);
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    let request = format!("MGET{}\r\n", " large".repeat(5));
    stream.write_all(request.as_bytes()).unwrap();
    let mut replies = Vec::new();
    stream.read_to_end(&mut replies).unwrap();
    let told = b"-ERR reply too large: ask for fewer keys at once\r\n";
    assert!(replies.ends_with(told) && replies.len() < 2 * MIB + told.len());
    assert_eq!(closed(&server, "limit"), 1);
    bystander.expect_unharmed();
}

/// One that is slow but goes on reading gets everything.
#[test]
fn a_slow_reader_gets_all_its_replies() {
    const REQUESTS: usize = 60;
    let server = Server::start(&["--limits-request-timeout", "200ms", "--memory", "16MiB"]);
    let value = vec![b'v'; MIB / 2];
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    Client::over(stream.try_clone().unwrap()).call(&[&b"SET"[..], b"large", &value]);
    stream
        .write_all("GET large\r\n".repeat(REQUESTS).as_bytes())
        .unwrap();
    stream.set_nonblocking(true).unwrap();
    let reply_bytes = b"$524288\r\n".len() + value.len() + 2;
    let (mut received, mut buffer) = (0, vec![0; 64 << 10]);
    // A probe reads once, so there is a pause between two reads.
    eventually("all replies come", || {
        match stream.read(&mut buffer) {
            Ok(bytes) => received += bytes,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        (received == REQUESTS * reply_bytes).then_some(())
    });
}
