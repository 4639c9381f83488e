use std::sync::Arc;

use larder_engine::{KEY_BYTES_MAX, Key};
use larder_tiers::WritePolicy;
use larder_tiers::testing::{MemoryTier, patient};

use crate::fetch::tests::server_of;
use crate::testing::{command, config, eventually, parts, serve_with};

fn warmed(resident: u64, loaded: u64, absent: u64, failed: u64) -> String {
    format!(
        "*8\r\n$8\r\nresident\r\n:{resident}\r\n$6\r\nloaded\r\n:{loaded}\r\n\
         $6\r\nabsent\r\n:{absent}\r\n$6\r\nfailed\r\n:{failed}\r\n"
    )
}

/// `CACHE.WARM` of keys with these numbers.
fn warm(numbers: std::ops::Range<u32>) -> String {
    let names: Vec<String> = numbers.map(|n| format!("k{n}")).collect();
    format!("CACHE.WARM {}\r\n", names.join(" "))
}

#[test]
fn what_is_below_comes_into_memory_and_counts_as_no_read() {
    let tier = Arc::new(MemoryTier::new(1 << 20));
    let (server, _stack) = server_of(tier.clone(), patient(1 << 20), WritePolicy::Around);
    let mut client = server.connect();
    client.ask("MSET a 1 b 2 c 3\r\nSELECT 1\r\n", "+OK\r\n+OK\r\n");
    client.ask(
        "CACHE.WARM a\r\nSELECT 0\r\n",
        warmed(0, 0, 1, 0) + "+OK\r\n",
    );
    client.ask(
        "DBSIZE\r\nCACHE.WARM a none b a\r\n",
        ":0\r\n".to_owned() + &warmed(1, 2, 1, 0),
    );
    client.ask(
        "DBSIZE\r\nCACHE.WARM a b\r\n",
        ":2\r\n".to_owned() + &warmed(2, 0, 0, 0),
    );
    let tenant = server.shared.engine.default_tenant();
    let stats = tenant.stats();
    assert_eq!((stats.hits, stats.misses), (0, 0), "{stats:?}");
    assert_eq!(server.shared.warmed(tenant).iter().sum::<u64>(), 7);
    client.ask("GET a\r\n", "$1\r\n1\r\n");
    tier.fail_with(Some("gone"));
    client.ask("CACHE.WARM a c\r\n", warmed(1, 0, 0, 1));
    tier.fail_with(None);
    let long = vec![b'k'; KEY_BYTES_MAX + 1];
    client.ask(command(&[b"CACHE.WARM", &long]), warmed(0, 0, 1, 0));
    let many = "ERR too many keys: 1000 are warmed at once";
    client.ask(warm(0..1_001), format!("-{many}\r\n"));
    client.ask("MULTI\r\n", "+OK\r\n");
    for line in ["CACHE.WARM a\r\n", "CACHE.HOT 1\r\n"] {
        client.ask(line, "-ERR Command not allowed inside a transaction\r\n");
    }
}

#[test]
fn a_few_loads_go_on_at_once_and_who_reads_what_is_there_does_not_wait() {
    let tier = Arc::new(MemoryTier::new(1 << 20));
    let (server, _stack) = server_of(tier.clone(), patient(1 << 20), WritePolicy::Around);
    let mut reader = server.connect();
    for n in 0..120 {
        reader.ask(format!("SET k{n} v\r\n"), "+OK\r\n");
    }
    reader.ask("GET k0\r\n", "$1\r\nv\r\n");
    let before = tier.asked();
    tier.hang(true);
    let mut clients = [0, 1, 2].map(|_| server.connect());
    for (client, first) in clients.iter_mut().zip([0, 40, 80]) {
        client.send(warm(first..first + 40));
    }
    // Of two clients all that one may have, and of the third none.
    eventually(|| tier.asked() == before + super::LOADS_MAX as u64);
    reader.ask("GET k0\r\nPING\r\n", "$1\r\nv\r\n+PONG\r\n");
    assert_eq!(tier.asked(), before + super::LOADS_MAX as u64);
    // A write that comes meanwhile wins.
    let tenant = server.shared.engine.default_tenant();
    tenant.remove(Key::new(0, b"k1"), server.shared.now());
    tier.hang(false);
    for (client, told) in clients.iter_mut().zip([(1, 38, 1), (0, 40, 0), (0, 40, 0)]) {
        client.expect(warmed(told.0, told.1, told.2, 0));
    }
}

#[test]
fn a_server_that_drains_warms_nothing_more() {
    let tier = Arc::new(MemoryTier::new(1 << 20));
    let (server, _stack) = server_of(tier.clone(), patient(1 << 20), WritePolicy::Around);
    let mut client = server.connect();
    for n in 0..60 {
        client.ask(format!("SET k{n} v\r\n"), "+OK\r\n");
    }
    let before = tier.asked();
    tier.hang(true);
    client.send(warm(0..60));
    eventually(|| tier.asked() == before + 16);
    let shared = server.shared.clone();
    let draining = std::thread::spawn(move || server.drain());
    eventually(|| shared.health() == crate::Health::Draining);
    tier.hang(false);
    // The seventeenth was looked at before.
    client.expect(warmed(0, 17, 0, 43));
    assert_eq!(draining.join().unwrap().cut_off, 0);
}

#[test]
fn the_hottest_keys_are_told_of_the_selected_database() {
    let server = serve_with(config(), parts());
    let mut client = server.connect();
    client.ask(
        "MSET a 1 b 2 c 3\r\nGET b\r\nGET b\r\nGET c\r\n",
        "+OK\r\n$1\r\n2\r\n$1\r\n2\r\n$1\r\n3\r\n",
    );
    client.ask("CACHE.HOT 2\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
    client.ask(
        "CACHE.HOT 100000\r\n",
        "*3\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\na\r\n",
    );
    client.ask("SELECT 1\r\nCACHE.HOT 9\r\n", "+OK\r\n*0\r\n");
    for (count, error) in [
        ("0", "count has to be from 1 to 100000"),
        ("-1", "count has to be from 1 to 100000"),
        ("100001", "count has to be from 1 to 100000"),
        ("many", "value is not an integer or out of range"),
    ] {
        client.ask(
            format!("CACHE.HOT {count}\r\n"),
            format!("-ERR {error}\r\n"),
        );
    }
}
