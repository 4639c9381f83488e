//! The bound on memory, under values whose size shifts.

use e2e::harness::{Client, Server, eventually};
use larder_engine::RESIDENT_ALLOWANCE_BYTES;

use crate::values::ok;

const MEMORY_BYTES: u64 = 64 << 20;
const RESIDENT_BYTES_MAX: u64 = MEMORY_BYTES / 100 * 115 + RESIDENT_ALLOWANCE_BYTES;
const BATCH: usize = 500;

/// Writes `keys` new entries of `value_bytes` each, and looks at the memory all the while. Returns
/// the most that was resident.
#[track_caller]
fn write(server: &Server, client: &mut Client, name: &str, keys: usize, value_bytes: usize) -> u64 {
    let value = "v".repeat(value_bytes);
    let mut most = 0;
    for batch in 0..keys / BATCH {
        let keys: Vec<String> = (0..BATCH)
            .map(|number| format!("{name}:{:010}", batch * BATCH + number))
            .collect();
        let requests: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
        let replies = client.pipeline(&requests);
        assert!(replies.iter().all(|reply| *reply == ok()), "{replies:?}");
        let resident = server.process().resident_bytes();
        let written = batch * BATCH;
        assert!(
            resident <= RESIDENT_BYTES_MAX,
            "{resident} of {RESIDENT_BYTES_MAX} bytes resident after {written} of phase {name}"
        );
        most = most.max(resident);
    }
    most
}

/// Each phase writes several times what fits. Memory that was given out for one size does not fit
/// the other: it has to go back, or be made up for.
#[test]
fn resident_memory_stays_within_its_bound_when_sizes_shift() {
    let server = Server::start(&["--memory", "64MiB"]);
    let mut client = server.client();
    for (name, keys, value_bytes) in [
        ("small", 600_000, 100),
        ("large", 150_000, 1_000),
        ("again", 600_000, 100),
    ] {
        let evicted = server.metric("larder_evictions_total");
        let most = write(&server, &mut client, name, keys, value_bytes);
        println!("{name}: at most {most} of {RESIDENT_BYTES_MAX} bytes resident");
        assert!(
            server.metric("larder_evictions_total") > evicted,
            "{name}: nothing was evicted"
        );
        // Otherwise the bound is kept by not using the memory. Some of it is pinned while sizes shift.
        let used = server.metric("larder_used_bytes");
        assert!(
            used > 0.75 * MEMORY_BYTES as f64,
            "{name}: {used} bytes used"
        );
        assert_eq!(server.metric("larder_refused_writes_total"), 0.0, "{name}");
    }
}

/// What a client makes the server hold in buffers has a bound of its own, and is not taken from the
/// entries of others.
#[test]
fn a_request_that_is_never_finished_evicts_nothing() {
    let server = Server::start(&["--memory", "16MiB"]);
    let mut client = server.client();
    write(&server, &mut client, "entry", 9_000, 900);
    let entries = client.call(&["DBSIZE"]);
    let mut idler = server.client();
    idler
        .send(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$60000000\r\n")
        .unwrap();
    idler.send(&vec![b'v'; 50_000_000]).unwrap();
    let held = || (server.metric("larder_client_buffers_bytes") > 50e6).then_some(());
    eventually("the request is held", held);
    // The governor looks a hundred times a second; each scrape takes longer than a look.
    for _ in 0..50 {
        assert_eq!(server.metric("larder_budget_bytes"), f64::from(16 << 20));
    }
    assert_eq!(client.call(&["DBSIZE"]), entries);
}
