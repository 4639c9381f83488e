use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::testing::{Client, block_on, bulk, command, config, parts, serve, serve_with};
use crate::{Health, ServerConfig, Shared, StartError, start};

fn start_error(config: ServerConfig) -> StartError {
    let shared = Arc::new(Shared::new(config, parts()));
    match start(shared, Arc::new(String::new)) {
        Ok(_) => panic!("the server started"),
        Err(error) => error,
    }
}

#[test]
fn a_second_server_on_the_same_port_is_refused() {
    for threads in [1, 2] {
        let first = serve(|config| config.threads = threads);
        let addr = first.running.resp_addr().expect("it is on");
        let error = start_error(ServerConfig {
            listen: Some(addr),
            threads,
            ..config()
        });
        let expected = format!(
            "cannot listen on {addr}: the port is already in use by another server; \
             choose another with --listen"
        );
        assert_eq!(error.to_string(), expected);
        first.connect().ask("PING\r\n", "+PONG\r\n");
    }
}

#[test]
fn a_port_is_free_again_once_its_server_has_drained() {
    let first = serve(|config| config.threads = 2);
    let addr = first.running.resp_addr().expect("it is on");
    let mut client = first.connect();
    client.ask("PING\r\n", "+PONG\r\n");
    assert_eq!(first.drain().cut_off, 0);
    assert_eq!(client.rest(), b"");
    assert!(TcpStream::connect(addr).is_err());
    // The connection that the server closed does not keep the port from the next one.
    let second = serve(|config| config.listen = Some(addr));
    second.connect().ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn http_names_its_own_option_when_its_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = taken.local_addr().expect("bound");
    let error = start_error(ServerConfig {
        http: Some(addr),
        ..config()
    });
    assert!(
        error.to_string().ends_with("choose another with --http"),
        "{error}"
    );
}

#[test]
fn draining_answers_what_was_sent_and_closes() {
    let server = serve(|_| {});
    let value = vec![b'v'; 10_000];
    let mut busy = server.connect();
    let mut idle = server.connect();
    idle.ask(command(&[b"SET", b"k", &value]), "+OK\r\n");
    // More replies than sockets hold, and nobody reads them before the server drains.
    busy.send("GET k\r\n".repeat(5_000));
    let shared = server.shared.clone();
    let draining = thread::spawn(move || server.drain());
    assert_eq!(idle.rest(), b"");
    assert_eq!(shared.health(), Health::Draining);
    busy.expect(bulk(&value).repeat(5_000));
    assert_eq!(busy.rest(), b"");
    assert_eq!(draining.join().expect("draining does not panic").cut_off, 0);
    assert_eq!(shared.totals().connections, 0);
}

#[test]
fn who_does_not_finish_while_the_server_drains_is_cut_off() {
    let server = serve(|config| config.drain_timeout = Duration::from_millis(50));
    let mut client = server.connect();
    client.ask("PING\r\nECHO half", "+PONG\r\n");
    assert_eq!(server.drain().cut_off, 1);
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_server_that_is_dropped_stops_too() {
    let server = serve(|_| {});
    let mut client = server.connect();
    client.ask("PING\r\n", "+PONG\r\n");
    drop(server);
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_unix_socket_serves_and_is_removed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("larder.sock");
    // A server that died without removing its socket.
    drop(UnixListener::bind(&path).expect("the folder is writable"));
    let server = serve(|config| config.unix_socket = Some(path.clone()));
    let mut client = Client {
        stream: UnixStream::connect(&path).expect("the server listens"),
    };
    client.ask("SET k 1\r\n", "+OK\r\n");
    server.connect().ask("GET k\r\n", "$1\r\n1\r\n");

    let error = start_error(ServerConfig {
        unix_socket: Some(path.clone()),
        ..config()
    });
    assert!(
        matches!(error, StartError::UnixSocketInUse { .. }),
        "{error}"
    );
    client.ask("GET k\r\n", "$1\r\n1\r\n");

    assert_eq!(server.drain().cut_off, 0);
    assert_eq!(client.rest(), b"");
    assert!(!path.exists());
}

#[test]
fn a_file_in_the_place_of_the_unix_socket_is_left_alone() {
    let mut file = tempfile::NamedTempFile::new().expect("a file can be made");
    file.write_all(b"precious").expect("it can be written");
    let error = start_error(ServerConfig {
        unix_socket: Some(file.path().into()),
        ..config()
    });
    assert!(
        error
            .to_string()
            .contains("a file that is not a socket is there"),
        "{error}"
    );
    assert_eq!(
        std::fs::read(file.path()).expect("it is there"),
        b"precious"
    );
}

/// The clock panics when a worker asks it for the time of a new connection.
#[test]
fn the_death_of_a_worker_is_not_hidden() {
    fn clock() -> u64 {
        let serving = thread::current()
            .name()
            .is_some_and(|name| name.starts_with("larder-worker"));
        assert!(!serving, "asked to");
        1_700_000_000_000
    }
    let server = serve_with(config(), crate::Parts { clock, ..parts() });
    assert_eq!(server.shared.health(), Health::Ready);
    assert_eq!(server.connect().rest(), b"");
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.shared.health() != Health::Failed {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    assert_eq!(server.drain().cut_off, 0);
}

#[test]
fn ten_thousand_connections_that_come_and_go_leave_nothing_behind() {
    let server = serve(|_| {});
    for i in 0..10_000 {
        let mut client = server.connect();
        if i % 2 == 0 {
            client.send("*1\r\n$4\r\nPI");
        }
    }
    server.connect().ask("PING\r\n", "+PONG\r\n");
    let shared = server.shared.clone();
    assert_eq!(block_on(server.running.drain()).cut_off, 0);
    let totals = shared.totals();
    assert_eq!((totals.connections, totals.buffers_bytes), (0, 0));
}
