//! Stopping: what was begun is finished, within a bound.

use std::net::TcpStream;

use e2e::harness::{Client, Server, Signal, eventually};
use larder_resp::encode_command;

use crate::values::{bulk, ok};

const REQUESTS: usize = 500;

/// SETs and GETs in one piece, as they travel.
fn pipeline(from: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in from..from + REQUESTS {
        let (key, value) = (format!("key:{number}"), format!("value:{number}"));
        encode_command(&mut bytes, &[b"SET", key.as_bytes(), value.as_bytes()]);
        encode_command(&mut bytes, &[b"GET", key.as_bytes()]);
    }
    bytes
}

#[track_caller]
fn expect(client: &mut Client, from: usize) {
    for number in from..from + REQUESTS {
        assert_eq!(client.receive(), Some(ok()));
        assert_eq!(client.receive(), Some(bulk(format!("value:{number}"))));
    }
}

/// A connection whose next request is begun, and known to have arrived in part.
fn begun(server: &Server) -> Client {
    let mut client = server.client();
    let seen = server.metric("larder_input_bytes_total");
    client.send(b"*2\r\n$3\r\nGET\r\n").unwrap();
    eventually("the beginning arrives", || {
        (server.metric("larder_input_bytes_total") > seen).then_some(())
    });
    client
}

fn await_draining(server: &Server) {
    eventually("the server drains", || {
        let response = server.get("/readyz");
        (response.status == 503 && response.body == "draining\n").then_some(())
    });
}

#[test]
fn a_pipeline_that_was_begun_is_finished() {
    let server = Server::start(&["--threads", "2"]);
    let mut client = server.client();
    let mut idle = server.client();
    idle.call(&["PING"]);
    let requests = [pipeline(0), pipeline(REQUESTS)].concat();
    // Cut within a request of the second half.
    let (sent, rest) = requests.split_at(requests.len() - 1000);
    client.send(sent).unwrap();
    expect(&mut client, 0);
    server.process().signal(Signal::TERM);
    await_draining(&server);
    assert_eq!(idle.receive(), None, "an idle connection is closed at once");
    let addr = server.addr();
    eventually("nobody is let in", || {
        TcpStream::connect(addr).is_err().then_some(())
    });
    assert_eq!(server.get("/healthz").status, 200);
    client.send(rest).unwrap();
    expect(&mut client, REQUESTS);
    assert_eq!(client.receive(), None);
    let finished = server.wait();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
}

#[test]
fn who_does_not_finish_is_cut_off_in_the_end() {
    let server = Server::start(&["--limits-drain-timeout", "100ms"]);
    let mut client = begun(&server);
    server.process().signal(Signal::TERM);
    let finished = server.wait();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("cut off"), "{finished:?}");
    assert_eq!(client.receive(), None);
}

#[test]
fn a_second_signal_ends_the_waiting() {
    let server = Server::start(&["--limits-drain-timeout", "1d"]);
    let _client = begun(&server);
    server.process().signal(Signal::TERM);
    await_draining(&server);
    server.process().signal(Signal::INT);
    let finished = server.wait();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
}
