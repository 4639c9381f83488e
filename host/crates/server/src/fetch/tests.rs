use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use larder_engine::loader::Fetched;
use larder_engine::tier::{
    Answer, Levels, Stored, Tier, TierError, TierFigures, TierKey, TierKeyBuf, Told,
};
use larder_engine::{Millis, Undecided};
use larder_resp::{ArgsBuf, Version};
use larder_tiers::loader::{LoadLimits, LoadRule};
use larder_tiers::testing::{MemoryTier, patient};
use larder_tiers::{LevelConfig, Rules, Stack, StackConfig, WritePolicy};
use tokio::sync::Semaphore;

use crate::commands::dispatch;
use crate::meter::Watch;
use crate::testing::{Server, command, config, eventually, parts_over, serve_with, session};
use crate::{Context, Flow, KeyspaceEvents, Session, Shared};

pub(crate) const SETTINGS: StackConfig = StackConfig {
    seed: 7,
    end_timeout: Duration::from_secs(60),
};

/// A server that keeps everything below: whatever a command works on has to be fetched for it.
pub(crate) fn server(write: WritePolicy) -> (Server, Arc<Stack>) {
    server_over(Arc::new(MemoryTier::new(256 << 20)), write)
}

fn server_over(tier: Arc<dyn Tier>, write: WritePolicy) -> (Server, Arc<Stack>) {
    server_of(tier, patient(1 << 20), write)
}

pub(crate) fn server_of(
    tier: Arc<dyn Tier>,
    level: LevelConfig,
    write: WritePolicy,
) -> (Server, Arc<Stack>) {
    let tiers = vec![(tier, level)];
    let stack = Stack::start(tiers, &SETTINGS, || 1_700_000_000_000).unwrap();
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
    let figures = stack.figures();
    assert!(figures[0].hits > 500, "{figures:?}");
    // Room for what comes up is made as the policy says.
    let stats = server.shared.engine.default_tenant().stats();
    assert!(stats.fallback_evictions * 20 < stats.evictions, "{stats:?}");
    client.send("MGET k1 nothing k1999\r\n");
    client.expect(format!(
        "*3\r\n$65537\r\n{value}1\r\n$-1\r\n$65540\r\n{value}1999\r\n"
    ));
}

#[test]
fn keys_that_come_from_below_together_do_not_take_each_others_room() {
    let (server, _stack) = server(WritePolicy::Through);
    let mut client = server.connect();
    let value = |n: usize| format!("{n}{}", "v".repeat(1 << 14));
    let keys = 6_000;
    for n in 0..keys {
        let request = command(&[b"SET", format!("k{n}").as_bytes(), value(n).as_bytes()]);
        client.ask(request, "+OK\r\n");
    }
    let entries = server.shared.engine.default_tenant().len(0) as usize;
    assert!((1_200..keys).contains(&entries), "{entries}");
    // Some are in memory, more are not.
    for wanted in [0..1_200, 600..1_800, keys - 1_200..keys] {
        let names: Vec<String> = wanted.clone().map(|n| format!("k{n}")).collect();
        client.send(format!("MGET {}\r\n", names.join(" ")));
        client.expect(format!("*{}\r\n", wanted.len()));
        for n in wanted {
            let value = value(n);
            client.expect(format!("${}\r\n{value}\r\n", value.len()));
        }
    }
}

#[test]
fn a_key_that_is_below_is_not_missing() {
    let (server, _stack) = server(WritePolicy::Around);
    server.shared.tuning.keyspace_events.store(
        KeyspaceEvents::parse("Em").map_or(0, |events| events.0),
        Ordering::Relaxed,
    );
    let (mut client, mut listener) = (server.connect(), server.connect());
    listener.ask(
        "SUBSCRIBE __keyevent@0__:keymiss\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:keymiss\r\n:1\r\n",
    );
    client.ask("SET below v\r\n", "+OK\r\n");
    client.ask("GET below\r\n", "$1\r\nv\r\n");
    client.ask("EXISTS below\r\n", ":1\r\n");
    client.ask("GET absent\r\n", "$-1\r\n");
    listener.expect("*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:keymiss\r\n$6\r\nabsent\r\n");
}

/// Carries out a request: the reply, or `None` where something has to be fetched for it.
fn carry_out(shared: &Shared, session: &mut Session, line: &str) -> Option<String> {
    let words: ArgsBuf = line.split(' ').map(str::as_bytes).collect();
    let mut out = Vec::new();
    let mut watch = Watch::of_turn(shared, 0, session);
    let mut decider = Undecided;
    let mut context = Context::new(
        shared,
        session,
        &mut decider,
        shared.now(),
        &mut watch,
        &mut out,
    );
    let flow = dispatch(&mut context, words.args());
    drop(context);
    (flow != Flow::Fetch).then(|| String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn what_a_client_chose_to_keep_is_remembered_when_it_is_read_at_last() {
    let (server, _stack) = server(WritePolicy::Around);
    let shared = &*server.shared;
    let mut session = session(shared, Version::V3);
    let ok = Some("+OK\r\n".to_owned());
    assert_eq!(
        carry_out(shared, &mut session, "CLIENT TRACKING ON OPTIN"),
        ok
    );
    // A load may have come before it is waited for.
    let waits = (0..1_000).any(|_| {
        server.connect().ask("SET k v\r\n", "+OK\r\n");
        assert_eq!(carry_out(shared, &mut session, "CLIENT CACHING YES"), ok);
        carry_out(shared, &mut session, "GET k").is_none()
    });
    assert!(waits, "it is below");
    // What was remembered for it is forgotten again before it comes.
    server.connect().ask("SET k w\r\n", "+OK\r\n");
    assert_eq!(shared.onlookers[0].tracking_figures().keys, 0);
    let replies = (0..1_000_000).find_map(|_| {
        thread::yield_now();
        carry_out(shared, &mut session, "GET k")
    });
    assert_eq!(replies.as_deref(), Some("$1\r\nw\r\n"));
    assert_eq!(shared.onlookers[0].tracking_figures().keys, 1);
}

/// A tier that takes nothing before it is let.
struct Shut(Semaphore);

impl Tier for Shut {
    fn name(&self) -> &str {
        "shut"
    }

    fn may_hold(&self, _: TierKey<'_>) -> bool {
        false
    }

    fn read<'a>(
        &'a self,
        _: &'a TierKeyBuf,
        _: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(async { Ok(None) })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        _: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(async {
            let let_in = self.0.acquire().await;
            let_in.expect("it is never closed").forget();
            changes.iter().map(|_| Ok(())).collect()
        })
    }

    fn figures(&self) -> TierFigures {
        TierFigures::default()
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {})
    }
}

#[test]
fn a_transaction_writes_no_more_than_there_is_room_for_on_the_way_down() {
    let shut = Arc::new(Shut(Semaphore::new(0)));
    let (server, stack) = server_over(shut.clone(), WritePolicy::Through);
    let mut client = server.connect();
    let value = vec![b'v'; 700 << 10];
    client.ask("MULTI\r\n", "+OK\r\n");
    for name in [b"a", b"b", b"c", b"d"] {
        client.ask(command(&[b"SET", name, &value]), "+QUEUED\r\n");
    }
    client.send("EXEC\r\n");
    // Carried out, and answered when it is below.
    eventually(|| server.shared.totals().commands >= 6);
    assert!(stack.figures()[0].queued_bytes < 1500 << 10);
    shut.0.add_permits(16);
    let refused = "-TRYAGAIN a slower tier cannot take as much as this writes at once\r\n";
    client.expect(format!("*4\r\n+OK\r\n+OK\r\n{refused}{refused}"));
    client.ask("STRLEN b\r\nEXISTS c\r\n", ":716800\r\n:0\r\n");
}

#[test]
fn many_who_write_leave_what_there_is_no_room_for_with_their_clients() {
    let shut = Arc::new(Shut(Semaphore::new(0)));
    let (server, stack) = server_over(shut.clone(), WritePolicy::Through);
    let shared = &*server.shared;
    let value = "v".repeat(700 << 10);
    let mut sessions: Vec<_> = (0..20).map(|_| session(shared, Version::V2)).collect();
    let mut write = |n: usize| carry_out(shared, &mut sessions[n], &format!("SET k{n} {value}"));
    let ok = Some("+OK\r\n".to_owned());
    assert_eq!([write(0), write(1)], [ok.clone(), ok.clone()]);
    let queued_bytes = || stack.figures()[0].queued_bytes;
    let before = queued_bytes();
    for n in 2..20 {
        assert_eq!(write(n), None, "{n}");
    }
    assert_eq!(queued_bytes(), before);
    shut.0.add_permits(1 << 20);
    for n in 2..20 {
        eventually(|| !stack.below("default", Rules::default()).is_full());
        assert_eq!(write(n), ok);
    }
}

/// Keys that a loader was asked for.
type Asked = Arc<Mutex<Vec<String>>>;

/// A server without levels, whose keys that begin with `page:` come from a loader.
fn loading_server() -> (Server, Asked) {
    let asked = Asked::default();
    let noting = Arc::clone(&asked);
    let stack = Stack::start(Vec::new(), &SETTINGS, || 1_700_000_000_000).unwrap();
    let rule = LoadRule {
        name: "page:*".into(),
        fits: Arc::new(|key| key.starts_with(b"page:")),
        loader: Arc::new(move |key: TierKeyBuf| {
            let name = String::from_utf8_lossy(&key.bytes).into_owned();
            noting.lock().unwrap().push(name);
            async move {
                // No answer is there at once.
                tokio::task::yield_now().await;
                let is_there = !key.bytes.ends_with(b"none");
                Ok(is_there.then(|| Fetched::from(key.bytes.to_vec())))
            }
        }),
        limits: LoadLimits {
            ttl: Some(Duration::from_secs(60)),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            early_percent: 0,
            absent_ttl: Duration::from_secs(60),
            timeout: Duration::from_secs(60),
            value_bytes_max: 100,
            in_flight_max: 4,
            note_of: |_| Vec::new(),
        },
    };
    let rules = Rules {
        loaders: vec![rule],
        ..Rules::default()
    };
    let parts = parts_over(&["default"], |name| Some(stack.below(name, rules.clone())));
    (serve_with(config(), parts), asked)
}

/// What is answered to each line.
#[track_caller]
fn dialogue(server: &Server, lines: &[(&str, &str)]) {
    let mut client = server.connect();
    for (request, _) in lines {
        client.send(format!("{request}\r\n"));
    }
    client.send("QUIT\r\n");
    let said = String::from_utf8_lossy(&client.rest()).into_owned();
    let expected: String = lines.iter().map(|(_, reply)| *reply).collect();
    assert_eq!(said, expected.replace('\n', "\r\n") + "+OK\r\n");
}

#[test]
fn reads_of_values_load_and_what_asks_for_what_is_cached_does_not() {
    dialogue(
        &loading_server().0,
        &[
            ("EXISTS page:1", ":0\n"),
            ("TTL page:1", ":-2\n"),
            ("GET page:1", "$6\npage:1\n"),
            ("EXISTS page:1", ":1\n"),
            ("TTL page:1", ":60\n"),
            ("GET page:none", "$-1\n"),
            ("GET other", "$-1\n"),
            ("STRLEN page:22", ":7\n"),
            ("GETRANGE page:33 5 6", "$2\n33\n"),
            ("GETBIT page:4 1", ":1\n"),
            ("GETEX page:5 PERSIST", "$6\npage:5\n"),
            ("TTL page:5", ":-1\n"),
            (
                "MGET page:1 page:6 page:none other",
                "*4\n$6\npage:1\n$6\npage:6\n$-1\n$-1\n",
            ),
            ("SETNX page:7 own", ":1\n"),
            ("GET page:7", "$3\nown\n"),
            ("DEL page:8 page:1", ":1\n"),
            ("INCR page:9", ":1\n"),
            ("SET page:none own", "+OK\n"),
            ("GET page:none", "$3\nown\n"),
            ("DBSIZE", ":8\n"),
        ],
    );
}

#[test]
fn transactions_load_what_they_read_and_scripts_what_they_declare() {
    let (server, asked) = loading_server();
    dialogue(
        &server,
        &[
            ("MULTI", "+OK\n"),
            ("SET page:1 own", "+QUEUED\n"),
            ("GET page:2", "+QUEUED\n"),
            ("EXISTS page:3", "+QUEUED\n"),
            ("EXEC", "*3\n+OK\n$6\npage:2\n:0\n"),
            (
                "EVAL \"return redis.call('GET',KEYS[1])\" 1 page:4",
                "$6\npage:4\n",
            ),
            ("EVAL \"return redis.call('GET','page:5')\" 0", "$-1\n"),
        ],
    );
    // They go on with a load when they come anew, and do not begin another.
    assert_eq!(*asked.lock().unwrap(), ["page:2", "page:4"]);
}
