//! Keys over which Redis has the authority: what servers make of them is atomic among all of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use e2e::harness::{Client, PATIENCE, Random, Redis, RedisCluster, Server, Signal, eventually};
use larder_resp::Value;

use crate::policies::deploy;
use crate::values::{NIL, bulk, error_text, ok};

const CLIENTS: usize = 8;
const ROUNDS: usize = 40;
/// The lock of redis-py: gone if it is still one's own.
const RELEASE: &str = "local token = redis.call('get', KEYS[1]) \
     if not token or token ~= ARGV[1] then return 0 end \
     redis.call('del', KEYS[1]) return 1";

pub(super) const PATIENT: [&str; 2] = ["--l2-timeout", "60s"];

pub(super) fn start(url: &str, flags: &[&str]) -> Server {
    let authority = ["--l2-authority", "lock:* count:*"];
    Server::start(&[&["--l2", url], &authority[..], flags].concat())
}

fn integer(reply: &Value) -> i64 {
    match reply {
        Value::Integer(number) => *number,
        other => panic!("no number: {other:?}"),
    }
}

/// Asks until it is no matter of trying again.
fn insist(client: &mut Client, args: &[&str]) -> Value {
    eventually("it is done", || match client.call(args) {
        Value::Error(text) if text.starts_with("TRYAGAIN ") => None,
        reply => Some(reply),
    })
}

/// Everybody counts and takes the lock in turn, on any of the servers.
fn agree(servers: &[Server]) {
    let holders = AtomicU32::new(0);
    let work = |own: usize| {
        let mut random = Random::new(own as u64);
        let mut clients: Vec<_> = servers.iter().map(Server::client).collect();
        let token = format!("client-{own}");
        for _ in 0..ROUNDS {
            let client = &mut clients[random.below(servers.len())];
            insist(client, &["INCR", "count:all"]);
            let lock = ["SET", "lock:all", &token, "NX", "PX", "600000"];
            if insist(client, &lock) == NIL {
                continue;
            }
            assert_eq!(
                holders.fetch_add(1, Ordering::SeqCst),
                0,
                "two have the lock"
            );
            let other = &mut clients[random.below(servers.len())];
            assert_eq!(insist(other, &["GET", "lock:all"]), bulk(&token));
            assert_eq!(
                insist(other, &["EVAL", RELEASE, "1", "lock:all", "not mine"]),
                Value::Integer(0)
            );
            holders.fetch_sub(1, Ordering::SeqCst);
            let released = insist(other, &["EVAL", RELEASE, "1", "lock:all", &token]);
            assert_eq!(released, Value::Integer(1));
        }
    };
    thread::scope(|scope| {
        let work = &work;
        for own in 0..CLIENTS {
            scope.spawn(move || work(own));
        }
    });
    let total = bulk((CLIENTS * ROUNDS).to_string());
    for server in servers {
        assert_eq!(server.client().call(&["GET", "count:all"]), total);
        assert_eq!(
            server.client().call(&["EXISTS", "lock:all"]),
            Value::Integer(0)
        );
    }
}

#[test]
fn servers_count_exactly_and_no_two_have_a_lock() {
    let Some(redis) = Redis::start("servers_count_exactly_and_no_two_have_a_lock") else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let servers = [start(&url, &PATIENT), start(&url, &PATIENT)];
    agree(&servers);
    let [mut one, mut other] = servers.each_ref().map(Server::client);
    // What one does the other sees at once.
    for (args, expected) in [
        (&["SET", "count:a", "5", "PX", "600000"][..], ok()),
        (&["SETNX", "count:a", "6"], Value::Integer(0)),
        (&["INCRBY", "count:a", "2"], Value::Integer(7)),
        (&["APPEND", "count:a", "0"], Value::Integer(2)),
        (&["SETRANGE", "count:a", "0", "8"], Value::Integer(2)),
        (&["GETSET", "count:b", "x"], NIL),
        (&["SETBIT", "count:c", "7", "1"], Value::Integer(0)),
        (&["PERSIST", "count:b"], Value::Integer(0)),
        (&["EXPIRE", "count:b", "600", "NX"], Value::Integer(1)),
        (&["EXPIRE", "count:b", "500", "NX"], Value::Integer(0)),
        (&["GETDEL", "count:b"], bulk("x")),
        (
            &["MGET", "count:a", "count:b"],
            Value::Array(vec![bulk("80"), NIL]),
        ),
        (&["DEL", "count:c", "count:b"], Value::Integer(1)),
    ] {
        assert_eq!(one.call(args), expected, "{args:?}");
        std::mem::swap(&mut one, &mut other);
    }
    let left_ms = integer(&one.call(&["PTTL", "count:a"]));
    assert!((1..=600_000).contains(&left_ms), "{left_ms}");
    // Nothing of it is in memory, nor comes there.
    let Value::Array(warmed) = one.call(&["CACHE.WARM", "count:a", "plain"]) else {
        panic!("nothing is told");
    };
    assert_eq!(warmed[4..6], [bulk("absent"), Value::Integer(2)]);
    assert_eq!(one.call(&["DBSIZE"]), Value::Integer(0));
    assert_eq!(servers[0].get("/v1/keys/count:a").body, "80");
    over_http(&servers[0]);
    watched(&mut one, &mut other);
    refused(&mut one);
}

/// What is there is told from what is not, though none of it is in memory.
fn over_http(server: &Server) {
    let fresh = "If-None-Match: *\r\n";
    for (method, condition, status) in [
        ("PUT", "", "201"),
        ("PUT", "", "204"),
        ("PUT", fresh, "412"),
        ("DELETE", fresh, "412"),
        ("DELETE", "", "204"),
        ("DELETE", "", "404"),
        ("DELETE", fresh, "404"),
        ("PUT", fresh, "201"),
    ] {
        let mut stream = TcpStream::connect(server.http()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = "Host: localhost\r\nConnection: close\r\nContent-Length: 1\r\n";
        let target = "/v1/keys/count:http HTTP/1.1";
        write!(stream, "{method} {target}\r\n{head}{condition}\r\nv").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let expected = format!("HTTP/1.1 {status} ");
        assert!(
            answer.starts_with(&expected),
            "{method} {condition}: {answer}"
        );
    }
}

/// EXEC of who watches fails where another server has changed the key.
fn watched(one: &mut Client, other: &mut Client) {
    for (meanwhile, expected) in [
        (None, Value::Array(vec![Value::Integer(81), bulk("81")])),
        (Some("82"), Value::NullArray),
    ] {
        assert_eq!(one.call(&["WATCH", "count:a"]), ok());
        if let Some(value) = meanwhile {
            assert_eq!(other.call(&["SET", "count:a", value, "KEEPTTL"]), ok());
        }
        assert_eq!(one.call(&["MULTI"]), ok());
        one.call(&["INCR", "count:a"]);
        one.call(&["GET", "count:a"]);
        assert_eq!(one.call(&["EXEC"]), expected);
    }
}

/// What cannot be made one thing is said to be so, and nothing is done.
fn refused(client: &mut Client) {
    for args in [
        &["MSET", "count:x", "1", "plain", "1"][..],
        &["RENAME", "count:a", "plain"],
        &["CACHE.GET", "count:x", "LEASE", "1000"],
        &["EVAL", "return 1", "2", "count:x", "plain"],
        &["EVAL", "return redis.call('incr', 'count:x')", "0"],
        &["EVAL", "return redis.call('incr', 'plain')", "1", "count:x"],
        &[
            "EVAL",
            "return redis.call('incr', 'count:y')",
            "1",
            "count:x",
        ],
    ] {
        let text = error_text(client.call(args));
        assert!(text.contains("authority"), "{args:?}: {text}");
    }
    for key in ["count:x", "count:y", "plain"] {
        assert_eq!(client.call(&["EXISTS", key]), Value::Integer(0), "{key}");
    }
    assert_eq!(client.call(&["MULTI"]), ok());
    client.call(&["INCR", "count:x"]);
    client.call(&["INCR", "plain"]);
    let text = error_text(client.call(&["EXEC"]));
    assert!(text.starts_with("CROSSSLOT "), "{text}");
}

#[test]
fn servers_over_a_cluster_agree_and_a_lock_outlives_its_primary() {
    let test = "servers_over_a_cluster_agree_and_a_lock_outlives_its_primary";
    let Some(mut cluster) = RedisCluster::start_with(test, "4000") else {
        return;
    };
    let flags = [&PATIENT[..], &["--l2-consistency", "all"]].concat();
    let servers = [(); 2].map(|()| start(&cluster.url(), &flags));
    agree(&servers);
    let mut client = servers[0].client();
    let text = error_text(client.call(&["MSET", "count:{a}", "1", "count:{b}", "1"]));
    assert!(text.contains("one slot"), "{text}");
    assert_eq!(
        client.call(&["MSET", "count:{a}1", "1", "count:{a}2", "1"]),
        ok()
    );
    // One of them at least is of its slots.
    let locks: Vec<_> = (0..12).map(|n| format!("lock:{n}")).collect();
    for lock in &locks {
        assert_eq!(
            client.call(&["SET", lock, "one", "NX", "PX", "600000"]),
            ok()
        );
    }
    assert_eq!(servers[0].metric("larder_tier_unreplicated_total"), 0.0);
    cluster.kill(0);
    let mut other = servers[1].client();
    for lock in &locks {
        let taken = eventually("the cluster answers again", || {
            match other.call(&["SET", lock, "two", "NX", "PX", "600000"]) {
                Value::Error(_) => None,
                reply => Some(reply),
            }
        });
        assert_eq!(taken, NIL, "{lock}");
    }
}

#[test]
fn a_lock_can_be_given_back_where_redis_has_no_room() {
    let test = "a_lock_can_be_given_back_where_redis_has_no_room";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let server = start(&format!("redis://{}", redis.addr()), &PATIENT);
    let mut client = server.client();
    let take = |client: &mut Client| client.call(&["SET", "lock:a", "me", "NX", "PX", "600000"]);
    assert_eq!(take(&mut client), ok());
    let mut there = redis.client();
    assert_eq!(there.call(&["CONFIG", "SET", "maxmemory", "1"]), ok());
    let text = error_text(client.call(&["INCR", "count:a"]));
    assert!(text.contains("maxmemory"), "{text}");
    assert_eq!(client.call(&["DEL", "lock:a"]), Value::Integer(1));
    assert_eq!(client.call(&["GET", "lock:a"]), NIL);
    assert_eq!(there.call(&["CONFIG", "SET", "maxmemory", "0"]), ok());
    assert_eq!(take(&mut client), ok());
}

/// Nothing of such a key is cached, so there is nothing to refuse.
#[test]
fn no_policy_keeps_from_being_written_what_redis_decides_over() {
    let test = "no_policy_keeps_from_being_written_what_redis_decides_over";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let server = start(&format!("redis://{}", redis.addr()), &PATIENT);
    let side_car = "[parameters]\nmax_bytes = \"1KiB\"\n";
    deploy(&server, "gate", "size-gate", Some(side_car));
    server.await_policy("gate", "active");
    let (mut client, large) = (server.client(), "x".repeat(2000));
    for (key, found) in [("plain", NIL), ("lock:a", bulk(&large))] {
        assert_eq!(client.call(&["SET", key, &large]), ok());
        assert_eq!(client.call(&["GET", key]), found, "{key}");
    }
}

#[test]
fn where_redis_does_not_answer_nobody_is_answered_from_memory() {
    let test = "where_redis_does_not_answer_nobody_is_answered_from_memory";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let server = start(
        &url,
        &["--l2-timeout", "300ms", "--l2-recovery-timeout", "50ms"],
    );
    let mut client = server.client();
    let count = |client: &mut Client| insist(client, &["INCR", "count:a"]);
    let before = integer(&count(&mut client));
    redis.process().signal(Signal::STOP);
    for args in [
        &["INCR", "count:a"][..],
        &["GET", "count:a"],
        &["DEL", "count:a"],
    ] {
        let text = error_text(client.call(args));
        let is_said = text.starts_with("TRYAGAIN ") || text.starts_with("UNCERTAIN ");
        assert!(is_said && text.contains("redis"), "{args:?}: {text}");
    }
    redis.process().signal(Signal::CONT);
    // What was only looked at has changed nothing.
    assert_eq!(integer(&count(&mut client)), before + 1);
}

#[test]
fn a_key_that_a_command_names_twice_is_one_key() {
    let Some(redis) = Redis::start("a_key_that_a_command_names_twice_is_one_key") else {
        return;
    };
    let server = start(&format!("redis://{}", redis.addr()), &PATIENT);
    let mut client = server.client();
    let k = "count:twice";
    assert_eq!(client.call(&["SET", k, "1"]), ok());
    let both = |value: &str| Value::Array(vec![bulk(value), bulk(value)]);
    let script = "return redis.call('mget', KEYS[1], KEYS[2])";
    for (command, reply) in [
        (&["MGET", k, k][..], both("1")),
        (&["EXISTS", k, k], Value::Integer(2)),
        (&["WATCH", k, k], ok()),
        (&["EVAL_RO", script, "2", k, k], both("1")),
        (&["MSET", k, "1", k, "2"], ok()),
        (&["MGET", k, k], both("2")),
    ] {
        assert_eq!(client.call(command), reply, "{command:?}");
    }
    assert!(error_text(client.call(&["MOVE", k, "0"])).contains("same"));
    assert_eq!(client.call(&["GET", k]), bulk("2"));
    assert_eq!(client.call(&["DEL", k, k]), Value::Integer(1));
}
