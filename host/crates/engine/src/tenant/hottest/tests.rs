use super::*;
use crate::tenant::tests::{NOW, engine, put, s3_fifo};
use crate::{Expiry, Key, native};
use larder_policy_s3_fifo::S3Fifo;

fn names(tenant: &Tenant, db: Option<u8>, count_max: usize, bytes_max: usize) -> Vec<String> {
    let mut hottest = Hottest::new(count_max, bytes_max);
    let mut at = Some(HotCursor::default());
    while let Some(cursor) = at {
        at = tenant.offer_hottest(db, cursor, NOW + 1_000, &mut hottest);
        assert!(hottest.bytes() <= bytes_max);
    }
    let text = |key: HotKey| String::from_utf8(key.key.into()).unwrap();
    hottest.into_keys().into_iter().map(text).collect()
}

#[test]
fn what_was_read_most_often_is_the_hottest_and_then_what_was_used_last() {
    let engine = engine(64 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let count = 3_000;
    for n in 0..count {
        put(tenant, &format!("k{n}"), b"v", Expiry::Never).unwrap();
    }
    put(tenant, "gone", b"v", Expiry::At(NOW + 500)).unwrap();
    let read = |name: &str, times: u32, at: Millis| {
        for _ in 0..times {
            tenant
                .get(Key::new(0, name.as_bytes()), at, |_| ())
                .unwrap();
        }
    };
    read("k7", 3, NOW + 16);
    read("k2999", 2, NOW + 32);
    read("k1500", 1, NOW + 96);
    read("k40", 1, NOW + 160);
    read("gone", 3, NOW + 160);
    let all = names(tenant, Some(0), usize::MAX, usize::MAX);
    assert_eq!(all.len(), count);
    assert_eq!(all[..4], ["k7", "k2999", "k40", "k1500"]);
    assert_eq!(names(tenant, None, 2, usize::MAX), ["k7", "k2999"]);
    // Room for three of four bytes.
    assert_eq!(names(tenant, None, 9, 160), ["k7", "k2999", "k40"]);
    assert!(names(tenant, Some(1), 9, 999).is_empty());
    assert!(names(tenant, None, 0, 999).is_empty());
    // One that has no room by itself displaces nothing.
    let long = "k".repeat(200);
    put(tenant, &long, b"v", Expiry::Never).unwrap();
    for _ in 0..3 {
        read(&long, 3, NOW + 200);
    }
    assert_eq!(names(tenant, None, 9, 160), ["k7", "k2999", "k40"]);
    let other = &engine.tenants()[1];
    assert!(names(other, None, 9, 999).is_empty());
}

/// Whose evictor counts nothing, or may not be waited for.
#[test]
fn without_counts_what_was_used_last_is_the_hottest() {
    struct Slow(Box<dyn crate::Evictor>);
    impl crate::Evictor for Slow {
        fn deliver(&mut self, events: &[larder_sdk::Event]) -> Result<(), crate::Unfit> {
            self.0.deliver(events)
        }
        fn victims(
            &mut self,
            request: &larder_sdk::Request,
            foretold: &[larder_sdk::Foretold],
            out: &mut Vec<larder_sdk::Slot>,
        ) -> Result<(), crate::Unfit> {
            self.0.victims(request, foretold, out)
        }
        fn reproach(&mut self, wrong: crate::WrongAnswer) {
            self.0.reproach(wrong);
        }
        fn reads(&self, _: larder_sdk::Slot) -> u32 {
            panic!("it takes its time");
        }
        fn memory_bytes(&self) -> usize {
            self.0.memory_bytes()
        }
        fn wants_misses(&self) -> bool {
            false
        }
        fn is_prompt(&self) -> bool {
            false
        }
    }
    struct Factory;
    impl crate::EvictorFactory for Factory {
        fn name(&self) -> &str {
            "slow"
        }
        fn build(&self, seed: u64, bytes: u64) -> Result<Box<dyn crate::Evictor>, crate::Unfit> {
            let native = native("s3-fifo", S3Fifo::default);
            Ok(Box::new(Slow(native.build(seed, bytes)?)))
        }
    }
    let engine = engine(64 << 20, std::sync::Arc::new(Factory));
    let tenant = engine.default_tenant();
    for (name, at) in [("a", 160), ("b", 480), ("c", 320)] {
        put(tenant, name, b"v", Expiry::Never).unwrap();
        tenant.get(Key::new(0, name.as_bytes()), NOW + at, |_| ());
    }
    assert_eq!(names(tenant, None, 2, 999), ["b", "c"]);
}
