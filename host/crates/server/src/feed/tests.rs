use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use larder_engine::recording::{Kind, Recorded, Threshold};
use larder_resp::{Limits, Value, decode};

use super::*;
use crate::testing::{Client, Server, bulk, serve};

const NOW: Millis = 1_700_000_000_000;
const ORDER: &str = "CACHE.RECORD SALT 000102030405060708090a0b0c0d0e0f RATE 1000000000\r\n";
const EMPTY: Head = Head {
    threshold: Threshold::ALL,
    lost: 0,
    time_ms: NOW,
};

/// A connection that records, and has been told so.
fn recording(server: &Server) -> Client<TcpStream> {
    let mut client = server.connect();
    client.ask(ORDER, bulk(&EMPTY.to_bytes()));
    client
}

/// Heads and records of all blocks in `bytes`.
fn parse(mut bytes: &[u8]) -> (Vec<Head>, Vec<Recorded>) {
    let (mut heads, mut records) = (Vec::new(), Vec::new());
    while !bytes.is_empty() {
        let (value, len) = decode(bytes, &Limits::default()).unwrap().expect("whole");
        let Value::Bulk(Some(block)) = value else {
            panic!("no block: {value:?}");
        };
        let (head, rest) = block.split_first_chunk().expect("a head");
        heads.push(Head::from_bytes(head));
        let (found, cut) = rest.as_chunks();
        assert!(cut.is_empty() && found.len() <= BLOCK_RECORDS_MAX);
        records.extend(
            found
                .iter()
                .map(|bytes| Recorded::from_bytes(bytes).unwrap()),
        );
        bytes = &bytes[len..];
    }
    (heads, records)
}

/// Closes the sending half, and returns what still came.
fn end(mut client: Client<TcpStream>) -> (Vec<Head>, Vec<Recorded>) {
    client.stream.shutdown(Shutdown::Write).expect("connected");
    parse(&client.rest())
}

#[test]
fn what_others_do_comes_in_blocks_until_the_client_says_no_more() {
    let server = serve(|config| config.threads = 2);
    let mut recorder = server.connect();
    let before = [b"+PONG\r\n", &bulk(&EMPTY.to_bytes())[..]].concat();
    // What is pipelined before is answered, and what comes behind is nothing.
    recorder.ask(format!("PING\r\n{ORDER}SET k recorder\r\n"), before);
    let mut other = server.connect();
    let requests = "GET k\r\nSET k v EX 10\r\nGET k\r\nEXISTS k\r\nSELECT 1\r\nGET k\r\n";
    other.ask(requests, "$-1\r\n+OK\r\n$1\r\nv\r\n:1\r\n+OK\r\n$-1\r\n");
    let held_bytes = server.shared.totals().buffers_bytes;
    assert_eq!(held_bytes, Feed::BYTES as u64);
    let (heads, records) = end(recorder);
    assert_eq!(heads.last(), Some(&EMPTY));
    let seen: Vec<_> = records.iter().map(|r| (r.kind, r.ttl_seconds)).collect();
    let expected = [(Kind::Miss, 0), (Kind::Write, 10), (Kind::Hit, 10)];
    assert_eq!(seen, expected);
    assert!(
        records
            .iter()
            .all(|r| r.hash == records[0].hash && r.time_ms == NOW)
    );
    other.ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn more_than_a_block_comes_whole_and_in_order() {
    let server = serve(|_| {});
    let recorder = recording(&server);
    let mut other = server.connect();
    for n in 0..5000 {
        other.send(format!("SET k {}\r\n", "v".repeat(1 + n % 500)));
    }
    other.expect("+OK\r\n".repeat(5000));
    let (_, records) = end(recorder);
    let bytes: Vec<_> = records.iter().map(|record| record.bytes).collect();
    assert_eq!(bytes.len(), 5000);
    let round = &bytes[..500];
    assert!(round.is_sorted() && round[0] < round[499]);
    assert!(bytes.chunks(500).all(|chunk| chunk == round));
}

#[test]
fn a_second_recording_is_refused_until_the_first_has_ended() {
    let server = serve(|_| {});
    let first = recording(&server);
    let mut second = server.connect();
    let refusal =
        "-ERR somebody else records what is done here; there is one recording at a time\r\n";
    second.ask(format!("{ORDER}PING\r\n"), format!("{refusal}+PONG\r\n"));
    end(first);
    second.ask(ORDER, bulk(&EMPTY.to_bytes()));
}

#[test]
fn who_closes_at_once_ends_the_recording_too() {
    let server = serve(|_| {});
    drop(recording(&server));
    // It takes the server a moment to see that.
    let mut next = server.connect();
    let recorded = (0..100_000).any(|_| {
        next.send(ORDER);
        let mut sign = [0];
        next.stream
            .read_exact(&mut sign)
            .expect("the server replies");
        if sign == *b"$" {
            return true;
        }
        while sign != *b"\n" {
            next.stream
                .read_exact(&mut sign)
                .expect("the server replies");
        }
        false
    });
    assert!(recorded);
}

#[test]
fn a_reader_that_is_stuck_holds_a_bounded_ring_and_stops_neither_others_nor_the_drain() {
    let server = serve(|_| {});
    let stuck = recording(&server);
    let mut other = server.connect();
    let (requests, replies) = ("GET k\r\n".repeat(10_000), "$-1\r\n".repeat(10_000));
    // Until the sockets hold no more, and then more than the ring takes.
    let mut is_stuck = || {
        other.ask(&requests, &replies);
        server.shared.totals().buffers_bytes > Feed::BYTES as u64
    };
    assert!((0..2000).any(|_| is_stuck()));
    assert!((0..10).all(|_| is_stuck()));
    let held_bytes = server.shared.totals().buffers_bytes;
    assert!(held_bytes <= (Feed::BYTES + 2 * BLOCK_BYTES_MAX) as u64);
    let shared = server.shared.clone();
    drop(other);
    assert_eq!(server.drain().cut_off, 0);
    assert_eq!(shared.totals().buffers_bytes, 0);
    drop(stuck);
}

#[test]
fn a_reader_that_is_late_is_told_what_is_lost() {
    let server = serve(|_| {});
    let recorder = recording(&server);
    let mut other = server.connect();
    let requests = 200;
    for _ in 0..requests {
        other.ask("GET k\r\n".repeat(10_000), "$-1\r\n".repeat(10_000));
    }
    let (heads, records) = end(recorder);
    let lost = heads.last().expect("a block").lost;
    assert_eq!(records.len() as u64 + lost, requests * 10_000);
    assert!(heads.is_sorted_by_key(|head| head.lost));
}

#[test]
fn a_reader_is_cut_when_it_takes_nothing_for_too_long() {
    let server = serve(|config| config.request_timeout = Duration::from_millis(100));
    let _stuck = recording(&server);
    let mut other = server.connect();
    let is_cut = (0..5000).any(|_| {
        other.ask("GET k\r\n".repeat(10_000), "$-1\r\n".repeat(10_000));
        server.shared.totals().timed_out == 1
    });
    assert!(is_cut);
    other.ask(ORDER, bulk(&EMPTY.to_bytes()));
}

#[test]
fn a_drain_ends_a_recording_with_all_that_was_recorded() {
    let server = serve(|_| {});
    let mut recorder = recording(&server);
    server.connect().ask("GET k\r\n", "$-1\r\n");
    let draining = thread::spawn(move || server.drain());
    let (_, records) = parse(&recorder.rest());
    assert_eq!(records.len(), 1);
    assert_eq!(draining.join().expect("draining does not panic").cut_off, 0);
}

#[test]
fn a_recording_that_the_buffers_of_all_clients_cannot_hold_is_refused() {
    let server = serve(|config| config.client_buffers_bytes_max = Feed::BYTES - 1);
    let mut client = server.connect();
    client.send(ORDER);
    let refusal = b"-ERR client buffers of the server are full, try again later\r\n";
    assert_eq!(client.rest(), refusal);
    drop(client);
    server.connect().ask("PING\r\n", "+PONG\r\n");
    assert_eq!(server.shared.totals().buffers_bytes, 0);
}

#[test]
fn a_recording_in_which_nothing_happens_still_tells_that_it_goes_on() {
    let server = serve(|_| {});
    let mut recorder = recording(&server);
    recorder.expect(bulk(&EMPTY.to_bytes()).repeat(2));
}
