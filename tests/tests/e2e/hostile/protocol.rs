//! Bytes that are no requests.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use e2e::harness::{PATIENCE, Random, Server};
use larder_resp::{Value, encode_command};

use super::{Bystander, await_calm, closed};
use crate::values::{NIL, bulk, error_text, ok};

#[test]
fn what_is_no_request_gets_an_error_and_the_end() {
    let server = Server::start(&[]);
    let bystander = Bystander::of(&server);
    let inline = vec![b'a'; 70_000];
    let count = [&b"*"[..], &[b'1'; 70_000]].concat();
    let length = [&b"*1\r\n$"[..], &[b'1'; 70_000]].concat();
    let deep = b"*1\r\n".repeat(10_000);
    let cases: [(&[u8], &str); 17] = [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$-2147483648\r\n", "invalid bulk length"),
        (b"*1\r\n$67108865\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        (b"*1\r\n\r\n", "expected '$', got '\r'"),
        (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
        (b"*2\r\n$4\r\nECHO\r\n*1\r\n", "expected '$', got '*'"),
        (&deep, "expected '$', got '*'"),
        (b"PING \"a\r\n", "unbalanced quotes in request"),
        (b"PING 'a'b\r\n", "unbalanced quotes in request"),
        (&inline, "too big inline request"),
        (&count, "too big mbulk count string"),
        (&length, "too big bulk count string"),
    ];
    for (bytes, error) in cases {
        let mut client = server.client();
        client.send(bytes).unwrap();
        let text = format!("ERR Protocol error: {error}").replace('\r', " ");
        assert_eq!(client.receive(), Some(Value::Error(text)));
        assert_eq!(client.receive(), None, "{error}");
    }
    assert_eq!(
        server.metric("larder_protocol_errors_total"),
        cases.len() as f64
    );
    assert_eq!(closed(&server, "protocol"), cases.len());
    await_calm(&server, 1);
    bystander.expect_unharmed();
}

/// What came before the error was executed and is answered first.
#[test]
fn requests_before_the_garbage_are_answered() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client
        .send(b"SET a 1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n!")
        .unwrap();
    assert_eq!(client.receive(), Some(ok()));
    assert_eq!(client.receive(), Some(bulk("1")));
    assert!(error_text(client.receive().unwrap()).ends_with("expected '$', got '!'"));
    assert_eq!(client.receive(), None);
}

#[test]
fn what_is_odd_but_allowed_keeps_the_connection() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client
        .send(b"\r\n\n*0\r\n*-1\r\n*-9\r\n   \r\nPING\r\n  PING  'it\\'s'  \r\n")
        .unwrap();
    assert_eq!(client.receive(), Some(Value::Simple("PONG".into())));
    assert_eq!(client.receive(), Some(bulk("it's")));
    for (request, error) in [
        (
            &["NONSENSE", "a"][..],
            "ERR unknown command 'NONSENSE', with args beginning with: 'a' ",
        ),
        (&["GET"], "ERR wrong number of arguments for 'get' command"),
        (
            &["GET", "a", "b"],
            "ERR wrong number of arguments for 'get' command",
        ),
        (
            &["CLIENT"],
            "ERR wrong number of arguments for 'client' command",
        ),
        (
            &["CLIENT", "x"],
            "ERR unknown subcommand 'x'. Try CLIENT HELP.",
        ),
        (&[""], "ERR unknown command '', with args beginning with: "),
        (
            &["a\r\n+OK"],
            "ERR unknown command 'a  +OK', with args beginning with: ",
        ),
    ] {
        assert_eq!(error_text(client.call(request)), error);
    }
    assert_eq!(client.call(&["PING"]), Value::Simple("PONG".into()));
}

/// A connection that sends `bytes`, then ends its side; all that the server says to that.
fn say(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may have heard enough before we are done: it then closes, or resets.
    let _ = stream
        .write_all(bytes)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("not closed: {error}"),
        _ => said,
    }
}

#[test]
fn a_request_that_is_cut_off_is_not_executed() {
    let server = Server::start(&[]);
    let mut request = Vec::new();
    encode_command(&mut request, &[b"SET", b"cut", b"a value of some bytes"]);
    let ping = b"*1\r\n$4\r\nPING\r\n";
    for len in 0..request.len() {
        let bytes = [ping, &request[..len]].concat();
        assert_eq!(say(&server, &bytes), b"+PONG\r\n", "cut at {len}");
    }
    let mut client = server.client();
    assert_eq!(client.call(&["GET", "cut"]), NIL);
    assert_eq!(say(&server, &request), b"+OK\r\n");
    assert_eq!(client.call(&["STRLEN", "cut"]), Value::Integer(21));
    await_calm(&server, 1);
}

#[test]
fn requests_may_come_byte_by_byte() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let mut requests = b"ECHO inline\r\n".to_vec();
    encode_command(&mut requests, &[b"SET", b"a", b"\r\n$1\r\n"]);
    encode_command(&mut requests, &[b"GET", b"a"]);
    for byte in requests {
        client.send(&[byte]).unwrap();
    }
    let replies = [bulk("inline"), ok(), bulk("\r\n$1\r\n")];
    for reply in replies {
        assert_eq!(client.receive(), Some(reply));
    }
}

/// Random bytes, some of which look like the protocol at first.
#[test]
fn garbage_harms_nobody() {
    const CONNECTIONS: usize = 300;
    const STARTS: [&[u8]; 6] = [
        b"",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n",
        b"*2\r\n$",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n*5\r\n",
    ];
    let server = Server::start(&["--threads", "2"]);
    let bystander = Bystander::of(&server);
    let mut random = Random::new(7);
    for _ in 0..CONNECTIONS {
        let start = random.pick(&STARTS);
        let len = random.below(3000);
        let garbage = random.bytes(len);
        say(&server, &[start, &garbage].concat());
    }
    assert_eq!(closed(&server, "fault"), 0);
    await_calm(&server, 1);
    bystander.expect_unharmed();
}
