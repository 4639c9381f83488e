use std::sync::Arc;

use larder_engine::tier::Levels;
use larder_tiers::testing::{MemoryTier, patient};
use larder_tiers::{LevelConfig, Overflow, WritePolicy};

use crate::fetch::tests::{server, server_of};
use crate::testing::command;

/// A level that is asked once for each key, and not any more after so many failures.
fn impatient(failures: u32) -> LevelConfig {
    let mut level = patient(1 << 20);
    level.guard.retries = 0;
    level.guard.breaker.failure_threshold = failures;
    level
}

#[test]
fn what_cannot_be_read_is_not_changed_as_if_it_were_not_there() {
    // One that fails, and one that is not asked any more.
    for failures in [u32::MAX, 1] {
        let tier = Arc::new(MemoryTier::new(256 << 20));
        let (server, _stack) = server_of(tier.clone(), impatient(failures), WritePolicy::Around);
        let mut client = server.connect();
        client.ask("MSET k 41 l 1 gone 1\r\n", "+OK\r\n");
        tier.lose_with(Some("it is away"));
        client.ask(
            "GET k\r\nEXISTS k l\r\nGETEX k EX 1\r\n",
            "$-1\r\n:0\r\n$-1\r\n",
        );
        let error = match failures {
            1 => {
                "the tier memory has failed again and again, so its reads are not tried for a while; the log says why"
            }
            _ => "it is away",
        };
        let refused = format!("-TRYAGAIN {error}\r\n");
        for request in [
            "INCR k",
            "INCRBYFLOAT k 1",
            "APPEND k x",
            "SETRANGE k 1 x",
            "SETBIT k 1 1",
            "BITFIELD k SET u8 0 1",
            "BITOP NOT new k",
            "SETNX k v",
            "MSETNX new 1 k 2",
            "SET k v NX",
            "SET k v XX",
            "SET k v GET",
            "SET k v KEEPTTL",
            "GETSET k v",
            "GETDEL k",
            "DELEX k IFEQ 1",
            "RENAME k new",
            "RENAMENX k new",
            "COPY k new",
            "MOVE k 1",
            "EXPIRE k 100",
            "PERSIST k",
            "CACHE.SET k v NX",
            "EVAL \"return redis.pcall('INCR', KEYS[1])\" 1 k",
        ] {
            client.ask(format!("{request}\r\n"), refused.clone());
        }
        // In a transaction it is no different, and there a read is refused as well.
        client.ask(
            "MULTI\r\nINCR k\r\nGET k\r\nDEL gone\r\nEXEC\r\n",
            format!("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n{refused}{refused}:0\r\n"),
        );
        client.ask("SET l 2\r\nDEL gone\r\n", "+OK\r\n:0\r\n");
        tier.lose_with(None);
        if failures > 1 {
            client.ask("INCR k\r\nINCR l\r\n", ":42\r\n:3\r\n");
            client.ask("EXISTS gone new\r\n", ":0\r\n");
        }
    }
}

#[test]
fn a_value_that_goes_for_the_room_of_its_own_change_is_changed_all_the_same() {
    let (server, _stack) = server(WritePolicy::Through);
    let mut client = server.connect();
    let small = vec![b's'; 20_000];
    let set = |n: usize| command(&[b"SET", format!("k{n}").as_bytes(), &small]);
    let keys = 3_500;
    for n in 0..keys {
        client.ask(set(n), "+OK\r\n");
    }
    let more = vec![b'm'; 2 << 20];
    // Some are not in memory, some are the first to go.
    for turn in 0..120 {
        let n = turn * 1_103 % keys;
        let append = command(&[b"APPEND", format!("k{n}").as_bytes(), &more]);
        client.ask(append, format!(":{}\r\n", small.len() + more.len()));
        client.ask(set(n), "+OK\r\n");
    }
}

#[test]
fn writes_are_refused_where_too_much_waits_for_a_tier_that_is_away_and_that_is_wanted() {
    let tier = Arc::new(MemoryTier::new(256 << 20));
    tier.lose_with(Some("it is away"));
    let level = LevelConfig {
        overflow: Overflow::Fail,
        ..patient(1 << 20)
    };
    let (server, stack) = server_of(tier, level, WritePolicy::Through);
    let mut client = server.connect();
    client.ask("SET small v\r\n", "+OK\r\n");
    let value = vec![b'v'; 700 << 10];
    for name in [b"a", b"b"] {
        client.ask(command(&[b"SET", name, &value]), "+OK\r\n");
    }
    assert!(stack.figures()[0].is_away);
    let refused = "-TRYAGAIN a slower tier is away, and as much waits for it as may: write again when it is back\r\n";
    client.ask("SET k v\r\n", refused);
    client.ask(
        "MULTI\r\nSET k v\r\nGET small\r\nEXEC\r\n",
        format!("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n{refused}$1\r\nv\r\n"),
    );
    // What is there is answered, and what is to go goes.
    client.ask("GET small\r\nDEL small\r\n", "$1\r\nv\r\n:1\r\n");
    client.ask("EXISTS small k\r\n", ":0\r\n");
}

#[test]
fn a_command_that_needs_more_than_memory_holds_is_refused() {
    let (server, stack) = server(WritePolicy::Around);
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    let names: Vec<String> = (0..120).map(|n| format!("k{n}")).collect();
    for name in &names {
        let request = command(&[b"SET", name.as_bytes(), value.as_bytes()]);
        client.ask(request, "+OK\r\n");
    }
    client.ask(
        format!("MGET {}\r\n", names.join(" ")),
        "-ERR what has to come from a slower tier takes more than half of the memory: ask for fewer keys at once\r\n",
    );
    // Half of the memory is 32 of them; no more are held meanwhile than were on their way just then.
    let figures = stack.figures();
    assert!(figures[0].hits <= 32 + 2 * 16, "{figures:?}");
    client.ask("EXISTS k1\r\n", ":1\r\n");
}
