use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use larder_engine::tier::Tier;
use larder_tiers::testing::{MemoryTier, patient};
use larder_tiers::{Rules, Stack, StackConfig, WritePolicy};

use crate::testing::{Client, Server, config, eventually, parts, parts_over, serve_with};

const MISS: &str = "*3\r\n$-1\r\n$-1\r\n$-1\r\n";
const MADE: &str = "*3\r\n$4\r\nmade\r\n$-1\r\n$-1\r\n";

fn server() -> Server {
    serve_with(config(), parts())
}

/// Has a client ask for the lease of a key and get it.
fn win(client: &mut Client<TcpStream>, key: &str) -> String {
    client.ask(
        format!("CACHE.GET {key} LEASE 600000\r\n"),
        "*3\r\n$-1\r\n$16\r\n",
    );
    let mut token = [0; 16];
    std::io::Read::read_exact(&mut client.stream, &mut token).unwrap();
    client.expect("\r\n$-1\r\n");
    String::from_utf8(token.to_vec()).unwrap()
}

/// A client that asks behind the one who has the lease, once it has asked.
fn wait(server: &Server, key: &str) -> Client<TcpStream> {
    let tenant = server.shared.engine.default_tenant();
    let misses = tenant.stats().misses;
    let mut client = server.connect();
    client.send(format!("CACHE.GET {key} LEASE 600000\r\nPING\r\n"));
    eventually(|| tenant.stats().misses > misses);
    client
}

#[test]
fn of_a_hundred_one_makes_the_value_and_all_get_it() {
    let server = server();
    let mut winner = server.connect();
    let token = win(&mut winner, "k");
    let tenant = server.shared.engine.default_tenant();
    let mut others: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for other in &mut others {
        other.send("CACHE.GET k LEASE 600000\r\nPING\r\n");
    }
    eventually(|| tenant.stats().misses == 101);
    // Others are served meanwhile.
    winner.ask("GET other\r\n", "$-1\r\n");
    winner.ask(format!("CACHE.SET k made LEASE {token}\r\n"), "+OK\r\n");
    for other in &mut others {
        other.expect(format!("{MADE}+PONG\r\n"));
    }
    assert_eq!(tenant.stats().leases, 1);
}

#[test]
fn when_the_key_is_removed_one_of_those_who_wait_wins_the_next() {
    let server = server();
    let mut winner = server.connect();
    let token = win(&mut winner, "k");
    let mut other = wait(&server, "k");
    winner.ask("DEL k\r\n", ":0\r\n");
    other.expect("*3\r\n$-1\r\n$16\r\n");
    winner.ask(
        format!("CACHE.SET k late LEASE {token}\r\n"),
        "-NOLEASE the lease is over: the key was written or removed since, or its time is up\r\n",
    );
}

#[test]
fn who_waited_for_as_long_as_they_would_gets_nothing() {
    let server = server();
    win(&mut server.connect(), "k");
    let mut other = server.connect();
    other.ask(
        "CACHE.GET k LEASE 20\r\nPING\r\n",
        format!("{MISS}+PONG\r\n"),
    );
}

#[test]
fn whoever_waits_can_be_killed_and_may_go() {
    let server = server();
    let mut winner = server.connect();
    win(&mut winner, "k");
    let gone = wait(&server, "k");
    let mut killed = wait(&server, "k");
    drop(gone);
    let clients = || server.shared.clients.all().len();
    eventually(|| clients() == 2);
    winner.ask("CLIENT KILL SKIPME yes TYPE normal\r\n", ":1\r\n");
    assert_eq!(killed.rest(), b"");
}

#[test]
fn a_server_that_drains_lets_nobody_wait() {
    let server = server();
    let mut winner = server.connect();
    win(&mut winner, "k");
    let mut other = wait(&server, "k");
    let drained = thread::spawn(|| server.drain());
    assert_eq!(other.rest(), format!("{MISS}+PONG\r\n").into_bytes());
    assert_eq!(winner.rest(), b"");
    drained.join().unwrap();
}

#[test]
fn a_pause_holds_what_waits_until_it_ends() {
    let server = server();
    let mut winner = server.connect();
    let token = win(&mut winner, "k");
    let mut other = wait(&server, "k");
    let mut third = server.connect();
    third.ask("CLIENT PAUSE 600000 WRITE\r\n", "+OK\r\n");
    winner.send(format!("CACHE.SET k made LEASE {token}\r\n"));
    third.ask("CLIENT UNPAUSE\r\n", "+OK\r\n");
    winner.expect("+OK\r\n");
    other.expect(MADE);
}

#[test]
fn a_key_that_is_below_is_no_miss() {
    let tier: Arc<dyn Tier> = Arc::new(MemoryTier::new(256 << 20));
    let settings = StackConfig {
        seed: 7,
        end_timeout: Duration::from_secs(60),
    };
    let tiers = vec![(tier, patient(1 << 20))];
    let stack = Stack::start(tiers, &settings, || 1_700_000_000_000).unwrap();
    let rules = Rules {
        write: WritePolicy::Around,
        ..Rules::default()
    };
    let below = |name: &str| Some(stack.below(name, rules.clone()));
    let server = serve_with(config(), parts_over(&["default"], below));
    let mut client = server.connect();
    client.ask("SET k made\r\n", "+OK\r\n");
    client.ask("CACHE.GET k LEASE 600000\r\n", MADE);
    client.ask("SET k made\r\n", "+OK\r\n");
    client.ask("CACHE.GET k STALE 5\r\n", MADE);
    let token = win(&mut client, "none");
    let mut other = wait(&server, "none");
    client.ask(format!("CACHE.SET none made LEASE {token}\r\n"), "+OK\r\n");
    other.expect(format!("{MADE}+PONG\r\n"));
    let token = win(&mut client, "gone");
    client.ask("DEL gone\r\n", ":0\r\n");
    client.ask(
        format!("CACHE.SET gone made LEASE {token}\r\nGET gone\r\n"),
        "-NOLEASE the lease is over: the key was written or removed since, or its time is up\r\n$-1\r\n",
    );
}
