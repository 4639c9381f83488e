use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use larder_engine::below::Reach;
use larder_engine::tags::{Invalidated, STAMPS_A_TICK, TAG_PART, UNSTAMPED};
use larder_engine::tier::{Answer, Stored, TierError, TierFigures, TierKey, Told};
use larder_engine::{Access, Edit, Engine, Entry, Expiry, Label, Millis};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

use super::*;
use crate::conformance::tell;
use crate::testing::{MemoryTier, engine_over, patient};
use crate::{Rules, StackConfig};

const NOW: Millis = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
const TENANT: &str = "default";
/// For so long all is good when a level begins to listen.
const HEARD_AT_FIRST: Duration = Duration::from_secs(3_600);

/// What several hosts share. It does nothing before it is let.
struct Common {
    held: Mutex<HashMap<TierKeyBuf, Stored>>,
    writes: Semaphore,
    has_begun: AtomicBool,
    cleared: AtomicBool,
    invalidated: Mutex<Vec<Box<[u8]>>>,
    ear: OnceLock<Arc<dyn Ear>>,
    /// Whether what comes is older than what is there.
    is_newer: AtomicBool,
}

impl Common {
    fn set(&self, name: &str, value: &str) {
        let stored = Stored {
            value: value.as_bytes().into(),
            ..Stored::default()
        };
        self.held.lock().insert(named(name), stored);
    }

    fn tell(&self, heard: Heard) {
        self.ear.get().unwrap().hear(heard);
    }
}

impl Tier for Common {
    fn name(&self) -> &str {
        "common"
    }

    fn may_hold(&self, _: TierKey<'_>) -> bool {
        true
    }

    fn read<'a>(
        &'a self,
        key: &'a TierKeyBuf,
        _: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(async move { Ok(self.held.lock().get(key).cloned()) })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        _: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(async move {
            self.has_begun.store(true, Ordering::Relaxed);
            self.writes.acquire().await.unwrap().forget();
            for Told { change, .. } in changes {
                match change {
                    _ if self.is_newer.load(Ordering::Relaxed) => {}
                    TierChange::Put(key, stored) => {
                        self.held.lock().insert(key.clone(), (**stored).clone());
                    }
                    TierChange::Delete(key) => _ = self.held.lock().remove(key),
                    TierChange::Invalidate(_, tags) => {
                        let tags = tags.iter().flat_map(|tags| tags.iter().cloned());
                        self.invalidated.lock().extend(tags);
                    }
                    _ => self.cleared.store(true, Ordering::Relaxed),
                }
            }
            vec![Ok(()); changes.len()]
        })
    }

    fn counts_tags(&self) -> bool {
        true
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn listen(&self, ear: Arc<dyn Ear>) {
        ear.rely(Instant::now() + HEARD_AT_FIRST);
        assert!(self.ear.set(ear).is_ok());
    }

    fn figures(&self) -> TierFigures {
        TierFigures::default()
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {})
    }
}

struct Host {
    common: Arc<Common>,
    own: Arc<MemoryTier>,
    engine: Engine,
    stack: Arc<Stack>,
}

impl Host {
    /// With a level for itself in front of what is shared.
    fn new(writes: usize) -> Self {
        Self::over(MemoryTier::new(1 << 20), writes)
    }

    fn over(own: MemoryTier, writes: usize) -> Self {
        let common = Arc::new(Common {
            held: Mutex::default(),
            writes: Semaphore::new(writes),
            has_begun: AtomicBool::new(false),
            cleared: AtomicBool::new(false),
            invalidated: Mutex::default(),
            ear: OnceLock::new(),
            is_newer: AtomicBool::new(false),
        });
        let own = Arc::new(own);
        let config = StackConfig {
            seed: 7,
            end_timeout: PATIENCE,
        };
        let tiers: Vec<(Arc<dyn Tier>, _)> = vec![
            (Arc::<MemoryTier>::clone(&own), patient(1 << 20)),
            (Arc::<Common>::clone(&common), patient(1 << 20)),
        ];
        let stack = Stack::start(tiers, &config, || NOW).unwrap();
        let engine = engine_over(stack.below(TENANT, Rules::default()), 4 << 20, NOW);
        stack.serve(engine.tenants());
        Self {
            common,
            own,
            engine,
            stack,
        }
    }

    fn tenant(&self) -> &Arc<Tenant> {
        self.engine.default_tenant()
    }

    fn set(&self, name: &str, value: &str) {
        self.set_tagged(name, value, Label::NONE);
    }

    fn set_tagged(&self, name: &str, value: &str, label: Label<'_>) {
        let put = || Edit::Put {
            value: value.as_bytes().into(),
            expiry: Expiry::Never,
            label: Some(label),
        };
        let write = |_: Option<Entry<'_>>| (put(), ());
        let written = self
            .tenant()
            .update(key(name), NOW, Access::Write, 0, write);
        written.unwrap();
    }

    fn in_memory(&self, name: &str) -> bool {
        self.in_memory_at(name, NOW)
    }

    fn in_memory_at(&self, name: &str, now: Millis) -> bool {
        self.tenant().get(key(name), now, |_| ()).is_some()
    }

    fn read(&self, name: &str) -> Option<String> {
        self.read_at(name, NOW)
    }

    fn read_at(&self, name: &str, now: Millis) -> Option<String> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let read = |entry: Entry<'_>| String::from_utf8(entry.value().to_vec()).unwrap();
        let fetch = self.tenant().fetch(key(name), Reach::Cache, || now, read);
        runtime.block_on(fetch).unwrap()
    }

    fn is_own(&self, name: &str) -> bool {
        self.own.may_hold(named(name).borrow())
    }

    fn settle(&self) {
        let runtime = Builder::new_current_thread().build().unwrap();
        for level in &self.stack.levels {
            if let Some(emptied) = level.queue.emptied() {
                runtime.block_on(emptied);
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.common.writes.add_permits(1 << 10);
        self.stack.stop();
    }
}

fn key(name: &str) -> Key<'_> {
    Key::new(0, name.as_bytes())
}

fn named(name: &str) -> TierKeyBuf {
    TierKey::new(TENANT, key(name)).to_owned()
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// Others may have changed it while the host was down.
#[test]
fn what_a_host_has_for_itself_of_an_earlier_time_is_not_found() {
    let own = MemoryTier::new(1 << 20);
    let stored = Stored {
        value: b"old"[..].into(),
        ..Stored::default()
    };
    let runtime = Builder::new_current_thread().build().unwrap();
    let before = [TierChange::Put(named("a"), Arc::new(stored))];
    runtime.block_on(tell(&own, &before, NOW));
    assert!(own.may_hold(named("a").borrow()));
    let host = Host::over(own, 1 << 10);
    assert_eq!(host.read("a"), None);
    host.settle();
    assert!(!host.is_own("a"));
}

#[test]
fn what_is_heard_goes_from_memory_and_from_what_the_host_has_for_itself() {
    let host = Host::new(1 << 10);
    for name in ["a", "b"] {
        host.set(name, "old");
    }
    host.settle();
    assert!(host.is_own("a") && host.is_own("b"));
    host.common.set("a", "new");
    host.common.tell(Heard::Changed(named("a")));
    eventually("it goes from memory", || !host.in_memory("a"));
    assert!(host.in_memory("b"));
    // At once, though it may be on its way out of the level in front.
    assert_eq!(host.read("a").unwrap(), "new");
    host.settle();
    assert!(!host.is_own("a") && host.is_own("b"));
    for heard in [
        Heard::Cleared(TENANT.into(), None, b""[..].into()),
        Heard::Cleared(TENANT.into(), Some(0), b"b"[..].into()),
        Heard::Missed { is_deaf: true },
        Heard::Missed { is_deaf: false },
    ] {
        host.set("b", "old");
        host.settle();
        host.common.set("b", "new");
        host.common.tell(heard.clone());
        let text = format!("{heard:?}");
        eventually(&text, || host.read("b").unwrap() == "new");
        host.settle();
        assert!(!host.is_own("b"), "{text}");
    }
    host.set("a", "v");
    for (tenant, db, prefix) in [("another", 0, "b"), (TENANT, 1, "b"), (TENANT, 0, "bb")] {
        let (db, prefix) = (Some(db), prefix.as_bytes().into());
        host.common.tell(Heard::Cleared(tenant.into(), db, prefix));
    }
    host.common.tell(Heard::Changed(named("a")));
    eventually("the last", || !host.in_memory("a"));
    assert!(host.in_memory("b"));
    assert!(!host.common.cleared.load(Ordering::Relaxed));
}

#[test]
fn what_is_in_memory_is_good_no_longer_than_was_said_at_first_or_before_the_host_was_stopped() {
    let host = Host::new(1 << 10);
    host.set("k", "old");
    host.settle();
    host.common.set("k", "new");
    assert!(host.in_memory("k"));
    let later = NOW + 2 * HEARD_AT_FIRST.as_millis() as Millis;
    eventually("what was said at first is followed", || {
        host.read_at("k", later).unwrap() == "new"
    });

    let host = Host::new(1 << 10);
    host.set("k", "old");
    host.settle();
    host.common.set("k", "new");
    let ear = host.common.ear.get().unwrap();
    ear.rely(Instant::now() - Duration::from_secs(1));
    host.set("other", "v");
    host.common.tell(Heard::Changed(named("other")));
    eventually("what is told is followed", || !host.in_memory("other"));
    assert_eq!(host.read_at("k", NOW).unwrap(), "new");
}

/// Nobody has said yet that anything was missed: the host itself was stopped.
#[test]
fn once_what_was_heard_is_good_no_more_nothing_is_found_without_being_asked_for() {
    let host = Host::new(1 << 10);
    for name in ["k", "other"] {
        host.set(name, "old");
    }
    host.settle();
    assert!(host.is_own("k"));
    host.common.set("k", "new");
    let ear = host.common.ear.get().unwrap();
    let follow = |until: Instant| {
        ear.rely(until);
        // Behind it.
        host.set("other", "v");
        host.common.tell(Heard::Changed(named("other")));
        eventually("what is told is followed", || !host.in_memory("other"));
    };
    let hour = Duration::from_secs(3600);
    follow(Instant::now() + hour);
    let watch = host.tenant().watch(key("k"), NOW);
    let is_unchanged = |now| {
        let mut held = host.tenant().lock([key("k")], 0, now).unwrap();
        held.is_unchanged(&watch, now)
    };
    assert!(host.in_memory("k") && is_unchanged(NOW));
    let later = NOW + 2 * hour.as_millis() as Millis;
    assert!(!is_unchanged(later));
    assert_eq!(
        host.read_at("k", later).unwrap(),
        "new",
        "not of its own level"
    );
    host.common.set("k", "newer");
    assert!(host.in_memory_at("k", later), "it was asked for");
    assert_eq!(host.read_at("k", later + 1_000).unwrap(), "newer");
    // It hears again.
    follow(Instant::now() + 3 * hour);
    host.common.set("k", "newest");
    assert_eq!(host.read_at("k", later + 5_000).unwrap(), "newer");
}

#[test]
fn whoever_holds_a_key_holds_up_no_other() {
    let host = Host::new(1 << 10);
    let shard_of = |name: &str| {
        host.tenant()
            .lock([key(name)], 0, NOW)
            .unwrap()
            .holds(key("a"))
    };
    let others = (0..100)
        .map(|n| format!("k{n}"))
        .filter(|name| !shard_of(name));
    let names: Vec<_> = ["a".to_owned()].into_iter().chain(others).collect();
    for name in &names {
        host.set(name, "old");
        host.common.set(name, "new");
    }
    host.settle();
    assert!(names.len() > 10);
    let held = host.tenant().lock([key("a")], 0, NOW).unwrap();
    for name in &names {
        host.common.tell(Heard::Changed(named(name)));
    }
    for name in &names[1..] {
        eventually(name, || !host.in_memory(name));
    }
    drop(held);
    eventually("what was held goes then", || !host.in_memory("a"));
}

#[test]
fn while_nothing_is_heard_nothing_that_came_meanwhile_stays() {
    let host = Host::new(1 << 10);
    host.common.tell(Heard::Missed { is_deaf: true });
    for value in ["one", "two", "three"] {
        host.common.set("k", value);
        host.common.tell(Heard::Missed { is_deaf: true });
        eventually(value, || host.read("k").unwrap() == value);
        host.set("other", value);
        host.settle();
    }
}

#[test]
fn what_had_no_room_on_its_way_stays_in_memory_and_comes_there_as_it_is_then() {
    let host = Host::new(0);
    let level = &host.stack.levels[1];
    host.set("first", "v");
    eventually("a round that hangs", || {
        host.common.has_begun.load(Ordering::Relaxed)
    });
    level.queue.give_up_waiting();
    let value = "v".repeat(32 << 10);
    let names: Vec<_> = (0..60).map(|n| format!("k{n}")).collect();
    for name in &names {
        host.set(name, &value);
    }
    let dropped = level.queue.counts().dropped.load(Ordering::Relaxed);
    assert!(dropped > 20, "{dropped}");
    host.common.tell(Heard::Missed { is_deaf: false });
    for name in ["first", "k1"] {
        host.common.tell(Heard::Changed(named(name)));
        eventually("what others changed goes", || !host.in_memory(name));
    }
    host.tenant().remove(key("k0"), NOW);
    for name in &names[2..] {
        assert_eq!(host.read(name).as_ref(), Some(&value), "{name}");
    }
    host.common.writes.add_permits(1 << 10);
    host.settle();
    for name in ["k0", "k1"] {
        assert!(
            !host.common.held.lock().contains_key(&named(name)),
            "{name}"
        );
    }
    for name in &names[2..] {
        assert!(host.common.held.lock().contains_key(&named(name)), "{name}");
        assert_eq!(host.read(name).as_ref(), Some(&value), "{name}");
    }
}

#[test]
fn a_change_on_its_way_that_comes_too_late_does_not_stay_in_memory() {
    for heard in [Heard::Changed(named("k")), Heard::Missed { is_deaf: false }] {
        let host = Host::new(0);
        host.set("k", "own");
        host.common.set("k", "others");
        host.common.is_newer.store(true, Ordering::Relaxed);
        host.common.tell(heard);
        // It may be the newer one, for all that this host knows.
        assert_eq!(host.read("k").unwrap(), "own");
        host.common.writes.add_permits(1 << 10);
        host.settle();
        eventually("what came too late is forgotten", || !host.in_memory("k"));
        assert_eq!(host.read("k").unwrap(), "others");
    }
}

#[test]
fn tags_go_to_those_who_share_a_level_and_come_from_them() {
    let host = Host::new(1 << 10);
    let note = |tag: u8| [&UNSTAMPED[..], &[TAG_PART, 1, 0, tag]].concat();
    let set = |name: &str, tag: u8| {
        let label = Label {
            note: &note(tag),
            ..Label::NONE
        };
        host.set_tagged(name, "v", label);
    };
    for (name, tag) in [("a", 1), ("b", 2), ("c", 3)] {
        set(name, tag);
    }
    host.settle();
    host.tenant().invalidate_tags([&[1][..]]);
    host.settle();
    assert_eq!(*host.common.invalidated.lock(), [Box::from([1])]);
    let ear = host.common.ear.get().unwrap();
    let now = ear.tags_now(TENANT).unwrap();
    let stamp = (now / STAMPS_A_TICK + 5) * STAMPS_A_TICK;
    let told = Invalidated {
        now: stamp,
        floor: 0,
        tags: vec![(Box::from([2]), stamp)],
    };
    ear.learn(TENANT, &told);
    assert_eq!(ear.tags_now(TENANT), Some(stamp));
    assert_eq!(ear.tags_now("another"), None);
    ear.learn("another", &told);
    let looks = ["a", "b", "c"].map(|name| host.read(name).is_some());
    assert_eq!(looks, [false, false, true]);
    assert!(host.is_own("b"), "what is void there is not found");
    set("b", 2);
    assert!(host.in_memory("b"));
    assert_eq!(
        host.common.invalidated.lock().len(),
        1,
        "it was told by others"
    );
}
