//! `larder record`: what it captures of a running server, and that the simulator makes of it what happened.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::harness::{
    Client, Finished, PATIENCE, Process, Random, Server, Signal, eventually, larder, run,
};
use larder::trace::{Columns, Record, TraceFile};
use larder_resp::Value;
use serde_json::Value as Json;

use crate::values::{NIL, bulk, ok};

const RUN_MAX: Duration = Duration::from_secs(60);
const VALUE: [u8; 100] = [b'v'; 100];
/// What an entry takes: header, a key of 6 bytes and the value, rounded up by the allocator.
const ENTRY_BYTES: usize = 128;
const SALT: &str = "00112233445566778899aabbccddeeff";

/// A running `larder record`.
struct Recorder {
    process: Process,
    out: PathBuf,
}

impl Recorder {
    /// Starts one, and waits until it records.
    #[track_caller]
    fn start(server: &Server, name: &str, flags: &[&str]) -> Self {
        let out = server.folder().join(name);
        let mut process = Process::start(command(server, &out).args(flags));
        eventually("the recording begins", || {
            let ended = process.status();
            assert!(ended.is_none(), "it ended: {}", process.stderr());
            process.stderr().contains("recording ").then_some(())
        });
        Self { process, out }
    }

    #[track_caller]
    fn wait(mut self) -> (Finished, PathBuf) {
        let Some(status) = self.process.wait(PATIENCE) else {
            panic!("it does not end: {}", self.process.stderr());
        };
        (self.process.finished(status), self.out)
    }

    /// Ends it as Ctrl-C does; it must end well.
    #[track_caller]
    fn stop(self) -> (Finished, PathBuf) {
        self.process.signal(Signal::INT);
        let (finished, out) = self.wait();
        assert!(finished.status.success(), "{finished:?}");
        (finished, out)
    }
}

fn command(server: &Server, out: &Path) -> std::process::Command {
    let addr = server.addr().to_string();
    let mut command = larder(["record", "--addr", &addr, "--out"]);
    command.arg(out);
    command
}

#[track_caller]
fn read(out: &Path) -> Vec<Record> {
    let records = TraceFile::open(out, &Columns::default()).unwrap();
    records.collect::<Result<_, _>>().unwrap()
}

/// Requests and misses that `larder simulate` finds.
#[track_caller]
fn simulate(out: &Path, entries: usize, ttl: &str) -> (u64, u64) {
    let size = (entries * ENTRY_BYTES).to_string();
    let args = ["--policy", "lru", "--format", "json", "--size", &size];
    let mut command = larder(["simulate"]);
    let finished = run(command.arg(out).args(args).args(["--ttl", ttl]), RUN_MAX);
    assert!(finished.status.success(), "{finished:?}");
    let rows: Json = serde_json::from_str(&finished.stdout).unwrap();
    let requests = rows[0]["requests"].as_u64().unwrap();
    let misses = rows[0]["miss_ratio"].as_f64().unwrap() * requests as f64;
    (requests, misses.round() as u64)
}

fn key(object: u64) -> String {
    format!("k{object:05}")
}

/// Asks for an object, and stores it if it is not there. Whether it was.
fn look_aside(client: &mut Client, object: u64) -> bool {
    let key = key(object);
    let found = client.call(&["GET", &key]) != NIL;
    if !found {
        let set: [&[u8]; 5] = [b"SET", key.as_bytes(), &VALUE, b"EX", b"1000"];
        assert_eq!(client.call(&set), ok());
    }
    found
}

/// Misses of an exact LRU that holds so many entries.
fn lru_misses(objects: &[u64], entries: usize) -> u64 {
    let mut held: Vec<u64> = Vec::new();
    let mut misses = 0;
    for object in objects {
        match held.iter().position(|there| there == object) {
            Some(at) => drop(held.remove(at)),
            None => misses += 1,
        }
        held.push(*object);
        if held.len() > entries {
            held.remove(0);
        }
    }
    misses
}

#[test]
fn a_look_aside_is_simulated_as_it_happened() {
    const REQUESTS: usize = 5000;
    let server = Server::start(&[]);
    let mut client = server.client();
    client.call(&["SET", "before", "v"]);
    let recorder = Recorder::start(&server, "a.larder", &[]);
    let mut random = Random::new(1);
    // Most requests go to few objects.
    let objects: Vec<u64> = (0..REQUESTS)
        .map(|_| {
            let popular = 1 + random.below(200);
            random.below(popular) as u64
        })
        .collect();
    let hits = objects
        .iter()
        .filter(|&&object| look_aside(&mut client, object))
        .count();
    // None of this is a request to the cache.
    client.call(&["EXISTS", "before"]);
    client.call(&["TTL", "before"]);
    client.call(&["DEL", "before"]);
    client.call(&["GET", "never"]);
    let (finished, out) = recorder.stop();
    let (misses, accesses) = (REQUESTS - hits, REQUESTS + (REQUESTS - hits) + 2);
    let expected = format!("{accesses} accesses in ");
    assert!(finished.stdout.contains(&expected), "{finished:?}");
    let expected = format!(
        "({hits} hits, {} misses, {misses} writes), 0 lost",
        misses + 1
    );
    assert!(finished.stdout.contains(&expected), "{finished:?}");
    assert_eq!(
        simulate(&out, 1000, "ignore"),
        (REQUESTS as u64, misses as u64)
    );
    for entries in [10, 50] {
        let expected = (REQUESTS as u64, lru_misses(&objects, entries));
        assert_eq!(simulate(&out, entries, "ignore"), expected);
        assert_eq!(simulate(&out, entries, "honour"), expected);
    }
    let records = read(&out);
    assert!(
        records
            .iter()
            .all(|record| record.size_bytes as usize == ENTRY_BYTES)
    );
    assert!(
        records
            .iter()
            .all(|record| (900..=1000).contains(&record.ttl_seconds))
    );
    let left = fs::read_dir(server.folder())
        .unwrap()
        .filter_map(Result::ok);
    let left = left.filter(|file| file.file_name() != "data").count();
    assert_eq!(left, 1, "the file alone");
}

#[test]
fn of_an_object_all_requests_are_recorded_or_none_and_salts_decide_which() {
    const OBJECTS: u64 = 400;
    let server = Server::start(&[]);
    let mut client = server.client();
    let mut counts = |name: &str, flags: &[&str]| {
        let recorder = Recorder::start(&server, name, flags);
        for _ in 0..4 {
            for object in 0..OBJECTS {
                look_aside(&mut client, object);
            }
        }
        let (finished, out) = recorder.stop();
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for record in read(&out) {
            *counts.entry(record.id).or_default() += 1;
        }
        assert!(counts.values().all(|&count| count == 4), "{counts:?}");
        let mut ids: Vec<_> = counts.into_keys().collect();
        ids.sort_unstable();
        (ids, finished.stdout)
    };
    let salted = ["--sample", "25%", "--salt", SALT];
    let (first, said) = counts("first.larder", &salted);
    assert!((50..150).contains(&first.len()), "{}", first.len());
    assert!(said.contains("of 25.0000% of the objects"), "{said}");
    assert_eq!(counts("again.larder", &salted).0, first);
    let (other, _) = counts("other.larder", &["--sample", "25%"]);
    assert!(other.iter().all(|id| !first.contains(id)));
    let (few, said) = counts("few.larder", &["--rate", "100", "--salt", SALT]);
    assert!(few.len() <= 150 && !said.contains("of 100.0000%"), "{said}");
}

#[test]
fn a_recording_ends_after_so_many_accesses_or_so_much_time() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let recorder = Recorder::start(&server, "count.larder", &["--requests", "1500"]);
    let gets: Vec<_> = (0..2000).map(|n| ["GET".to_owned(), key(n)]).collect();
    client.pipeline(&gets);
    let (finished, _) = recorder.wait();
    assert!(finished.status.success(), "{finished:?}");
    assert!(
        finished.stdout.contains(" 1500 accesses in "),
        "{finished:?}"
    );
    let recorder = Recorder::start(&server, "time.larder", &["--for", "300ms"]);
    client.call(&["SET", "k", "v"]);
    let (finished, out) = recorder.wait();
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(read(&out).len(), 1);
}

#[test]
fn what_cannot_be_recorded_is_refused_and_leaves_nothing() {
    let server = Server::start(&[]);
    let recorder = Recorder::start(&server, "first.larder", &[]);
    let refused = |name: &str, flags: &[&str], why: &str| {
        let out = server.folder().join(name);
        let was_there = out.exists();
        let finished = run(command(&server, &out).args(flags), RUN_MAX);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.contains(why), "{finished:?}");
        assert_eq!(out.exists(), was_there);
    };
    refused(
        "second.larder",
        &[],
        "somebody else records what is done here",
    );
    refused("second.txt", &[], "has to end in .larder");
    refused("none/second.larder", &[], "cannot write");
    server.client().call(&["SET", "k", "v"]);
    let (_, out) = recorder.stop();
    let before = fs::read(&out).unwrap();
    refused("first.larder", &[], "is there already; --force replaces it");
    fs::create_dir(server.folder().join("folder.larder")).unwrap();
    refused("folder.larder", &["--force"], "is no file");
    assert_eq!(fs::read(&out).unwrap(), before);
    let forced = Recorder::start(&server, "first.larder", &["--force"]);
    server.client().call(&["SET", "k", "longer"]);
    server.client().call(&["GET", "k"]);
    let (_, out) = forced.stop();
    assert_eq!(read(&out).len(), 2);
    for wrong in [
        ["--sample", "0%"],
        ["--salt", "12"],
        ["--rate", "0"],
        ["--for", "1y"],
    ] {
        let finished = run(command(&server, &out).args(wrong), RUN_MAX);
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    }
    let addr = server.addr();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("late.larder");
    let mut late = command(&server, &out);
    assert_eq!(server.stop().code(), Some(0));
    let finished = run(&mut late, RUN_MAX);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains(&addr.to_string()), "{finished:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Ends the server by `signal` in the middle of a recording, once so many accesses came.
#[track_caller]
fn ended_by(signal: Signal) -> (Finished, Vec<Record>, Finished) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&[]);
    let out = folder.path().join("a.larder");
    let mut process = Process::start(&mut command(&server, &out));
    process.said("recording ");
    let mut client = server.client();
    for object in 0..2000 {
        look_aside(&mut client, object % 1000);
    }
    // What is seen of the last of them was sent before the server ended: blocks come in order.
    let sent = server.metric("larder_output_bytes_total");
    eventually("what was recorded is on its way", || {
        (server.metric("larder_output_bytes_total") > sent).then_some(())
    });
    server.process().signal(signal);
    let served = server.wait();
    let status = process.wait(PATIENCE).expect("it ends with the server");
    (process.finished(status), read(&out), served)
}

#[test]
fn a_server_that_drains_sends_what_it_has_and_does_not_wait() {
    let (recorded, records, served) = ended_by(Signal::TERM);
    assert_eq!(served.status.code(), Some(0), "{served:?}");
    assert_eq!(recorded.status.code(), Some(1), "{recorded:?}");
    assert!(
        recorded.stderr.contains("closed the connection"),
        "{recorded:?}"
    );
    assert!(
        recorded.stdout.contains(" 3000 accesses in "),
        "{recorded:?}"
    );
    assert_eq!(records.len(), 2000);
}

#[test]
fn of_a_server_that_is_killed_what_came_is_kept() {
    let (recorded, records, _) = ended_by(Signal::KILL);
    assert_eq!(recorded.status.code(), Some(1), "{recorded:?}");
    assert!(
        recorded.stderr.contains("has what came before"),
        "{recorded:?}"
    );
    assert!((1..=2000).contains(&records.len()), "{}", records.len());
}

/// Somebody who orders a recording and never reads it, while others load the server.
#[test]
fn a_recording_that_nobody_reads_harms_nobody() {
    let server = Server::start(&["--memory", "16MiB"]);
    let mut stuck = server.client();
    let order = format!("CACHE.RECORD SALT {SALT} RATE 100000000\r\n");
    stuck.send(order.as_bytes()).unwrap();
    assert!(matches!(stuck.receive(), Some(Value::Bulk(Some(_)))));
    let before = server.process().resident_bytes();
    let mut client = server.client();
    let gets = vec![["GET", "absent"]; 10_000];
    for _ in 0..100 {
        assert!(client.pipeline(&gets).iter().all(|reply| *reply == NIL));
    }
    let grown = server.process().resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
    assert_eq!(client.call(&["SET", "k", "v"]), ok());
    assert_eq!(client.call(&["GET", "k"]), bulk("v"));
    // It does not wait for the one that is stuck.
    let finished = server.stop();
    assert_eq!(finished.code(), Some(0));
}
