//! Invalidated tags, as Redis counts them for all who share it.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use e2e::harness::{Redis, eventually};
use larder_engine::tags::{Invalidated, Known, TAG_PART, Tags, UNSTAMPED, id_of, stamped};
use larder_engine::tier::{Answer, Ear, Heard, Tier, TierChange};
use larder_resp::Value;

use super::{Asked, options};
use crate::values::ok;

const KNOWN_MAX: usize = 65_536;

/// What a host knows of the tags of one tenant.
struct Memory(Tags);

impl Ear for Memory {
    fn hear(&self, _: Heard) {}

    fn rely(&self, _: Instant) {}

    fn followed(&self) -> Answer<'static, ()> {
        Box::pin(ready(()))
    }

    fn learn(&self, tenant: &str, invalidated: &Invalidated) {
        if tenant == "t" {
            self.0.learn(invalidated, KNOWN_MAX);
        }
    }

    fn tenants(&self) -> Vec<Arc<str>> {
        vec!["t".into()]
    }

    fn tags_now(&self, tenant: &str) -> Option<u64> {
        (tenant == "t").then(|| self.0.now())
    }
}

struct Host {
    asked: Asked,
    memory: Arc<Memory>,
}

impl Host {
    /// One that hears nothing of others, but when it asks.
    fn new(redis: &Redis, known: &Known) -> Self {
        let asked = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
        let tags = Tags::new([1, 2], known);
        tags.share();
        let memory = Arc::new(Memory(tags));
        asked.tier.listen(Arc::<Memory>::clone(&memory));
        Self { asked, memory }
    }

    /// The note of what is written now with a tag.
    fn written(&self, tag: &[u8]) -> Vec<u8> {
        let len = (tag.len() as u16).to_le_bytes();
        let note = [&UNSTAMPED[..], &[TAG_PART], &len, tag].concat();
        stamped(&note, self.memory.0.now()).unwrap()
    }

    fn is_void(&self, note: &[u8]) -> bool {
        self.memory.0.is_void(note)
    }

    fn invalidate(&self, tags: impl IntoIterator<Item = Vec<u8>>) {
        let ids = tags.into_iter().map(|tag| id_of(&tag).into());
        let ids: BTreeSet<Box<[u8]>> = ids.collect();
        let change = TierChange::Invalidate("t".into(), Some(Arc::new(ids)));
        self.asked.wrote(&[change]);
    }

    /// The tick up to which everything that has tags is void.
    fn floor(&self) -> u64 {
        self.memory.0.known().floor
    }
}

fn fresh(redis: &Redis) -> Host {
    Host::new(redis, &Known::default())
}

#[test]
fn a_tag_is_void_for_whoever_comes_and_its_table_is_bounded() {
    let test = "a_tag_is_void_for_whoever_comes_and_its_table_is_bounded";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let (one, long) = (fresh(&redis), vec![7; 5_000]);
    let tags = [b"", &b"a"[..], &long];
    let before = tags.map(|tag| one.written(tag));
    one.invalidate([b"a".to_vec(), long.clone()]);
    let after = tags.map(|tag| one.written(tag));
    let other = fresh(&redis);
    for host in [&one, &other] {
        let are_void = before.each_ref().map(|note| host.is_void(note));
        assert_eq!(are_void, [false, true, true]);
        assert!(after.iter().all(|note| !host.is_void(note)));
    }
    // Who does not listen asks once a second.
    other.invalidate([b"".to_vec()]);
    eventually("it is learned of", || one.is_void(&after[0]).then_some(()));

    let name = |n: u32| n.to_le_bytes().to_vec();
    let early = one.written(b"never");
    let most = KNOWN_MAX as u32;
    one.invalidate((0..most).map(name));
    let late = one.written(&name(7));
    one.invalidate((0..2_000).map(name));
    one.invalidate((most..most + 300).map(name));
    let held = redis.client().call(&["ZCARD", "p:t:t"]);
    let Value::Integer(held) = held else {
        panic!("no number: {held:?}");
    };
    assert!((50_000..=65_538).contains(&held), "{held}");
    let third = fresh(&redis);
    assert!(third.is_void(&early), "what is forgotten is void");
    assert!(third.is_void(&late));
    assert!(third.floor() > 0);
    let known = third.memory.0.known().tags.len();
    assert_eq!(known as i64, held - 2, "all of it was read");
    assert!(!third.is_void(&third.written(&name(7))));

    let last = third.written(b"never");
    let change = TierChange::Invalidate("t".into(), None);
    one.asked.wrote(&[change]);
    assert!(one.is_void(&last) && fresh(&redis).is_void(&last));
    assert!(!one.is_void(&one.written(b"never")));
}

#[test]
fn what_redis_has_lost_of_tags_makes_all_void_that_is_older() {
    let test = "what_redis_has_lost_of_tags_makes_all_void_that_is_older";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let mut raw = redis.client();
    let one = fresh(&redis);
    one.invalidate([b"a".to_vec()]);
    let Value::Bulk(Some(count)) = raw.call(&["ZSCORE", "p:t:t", "n"]) else {
        panic!("no score");
    };
    let earlier: f64 = str::from_utf8(&count).unwrap().parse().unwrap();
    let earlier = (earlier - 1.0).to_string();
    // It is gone, something else is there, it was counted beyond all bounds, and the last invalidation is missing.
    let losses: [&[&[&str]]; 4] = [
        &[&["DEL", "p:t:t"]],
        &[&["DEL", "p:t:t"], &["SET", "p:t:t", "theirs"]],
        &[&["ZADD", "p:t:t", "1e300", "n"]],
        &[&["ZREM", "p:t:t", "ta"], &["ZADD", "p:t:t", &earlier, "n"]],
    ];
    for loss in losses {
        let before = one.written(b"b");
        let floor = one.floor();
        for command in loss {
            raw.call(command);
        }
        eventually("it is found out", || (one.floor() > floor).then_some(()));
        let other = fresh(&redis);
        assert!(one.is_void(&before) && other.is_void(&before), "{loss:?}");
        one.invalidate([b"a".to_vec()]);
        let after = one.written(b"b");
        assert!(!one.is_void(&after) && !other.is_void(&after), "{loss:?}");
    }
    assert_eq!(raw.call(&["FLUSHALL"]), ok());
}

#[test]
fn a_host_whose_count_is_ahead_takes_the_others_with_it() {
    let test = "a_host_whose_count_is_ahead_takes_the_others_with_it";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let one = fresh(&redis);
    let kept = one.written(b"a");
    let hour = 3_600_000 << 20;
    let known = Known {
        now: one.memory.0.now() + hour,
        ..Known::default()
    };
    let ahead = Host::new(&redis, &known);
    let early = ahead.written(b"a");
    assert!(!one.is_void(&early) && !ahead.is_void(&kept));
    one.invalidate([b"a".to_vec()]);
    assert!(one.is_void(&early) && one.is_void(&kept));
    assert!(!one.is_void(&one.written(b"a")));
    eventually("the other learns", || ahead.is_void(&early).then_some(()));
}
