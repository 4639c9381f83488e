use std::sync::Arc;
use std::time::Duration;

use larder_engine::HotKey;
use larder_tiers::WritePolicy;
use larder_tiers::testing::{MemoryTier, patient};

use super::*;
use crate::fetch::tests::server_of;
use crate::testing::{Server, block_on, command};

const LONG: Duration = Duration::from_secs(3600);

fn hot(db: u8, key: impl Into<String>) -> HotKey {
    HotKey {
        db,
        key: key.into().into_bytes().into(),
    }
}

fn restore(server: &Server, keys: Vec<HotKey>, time_max: Duration) {
    let tenant = Arc::clone(server.shared.engine.default_tenant());
    let sets = vec![(tenant, keys)];
    block_on(restore_hot_sets(&server.shared, sets, time_max));
}

fn progress(server: &Server) -> (&'static str, [u64; 3]) {
    let progress = &server.shared.warm_ups.hot_sets[0];
    (progress.state().name(), progress.counts())
}

#[test]
fn what_is_there_yet_comes_back_and_info_tells_how_far_it_is() {
    let tier = Arc::new(MemoryTier::new(1 << 20));
    let (server, _stack) = server_of(tier, patient(1 << 20), WritePolicy::Around);
    let mut client = server.connect();
    client.ask(
        "MSET a 1 b 2\r\nSELECT 3\r\nSET c 3\r\n",
        "+OK\r\n+OK\r\n+OK\r\n",
    );
    assert_eq!(progress(&server), ("none", [0; 3]));
    let keys = vec![hot(0, "a"), hot(0, "gone"), hot(3, "c"), hot(3, "a")];
    restore(&server, keys, LONG);
    assert_eq!(progress(&server), ("restored", [4, 4, 2]));
    client.ask("DBSIZE\r\nSELECT 0\r\nDBSIZE\r\n", ":1\r\n+OK\r\n:1\r\n");
    client.send("INFO persistence\r\n");
    client.send("QUIT\r\n");
    let told = String::from_utf8(client.rest()).unwrap();
    for line in [
        "loading:0",
        "hot_set_state:restored",
        "hot_set_keys:4",
        "hot_set_looked_at:4",
        "hot_set_loaded:2",
    ] {
        assert!(told.contains(&format!("{line}\r\n")), "{line} in {told}");
    }
}

#[test]
fn it_ends_at_the_deadline_though_nothing_comes() {
    let tier = Arc::new(MemoryTier::new(1 << 20));
    let (server, _stack) = server_of(tier.clone(), patient(1 << 20), WritePolicy::Around);
    server.connect().ask("SET a 1\r\n", "+OK\r\n");
    tier.hang(true);
    restore(
        &server,
        vec![hot(0, "a"), hot(0, "b")],
        Duration::from_millis(20),
    );
    assert_eq!(progress(&server).0, "late");
    tier.hang(false);
    server.connect().ask("GET a\r\n", "$1\r\n1\r\n");
}

#[test]
fn what_could_not_be_read_is_told_and_not_taken_for_gone() {
    let tier = Arc::new(MemoryTier::unsure(1 << 20));
    let (server, _stack) = server_of(tier.clone(), patient(1 << 20), WritePolicy::Around);
    server.connect().ask("SET a 1\r\n", "+OK\r\n");
    let tenant = server.shared.engine.default_tenant();
    tier.fail_with(Some("away"));
    restore(&server, vec![hot(0, "a")], LONG);
    assert_eq!(progress(&server), ("failed", [1, 1, 0]));
    assert!(!is_hot_set_back(&server.shared, tenant));
    tier.fail_with(None);
    restore(&server, vec![hot(0, "a")], LONG);
    assert_eq!(progress(&server), ("restored", [1, 1, 1]));
    assert!(is_hot_set_back(&server.shared, tenant));
}

#[test]
fn what_comes_last_does_not_displace_what_came_first() {
    let tier = Arc::new(MemoryTier::new(256 << 20));
    let (server, _stack) = server_of(tier, patient(1 << 20), WritePolicy::Around);
    let mut client = server.connect();
    let value = vec![b'v'; 15_000];
    let keys = 6_000;
    for n in 0..keys {
        let request = command(&[b"SET", format!("k{n}").as_bytes(), &value]);
        client.ask(request, "+OK\r\n");
    }
    let tenant = server.shared.engine.default_tenant();
    // What is written around memory goes from it at once, which counts.
    let before = tenant.stats().evictions;
    let wanted = (0..keys).map(|n| hot(0, format!("k{n}"))).collect();
    restore(&server, wanted, LONG);
    let (state, [all, looked_at, loaded]) = progress(&server);
    assert_eq!((state, all), ("full", keys));
    assert!(
        looked_at < all && loaded == looked_at,
        "{looked_at} {loaded}"
    );
    let stats = tenant.stats();
    assert_eq!((stats.evictions, stats.entries_total()), (before, loaded));
    assert!(stats.used_bytes > stats.memory_bytes / 64 * 62, "{stats:?}");
}
