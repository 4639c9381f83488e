use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use larder_engine::below::Reach;
use larder_engine::tier::{Answer, Stored, TierError, TierFigures, TierKey, Told};
use larder_engine::{Access, Edit, Engine, Entry, Expiry, Millis};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{MemoryTier, engine_over, patient};
use crate::{Rules, StackConfig};

const NOW: Millis = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
const TENANT: &str = "default";

/// What several hosts share. It does nothing before it is let.
struct Common {
    held: Mutex<HashMap<TierKeyBuf, Stored>>,
    writes: Semaphore,
    cleared: AtomicBool,
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
            self.writes.acquire().await.unwrap().forget();
            for Told { change, .. } in changes {
                match change {
                    _ if self.is_newer.load(Ordering::Relaxed) => {}
                    TierChange::Put(key, stored) => {
                        self.held.lock().insert(key.clone(), (**stored).clone());
                    }
                    TierChange::Delete(key) => _ = self.held.lock().remove(key),
                    _ => self.cleared.store(true, Ordering::Relaxed),
                }
            }
            vec![Ok(()); changes.len()]
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn listen(&self, ear: Arc<dyn Ear>) {
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
        let common = Arc::new(Common {
            held: Mutex::default(),
            writes: Semaphore::new(writes),
            cleared: AtomicBool::new(false),
            ear: OnceLock::new(),
            is_newer: AtomicBool::new(false),
        });
        let own = Arc::new(MemoryTier::new(1 << 20));
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
        let write = |_: Option<Entry<'_>>| (Edit::put(value.as_bytes(), Expiry::Never), ());
        let written = self
            .tenant()
            .update(key(name), NOW, Access::Write, 0, write);
        written.unwrap();
    }

    fn in_memory(&self, name: &str) -> bool {
        self.tenant().get(key(name), NOW, |_| ()).is_some()
    }

    fn read(&self, name: &str) -> Option<String> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let read = |entry: Entry<'_>| String::from_utf8(entry.value().to_vec()).unwrap();
        let fetch = self.tenant().fetch(key(name), Reach::Cache, || NOW, read);
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
    assert!(!host.in_memory("a") && host.in_memory("b"));
    // At once, though it may be on its way out of the level in front.
    assert_eq!(host.read("a").unwrap(), "new");
    host.settle();
    assert!(!host.is_own("a") && host.is_own("b"));
    for heard in [
        Heard::Cleared(TENANT.into()),
        Heard::Missed { is_deaf: true },
        Heard::Missed { is_deaf: false },
    ] {
        host.set("b", "old");
        host.settle();
        host.common.set("b", "new");
        host.common.tell(heard.clone());
        assert_eq!(host.read("b").unwrap(), "new", "{heard:?}");
        host.settle();
        assert!(!host.is_own("b"), "{heard:?}");
    }
    host.common.tell(Heard::Cleared("another".into()));
    assert!(host.in_memory("b"));
    assert!(!host.common.cleared.load(Ordering::Relaxed));
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
