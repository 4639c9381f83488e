//! Servers that share a Redis tell each other of what they change.

use std::thread;

use e2e::harness::{Client, Random, Redis, RedisCluster, Server, eventually};
use larder_resp::Value;

use super::server::tiers;
use crate::values::{NIL, bulk, error_text, ok};

/// So long that on a busy machine nobody takes another for gone.
pub(super) const PATIENT: [&str; 4] = ["--l2-timeout", "60s", "--l2-heartbeat-timeout", "20s"];
pub(super) const HASTY: [&str; 4] = ["--l2-timeout", "60s", "--l2-heartbeat-timeout", "1s"];

pub(super) fn start(url: &str, flags: &[&str]) -> Server {
    Server::start(&[&["--l2", url], flags].concat())
}

/// A figure of the level.
fn figure(client: &mut Client, name: &str) -> u64 {
    let said = tiers(client);
    let mut fields = said.lines().flat_map(|line| line.split(','));
    let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let found = found.and_then(|number| number.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in {said}"))
}

/// Waits until each of them hears all others.
pub(super) fn acquaint(servers: &[Server]) -> Vec<Client> {
    let mut clients: Vec<_> = servers.iter().map(Server::client).collect();
    for client in &mut clients {
        eventually("the others are heard", || {
            let hosts = figure(client, "hosts");
            (hosts == servers.len() as u64 - 1).then_some(())
        });
    }
    clients
}

#[track_caller]
pub(super) fn comes_to(client: &mut Client, key: &str, expected: &Value) {
    eventually("what was changed elsewhere is seen", || {
        (client.call(&["GET", key]) == *expected).then_some(())
    });
}

/// One writes, and the other has what it replaces in memory.
fn follows(writer: &mut Client, reader: &mut Client) {
    eventually("it hears itself, and doubts nothing", || {
        (figure(reader, "deaf") == 0).then_some(())
    });
    let losses = figure(reader, "losses");
    let keys: Vec<_> = (0..100).map(|n| format!("k{n}")).collect();
    let set = |writer: &mut Client, value: &str| {
        for key in &keys {
            assert_eq!(writer.call(&["SET", key, value]), ok());
        }
    };
    set(writer, "1");
    keys.iter()
        .for_each(|key| comes_to(reader, key, &bulk("1")));
    let hits = |reader: &mut Client| {
        let Value::Bulk(Some(info)) = reader.call(&["INFO", "stats"]) else {
            panic!("no text");
        };
        let info = String::from_utf8(info).unwrap();
        let hits = info
            .lines()
            .find_map(|line| line.strip_prefix("keyspace_hits:"));
        hits.unwrap().trim().parse::<u64>().unwrap()
    };
    let before = hits(reader);
    for key in &keys {
        assert_eq!(reader.call(&["GET", key]), bulk("1"));
    }
    assert!(hits(reader) - before >= 100, "they are in memory");
    set(writer, "2");
    keys.iter()
        .for_each(|key| comes_to(reader, key, &bulk("2")));
    assert_eq!(writer.call(&["INCR", "k7"]), Value::Integer(3));
    comes_to(reader, "k7", &bulk("3"));
    assert_eq!(writer.call(&["DEL", "k8"]), Value::Integer(1));
    comes_to(reader, "k8", &NIL);
    assert_eq!(writer.call(&["FLUSHDB"]), ok());
    keys.iter().for_each(|key| comes_to(reader, key, &NIL));
    assert_eq!(figure(reader, "losses"), losses, "nothing was missed");
    assert!(figure(reader, "heard") >= 202 && figure(writer, "told") >= 202);
}

#[test]
fn what_one_server_changes_the_others_do_not_answer_from_memory() {
    let test = "what_one_server_changes_the_others_do_not_answer_from_memory";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let servers = [start(&url, &PATIENT), start(&url, &PATIENT)];
    let mut clients = acquaint(&servers);
    let [one, other] = &mut clients[..] else {
        panic!("two of them");
    };
    follows(one, other);
    follows(other, one);
    // Leases and watches end. As it is in memory, what another writes is seen once that is heard, and not before.
    assert_eq!(other.call(&["SET", "k", "u"]), ok());
    assert_eq!(other.call(&["WATCH", "k"]), ok());
    assert_eq!(one.call(&["SET", "k", "v"]), ok());
    comes_to(other, "k", &bulk("v"));
    assert_eq!(other.call(&["MULTI"]), ok());
    other.call(&["SET", "k", "w"]);
    assert_eq!(other.call(&["EXEC"]), Value::NullArray);
    // Who ends says so, and is not missed.
    let losses = figure(one, "losses");
    let [server, gone] = servers;
    assert!(gone.stop().success());
    eventually("nobody else is heard", || {
        (figure(one, "hosts") == 0).then_some(())
    });
    assert_eq!(figure(one, "losses"), losses);
    drop(server);
}

#[test]
fn servers_over_a_cluster_hear_of_each_other_whatever_node_they_listen_to() {
    let test = "servers_over_a_cluster_hear_of_each_other_whatever_node_they_listen_to";
    let Some(cluster) = RedisCluster::start(test) else {
        return;
    };
    let servers = [
        start(&cluster.url(), &PATIENT),
        start(&cluster.url(), &PATIENT),
    ];
    let mut clients = acquaint(&servers);
    let [one, other] = &mut clients[..] else {
        panic!("two of them");
    };
    follows(one, other);
}

/// A server that tells nobody changes what another has in memory; then that one has reason to doubt.
#[test]
fn after_a_loss_nothing_older_is_answered_from_memory() {
    let Some(redis) = Redis::start("after_a_loss_nothing_older_is_answered_from_memory") else {
        return;
    };
    let mut raw = redis.client();
    let url = format!("redis://{}", redis.addr());
    let silent = start(&url, &["--l2-timeout", "60s", "--l2-share=false"]);
    let server = start(&url, &PATIENT);
    let (mut writer, mut reader) = (silent.client(), server.client());
    eventually("it hears itself", || {
        (figure(&mut reader, "deaf") == 0).then_some(())
    });
    let mut set = |value: &str| assert_eq!(writer.call(&["SET", "k", value]), ok());
    set("1");
    comes_to(&mut reader, "k", &bulk("1"));
    set("2");
    assert_eq!(reader.call(&["GET", "k"]), bulk("1"), "nobody told it");
    // Somebody says to have told five things.
    let mut beat = vec![1];
    beat.extend_from_slice(&[9; 16]);
    beat.push(3);
    for number in [1_u64, 5] {
        beat.extend_from_slice(&number.to_le_bytes());
    }
    beat.extend_from_slice(&[0, 0, 1, 0]);
    assert_eq!(
        raw.call(&[b"PUBLISH", &b"larder:0:m"[..], &beat]),
        Value::Integer(1)
    );
    comes_to(&mut reader, "k", &bulk("2"));
    assert!(figure(&mut reader, "losses") >= 1);
    // The connection over which it listens is cut, and made again.
    set("3");
    assert_eq!(reader.call(&["GET", "k"]), bulk("2"), "nobody told it");
    let killed = raw.call(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(killed, Value::Integer(1));
    comes_to(&mut reader, "k", &bulk("3"));
    eventually("it hears itself again", || {
        (figure(&mut reader, "deaf") == 0).then_some(())
    });
}

/// One that may not listen doubts for ever, and one that cannot ask answers what it has.
#[test]
fn who_hears_nothing_asks_again_and_again_and_keeps_what_cannot_be_asked_for() {
    let test = "who_hears_nothing_asks_again_and_again_and_keeps_what_cannot_be_asked_for";
    let Some(mut redis) = Redis::start(test) else {
        return;
    };
    let mut raw = redis.client();
    let reader = [
        "ACL",
        "SETUSER",
        "reader",
        "on",
        ">secret",
        "~*",
        "&*",
        "+@all",
        "-subscribe",
    ];
    assert_eq!(raw.call(&reader), ok());
    let url = format!("redis://{}", redis.addr());
    let deaf = format!("redis://reader:secret@{}", redis.addr());
    let one = start(&url, &HASTY);
    let other = start(
        &deaf,
        &["--l2-timeout", "2s", "--l2-heartbeat-timeout", "1s"],
    );
    let (mut writer, mut reader) = (one.client(), other.client());
    for value in ["1", "2", "3"] {
        assert_eq!(writer.call(&["SET", "k", value]), ok());
        comes_to(&mut reader, "k", &bulk(value));
    }
    assert_eq!(figure(&mut reader, "deaf"), 1);
    redis.kill();
    // As often as it likes to doubt. Once it has found that nobody answers no reader has to.
    eventually("nobody is asked", || {
        let errors = figure(&mut reader, "read_errors");
        assert_eq!(reader.call(&["GET", "k"]), bulk("3"));
        (figure(&mut reader, "read_errors") == errors).then_some(())
    });
}

/// The disk in front has no more to say than the memory.
#[test]
fn what_cannot_be_asked_for_is_answered_for_so_long_and_no_longer() {
    let test = "what_cannot_be_asked_for_is_answered_for_so_long_and_no_longer";
    let Some(mut redis) = Redis::start(test) else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let memory = start(&url, &[&HASTY[..], &["--l2-max-stale", "1s"]].concat());
    let behind = ["--l2", "disk", "--l3", &url, "--l3-timeout", "2s"];
    let times = ["--l3-heartbeat-timeout", "1s", "--l3-max-stale", "1s"];
    let disk = Server::start(&[&behind[..], &times].concat());
    for server in [&memory, &disk] {
        let mut client = server.client();
        for key in ["a", "b"] {
            assert_eq!(client.call(&["SET", key, "v"]), ok());
            comes_to(&mut client, key, &bulk("v"));
        }
    }
    redis.kill();
    for server in [&memory, &disk] {
        let mut client = server.client();
        eventually("it is answered no more", || {
            (client.call(&["GET", "a"]) == NIL).then_some(())
        });
        assert_eq!(client.call(&["GET", "b"]), NIL);
        let text = error_text(client.call(&["APPEND", "b", "w"]));
        assert!(text.starts_with("TRYAGAIN "), "{text}");
    }
}

/// Each key has one writer, whose values ascend; nobody sees them descend, and in the end all see the last.
#[test]
fn three_servers_agree_after_whatever_was_missed() {
    let Some(redis) = Redis::start("three_servers_agree_after_whatever_was_missed") else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let servers = [(); 3].map(|()| start(&url, &HASTY));
    acquaint(&servers);
    let work = |own: usize| {
        let mut random = Random::new(own as u64);
        let mut client = servers[own].client();
        let mut raw = redis.client();
        let mut seen = [0_u64; 24];
        for step in 1..=1500_u64 {
            let key = random.below(24);
            let name = format!("k{key}");
            match random.below(100) {
                0 => _ = raw.call(&["CLIENT", "KILL", "TYPE", "pubsub"]),
                1..40 if key % 3 == own => {
                    assert_eq!(client.call(&["SET", &name, &step.to_string()]), ok());
                    seen[key] = step;
                }
                _ => {
                    let value = match client.call(&["GET", &name]) {
                        Value::Bulk(Some(text)) => {
                            String::from_utf8(text).unwrap().parse().unwrap()
                        }
                        _ => 0,
                    };
                    assert!(value >= seen[key], "{name}: {value} after {}", seen[key]);
                    seen[key] = value;
                }
            }
        }
        seen
    };
    let seen: Vec<_> = thread::scope(|scope| {
        let work = &work;
        let works = (0..3).map(|own| scope.spawn(move || work(own)));
        let works: Vec<_> = works.collect();
        works.into_iter().map(|work| work.join().unwrap()).collect()
    });
    for key in 0..24 {
        // Its writer has seen the last of them.
        let expected = match seen[key % 3][key] {
            0 => NIL,
            last => bulk(last.to_string()),
        };
        for server in &servers {
            comes_to(&mut server.client(), &format!("k{key}"), &expected);
        }
    }
}
