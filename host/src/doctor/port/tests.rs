use std::thread;

use super::super::testing::{assert_fine, assert_wrong, config};
use super::*;

const READY: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nready\n";
const LARDER: &[u8] = b"$37\r\n# Server\r\nserver_name:larder\r\n\r\n\r\n";
const REDIS: &[u8] = b"$37\r\n# Server\r\nredis_version:7\r\ntcp_port:1\r\n";
const LOCKED: &[u8] = b"-NOAUTH Authentication required.\r\n";
const TLS: &[u8] = &[TLS_ALERT, 3, 3, 0, 2, 2, 10];

/// Somebody who answers whatever it is asked, as often as it is asked.
fn somebody(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
        }
    });
    addr
}

fn with(listen: SocketAddr, http: &str) -> Config {
    config(&[("listen", &listen.to_string()), ("http", http)])
}

#[test]
fn a_larder_that_serves_there_is_fine_also_behind_a_password_or_tls() {
    let http = somebody(READY).to_string();
    let needs_tls = format!("-{NEEDS_TLS}\r\n").leak().as_bytes();
    for (answer, said) in [
        (LARDER, "a Larder serves"),
        (needs_tls, "a Larder serves"),
        (LOCKED, "somebody who wants a password, which is a Larder"),
        (TLS, "somebody who wants TLS, which is a Larder"),
    ] {
        assert_fine(Ok(check_listen(&with(somebody(answer), &http))), said);
    }
    let larder = with(somebody(LARDER), &http);
    assert_fine(Ok(check_http(&larder)), "a Larder");
}

#[test]
fn others_are_in_the_way_and_are_told_apart() {
    let other = somebody(b"HTTP/1.1 404 No\r\n\r\n");
    for (answer, said) in [
        (REDIS, "a Redis listens"),
        (LOCKED, "somebody who wants a password listens"),
        (TLS, "somebody who wants TLS listens"),
        (b"220 mail\r\n", "another program listens"),
    ] {
        let addr = somebody(answer);
        let mend = format!("ss -ltnp 'sport = :{}'", addr.port());
        let found = check_listen(&with(addr, &other.to_string()));
        assert_wrong(Ok(found), said, &mend);
    }
    let found = check_http(&with(somebody(REDIS), &other.to_string()));
    assert_wrong(Ok(found), "another program listens", "--http");
}

#[test]
fn what_can_be_listened_on_is_fine_and_what_cannot_is_told() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    assert_fine(Ok(check_listen(&with(any, "none"))), "any port");
    assert_fine(Ok(check_http(&with(any, "none"))), "off");
    // Whoever else takes ports at this moment may take one in between.
    let is_free = (0..20).any(|_| {
        let free = TcpListener::bind(any).unwrap().local_addr().unwrap();
        check_listen(&with(free, "none")) == Verdict::fine(format!("{free} is free"))
    });
    assert!(is_free);
    let foreign = config(&[("listen", "192.0.2.1:6379"), ("insecure", "true")]);
    assert_wrong(Ok(check_listen(&foreign)), "no address of this", "--listen");
}
