//! Requests that are too large: refused as early as that is known, at no cost.

use e2e::harness::{Client, Server, eventually};
use larder_resp::{Value, encode_command};

use super::{Bystander, await_calm, closed};
use crate::values::{bulk, error_text, ok};

const MIB: usize = 1 << 20;

#[track_caller]
fn expect_protocol_error(client: &mut Client, error: &str) {
    let expected = format!("ERR Protocol error: {error}");
    assert_eq!(client.receive(), Some(Value::Error(expected)));
    assert_eq!(client.receive(), None);
}

#[test]
fn arguments_and_requests_have_a_longest() {
    let flags = [
        "--limits-proto-max-bulk",
        "1MiB",
        "--limits-request-max",
        "2MiB",
    ];
    let server = Server::start(&flags);
    let whole = vec![b'v'; MIB];
    let mut client = server.client();
    assert_eq!(client.call(&[b"ECHO", &whole[..]]), bulk(&whole));
    client.send(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n").unwrap();
    expect_protocol_error(&mut client, "invalid bulk length");

    let mut request = Vec::new();
    encode_command(&mut request, &[b"DEL", &whole, &whole[..MIB - 100]]);
    let mut client = server.client();
    client.send(&request).unwrap();
    assert_eq!(client.receive(), Some(Value::Integer(0)));
    request.clear();
    encode_command(&mut request, &[b"DEL", &whole]);
    let begun = [b"*3", &request[2..], b"$1048576\r\n"].concat();
    client.send(&begun).unwrap();
    expect_protocol_error(&mut client, "too big request");
}

#[test]
fn keys_have_a_longest() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let (longest, longer) = (vec![b'k'; 65_536], vec![b'k'; 65_537]);
    assert_eq!(client.call(&[b"SET", &longest[..], b"v"]), ok());
    assert_eq!(client.call(&[b"GET", &longest[..]]), bulk("v"));
    let error =
        "ERR key too long: a key may have 65536 bytes at most, this one has 65537".to_owned();
    let requests: [&[&[u8]]; 6] = [
        &[b"SET", &longer, b"v"],
        &[b"SETNX", &longer, b"v"],
        &[b"APPEND", &longer, b"v"],
        &[b"INCR", &longer],
        &[b"MSET", b"a", b"v", &longer, b"v"],
        &[b"SET", &longer, b"v", b"GET"],
    ];
    for request in requests {
        assert_eq!(client.call(request), Value::Error(error.clone()));
    }
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(1));
}

/// Nothing is evicted for a value that can never be stored, and the one before stays.
#[test]
fn an_entry_takes_an_eighth_of_the_share_at_most() {
    let server = Server::start(&["--memory", "8MiB"]);
    let mut client = server.client();
    let (fits, too_large) = (vec![b'v'; MIB - 100], vec![b'v'; MIB]);
    for key in ["a", "b", "c"] {
        assert_eq!(client.call(&[b"SET", key.as_bytes(), &fits]), ok());
    }
    let requests: [&[&[u8]]; 6] = [
        &[b"SET", b"a", &too_large],
        &[b"SETEX", b"a", b"1000", &too_large],
        &[b"APPEND", b"a", &fits],
        &[b"MSET", b"b", b"1", b"a", &too_large],
        &[b"GETSET", b"a", &too_large],
        &[b"SETNX", b"new", &too_large],
    ];
    for request in requests {
        let text = error_text(client.call(request));
        assert!(
            text.starts_with("ERR value too large: an entry may take 1048576 bytes"),
            "{text}"
        );
    }
    for key in ["a", "b", "c"] {
        assert_eq!(client.call(&["GET", key]), bulk(&fits));
    }
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(3));
    assert_eq!(server.metric("larder_evictions_total"), 0.0);
}

/// Whoever claims to send much costs nothing until it comes.
#[test]
fn claims_are_not_memory() {
    const CONNECTIONS: usize = 200;
    let server = Server::start(&["--threads", "1"]);
    let bystander = Bystander::of(&server);
    let before = server.process().resident_bytes();
    let claims: Vec<Client> = (0..CONNECTIONS)
        .map(|number| {
            let mut client = server.client();
            let claim: &[u8] = match number % 2 {
                0 => b"*1048576\r\n$67108864\r\nsome",
                _ => b"*2\r\n$4\r\nECHO\r\n$67108864\r\nsome",
            };
            client.send(claim).unwrap();
            client
        })
        .collect();
    eventually("all claims arrive", || {
        let bytes = server.metric("larder_client_buffers_bytes");
        (bytes >= (CONNECTIONS * 20) as f64).then_some(())
    });
    let grown = server.process().resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{CONNECTIONS} claims took {grown} bytes");
    // Nor are they counted as if they were.
    let held = server.metric("larder_client_buffers_bytes") as usize;
    assert!(
        held < CONNECTIONS * (64 << 10),
        "{CONNECTIONS} claims hold {held} bytes"
    );
    assert_eq!(closed(&server, "limit"), 0);
    drop(claims);
    await_calm(&server, 1);
    bystander.expect_unharmed();
}

/// All unfinished requests together have a bound: who goes beyond it is told, and closed.
#[test]
fn unfinished_requests_share_a_bound() {
    const CONNECTIONS: usize = 64;
    let server = Server::start(&["--limits-client-buffers-max", "4MiB"]);
    let bystander = Bystander::of(&server);
    let before = server.process().resident_bytes();
    let half = [
        &b"*2\r\n$4\r\nECHO\r\n$1048576\r\n"[..],
        &vec![b'v'; MIB / 2],
    ]
    .concat();
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| server.client()).collect();
    let mut refused = 0;
    for client in &mut clients {
        // Those that are refused may be closed before they have sent all of it.
        let _ = client.send(&half);
        let grown = server.process().resident_bytes().saturating_sub(before);
        assert!(grown < 24 << 20, "{grown} bytes for 4 MiB of buffers");
        let used = server.metric("larder_client_buffers_bytes");
        assert!(used <= (4 * MIB) as f64, "{used} bytes of buffers");
    }
    eventually("most are refused", || {
        refused = closed(&server, "limit");
        (refused >= CONNECTIONS - 8).then_some(())
    });
    let last = clients.last_mut().and_then(Client::receive);
    let full = "ERR client buffers of the server are full, try again later";
    assert_eq!(last, Some(Value::Error(full.into())));
    drop(clients);
    await_calm(&server, 1);
    let mut client = server.client();
    assert_eq!(
        client.call(&[b"ECHO", &vec![b'v'; MIB][..]]),
        bulk(vec![b'v'; MIB])
    );
    bystander.expect_unharmed();
}
