mod going;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::below::{Below, Loaded, Origin, Reach, Sight};
use crate::changes::Change;
use crate::tenant::tests::changes::connect;
use crate::tenant::tests::{NOW, engine_of, s3_fifo, tenant};
use crate::tier::{Answer, Stored, TierError};
use crate::{Access, Edit, Engine, Entry, Expiry, Lease, TenantConfig};

/// A change of this host is on its way, for ever.
const COMING: &[u8] = b"coming";

/// What several hosts share: this one's changes are there at once.
#[derive(Default)]
struct Common {
    held: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    evicted: AtomicU64,
    looks: AtomicU64,
    turns: AtomicU64,
    /// It answers nothing.
    is_away: AtomicBool,
    /// It is not even asked.
    is_given_up: AtomicBool,
    /// For how long it is answered for; 0 for ever.
    stale_ms_max: AtomicU64,
    /// What comes was brought by a loader as it was away.
    brings: AtomicBool,
}

impl Common {
    fn set(&self, name: &[u8], value: Option<&[u8]>) {
        let mut held = self.held.lock().unwrap();
        match value {
            Some(value) => held.insert(name.to_vec(), value.to_vec()),
            None => held.remove(name),
        };
    }

    fn value(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.held.lock().unwrap().get(name).cloned()
    }

    fn find(&self, name: &[u8]) -> Result<Option<Stored>, TierError> {
        self.looks.fetch_add(1, Relaxed);
        if self.is_away.load(Relaxed) {
            return Err(TierError::Unavailable("away".to_owned()));
        }
        let stored = |value: Vec<u8>| Stored {
            value: value.into(),
            ..Stored::default()
        };
        Ok(self.value(name).map(stored))
    }
}

impl Below for Common {
    fn put(&self, key: Key<'_>, entry: Entry<'_>) -> bool {
        self.set(key.bytes, Some(entry.value()));
        true
    }

    fn delete(&self, key: Key<'_>) {
        self.set(key.bytes, None);
    }

    fn evicted(&self, _: Key<'_>, _: Entry<'_>) {
        self.evicted.fetch_add(1, Relaxed);
    }

    fn clear(&self, _: Option<u8>) {
        self.held.lock().unwrap().clear();
    }

    fn clear_prefix(&self, _: u8, prefix: &[u8]) -> Result<(), TierError> {
        let mut held = self.held.lock().unwrap();
        held.retain(|name, _| !name.starts_with(prefix));
        Ok(())
    }

    fn clears(&self) -> u64 {
        0
    }

    fn changed_elsewhere(&self, _: Option<Key<'_>>) {
        self.turns.fetch_add(1, Relaxed);
    }

    fn admitted(&self, _: Key<'_>, _: Entry<'_>) -> Origin {
        match self.brings.load(Relaxed) {
            true => Origin::Loader {
                is_known_absent: false,
            },
            false => Origin::Levels,
        }
    }

    fn stale_ms_max(&self) -> Millis {
        match self.stale_ms_max.load(Relaxed) {
            0 => Millis::MAX,
            max => max,
        }
    }

    fn can_tell(&self, key: Key<'_>) -> bool {
        !self.is_given_up.load(Relaxed) && key.bytes != COMING
    }

    fn sight(&self, _: Key<'_>, _: Reach, _: Millis) -> Sight {
        match !self.is_given_up.load(Relaxed) {
            true => Sight::Maybe,
            false => Sight::Absent,
        }
    }

    fn load(&self, _: Key<'_>, _: Reach, _: Millis) -> Answer<'static, Loaded> {
        unreachable!("the tests look for themselves")
    }

    fn load_here(&self, _: Key<'_>, _: Millis, _: Duration) -> Loaded {
        unreachable!("the tests look for themselves")
    }

    fn told(&self) -> u64 {
        0
    }

    fn settled(&self) -> Option<Answer<'static, ()>> {
        None
    }

    fn is_full(&self) -> bool {
        false
    }

    fn await_room_here(&self, _: Duration) -> bool {
        true
    }
}

/// A host that shares it.
struct Host {
    common: Arc<Common>,
    engine: Engine,
}

impl Host {
    fn new() -> Self {
        let common = Arc::<Common>::default();
        let shared = TenantConfig {
            below: Some(Arc::<Common>::clone(&common)),
            ..tenant("default", 8 << 20, s3_fifo())
        };
        let engine = engine_of(false, NOW, vec![shared]);
        Self { common, engine }
    }

    fn tenant(&self) -> &Arc<Tenant> {
        self.engine.default_tenant()
    }

    fn set(&self, name: &[u8], value: &[u8]) {
        let edit = || Edit::put(value, Expiry::Never);
        let write = |_: Option<Entry<'_>>| (edit(), ());
        let written = self
            .tenant()
            .update(key(name), NOW, Access::Write, 0, write);
        written.unwrap();
    }

    fn in_memory(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.in_memory_at(name, NOW)
    }

    fn in_memory_at(&self, name: &[u8], now: Millis) -> Option<Vec<u8>> {
        let read = |entry: Entry<'_>| entry.value().to_vec();
        self.tenant().get(key(name), now, read)
    }

    fn read(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.read_at(name, NOW)
    }

    /// As a command reads.
    fn read_at(&self, name: &[u8], now: Millis) -> Option<Vec<u8>> {
        let tenant = self.tenant();
        if let Some(value) = self.in_memory_at(name, now) {
            return Some(value);
        }
        if !tenant.lacks(key(name), Reach::Cache, now) {
            return None;
        }
        let ticket = tenant.ticket(key(name), now);
        let found = self.common.find(name);
        let mut held = tenant.lock([key(name)], 0, now).unwrap();
        let brought = found.as_ref().map(Option::as_ref);
        assert_eq!(held.admit(&ticket, brought, now), Ok(true));
        held.peek(key(name), now, |entry| entry.value().to_vec())
    }

    /// Until nothing is left that was to go.
    fn wait(&self) {
        let tenant = self.tenant();
        (0..8).for_each(|n| _ = tenant.maintain(NOW + n * 60_000));
    }

    fn looks(&self) -> u64 {
        self.common.looks.load(Relaxed)
    }

    fn check(&self) {
        for shard in &self.tenant().shards {
            shard.state.lock().check_suspects();
        }
    }
}

fn key(bytes: &[u8]) -> Key<'_> {
    Key::new(0, bytes)
}

#[test]
fn what_another_host_changed_is_gone_and_all_who_care_are_told() {
    let host = Host::new();
    let (tenant, common) = (host.tenant(), &host.common);
    host.set(b"k", b"old");
    let notes = connect(tenant);
    let watch = tenant.watch(key(b"k"), NOW);
    let ticket = tenant.ticket(key(b"k"), NOW);
    common.set(b"k", Some(b"new"));
    assert!(tenant.forget(key(b"k"), NOW, true));
    let elsewhere = |name: &str| vec![(format!("0:{name}"), Some(Change::Elsewhere))];
    assert_eq!(notes.take(), elsewhere("k"));
    assert_eq!(host.in_memory(b"k"), None);
    assert_eq!(common.value(b"k").unwrap(), b"new");
    assert_eq!(common.turns.load(Relaxed), 1);
    let mut held = tenant.lock([key(b"k")], 0, NOW).unwrap();
    assert!(!held.is_unchanged(&watch, NOW));
    let old = Stored {
        value: b"old"[..].into(),
        ..Stored::default()
    };
    assert_eq!(held.admit(&ticket, Ok(Some(&old)), NOW), Ok(false));
    drop(held);
    assert_eq!(host.read(b"k").unwrap(), b"new");
    // Those who follow a key hear of it though it is not here, and a lease is over.
    assert!(tenant.forget(key(b"absent"), NOW, false));
    assert_eq!(notes.take(), elsewhere("absent"));
    let mut held = tenant.lock([key(b"leased")], 0, NOW).unwrap();
    let Lease::Won(token) = held.lease(key(b"leased"), NOW, 1000) else {
        panic!("nobody has it");
    };
    drop(held);
    let held = tenant.lock([key(b"leased")], 0, NOW).unwrap();
    assert!(
        !tenant.forget(key(b"leased"), NOW, false),
        "somebody holds it"
    );
    drop(held);
    assert!(tenant.forget(key(b"leased"), NOW, false));
    let put = |_: Option<Entry<'_>>| (Edit::put(&b"late"[..], Expiry::Never), ());
    let late = tenant.update(key(b"leased"), NOW, Access::Lease(token), 0, put);
    assert!(late.is_err());
    assert_eq!(tenant.stats().evictions, 0);
}

#[test]
fn after_a_distrust_each_entry_is_asked_for_once() {
    let host = Host::new();
    let (tenant, common) = (host.tenant(), &host.common);
    for name in [b"same", b"else", b"gone", b"over"] {
        host.set(name, b"old");
    }
    let notes = connect(tenant);
    let watch = tenant.watch(key(b"same"), NOW);
    common.set(b"else", Some(b"new"));
    common.set(b"gone", None);
    tenant.distrust(false, NOW);
    assert_eq!(notes.take(), [("None".to_owned(), None)]);
    assert_eq!(host.in_memory(b"same"), None);
    let mut held = tenant.lock([key(b"same")], 0, NOW).unwrap();
    assert!(!held.is_unchanged(&watch, NOW));
    assert_eq!(held.peek_stale(key(b"same"), NOW, |_, _| ()), None);
    drop(held);
    host.set(b"over", b"own");
    let found = [b"same", b"else", b"gone", b"over"].map(|name| host.read(name));
    let expected = [Some("old"), Some("new"), None, Some("own")];
    let expected = expected.map(|value| value.map(|value| value.as_bytes().to_vec()));
    assert_eq!(found, expected);
    let looks = host.looks();
    assert_eq!(looks, 3);
    for name in [b"same", b"else", b"over"] {
        assert!(host.read(name).is_some());
    }
    assert_eq!(host.looks(), looks);
    host.check();
    assert_eq!(common.evicted.load(Relaxed), 0);
}

#[test]
fn where_nobody_can_be_asked_what_is_here_stays() {
    let host = Host::new();
    let (tenant, common) = (host.tenant(), &host.common);
    for name in [b"a", b"b"] {
        host.set(name, b"v");
    }
    common.is_away.store(true, Relaxed);
    tenant.distrust(false, NOW);
    // It is no better for not being answered.
    for looks in 1..3 {
        assert_eq!(host.read(b"a").unwrap(), b"v");
        assert_eq!((host.looks(), host.in_memory(b"a")), (looks, None));
    }
    host.wait();
    common.is_given_up.store(true, Relaxed);
    assert_eq!(host.in_memory(b"b").unwrap(), b"v");
    tenant.distrust(true, NOW);
    host.wait();
    assert_eq!(tenant.len(0), 2, "they are all there is");
    // It is back: everything is asked for again, or goes.
    common.is_away.store(false, Relaxed);
    common.is_given_up.store(false, Relaxed);
    common.set(b"a", Some(b"w"));
    assert_eq!(host.read(b"a").unwrap(), b"w");
    host.wait();
    assert_eq!(tenant.len(0), 1);
    host.check();
    assert_eq!(common.evicted.load(Relaxed), 0);
}

#[test]
fn what_goes_on_while_nothing_is_heard_is_not_ended_again_and_again() {
    let host = Host::new();
    let (tenant, common) = (host.tenant(), &host.common);
    host.set(b"k", b"old");
    common.set(b"k", Some(b"new"));
    let (watch, ticket) = (
        tenant.watch(key(b"k"), NOW),
        tenant.ticket(key(b"late"), NOW),
    );
    let mut held = tenant.lock([key(b"leased")], 0, NOW).unwrap();
    let Lease::Won(token) = held.lease(key(b"leased"), NOW, 1000) else {
        panic!("nobody has it");
    };
    drop(held);
    tenant.distrust_again(NOW);
    assert_eq!(host.read(b"k").unwrap(), b"new");
    let mut held = tenant.lock([key(b"late")], 0, NOW).unwrap();
    assert_eq!(held.admit(&ticket, Ok(None), NOW), Ok(true));
    drop(held);
    let mut held = tenant.lock([key(b"k")], 0, NOW).unwrap();
    assert!(held.is_unchanged(&watch, NOW));
    drop(held);
    let put = |_: Option<Entry<'_>>| (Edit::put(&b"v"[..], Expiry::Never), ());
    let filled = tenant.update(key(b"leased"), NOW, Access::Lease(token), 0, put);
    assert!(filled.is_ok());
    host.check();
}

#[test]
fn what_a_loader_brought_in_place_of_what_could_not_be_read_is_asked_for_again() {
    let host = Host::new();
    let (tenant, common) = (host.tenant(), &host.common);
    common.set(b"k", Some(b"written"));
    let ticket = tenant.ticket(key(b"k"), NOW);
    let origin = Stored {
        value: b"origin"[..].into(),
        ..Stored::default()
    };
    common.brings.store(true, Relaxed);
    let mut held = tenant.lock([key(b"k")], 0, NOW).unwrap();
    assert_eq!(held.admit(&ticket, Ok(Some(&origin)), NOW), Ok(true));
    let read = |entry: Entry<'_>| entry.value().to_vec();
    assert_eq!(held.peek(key(b"k"), NOW, read).unwrap(), b"origin");
    drop(held);
    common.brings.store(false, Relaxed);
    assert_eq!(host.in_memory(b"k"), None);
    assert_eq!(host.read(b"k").unwrap(), b"written");
    assert_eq!(host.in_memory(b"k").unwrap(), b"written");
    host.check();
}

#[derive(Debug, Clone)]
enum Step {
    Set(u8, u8),
    Remove(u8),
    Read(u8),
    /// Another host changes a key, and this one hears of it or not.
    Elsewhere(u8, Option<u8>, bool),
    Distrust(bool),
    Away,
    GivenUp,
    Back,
    Maintain,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..200_u8;
    prop_oneof![
        6 => (name(), any::<u8>()).prop_map(|(name, value)| Step::Set(name, value)),
        2 => name().prop_map(Step::Remove),
        12 => name().prop_map(Step::Read),
        4 => (name(), any::<Option<u8>>(), any::<bool>())
            .prop_map(|(name, value, heard)| Step::Elsewhere(name, value, heard)),
        2 => any::<bool>().prop_map(Step::Distrust),
        1 => Just(Step::Away),
        1 => Just(Step::GivenUp),
        1 => Just(Step::Back),
        2 => Just(Step::Maintain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    /// What was missed is found no more after the next distrust, unless nobody can be asked.
    #[test]
    fn nothing_old_is_found_without_being_asked_for(steps in prop::collection::vec(step(), 1..400)) {
        let host = Host::new();
        let (tenant, common) = (host.tenant(), &host.common);
        // What this host cannot know to have changed.
        let mut missed = [false; 256];
        for step in steps {
            match step {
                Step::Set(name, value) => {
                    host.set(&[name], &[value]);
                    missed[usize::from(name)] = false;
                }
                Step::Remove(name) => {
                    tenant.remove(key(&[name]), NOW);
                    missed[usize::from(name)] = false;
                }
                Step::Read(name) => {
                    let found = host.read(&[name]);
                    let is_asked = !common.is_away.load(Relaxed) && !common.is_given_up.load(Relaxed);
                    if is_asked && !missed[usize::from(name)] {
                        prop_assert_eq!(found, common.value(&[name]));
                    } else if let Some(found) = found {
                        prop_assert_eq!(found.len(), 1);
                    }
                }
                Step::Elsewhere(name, value, is_heard) => {
                    common.set(&[name], value.as_ref().map(std::slice::from_ref));
                    match is_heard {
                        true => _ = tenant.forget(key(&[name]), NOW, true),
                        false => missed[usize::from(name)] = true,
                    }
                }
                Step::Distrust(are_to_go) => {
                    tenant.distrust(are_to_go, NOW);
                    missed = [false; 256];
                }
                Step::Away => common.is_away.store(true, Relaxed),
                Step::GivenUp => common.is_given_up.store(true, Relaxed),
                Step::Back => {
                    common.is_away.store(false, Relaxed);
                    common.is_given_up.store(false, Relaxed);
                }
                Step::Maintain => host.wait(),
            }
            host.check();
        }
    }
}
