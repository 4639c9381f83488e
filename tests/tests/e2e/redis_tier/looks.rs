//! What is looked at under authority: no more than there is room for.

use std::thread;

use e2e::harness::{Client, Redis};
use larder_engine::authority::Arbiter;
use larder_engine::tier::TierError;
use larder_resp::Value;
use larder_tiers::conformance::{key, put};

use super::authority::{PATIENT, start};
use super::{Asked, NOW, options};
use crate::values::{bulk, error_text, ok};

const MIB: usize = 1 << 20;

/// Bytes that Redis has sent.
fn sent(redis: &Redis) -> usize {
    let Value::Bulk(Some(info)) = redis.client().call(&["INFO", "stats"]) else {
        panic!("no text");
    };
    let info = String::from_utf8(info).unwrap();
    let mut lines = info.lines();
    let sent = lines.find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    sent.unwrap().trim().parse().unwrap()
}

#[test]
fn a_command_under_authority_brings_no_more_than_half_of_the_memory() {
    let test = "a_command_under_authority_brings_no_more_than_half_of_the_memory";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let url = format!("redis://{}", redis.addr());
    let server = start(&url, &[&PATIENT[..], &["--memory", "16MiB"]].concat());
    let mut client = server.client();
    let names: Vec<_> = (0..12).map(|n| format!("count:{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    // No two alike, nor anything to be saved.
    let mut random = e2e::harness::Random::new(7);
    let mut value = || -> Vec<u8> { (0..MIB).map(|_| random.below(256) as u8).collect() };
    let values: Vec<_> = names.iter().map(|_| value()).collect();
    for (name, value) in names.iter().zip(&values) {
        assert_eq!(client.call(&[&b"SET"[..], name.as_bytes(), value]), ok());
    }
    let some = Value::Array(values[..6].iter().map(bulk).collect());
    let before = sent(&redis);
    let refused = |reply: Value| {
        let text = error_text(reply);
        assert!(text.contains("ask for fewer keys at once"), "{text}");
    };
    refused(client.call(&[&["MGET"], &names[..]].concat()));
    refused(client.call(&[&["DEL"], &names[..]].concat()));
    let script = "return redis.call('mget', unpack(KEYS))";
    refused(client.call(&[&["EVAL", script, "12"], &names[..]].concat()));
    assert_eq!(client.call(&["MULTI"]), ok());
    for name in &names {
        client.call(&["GET", name]);
    }
    refused(client.call(&["EXEC"]));
    assert!(sent(&redis) - before < MIB, "nothing was brought");
    let ask = |client: &mut Client| client.call(&[&["MGET"], &names[..6]].concat());
    assert_eq!(ask(&mut client), some);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(ask(&mut server.client()), some));
        }
    });
    assert_eq!(client.call(&["DEL", names[11]]), Value::Integer(1));
}

#[test]
fn a_look_at_more_than_is_wanted_is_refused() {
    let Some(redis) = Redis::start("a_look_at_more_than_is_wanted_is_refused") else {
        return;
    };
    let asked = Asked::open(&options(&format!("redis://{}", redis.addr()), "p"));
    let value = "x".repeat(1000);
    asked.wrote(&[put("a", &value), put("b", &value)]);
    let keys = [key("a"), key("b"), key("none")];
    let look = |bytes_max| {
        let looking = asked.tier.look(&keys, bytes_max, NOW);
        asked.runtime.block_on(looking)
    };
    let refused = look(1000);
    assert!(matches!(refused, Err(TierError::Refused(_))), "{refused:?}");
    let seen = look(3000).expect("as much");
    let is_there: Vec<_> = seen.iter().map(|seen| seen.stored.is_some()).collect();
    assert_eq!(is_there, [true, true, false]);
}
