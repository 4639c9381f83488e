//! Servers with levels in Redis.

use e2e::harness::{Client, Redis, RedisCluster, Server, eventually};
use larder_resp::Value;

use crate::values::{NIL, bulk, ok};

pub(super) fn tiers(client: &mut Client) -> String {
    match client.call(&["INFO", "tiers"]) {
        Value::Bulk(Some(text)) => String::from_utf8(text).unwrap(),
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn entries_outlive_the_server_and_a_redis_that_goes_and_comes_back_is_used_again() {
    let test = "entries_outlive_the_server_and_a_redis_that_goes_and_comes_back_is_used_again";
    let Some(mut redis) = Redis::start(test) else {
        return;
    };
    let mut others = redis.client();
    assert_eq!(others.call(&["SET", "theirs", "1"]), ok());
    let url = format!("redis://{}", redis.addr());
    let mut flags = vec!["--l2", &url, "--l2-timeout", "60s", "--memory", "4MiB"];
    flags.extend(["--l2-recovery-timeout", "50ms"]);
    let value = |n: usize| format!("{n}:{}", "v".repeat(2000));
    let server = Server::start(&flags);
    let mut client = server.client();
    let set = |client: &mut Client, n: usize| {
        let reply = client.call(&["SET", &format!("k{n}"), &value(n), "EX", "10000"]);
        assert_eq!(reply, ok());
    };
    // More than memory has room for.
    (0..3000).for_each(|n| set(&mut client, n));
    assert_eq!(client.call(&["DEL", "k7"]), Value::Integer(1));
    let check = |client: &mut Client| {
        for n in 0..3000 {
            let expected = if n == 7 { NIL } else { bulk(value(n)) };
            assert_eq!(client.call(&["GET", &format!("k{n}")]), expected, "k{n}");
        }
    };
    check(&mut client);
    assert!(server.stop().success());
    let server = Server::start(&flags);
    let mut client = server.client();
    check(&mut client);
    let Value::Integer(ttl) = client.call(&["TTL", "k8"]) else {
        panic!("no number");
    };
    assert!((1..=10_000).contains(&ttl), "{ttl}");
    assert!(tiers(&mut client).contains("tier_l2_redis:state=ok,"));
    assert_eq!(client.call(&["FLUSHALL"]), ok());
    assert_eq!(client.call(&["GET", "k8"]), NIL);
    assert_eq!(others.call(&["GET", "theirs"]), bulk("1"));

    redis.kill();
    set(&mut client, 1);
    assert_eq!(client.call(&["GET", "k1"]), bulk(value(1)));
    assert_eq!(client.call(&["GET", "absent"]), NIL);
    let said = tiers(&mut client);
    assert!(!said.contains("tier_l2_redis:state=ok,"), "{said}");
    redis.restart();
    eventually("Redis is used again", || {
        // A few have to go well.
        set(&mut client, 3);
        assert_eq!(client.call(&["GET", "absent"]), NIL);
        // Within a second it is told again what was cleared, too.
        let is_told = redis.client().call(&["EXISTS", "larder:default:g"]) == Value::Integer(1);
        (is_told && tiers(&mut client).contains("state=ok,")).then_some(())
    });
    set(&mut client, 2);
    drop(server);
    let server = Server::start(&flags);
    assert_eq!(server.client().call(&["GET", "k2"]), bulk(value(2)));
}

#[test]
fn a_cluster_is_a_third_level_behind_the_disk() {
    let Some(cluster) = RedisCluster::start("a_cluster_is_a_third_level_behind_the_disk") else {
        return;
    };
    let url = cluster.url();
    let flags = ["--l2", "disk", "--l3", &url, "--l3-timeout", "60s"];
    let server = Server::start(&flags);
    let mut client = server.client();
    for n in 0..100 {
        assert_eq!(
            client.call(&["SET", &format!("k{n}"), &n.to_string()]),
            ok()
        );
    }
    let said = tiers(&mut client);
    assert!(
        said.contains("tier_l2_disk:state=ok,") && said.contains("tier_l3_cluster:state=ok,"),
        "{said}"
    );
    drop(server);
    // With another folder.
    let server = Server::start(&flags);
    let mut client = server.client();
    for n in 0..100 {
        assert_eq!(client.call(&["GET", &format!("k{n}")]), bulk(n.to_string()));
    }
    assert!(server.metric("larder_tier_hits_total") >= 100.0);
}
