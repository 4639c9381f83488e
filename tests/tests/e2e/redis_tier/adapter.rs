//! What the adapter does, and what it leaves alone.

use std::cell::Cell;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use e2e::harness::{Client, PATIENCE, Redis, RedisCluster, Signal, eventually};
use larder_engine::tags::Invalidated;
use larder_engine::tier::{Answer, Ear, Heard, Tier, TierChange, TierError, Told};
use larder_resp::Value;
use larder_tiers::conformance::{Subject, check, key, put};
use larder_tiers::redis::{Consistency, RedisOptions};

use super::replicas::replica_of;
use super::{Asked, NOW, open, options, runtime};
use crate::values::{bulk, ok};

/// Tiers with a prefix of their own each.
struct Place(RedisOptions);

impl Subject for Place {
    fn open(&self) -> Arc<dyn Tier> {
        Arc::new(open(&self.0).unwrap())
    }

    fn open_bounded(&self) -> Option<Arc<dyn Tier>> {
        None
    }

    fn is_certain(&self) -> bool {
        false
    }
}

fn conforms(url: &str, buckets: Option<u32>) {
    let count = Cell::new(0);
    let fresh = || {
        count.set(count.get() + 1);
        let prefix = format!("part-{}", count.get());
        Place(RedisOptions {
            buckets,
            ..options(url, &prefix)
        })
    };
    runtime().block_on(check(fresh));
}

#[test]
fn redis_does_what_every_tier_does() {
    let Some(redis) = Redis::start("redis_does_what_every_tier_does") else {
        return;
    };
    let mut client = redis.client();
    assert_eq!(client.call(&["SET", "theirs", "1"]), ok());
    conforms(&format!("redis://{}", redis.addr()), None);
    assert_eq!(client.call(&["GET", "theirs"]), bulk("1"));
}

#[test]
fn a_cluster_does_what_every_tier_does() {
    let Some(cluster) = RedisCluster::start("a_cluster_does_what_every_tier_does") else {
        return;
    };
    conforms(&cluster.url(), Some(3));
    let tier = Asked::open(&RedisOptions {
        consistency: Consistency::All,
        ..options(&cluster.url(), "all")
    });
    let changes: Vec<_> = (0..300).map(|n| put(format!("{{{n}}}"), "v")).collect();
    tier.wrote(&changes);
    for n in 0..300 {
        assert_eq!(tier.value(&key(format!("{{{n}}}"))), Some(b"v".to_vec()));
    }
    let held: Vec<_> = cluster
        .nodes()
        .iter()
        .map(|node| names(&mut node.client()).len())
        .collect();
    assert!(held.iter().all(|count| *count > 0), "{held:?}");
    assert_eq!(tier.tier.figures().unreplicated, 0);
    // What was cleared goes from all nodes.
    tier.wrote(&[TierChange::Clear("t".into(), None)]);
    assert_eq!(tier.value(&key("{7}")), None);
    eventually("what was cleared is gone", || {
        let left = |node: &Redis| {
            let names = names(&mut node.client()).into_iter();
            names.filter(|name| name.starts_with("all:t:0.")).count()
        };
        (cluster.nodes().iter().map(left).sum::<usize>() == 0).then_some(())
    });
}

fn names(client: &mut Client) -> Vec<String> {
    let Value::Array(names) = client.call(&["KEYS", "*"]) else {
        panic!("no names");
    };
    let text = |name| match name {
        Value::Bulk(Some(name)) => String::from_utf8_lossy(&name).into_owned(),
        other => panic!("no name: {other:?}"),
    };
    names.into_iter().map(text).collect()
}

#[test]
fn what_others_keep_is_left_alone_and_what_was_cleared_goes() {
    let Some(redis) = Redis::start("what_others_keep_is_left_alone_and_what_was_cleared_goes")
    else {
        return;
    };
    let mut client = redis.client();
    let theirs = ["larder", "larderx:t:0.1:k", "t:0.1:k", "larder:t:list"];
    for name in theirs {
        assert_eq!(client.call(&["SET", name, "theirs"]), ok());
    }
    let tier = Asked::open(&options(&format!("redis://{}", redis.addr()), "larder"));
    let changes: Vec<_> = (0..1000).map(|n| put(n.to_string(), "v")).collect();
    tier.wrote(&changes);
    assert_eq!(names(&mut client).len(), theirs.len() + 1000 + 1);
    let name = own_name(&mut client, ":7");
    let ttl = client.call(&["PTTL", &name]);
    assert!(
        matches!(ttl, Value::Integer(ms) if (1..=86_400_000).contains(&ms)),
        "{ttl:?}"
    );
    tier.wrote(&[TierChange::Clear("t".into(), Some(0)), put("after", "v")]);
    assert_eq!(tier.value(&key("7")), None);
    assert_eq!(tier.value(&key("after")), Some(b"v".to_vec()));
    eventually("what was cleared is gone", || {
        (names(&mut client).len() == theirs.len() + 2).then_some(())
    });
    for name in theirs {
        assert_eq!(client.call(&["GET", name]), bulk("theirs"), "{name}");
    }
    assert_eq!(tier.value(&key("after")), Some(b"v".to_vec()));
}

fn own_name(client: &mut Client, end: &str) -> String {
    let mut names = names(client).into_iter();
    names
        .find(|name| name.ends_with(end))
        .expect("the name of an entry")
}

#[test]
fn what_cannot_be_read_is_a_miss_and_goes() {
    let Some(redis) = Redis::start("what_cannot_be_read_is_a_miss_and_goes") else {
        return;
    };
    let mut client = redis.client();
    let tier = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    tier.wrote(&[put("a", "one"), put("b", "two")]);
    let (a, b) = (own_name(&mut client, ":a"), own_name(&mut client, ":b"));
    let Value::Bulk(Some(held)) = client.call(&["GET", &b]) else {
        panic!("no value");
    };
    let wrong: [&[&[u8]]; 5] = [
        &[b"SET", a.as_bytes(), b"garbage"],
        &[b"SET", a.as_bytes(), b"sixteen bytes and more of garbage"],
        &[b"SET", a.as_bytes(), b""],
        // That of another key.
        &[b"SET", a.as_bytes(), &held],
        &[b"RPUSH", a.as_bytes(), b"x"],
    ];
    for (nth, wrong) in wrong.into_iter().enumerate() {
        client.call(&["DEL", &a]);
        client.call(wrong);
        let found = tier.read(&key("a"));
        assert!(
            matches!(&found, Err(TierError::Damaged(text)) if text.contains("redis://")),
            "{found:?}"
        );
        assert_eq!(client.call(&["EXISTS", &a]), Value::Integer(0));
        assert_eq!(tier.tier.figures().damaged, nth as u64 + 1);
        assert_eq!(tier.value(&key("a")), None);
    }
    client.call(&["RPUSH", &a, "x"]);
    tier.wrote(&[put("a", "again")]);
    assert_eq!(tier.value(&key("a")), Some(b"again".to_vec()));
    // What is no table of generations is replaced by one, in which nothing old is found.
    client.call(&["DEL", "p:t:g"]);
    client.call(&["RPUSH", "p:t:g", "x"]);
    let other = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    assert_eq!(other.value(&key("a")), None);
    other.wrote(&[put("a", "anew")]);
    assert_eq!(other.value(&key("a")), Some(b"anew".to_vec()));
    assert_eq!(
        client.call(&["TYPE", "p:t:g"]),
        Value::Simple("hash".into())
    );
    for (field, number) in [
        (&b"0"[..], "1e300"),
        (b"*", "99999999999999999999"),
        (b"\xff", "1"),
    ] {
        let wrong = [b"HSET", &b"p:t:g"[..], field, number.as_bytes()];
        client.call(&wrong);
        // Who knows what was there puts it back.
        assert_eq!(
            other.write(&[TierChange::Clear("t".into(), Some(0))]),
            [Ok(())]
        );
        other.wrote(&[put("a", number)]);
        let third = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
        assert_eq!(third.value(&key("a")), Some(number.as_bytes().to_vec()));
    }
}

/// The scripts are asked as the tier asks them, but with other ages.
#[test]
fn a_change_that_waited_does_not_replace_what_was_written_meanwhile() {
    let Some(redis) = Redis::start_with(
        "a_change_that_waited_does_not_replace_what_was_written_meanwhile",
        &["--slowlog-log-slower-than", "0"],
    ) else {
        return;
    };
    let mut client = redis.client();
    let tier = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    // Redis learns the script by the first.
    tier.wrote(&[put("other", "v")]);
    tier.wrote(&[put("k", "first")]);
    let late = last_call(&mut client, ":k");
    let ask = |client: &mut Client, age_us: &str| {
        let mut args: Vec<&[u8]> = late.iter().map(Vec::as_slice).collect();
        args[5] = age_us.as_bytes();
        client.call(&args)
    };
    let (brief, long) = ("1000", "5000000");
    tier.wrote(&[put("k", "second")]);
    assert_eq!(ask(&mut client, long), Value::Integer(0));
    assert_eq!(tier.value(&key("k")), Some(b"second".to_vec()));
    tier.wrote(&[TierChange::Delete(key("k"))]);
    assert_eq!(ask(&mut client, long), Value::Integer(0));
    assert_eq!(tier.value(&key("k")), None);
    assert_eq!(ask(&mut client, brief), Value::Integer(1));
    assert_eq!(tier.value(&key("k")), Some(b"first".to_vec()));
    // A clock that was set back keeps nobody from writing: this is what a later clock has left.
    let name = late[3].clone();
    let Value::Bulk(Some(mut held)) = client.call(&[b"GET".to_vec(), name.clone()]) else {
        panic!("no value");
    };
    let version = u64::from_be_bytes(*held.first_chunk().unwrap()) + 3_600_000_000;
    held[..8].copy_from_slice(&version.to_be_bytes());
    client.call(&[b"SET".to_vec(), name, held]);
    assert_eq!(ask(&mut client, long), Value::Integer(1));
    tier.wrote(&[put("k", "third")]);
    assert_eq!(ask(&mut client, long), Value::Integer(0));
    assert_eq!(ask(&mut client, brief), Value::Integer(1));
}

/// Notes what a tier tells.
#[derive(Default)]
struct Noted(Mutex<Vec<Heard>>);

impl Ear for Noted {
    fn hear(&self, heard: Heard) {
        self.0.lock().unwrap().push(heard);
    }

    fn rely(&self, _: Instant) {}

    fn followed(&self) -> Answer<'static, ()> {
        Box::pin(ready(()))
    }

    fn learn(&self, _: &str, _: &Invalidated) {}

    fn tenants(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn tags_now(&self, _: &str) -> Option<u64> {
        None
    }
}

#[test]
fn who_was_overtaken_hears_of_it() {
    let Some(redis) = Redis::start("who_was_overtaken_hears_of_it") else {
        return;
    };
    let asked = Asked::open(&RedisOptions {
        hearing: Some(PATIENCE),
        ..options(&format!("redis://{}", redis.addr()), "p")
    });
    let ear = Arc::<Noted>::default();
    asked.tier.listen(Arc::<Noted>::clone(&ear));
    asked.wrote(&[put("k", "new"), put("other", "v")]);
    let late = Told {
        change: put("k", "old"),
        at: Instant::now() - Duration::from_secs(5),
    };
    let written = asked.tier.write(std::slice::from_ref(&late), NOW);
    assert_eq!(asked.runtime.block_on(written), [Ok(())]);
    assert_eq!(asked.value(&key("k")), Some(b"new".to_vec()));
    let heard = ear.0.lock().unwrap();
    let changed: Vec<_> = heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Changed(_)))
        .collect();
    assert_eq!(changed, [&Heard::Changed(key("k"))]);
}

/// The arguments of the script that was last carried out on a name with this end.
fn last_call(client: &mut Client, end: &str) -> Vec<Vec<u8>> {
    let Value::Array(entries) = client.call(&["SLOWLOG", "GET", "-1"]) else {
        panic!("no slow log");
    };
    let args = entries.into_iter().find_map(|entry| {
        let Value::Array(fields) = entry else {
            return None;
        };
        let Some(Value::Array(args)) = fields.into_iter().nth(3) else {
            return None;
        };
        let texts = args.into_iter().map(|arg| match arg {
            Value::Bulk(Some(text)) => text,
            other => panic!("no argument: {other:?}"),
        });
        let texts: Vec<_> = texts.collect();
        let is_of = texts.len() == 9 && texts[3].ends_with(end.as_bytes());
        (is_of && texts[0].starts_with(b"EVALSHA")).then_some(texts)
    });
    args.expect("a script on the name")
}

#[test]
fn hosts_learn_of_what_others_clear() {
    let Some(redis) = Redis::start("hosts_learn_of_what_others_clear") else {
        return;
    };
    let options = options(&format!("redis://{}", redis.addr()), "p");
    let [one, other] = [(); 2].map(|()| Asked::open(&options));
    one.wrote(&[put("k", "v")]);
    assert_eq!(other.value(&key("k")), Some(b"v".to_vec()));
    one.wrote(&[TierChange::Clear("t".into(), Some(0))]);
    assert_eq!(one.value(&key("k")), None);
    eventually("the other writes where it is found", || {
        other.wrote(&[put("k", "new")]);
        one.value(&key("k"))
    });
    assert_eq!(other.value(&key("k")), Some(b"new".to_vec()));
    // The numbers are lost: what the hosts know counts.
    assert_eq!(redis.client().call(&["DEL", "p:t:g"]), Value::Integer(1));
    eventually("the numbers are back", || {
        let held = redis.client().call(&["HEXISTS", "p:t:g", "0"]);
        (held == Value::Integer(1)).then_some(())
    });
    assert_eq!(one.value(&key("k")), Some(b"new".to_vec()));
}

#[test]
fn a_full_redis_says_so_and_keeps_nothing_old() {
    let Some(redis) = Redis::start("a_full_redis_says_so_and_keeps_nothing_old") else {
        return;
    };
    let tier = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    tier.wrote(&[put("a", "old"), put("b", "old")]);
    assert_eq!(
        redis.client().call(&["CONFIG", "SET", "maxmemory", "1"]),
        ok()
    );
    let refused = tier.write(&[put("a", "new"), TierChange::Delete(key("b"))]);
    assert!(
        matches!(&refused[0], Err(TierError::Unavailable(text)) if text.contains("maxmemory")),
        "{refused:?}"
    );
    assert_eq!(refused[1], Ok(()));
    assert_eq!([tier.value(&key("a")), tier.value(&key("b"))], [None, None]);
    assert_eq!(
        redis.client().call(&["CONFIG", "SET", "maxmemory", "0"]),
        ok()
    );
    tier.wrote(&[put("a", "new")]);
    assert_eq!(tier.value(&key("a")), Some(b"new".to_vec()));
}

/// Nobody waits behind what is refused for good, and nothing that it was to replace comes back.
#[test]
fn what_redis_refuses_for_good_goes_and_holds_nobody_up() {
    let test = "what_redis_refuses_for_good_goes_and_holds_nobody_up";
    let Some(redis) = Redis::start_with(test, &["--proto-max-bulk-len", "1mb"]) else {
        return;
    };
    let all = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    all.wrote(&[put("long", "old"), put("ok", "v")]);
    let long = || put("long", "x".repeat(2 << 20));
    let results = eventually("it is found to be too long", || {
        let results = all.write(&[put("ok", "w"), long(), put("ok2", "w")]);
        let is_open = results
            .iter()
            .any(|result| matches!(result, Err(TierError::Unavailable(_))));
        (!is_open).then_some(results)
    });
    assert!(
        matches!(&results[1], Err(TierError::Refused(text)) if text.contains("proto-max-bulk-len") && text.contains(":long")),
        "{results:?}"
    );
    assert_eq!([&results[0], &results[2]], [&Ok(()), &Ok(())]);
    assert_eq!(all.value(&key("long")), None);
    assert_eq!(all.value(&key("ok2")), Some(b"w".to_vec()));

    // One who may not write a key, and read it: its database goes, once.
    let url = format!("redis://some:secret@{}", redis.addr());
    let some = [
        "ACL",
        "SETUSER",
        "some",
        "on",
        ">secret",
        "+@all",
        "&*",
        "%R~p:*",
        "~p:t:g",
        "~p:t:0.*:ok*",
    ];
    assert_eq!(redis.client().call(&some), ok());
    all.wrote(&[put("no", "old")]);
    let some = Asked::open(&options(&url, "p"));
    assert_eq!(some.value(&key("no")), Some(b"old".to_vec()));
    let write = || some.write(&[put("no", "new"), put("ok", "x")]);
    let results = write();
    assert!(
        matches!(&results[0], Err(TierError::Refused(text)) if text.contains("no permissions")),
        "{results:?}"
    );
    assert_eq!(results[1], Ok(()));
    assert_eq!(some.value(&key("no")), None);
    assert_eq!(write()[1], Ok(()));
    some.wrote(&[put("ok3", "x")]);
    assert!(write()[0].is_err());
    assert_eq!(
        some.value(&key("ok3")),
        Some(b"x".to_vec()),
        "nothing has to go"
    );
}

#[test]
fn a_write_that_too_few_replicas_have_is_counted() {
    let test = "a_write_that_too_few_replicas_have_is_counted";
    let Some(primary) = Redis::start(test) else {
        return;
    };
    let replica = replica_of(test, &primary);
    let open_for = |timeout| {
        Asked::open(&RedisOptions {
            consistency: Consistency::Quorum,
            timeout,
            ..options(&format!("redis://{}", primary.addr()), "p")
        })
    };
    let patient = open_for(PATIENCE);
    patient.wrote(&[put("a", "v"), put("b", "v")]);
    assert_eq!(patient.tier.figures().unreplicated, 0);
    replica.process().signal(Signal::STOP);
    let hasty = open_for(Duration::from_secs(5));
    hasty.wrote(&[put("a", "w"), put("b", "w")]);
    assert_eq!(hasty.tier.figures().unreplicated, 2);
    assert_eq!(hasty.value(&key("a")), Some(b"w".to_vec()));
    replica.process().signal(Signal::CONT);
    let refused = open(&options(&format!("redis://{}", replica.addr()), "p"));
    let text = refused.err().expect("a replica is refused").to_string();
    assert!(text.ends_with("is a replica; name its primary"), "{text}");
}

#[test]
fn after_its_end_it_refuses_in_words() {
    let Some(redis) = Redis::start("after_its_end_it_refuses_in_words") else {
        return;
    };
    let tier = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    tier.wrote(&[put("k", "v")]);
    tier.runtime.block_on(tier.tier.close());
    let refused = tier.write(&[put("k", "w")]).remove(0);
    assert!(
        matches!(&refused, Err(TierError::Unavailable(text)) if text.contains("restart the server")),
        "{refused:?}"
    );
    assert!(tier.read(&key("k")).is_err());
}
