use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::mailbox::letter_bytes_max;
use crate::testing::{bulk, command, config, eventually, parts, serve, serve_with};

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn pipelined_replies_keep_their_order_whatever_the_pieces() {
    let server = serve(|config| config.threads = 2);
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    for i in 0..10_000 {
        let (key, value) = (format!("key:{}", i % 97), format!("value {i}"));
        requests.extend(command(&[b"SET", key.as_bytes(), value.as_bytes()]));
        requests.extend(command(&[b"GET", key.as_bytes()]));
        requests.extend(format!("ECHO {i}\r\n").into_bytes());
        replies.extend_from_slice(b"+OK\r\n");
        replies.extend(bulk(value.as_bytes()));
        replies.extend(bulk(i.to_string().as_bytes()));
    }
    let mut client = server.connect();
    let mut writer = client.stream.try_clone().expect("a socket can be cloned");
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut rest = &requests[..];
            for piece in [1, 2, 3, 7, 31, 97, 1_009, 65_537, 200_003]
                .into_iter()
                .cycle()
            {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                writer.write_all(now).expect("the server reads");
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
        });
        client.expect(&replies);
    });
    assert_eq!(server.shared.totals().connections, 1);
    let shared = server.shared.clone();
    server.drain();
    let totals = shared.totals();
    assert_eq!((totals.commands, totals.errors), (30_000, 0));
    assert_eq!(totals.output_bytes, replies.len() as u64);
}

#[test]
fn a_value_larger_than_any_buffer_arrives_whole() {
    let server = serve(|_| {});
    let value: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    let mut client = server.connect();
    for _ in 0..3 {
        for piece in command(&[b"SET", b"big", &value]).chunks(77_777) {
            client.send(piece);
        }
        client.expect("+OK\r\n");
        client.ask(
            "PING\r\nGET big\r\nPING\r\n",
            [b"+PONG\r\n", &bulk(&value)[..], b"+PONG\r\n"].concat(),
        );
    }
    client.ask("PING\r\n", "+PONG\r\n");
    let held_bytes = server.shared.totals().buffers_bytes;
    assert_eq!(held_bytes, 0, "a client that keeps up holds nothing");
}

#[test]
fn a_client_that_never_reads_is_bounded_and_closed() {
    let server = serve(|config| config.request_timeout = SHORT);
    let mut greedy = server.connect();
    greedy.ask(command(&[b"SET", b"k", &[b'x'; 500_000]]), "+OK\r\n");
    let gets = "GET k\r\n".repeat(1_000);
    let mut other = server.connect();
    // The server stops reading once its replies are not taken, and closes in the end: a write fails.
    let refused = loop {
        if let Err(error) = greedy.stream.write_all(gets.as_bytes()) {
            break error;
        }
        other.ask("PING\r\n", "+PONG\r\n");
        assert!(server.shared.totals().buffers_bytes < 4 << 20);
    };
    assert!(
        matches!(
            refused.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{refused}"
    );
    assert_eq!(server.shared.totals().timed_out, 1);
    other.ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn a_request_that_does_not_get_finished_in_time_ends_its_connection() {
    let server = serve(|config| config.request_timeout = SHORT);
    let mut slow = server.connect();
    slow.stream
        .set_read_timeout(Some(SHORT / 10))
        .expect("not zero");
    slow.send("*2\r\n$4\r\nECHO\r\n$1000\r\n");
    // A byte now and then does not help.
    let closed = (0..1_000).any(|_| {
        slow.stream.write_all(b"x").is_err() || matches!(slow.stream.read(&mut [0]), Ok(0))
    });
    assert!(closed);
    assert_eq!(server.shared.totals().timed_out, 1);
}

#[test]
fn silence_ends_a_connection_only_if_so_configured() {
    let patient = serve(|config| config.request_timeout = SHORT);
    let mut silent = patient.connect();
    silent.ask("PING\r\n", "+PONG\r\n");
    let strict = serve(|config| config.idle_timeout = Some(SHORT));
    let mut client = strict.connect();
    client.ask("PING\r\n", "+PONG\r\n");
    assert_eq!(client.rest(), b"");
    assert_eq!(strict.shared.totals().timed_out, 1);
    silent.ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn over_clients_max_is_refused_with_a_reason() {
    let server = serve(|config| config.clients_max = 2);
    let (mut first, mut second) = (server.connect(), server.connect());
    first.ask("PING\r\n", "+PONG\r\n");
    second.ask("PING\r\n", "+PONG\r\n");
    assert_eq!(
        server.connect().rest(),
        b"-ERR max number of clients reached\r\n"
    );
    first.ask("QUIT\r\n", "+OK\r\n");
    drop(first);
    // It takes the server a moment to see that the first is gone.
    let admitted = (0..10_000).any(|_| {
        let mut client = server.connect();
        let mut reply = [0; 1];
        client.stream.write_all(b"PING\r\n").is_ok()
            && client.stream.read_exact(&mut reply).is_ok()
            && reply == *b"+"
    });
    assert!(admitted);
    second.ask("PING\r\n", "+PONG\r\n");
    assert!(server.shared.totals().rejected >= 1);
}

#[test]
fn garbage_ends_only_its_own_connection() {
    let server = serve(|_| {});
    let mut good = server.connect();
    for garbage in [
        &b"*1\r\n!oops\r\n"[..],
        b"*2\r\n$-7\r\n",
        b"*x\r\n",
        &[b'a'; 70_000],
    ] {
        let mut bad = server.connect();
        bad.send(garbage);
        let reply = bad.rest();
        assert!(
            reply.starts_with(b"-ERR Protocol error: "),
            "{}",
            reply.escape_ascii()
        );
        assert!(reply.ends_with(b"\r\n"));
        good.ask("PING\r\n", "+PONG\r\n");
    }
    assert_eq!(server.shared.totals().protocol_errors, 4);
}

#[test]
fn what_was_asked_before_garbage_is_answered() {
    let server = serve(|_| {});
    let mut client = server.connect();
    client.send("PING\r\n*1\r\n!\r\nPING\r\n");
    assert_eq!(
        client.rest(),
        b"+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n"
    );
}

#[test]
fn a_request_over_the_limit_is_refused_while_it_is_sent() {
    let server = serve(|config| config.proto_bulk_bytes_max = 1 << 20);
    let mut client = server.connect();
    // More than sockets hold: it is all taken, or the client would not get to the reply.
    client.send(command(&[b"SET", b"k", &vec![0; 60 << 20]]));
    assert_eq!(
        client.rest(),
        b"-ERR Protocol error: invalid bulk length\r\n"
    );
}

#[test]
fn nothing_after_quit_is_executed() {
    let server = serve(|_| {});
    let mut client = server.connect();
    client.send("SET k 1\r\nQUIT\r\nSET k 2\r\n");
    assert_eq!(client.rest(), b"+OK\r\n+OK\r\n");
    server.connect().ask("GET k\r\n", "$1\r\n1\r\n");
}

#[test]
fn what_was_sent_before_a_half_close_is_answered() {
    let server = serve(|_| {});
    let mut client = server.connect();
    client.send("PING\r\nECHO x\r\nPI");
    client.stream.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(client.rest(), b"+PONG\r\n$1\r\nx\r\n");
}

#[test]
fn flushing_keeps_its_place_in_the_pipeline() {
    let server = serve(|_| {});
    let mut client = server.connect();
    for i in 0..20_000 {
        client.send(format!("SET key:{i} {i}\r\n"));
    }
    client.expect("+OK\r\n".repeat(20_000));
    client.ask(
        "GET key:7\r\nFLUSHALL\r\nGET key:7\r\nPING\r\n",
        "$1\r\n7\r\n+OK\r\n$-1\r\n+PONG\r\n",
    );
}

#[test]
fn replies_over_the_output_limit_end_the_connection() {
    let server = serve(|config| config.output_bytes_max = 1 << 20);
    let mut client = server.connect();
    client.ask(command(&[b"SET", b"k", &vec![0; 2 << 20]]), "+OK\r\n");
    client.send("GET k\r\n");
    assert_eq!(client.rest(), b"");
    assert_eq!(server.shared.totals().over_limit, 1);
    server.connect().ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn what_can_be_published_reaches_those_who_lag_behind_nothing() {
    let server = serve(|config| config.output_bytes_max = 64 << 10);
    let (mut listener, mut publisher) = (server.connect(), server.connect());
    let pattern = "*".repeat(1024);
    let confirmed = format!("*3\r\n$10\r\npsubscribe\r\n$1024\r\n{pattern}\r\n:1\r\n");
    listener.ask(format!("PSUBSCRIBE {pattern}\r\n"), confirmed);
    let message = vec![b'm'; 64 << 10];
    let bytes_max = letter_bytes_max(64 << 10, server.shared.buffers.tenant(0));
    let refusal = format!(
        "-ERR message too large: no listener could take more than {bytes_max} bytes of channel and message\r\n"
    );
    publisher.ask(command(&[b"PUBLISH", b"c", &message[..bytes_max]]), refusal);
    let longest = &message[..bytes_max - 1];
    publisher.ask(command(&[b"PUBLISH", b"c", longest]), ":1\r\n");
    let head = format!("*4\r\n$8\r\npmessage\r\n$1024\r\n{pattern}\r\n$1\r\nc\r\n");
    let length = format!("${}\r\n", longest.len());
    listener.expect([head.as_bytes(), length.as_bytes(), longest, b"\r\n"].concat());
    listener.ask("PING\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    assert_eq!(server.shared.totals().over_limit, 0);
}

#[test]
fn a_request_that_the_buffers_of_all_clients_cannot_hold_is_refused() {
    let server = serve(|config| config.client_buffers_bytes_max = 300_000);
    let mut client = server.connect();
    client.ask(command(&[b"SET", b"k", &[0; 100_000]]), "+OK\r\n");
    client.send(&command(&[b"SET", b"k", &[0; 500_000]])[..400_000]);
    let refusal = b"-ERR client buffers of the server are full, try again later\r\n";
    assert_eq!(client.rest(), refusal);
    drop(client);
    let mut next = server.connect();
    next.ask(command(&[b"SET", b"k", &[0; 100_000]]), "+OK\r\n");
    let totals = server.shared.totals();
    assert_eq!((totals.over_limit, totals.buffers_bytes), (1, 0));
}

/// The clock panics once when armed, as a command with a fault would.
#[test]
fn a_panic_ends_only_its_own_connection() {
    static ARMED: AtomicBool = AtomicBool::new(false);
    fn clock() -> u64 {
        let serving = thread::current()
            .name()
            .is_some_and(|name| name.starts_with("larder-worker"));
        assert!(
            !(serving && ARMED.swap(false, Ordering::SeqCst)),
            "asked to"
        );
        1_700_000_000_000
    }
    let server = serve_with(config(), crate::Parts { clock, ..parts() });
    let (mut bad, mut good) = (server.connect(), server.connect());
    bad.ask("PING\r\n", "+PONG\r\n");
    good.ask("SET k 1\r\n", "+OK\r\n");
    ARMED.store(true, Ordering::SeqCst);
    bad.send("PING\r\n");
    assert_eq!(bad.rest(), b"");
    good.ask("GET k\r\n", "$1\r\n1\r\n");
    let totals = server.shared.totals();
    assert_eq!((totals.panicked, totals.connections), (1, 1));
}

#[test]
fn keys_are_listed_between_requests_before_and_behind() {
    let server = serve(|config| config.output_bytes_max = 64 << 10);
    let mut client = server.connect();
    client.ask(b"KEYS *\r\n", b"*0\r\n");
    for number in 0..3000 {
        client.ask(format!("SET k:{number} v\r\n"), b"+OK\r\n");
    }
    client.ask(
        b"PING\r\nKEYS k:2999\r\nPING\r\n",
        b"+PONG\r\n*1\r\n$6\r\nk:2999\r\n+PONG\r\n",
    );
    client.send(b"KEYS k:?\r\n");
    client.expect(b"*10\r\n");
    let mut rest = [0; 90];
    client.stream.read_exact(&mut rest).unwrap();
    for number in 0..10 {
        let key = format!("$3\r\nk:{number}\r\n");
        assert_eq!(
            rest.windows(9)
                .filter(|part| *part == key.as_bytes())
                .count(),
            1
        );
    }
    let large = vec![b'l'; 40 << 10];
    for last in [b'1', b'2'] {
        let key = [&large[..], &[last]].concat();
        client.ask(command(&[b"SET", &key, b"v"]), b"+OK\r\n");
    }
    client.ask(
        b"KEYS l*\r\nPING\r\n",
        b"-ERR reply too large: ask for fewer keys by the pattern, or use SCAN\r\n+PONG\r\n",
    );
    drop(client);
    server.drain();
}

#[test]
fn a_client_that_goes_while_it_is_held_is_seen_to_be_gone() {
    let server = serve(|_| {});
    let mut other = server.connect();
    other.ask("CLIENT PAUSE 600000\r\n", "+OK\r\n");
    let connections = || server.shared.totals().connections;
    let mut held: Vec<_> = (0..4).map(|_| server.connect()).collect();
    held.iter_mut().for_each(|client| client.send("GET k\r\n"));
    eventually(|| server.shared.census().paused == 4);
    // What comes meanwhile waits as well, also what is more than is read of it.
    held[0].send("GET k\r\n".repeat(100));
    held[1].send("GET k\r\n".repeat(10_000));
    let mut last = held.pop().expect("there are four");
    last.send("PING\r\nPING\r\n");
    drop(held);
    eventually(|| connections() == 2);
    other.ask("CLIENT UNPAUSE\r\n", "+OK\r\n");
    last.expect("$-1\r\n+PONG\r\n+PONG\r\n");
}

#[test]
fn a_flush_comes_to_its_end_when_its_client_is_ended() {
    let server = serve(|_| {});
    let mut first = server.connect();
    first.ask("CLIENT ID\r\n", ":1\r\n");
    let mut other = server.connect();
    let sets: String = (0..20_000).map(|n| format!("SET {n} v\r\n")).collect();
    other.ask(sets, "+OK\r\n".repeat(20_000));
    let tenant = server.shared.engine.tenants()[0].clone();
    first.send("FLUSHALL\r\n");
    eventually(|| tenant.len(0) < 20_000);
    other.send("CLIENT KILL ID 1\r\n");
    eventually(|| tenant.len(0) == 0);
}
