//! Many clients at once.

use std::net::TcpStream;

use e2e::harness::{Server, eventually, raise_descriptor_limit};
use larder_resp::Value;

use super::{Bystander, await_calm};

/// Descriptors that neither side has to spare for this.
const RESERVED: usize = 200;

/// They come in waves where the system does not allow them all at once.
#[test]
fn ten_thousand_connections_come_and_go() {
    const CONNECTIONS: usize = 10_000;
    let at_once = raise_descriptor_limit()
        .saturating_sub(RESERVED)
        .min(CONNECTIONS);
    assert!(at_once > 100, "the system allows {at_once} connections");
    let server = Server::start(&["--limits-clients-max", "20000", "--threads", "2"]);
    let bystander = Bystander::of(&server);
    let before = server.process().resident_bytes();
    let mut opened = 0;
    while opened < CONNECTIONS {
        let wave = at_once.min(CONNECTIONS - opened);
        let connect = |_| TcpStream::connect(server.addr()).unwrap();
        let streams: Vec<TcpStream> = (0..wave).map(connect).collect();
        opened += wave;
        eventually("all are let in", || {
            let open = server.metric("larder_connected_clients") as usize;
            (open == wave + 1).then_some(())
        });
        let grown = server.process().resident_bytes().saturating_sub(before) as usize;
        assert!(
            grown < (8 << 20) + wave * 4096,
            "{grown} bytes for {wave} connections"
        );
        drop(streams);
        await_calm(&server, 1);
    }
    assert_eq!(
        server.metric("larder_clients_accepted_total"),
        (CONNECTIONS + 1) as f64
    );
    bystander.expect_unharmed();
    assert_eq!(
        server.client().call(&["PING"]),
        Value::Simple("PONG".into())
    );
}

#[test]
fn connections_beyond_the_limit_are_told_so() {
    const CLIENTS: usize = 10;
    let server = Server::start(&["--limits-clients-max", "10", "--threads", "2"]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.client()).collect();
    clients
        .iter_mut()
        .for_each(|client| drop(client.call(&["PING"])));
    for _ in 0..3 {
        let mut beyond = server.client();
        let told = Value::Error("ERR max number of clients reached".into());
        assert_eq!(beyond.receive(), Some(told));
        assert_eq!(beyond.receive(), None);
    }
    assert_eq!(server.metric("larder_clients_rejected_total"), 3.0);
    clients.pop();
    await_calm(&server, CLIENTS - 1);
    assert_eq!(
        server.client().call(&["PING"]),
        Value::Simple("PONG".into())
    );
    assert_eq!(clients[0].call(&["PING"]), Value::Simple("PONG".into()));
}
