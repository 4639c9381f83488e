use super::super::ShardConfig;
use super::super::state::{Around, hash};
use super::*;
use crate::{Access, Edit, Expiry, Key, SizeClasses};

const ENTRIES: u32 = 20_000;
const EXPIRING: u32 = 20;

fn name(n: u32) -> [u8; 4] {
    n.to_le_bytes()
}

fn at(name: &[u8]) -> At<'_> {
    let key = Key::new(0, name);
    At {
        hash: hash(1, key),
        key,
        now: 1,
    }
}

/// All slots have an expiry at first; a few, far apart, keep it.
fn state() -> State {
    let config = ShardConfig {
        classes: SizeClasses::Jemalloc,
        share_bytes: 1 << 24,
        entry_bytes_max: 1 << 16,
        hash_seed: 1,
        random_seed: 1,
        start_ms: 1,
        volatile_only: true,
    };
    let mut state = State::new(config, false, Around::nothing());
    for n in 0..ENTRIES {
        let mut put =
            |_: Option<crate::Entry<'_>>| (Edit::put(&b"v"[..], Expiry::At(1_000_000)), ());
        let put = state.update(&at(&name(n)), Access::Write, 4096, &mut put);
        assert!(put.is_ok());
    }
    for n in (0..ENTRIES).filter(|n| n % (ENTRIES / EXPIRING) != 7) {
        let mut persist = |_: Option<crate::Entry<'_>>| (Edit::Expire(None), ());
        let persisted = state.update(&at(&name(n)), Access::Write, 4096, &mut persist);
        assert!(persisted.is_ok());
    }
    state
}

fn groups(state: &State) -> usize {
    let mut from = 0;
    let next = || {
        let group = state.wheel.group_from(from)?;
        let is_new = group.start >= from;
        from = group.end;
        is_new.then_some(group)
    };
    std::iter::from_fn(next).count()
}

#[test]
fn the_few_that_expire_are_found_where_the_wheel_has_them() {
    let mut state = state();
    assert_eq!(state.evictable(), u64::from(EXPIRING));
    assert!(groups(&state) > 1000, "as many as there once were");
    let kept = state.slot_of(&at(&name(7)));
    assert!(kept.is_some());
    state.evict_fallback(u64::MAX, kept);
    // Nothing else went, and what was looked at in vain is not looked at again.
    let left = (state.evictable(), state.stats().entries_total());
    assert_eq!(left, (1, u64::from(ENTRIES - EXPIRING + 1)));
    assert_eq!(groups(&state), 1);
    state.evict_fallback(u64::MAX, None);
    assert_eq!((state.evictable(), groups(&state)), (0, 1));
}
