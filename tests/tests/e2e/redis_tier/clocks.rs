//! Hosts whose clocks differ.

use std::sync::Arc;

use e2e::harness::Redis;
use larder_engine::tier::{Stored, Tier, TierChange};
use larder_tiers::conformance::{key, tell};

use super::{Asked, NOW, options};

const HOUR: u64 = 3_600_000;

/// A host whose clock says so.
struct Host {
    asked: Asked,
    now: u64,
}

impl Host {
    fn write(&self, value: &str, ttl_ms: Option<u64>) {
        let stored = Stored {
            value: value.as_bytes().into(),
            expires_at: ttl_ms.map(|ttl_ms| self.now + ttl_ms),
            ..Stored::default()
        };
        let change = TierChange::Put(key("k"), Arc::new(stored));
        let Asked { tier, runtime } = &self.asked;
        let written = runtime.block_on(tell(tier, &[change], self.now));
        assert_eq!(written, [Ok(())]);
    }

    fn read(&self) -> Option<String> {
        let Asked { tier, runtime } = &self.asked;
        let found = runtime.block_on(tier.read(&key("k"), self.now)).unwrap();
        found.map(|stored| String::from_utf8(stored.value.into()).unwrap())
    }
}

/// Whose write is later is a matter of when it comes to Redis; what expires does so by the clock of who reads it, and in
/// Redis after as long as its writer said.
#[test]
fn hosts_whose_clocks_differ_by_an_hour_agree_on_what_was_written_last() {
    let test = "hosts_whose_clocks_differ_by_an_hour_agree_on_what_was_written_last";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let host = |now| Host {
        asked: Asked::open(&options(&format!("redis://{}", redis.addr()), "p")),
        now,
    };
    let [behind, right, ahead] = [NOW - HOUR, NOW, NOW + HOUR].map(host);
    let all = [&behind, &right, &ahead];
    for writer in [&ahead, &behind, &right, &behind, &ahead] {
        let value = format!("of {}", writer.now);
        for ttl_ms in [None, Some(3 * HOUR)] {
            writer.write(&value, ttl_ms);
            for reader in all {
                assert_eq!(reader.read().as_deref(), Some(&*value));
            }
        }
    }
    // Over an hour early for who is ahead.
    right.write("short", Some(HOUR / 2));
    assert_eq!(
        all.map(Host::read),
        [Some("short".into()), Some("short".into()), None]
    );
    ahead.write("short", Some(HOUR / 2));
    assert_eq!(all.map(|host| host.read().is_some()), [true; 3]);
}
