//! Changes of keys that are as they were seen, as the adapter makes them.

use std::thread;
use std::time::{Duration, Instant};

use e2e::harness::{PATIENCE, Redis, Signal, eventually};
use larder_engine::authority::{Arbiter, Becomes, Seen, Swap};
use larder_engine::tier::{Tier, TierError};
use larder_resp::Value;
use larder_tiers::conformance::{key, put, stored};
use larder_tiers::redis::RedisOptions;

use super::{Asked, NOW, options};
use crate::values::ok;

pub(super) fn patiently() -> Instant {
    Instant::now() + PATIENCE
}

/// Of what nobody has sent it is known that it was not done; of what was sent and not answered it is not.
#[test]
fn a_change_that_was_not_sent_in_time_never_is() {
    let Some(redis) = Redis::start("a_change_that_was_not_sent_in_time_never_is") else {
        return;
    };
    // What is told is counted when it is sent.
    let asked = Asked::open(&RedisOptions {
        hearing: Some(PATIENCE),
        ..options(&format!("redis://{}", redis.addr()), "p")
    });
    let (tier, runtime) = (&asked.tier, &asked.runtime);
    let keys = [key("sent"), key("waits")];
    let look = || asked.look(&keys);
    let seen = look();
    let swaps: Vec<_> = keys
        .iter()
        .zip(&seen)
        .map(|(key, seen)| Swap {
            key: key.clone(),
            mark: seen.mark.clone(),
            becomes: Becomes::Entry(Box::new(stored(b"1")), false),
        })
        .collect();
    redis.process().signal(Signal::STOP);
    thread::scope(|scope| {
        let sent = &swaps[..1];
        let sent = scope.spawn(|| runtime.block_on(tier.swap(sent, NOW, patiently())));
        eventually("it is sent", || (tier.figures().told == 1).then_some(()));
        let soon = || Instant::now() + Duration::from_millis(200);
        let waited = runtime.block_on(tier.swap(&swaps[1..], NOW, soon()));
        assert!(
            matches!(waited, Err(TierError::Unavailable(_))),
            "{waited:?}"
        );
        redis.process().signal(Signal::CONT);
        assert_eq!(sent.join().unwrap(), Ok(true));
    });
    let is_there: Vec<_> = look().iter().map(|seen| seen.stored.is_some()).collect();
    assert_eq!(is_there, [true, false]);
    redis.process().signal(Signal::STOP);
    let soon = Instant::now() + Duration::from_secs(2);
    let lost = runtime.block_on(tier.swap(&swaps[1..], NOW, soon));
    redis.process().signal(Signal::CONT);
    assert!(matches!(lost, Err(TierError::Uncertain(_))), "{lost:?}");
}

/// Whoever misses a message doubts all that they have in memory.
#[test]
fn what_was_to_be_changed_is_told_whatever_became_of_it() {
    let test = "what_was_to_be_changed_is_told_whatever_became_of_it";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let asked = Asked::open(&RedisOptions {
        hearing: Some(PATIENCE),
        ..options(&format!("redis://{}", redis.addr()), "p")
    });
    let (mut there, mut listener) = (redis.client(), redis.client());
    listener.call(&["PSUBSCRIBE", "*"]);
    let swap = |seen: &Seen| {
        let swaps = [Swap {
            key: key("contended"),
            mark: seen.mark.clone(),
            becomes: Becomes::Entry(Box::new(stored(b"1")), false),
        }];
        let swapping = asked.tier.swap(&swaps, NOW, patiently());
        asked.runtime.block_on(swapping)
    };
    let look = || asked.look(&[key("contended")]).remove(0);
    let (before, told) = (look(), asked.tier.figures().told);
    assert_eq!(swap(&before), Ok(true));
    assert_eq!(swap(&look()), Ok(true));
    assert_eq!(swap(&before), Ok(false), "it has changed meanwhile");
    let seen = look();
    assert_eq!(there.call(&["CONFIG", "SET", "maxmemory", "1"]), ok());
    assert!(matches!(swap(&seen), Err(TierError::Unavailable(_))));
    assert_eq!(asked.tier.figures().told, told + 4);
    let is_told = |message: &Value| {
        let Value::Array(parts) = message else {
            panic!("no message: {message:?}");
        };
        let text = match parts.last() {
            Some(Value::Bulk(Some(text))) => text,
            other => panic!("no text: {other:?}"),
        };
        text.ends_with(b"contended")
    };
    let mut heard = 0;
    while heard < 4 {
        let message = listener.receive().expect("all of them come");
        heard += usize::from(is_told(&message));
    }
}

#[test]
fn what_is_swapped_is_as_it_was_seen_or_nothing_is_done() {
    let test = "what_is_swapped_is_as_it_was_seen_or_nothing_is_done";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let asked = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    let (tier, runtime) = (&asked.tier, &asked.runtime);
    let keys = [key("a"), key("b")];
    let look = || asked.look(&keys);
    let swap = |seen: &[Seen], values: [Option<&str>; 2]| {
        let swaps = keys
            .iter()
            .zip(seen)
            .zip(values)
            .map(|((key, seen), value)| Swap {
                key: key.clone(),
                mark: seen.mark.clone(),
                becomes: value.map_or(Becomes::Same, |value| match value {
                    "" => Becomes::Nothing,
                    value => Becomes::Entry(Box::new(stored(value.as_bytes())), false),
                }),
            });
        let swaps: Vec<_> = swaps.collect();
        runtime
            .block_on(tier.swap(&swaps, NOW, patiently()))
            .expect("a swap")
    };
    let first = look();
    assert!(first.iter().all(|seen| seen.stored.is_none()));
    assert!(swap(&first, [Some("1"), Some("2")]));
    // The same again was done already, and something else comes too late.
    assert!(swap(&first, [Some("1"), Some("2")]));
    let second = look();
    let values = |seen: &[Seen]| -> Vec<_> {
        let value = |seen: &Seen| {
            seen.stored
                .as_ref()
                .map(|stored| String::from_utf8_lossy(&stored.value).into_owned())
        };
        seen.iter().map(value).collect()
    };
    assert_eq!(values(&second), [Some("1".into()), Some("2".into())]);
    // Whoever writes by the queue is seen, too.
    asked.wrote(&[put("b", "3")]);
    assert!(!swap(&second, [Some("4"), None]), "b has to be unchanged");
    let third = look();
    assert_eq!(values(&third), [Some("1".into()), Some("3".into())]);
    assert!(swap(&third, [Some(""), None]));
    let fourth = look();
    assert_eq!(values(&fourth), [None, Some("3".into())]);
    assert_ne!(
        fourth[0].mark.state, first[0].mark.state,
        "a removal is a change"
    );
    assert_eq!(asked.value(&key("a")), None);
}
