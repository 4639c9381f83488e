//! Levels in Redis that hang, go, refuse and hold what they should not.

use std::thread;
use std::time::{Duration, Instant};

use e2e::harness::{Client, Passage, Proxy, Redis, RedisCluster, Server, Signal, eventually};
use larder_resp::Value;

use crate::values::{NIL, bulk, error_text, ok};

/// How soon after the end of a primary a cluster is written again.
const RESUMED_WITHIN: Duration = Duration::from_secs(15);

/// A server that gives a level up soon, and tries soon whether it is back.
fn start(url: &str, flags: &[&str]) -> Server {
    let soon = [
        "--l2",
        url,
        "--l2-recovery-timeout",
        "50ms",
        "--l2-success-threshold",
        "1",
    ];
    Server::start(&[&soon[..], flags].concat())
}

/// Another one, that waits for the level: it finds what is there.
fn patient(url: &str) -> Server {
    Server::start(&["--l2", url, "--l2-timeout", "60s"])
}

fn url(redis: &Redis) -> String {
    format!("redis://{}", redis.addr())
}

fn set(client: &mut Client, key: &str, value: &str) {
    assert_eq!(client.call(&["SET", key, value]), ok(), "{key}");
}

fn tiers(client: &mut Client) -> String {
    match client.call(&["INFO", "tiers"]) {
        Value::Bulk(Some(text)) => String::from_utf8(text).unwrap(),
        other => panic!("no text: {other:?}"),
    }
}

/// Waits until all is well, and all that was written is there.
fn await_peace(server: &Server, client: &mut Client) {
    eventually("the level is used again", || {
        // A read and a write have to go well.
        assert_eq!(client.call(&["GET", "absent"]), NIL);
        set(client, "probe", "v");
        let said = tiers(client);
        (said.contains(":state=ok,") && said.contains(",queued=0,")).then_some(())
    });
    assert_eq!(server.get("/readyz").body, "ready\n");
}

#[test]
fn a_redis_that_hangs_holds_nobody_up_and_catches_up_in_order() {
    let Some(redis) = Redis::start("a_redis_that_hangs_holds_nobody_up_and_catches_up_in_order")
    else {
        return;
    };
    let server = start(
        &url(&redis),
        &["--l2-timeout", "100ms", "--l2-failure-threshold", "2"],
    );
    let mut client = server.client();
    for key in ["replaced", "removed", "kept"] {
        set(&mut client, key, "old");
    }
    await_peace(&server, &mut client);
    redis.process().signal(Signal::STOP);
    // The first lies in Redis' buffers, and is done there when it goes on.
    for value in ["first", "second", "third"] {
        set(&mut client, "replaced", value);
        set(&mut client, "new", value);
    }
    assert_eq!(client.call(&["DEL", "removed"]), Value::Integer(1));
    assert_eq!(client.call(&["GET", "kept"]), bulk("old"));
    eventually("reads are not tried any more", || {
        assert_eq!(client.call(&["GET", "absent"]), NIL);
        let said = tiers(&mut client);
        (said.contains(",reads=open,") || said.contains(",reads=half-open,")).then_some(())
    });
    assert!(server.metric("larder_tier_breaker_opened_total") >= 1.0);
    assert_eq!(server.metric("larder_tier_trouble_info"), 1.0);
    assert_eq!(server.get("/readyz").body, "ready, without redis\n");
    // Whether there is something is not known.
    let refused = error_text(client.call(&["INCR", "absent"]));
    assert!(refused.starts_with("TRYAGAIN "), "{refused}");
    redis.process().signal(Signal::CONT);
    await_peace(&server, &mut client);
    drop(server);
    let server = patient(&url(&redis));
    let mut client = server.client();
    for key in ["replaced", "new"] {
        assert_eq!(client.call(&["GET", key]), bulk("third"), "{key}");
    }
    assert_eq!(client.call(&["GET", "removed"]), NIL);
    assert_eq!(client.call(&["GET", "kept"]), bulk("old"));
}

#[test]
fn what_waits_while_the_network_is_away_does_not_replace_what_others_write_meanwhile() {
    let test = "what_waits_while_the_network_is_away_does_not_replace_what_others_write_meanwhile";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let proxy = Proxy::start(redis.addr());
    let server = start(
        &format!("redis://{}", proxy.addr()),
        &["--l2-timeout", "60s", "--l2-failure-threshold", "1"],
    );
    let mut client = server.client();
    for n in 0..20 {
        set(&mut client, &format!("k{n}"), "old");
    }
    // Connections that break off cost nobody anything.
    proxy.cut();
    set(&mut client, "k1", "cut");
    await_peace(&server, &mut client);
    proxy.half_close();
    set(&mut client, "k2", "half");
    await_peace(&server, &mut client);

    proxy.pass(Passage::Refused);
    proxy.cut();
    set(&mut client, "shared", "older");
    set(&mut client, "own", "v");
    let other = patient(&url(&redis));
    let mut others = other.client();
    set(&mut others, "shared", "newer");
    // It has waited for the breaker, twice.
    let opened = server.metric("larder_tier_breaker_opened_total");
    eventually("writes are tried now and then", || {
        assert_eq!(client.call(&["GET", "absent"]), NIL);
        (server.metric("larder_tier_breaker_opened_total") >= opened + 4.0).then_some(())
    });
    proxy.pass(Passage::Open);
    await_peace(&server, &mut client);
    assert!(server.metric("larder_tier_overtaken_total") >= 1.0);
    let another = patient(&url(&redis));
    let mut client = another.client();
    for (key, value) in [
        ("shared", "newer"),
        ("own", "v"),
        ("k1", "cut"),
        ("k2", "half"),
        ("k3", "old"),
    ] {
        assert_eq!(client.call(&["GET", key]), bulk(value), "{key}");
    }
}

#[test]
fn a_redis_that_takes_no_writes_is_read_and_gets_them_later() {
    let Some(redis) = Redis::start("a_redis_that_takes_no_writes_is_read_and_gets_them_later")
    else {
        return;
    };
    // What is written is not in memory.
    let around = ["--l2-timeout", "60s", "--l2-write", "around"];
    let server = start(&url(&redis), &[&around[..], &["--l2-required"]].concat());
    let mut client = server.client();
    for key in ["full", "replica", "k"] {
        set(&mut client, key, "old");
    }
    let mut own = redis.client();
    let mut told = |args: &[&str]| assert_eq!(own.call(args), ok(), "{args:?}");
    let troubles: [(&str, [&[&str]; 2]); 2] = [
        (
            "full",
            [
                &["CONFIG", "SET", "maxmemory", "1"],
                &["CONFIG", "SET", "maxmemory", "0"],
            ],
        ),
        (
            "replica",
            [
                &["REPLICAOF", "127.0.0.1", "1"],
                &["REPLICAOF", "NO", "ONE"],
            ],
        ),
    ];
    for (name, [begins, ends]) in troubles {
        told(begins);
        set(&mut client, "k", name);
        // That it is on its way is seen, and the rest is read.
        assert_eq!(client.call(&["GET", "k"]), bulk(name));
        assert_eq!(client.call(&["GET", name]), bulk("old"));
        let said = tiers(&mut client);
        assert!(
            said.contains(",reads=closed,") && !said.contains("state=ok"),
            "{said}"
        );
        assert_eq!(
            server.get("/readyz").body,
            "away: a tier that is required does nothing at the moment: redis\n"
        );
        told(ends);
        await_peace(&server, &mut client);
        let other = patient(&url(&redis));
        assert_eq!(other.client().call(&["GET", "k"]), bulk(name));
    }
}

/// What a key is called in Redis.
fn name_of(own: &mut Client, key: &str) -> String {
    let pattern = format!("larder:default:0.*:{key}");
    match own.call(&["KEYS", &pattern]) {
        Value::Array(names) if names.len() == 1 => match &names[0] {
            Value::Bulk(Some(name)) => String::from_utf8(name.clone()).unwrap(),
            other => panic!("no name: {other:?}"),
        },
        other => panic!("not one name: {other:?}"),
    }
}

#[test]
fn what_others_have_put_in_place_of_values_is_no_value() {
    let Some(redis) = Redis::start("what_others_have_put_in_place_of_values_is_no_value") else {
        return;
    };
    let server = start(
        &url(&redis),
        &["--l2-timeout", "60s", "--l2-write", "around"],
    );
    let mut client = server.client();
    for key in ["text", "list", "short", "sound"] {
        set(&mut client, key, "41");
    }
    let mut own = redis.client();
    let [text, list, short] = ["text", "list", "short"].map(|key| name_of(&mut own, key));
    assert_eq!(own.call(&["SET", &text, "<html></html>"]), ok());
    assert_eq!(own.call(&["DEL", &list]), Value::Integer(1));
    assert_eq!(own.call(&["RPUSH", &list, "a", "b"]), Value::Integer(2));
    let Value::Bulk(Some(held)) = own.call(&["GET", &short]) else {
        panic!("it is there");
    };
    let cut = &held[..held.len() - 1];
    assert_eq!(own.call(&[b"SET", short.as_bytes(), cut]), ok());
    // It is gone for good, so that it can be written anew.
    assert_eq!(client.call(&["GET", "text"]), NIL);
    for key in ["text", "list", "short"] {
        assert_eq!(client.call(&["INCR", key]), Value::Integer(1), "{key}");
    }
    assert_eq!(client.call(&["INCR", "sound"]), Value::Integer(42));
    assert_eq!(server.metric("larder_tier_damaged_total"), 3.0);
    assert!(tiers(&mut client).contains(":state=ok,"));
}

#[test]
fn a_cluster_whose_primary_dies_gets_what_was_written_meanwhile() {
    let test = "a_cluster_whose_primary_dies_gets_what_was_written_meanwhile";
    let Some(mut cluster) = RedisCluster::start_with(test, "4000") else {
        return;
    };
    let server = start(&cluster.url(), &[]);
    let mut client = server.client();
    set(&mut client, "before", "v");
    cluster.kill(0);
    let killed = Instant::now();
    // Of three keys one, or about, is of its slots.
    for n in 0..100 {
        set(&mut client, &format!("k{n}"), "v");
    }
    let promoted = thread::scope(|scope| {
        let promoting = scope.spawn(|| {
            cluster.await_promotion(0);
            killed.elapsed()
        });
        await_peace(&server, &mut client);
        promoting.join().unwrap()
    });
    // The cluster itself takes its time, on a busy machine more.
    let (resumed, bound) = (
        killed.elapsed(),
        RESUMED_WITHIN.max(promoted + RESUMED_WITHIN / 2),
    );
    assert!(
        resumed <= bound,
        "{resumed:?} after the kill, {promoted:?} of them the cluster's"
    );
    drop(server);
    let server = patient(&cluster.url());
    let mut client = server.client();
    for n in 0..100 {
        assert_eq!(client.call(&["GET", &format!("k{n}")]), bulk("v"), "k{n}");
    }
}
