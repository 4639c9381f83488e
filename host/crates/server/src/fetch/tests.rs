use std::sync::Arc;

use larder_engine::tier::Tier;
use larder_tiers::testing::MemoryTier;
use larder_tiers::{Rules, Stack, StackConfig, WritePolicy};

use crate::testing::{Server, command, config, parts_over, serve_with};

/// A server that keeps everything below: whatever a command works on has to be fetched for it.
fn server(write: WritePolicy) -> (Server, Arc<Stack>) {
    let tier: Arc<dyn Tier> = Arc::new(MemoryTier::new(256 << 20));
    let settings = StackConfig {
        queue_bytes_max: 1 << 20,
        absence_ms: 0,
    };
    let stack = Stack::start(vec![tier], &settings, || 1_700_000_000_000).unwrap();
    let rules = Rules {
        write,
        ..Rules::default()
    };
    let parts = parts_over(&["default"], |name| Some(stack.below(name, rules.clone())));
    (serve_with(config(), parts), stack)
}

/// What a server without levels below answers, and one that keeps all below.
fn answers(requests: &str) -> [String; 2] {
    let plain = serve_with(config(), parts_over(&["default"], |_| None));
    let (layered, _stack) = server(WritePolicy::Around);
    [&plain, &layered].map(|server| {
        let mut client = server.connect();
        for line in requests.lines() {
            client.send(format!("{}\r\n", line.trim()));
        }
        client.send("QUIT\r\n");
        String::from_utf8_lossy(&client.rest()).into_owned()
    })
}

#[track_caller]
fn same(requests: &str) -> String {
    let [plain, layered] = answers(requests);
    assert_eq!(plain, layered);
    plain
}

#[test]
fn commands_see_what_is_below_as_if_it_were_in_memory() {
    let said = same(
        "SET a 1 EX 100
         GET a
         INCR a
         INCRBYFLOAT a 1.5
         APPEND a xyz
         STRLEN a
         GETRANGE a 0 2
         SETRANGE a 9 qq
         GET a
         TTL a
         PERSIST a
         TTL a
         EXPIRE a 50 NX
         EXPIRE a 20 GT
         PTTL a
         GETEX a PERSIST
         TYPE a
         OBJECT ENCODING a
         EXISTS a a b
         TOUCH a b
         SETNX a other
         SETNX b 5
         GETSET b 6
         SET b 7 GET
         SET b 8 XX
         SET c 9 NX
         SET c 10 NX
         SET c 11 KEEPTTL
         MSET d 1 e 2
         MSETNX e 3 f 4
         MSETNX g 3 f 4
         MGET a b c d e f g none
         SETBIT bits 7 1
         GETBIT bits 7
         BITCOUNT bits
         BITPOS bits 1
         BITOP NOT inverse bits
         BITFIELD bits INCRBY u8 0 3 GET u4 0
         LCS d e
         RENAME a z
         RENAMENX z d
         RENAMENX z y
         COPY y x
         COPY y x
         COPY y x REPLACE
         COPY y x DB 3
         MOVE y 3
         MOVE x 3
         GETDEL x
         DEL b c nothing
         UNLINK d
         EXISTS a b c d e f g x y z
         DUMP e
         CACHE.SET v w TTL 1000 TYPE page
         CACHE.SET v x IFEQ w
         CACHE.SET v x IFEQ w
         DELEX v IFEQ w
         DELEX v IFEQ x
         GET v",
    );
    assert!(said.contains("3.5xyz"), "{said}");
}

#[test]
fn transactions_and_scripts_see_what_is_below() {
    let said = same(
        r#"MSET a 1 b 2 c 3
         MULTI
         INCR a
         GET a
         SELECT 1
         SET a other
         SELECT 0
         COPY a d
         MGET a b c d
         EXEC
         SELECT 0
         WATCH a
         MULTI
         INCR a
         EXEC
         WATCH a
         SET a 5
         MULTI
         INCR a
         EXEC
         EVAL "return redis.call('INCR', KEYS[1]) + redis.call('GET', KEYS[2])" 2 a b
         EVAL "return redis.call('GET', 'c')" 0
         EVAL "redis.call('SET', KEYS[1], 1) return redis.call('GET', 'c')" 1 a
         EVAL "return redis.call('MGET', 'a', 'b', 'c', 'd')" 0"#,
    );
    assert!(
        said.contains("*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3"),
        "{said}"
    );
}

#[test]
fn what_was_emptied_stays_empty() {
    same(
        "MSET a 1 b 2
         SELECT 1
         SET a 3
         FLUSHDB
         GET a
         SELECT 0
         GET a
         FLUSHALL
         MGET a b
         SET a 4
         GET a",
    );
}

#[test]
fn what_memory_has_no_room_for_comes_back_from_below() {
    let (server, stack) = server(WritePolicy::Through);
    let mut client = server.connect();
    let value = "v".repeat(1 << 16);
    // More than memory holds, in one pipeline.
    let keys = 2_000;
    for n in 0..keys {
        let value = format!("{value}{n}");
        let request = command(&[b"SET", format!("k{n}").as_bytes(), value.as_bytes()]);
        client.ask(request, "+OK\r\n");
    }
    assert!(server.shared.engine.default_tenant().stats().evictions > 0);
    for n in 0..keys {
        client.send(format!("GET k{n}\r\n"));
        let value = format!("{value}{n}");
        client.expect(format!("${}\r\n{value}\r\n", value.len()));
    }
    let figures = larder_engine::tier::Levels::figures(&*stack);
    assert!(figures[0].hits > 500, "{figures:?}");
    client.send("MGET k1 nothing k1999\r\n");
    client.expect(format!(
        "*3\r\n$65537\r\n{value}1\r\n$-1\r\n$65540\r\n{value}1999\r\n"
    ));
}

#[test]
fn a_command_that_needs_more_than_memory_holds_is_refused() {
    let (server, _stack) = server(WritePolicy::Around);
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    let names: Vec<String> = (0..40).map(|n| format!("k{n}")).collect();
    for name in &names {
        let request = command(&[b"SET", name.as_bytes(), value.as_bytes()]);
        client.ask(request, "+OK\r\n");
    }
    client.ask(
        format!("MGET {}\r\n", names.join(" ")),
        "-ERR what has to come from a slower tier takes more than half of the memory: ask for fewer keys at once\r\n",
    );
    client.ask("EXISTS k1\r\n", ":1\r\n");
}
