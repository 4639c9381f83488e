//! The tiers below the memory, one under the other: what is written goes down to all of them, what is looked for is taken
//! from the first that has it.

use std::cell::Cell;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder_engine::below::{Below, Loaded, Sight};
use larder_engine::tier::{
    Answer, LevelFigures, Levels, Stored, Tier, TierChange, TierError, TierKey, TierKeyBuf,
};
use larder_engine::{Entry, Key, Millis};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use crate::loads::Loads;
use crate::queue::{Queue, hash_of};
use crate::writer::write;

/// Groups of keys that are told apart where a load has to be of a key as it is now.
const EPOCHS: usize = 4096;

thread_local! {
    /// Changes that this thread has told and that are to be waited for.
    static TOLD: Cell<u64> = const { Cell::new(0) };
}

/// When a write is acknowledged, and where it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WritePolicy {
    /// In memory and below, acknowledged once it is below.
    #[default]
    Through,
    /// In memory and below, acknowledged at once unless too much is on its way.
    Behind,
    /// Below alone, acknowledged once it is there; in memory when it is read.
    Around,
}

/// What a tenant wants of the tiers.
#[derive(Clone, Default)]
pub struct Rules {
    /// For keys that none of `patterns` fits.
    pub write: WritePolicy,
    /// The first that fits a key counts.
    pub patterns: Vec<(KeyPattern, WritePolicy)>,
    /// Whether what goes from memory to make room, and is not below, goes down.
    pub demotes: bool,
}

/// Whether a key fits.
pub type KeyPattern = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What a stack is made with.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Bytes that may be on their way to a tier before those who write wait.
    pub queue_bytes_max: u64,
    /// How long an absence is remembered that only a slow look could tell.
    pub absence_ms: u64,
}

/// One tier and what is on its way to it.
pub(crate) struct Level {
    pub(crate) tier: Arc<dyn Tier>,
    pub(crate) queue: Queue,
    pub(crate) counts: Counts,
}

/// What happened at a level.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) read_errors: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) write_errors: AtomicU64,
    pub(crate) rounds: AtomicU64,
}

/// See the module.
pub struct Stack {
    pub(crate) levels: Vec<Level>,
    loads: Loads,
    /// Runs what tiers do.
    runtime: Handle,
    /// How often something changed in each group of keys.
    epochs: Box<[AtomicU64]>,
    clears: AtomicU64,
    demotions: AtomicU64,
    is_ending: AtomicBool,
    ends: Notify,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Stack {
    /// Puts tiers one under the other, the fastest first, with a thread that serves them. `clock` tells the time.
    ///
    /// # Errors
    /// When the thread cannot be had.
    pub fn start(
        tiers: Vec<Arc<dyn Tier>>,
        config: &StackConfig,
        clock: impl Fn() -> Millis + Send + Sync + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let level = |tier| Level {
            tier,
            queue: Queue::new(config.queue_bytes_max),
            counts: Counts::default(),
        };
        let stack = Arc::new(Self {
            levels: tiers.into_iter().map(level).collect(),
            loads: Loads::new(Duration::from_millis(config.absence_ms)),
            runtime: runtime.handle().clone(),
            epochs: (0..EPOCHS).map(|_| AtomicU64::new(0)).collect(),
            clears: AtomicU64::new(0),
            demotions: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            ends: Notify::new(),
            thread: Mutex::new(None),
        });
        let (own, clock) = (Arc::clone(&stack), Arc::new(clock));
        let serve = move || {
            for at in 0..own.levels.len() {
                let (stack, clock) = (Arc::clone(&own), Arc::clone(&clock));
                runtime.spawn(async move { write(&stack.levels[at], &*clock).await });
            }
            runtime.block_on(own.run());
        };
        let thread = thread::Builder::new().name("larder-tiers".into());
        *stack.thread.lock() = Some(thread.spawn(serve)?);
        Ok(stack)
    }

    /// What lies below the memory of a tenant.
    pub fn below(self: &Arc<Self>, tenant: &str, rules: Rules) -> Arc<dyn Below> {
        Arc::new(TenantBelow {
            stack: Arc::clone(self),
            tenant: tenant.into(),
            rules,
            clears: AtomicU64::new(0),
        })
    }

    /// Entries that went down when they went from memory.
    pub fn demotions(&self) -> u64 {
        self.demotions.load(Ordering::Relaxed)
    }

    /// Writes what is on its way, closes the tiers and ends the thread. Nothing may be told afterwards.
    pub fn stop(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.ends.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            // It has no result, and what panicked in it was said.
            let _ = thread.join();
        }
    }

    async fn run(&self) {
        while !self.is_ending.load(Ordering::Relaxed) {
            self.ends.notified().await;
        }
        for level in &self.levels {
            if let Some(settled) = level.queue.settled() {
                settled.await;
            }
            level.tier.close().await;
        }
    }

    /// What there is of a key on the way down, or in a tier that can say so at once.
    fn sight(&self, key: TierKey<'_>, now: Millis) -> Sight {
        for level in &self.levels {
            match level.queue.coming(key) {
                Some(coming) => return coming.stored(now).map_or(Sight::Absent, Sight::There),
                None if level.tier.may_hold(key) => return Sight::Maybe,
                None => {}
            }
        }
        Sight::Absent
    }

    /// What a look from level to level would find, where that can be told at once.
    fn search_now(&self, key: TierKey<'_>, now: Millis) -> Option<Loaded> {
        for level in &self.levels {
            if let Some(coming) = level.queue.coming(key) {
                return Some(Ok(coming.stored(now)));
            }
            if level.tier.may_hold(key) {
                let found = level.tier.read_now(key, now)?;
                level.count(&found);
                match found {
                    Ok(None) => {}
                    found => return Some(found.map(|stored| stored.map(Arc::new))),
                }
            }
        }
        Some(Ok(None))
    }

    /// Looks for a key from level to level.
    async fn search(&self, key: &TierKeyBuf, now: Millis) -> Loaded {
        let mut trouble = None;
        for level in &self.levels {
            if let Some(coming) = level.queue.coming(key.borrow()) {
                return Ok(coming.stored(now));
            }
            if !level.tier.may_hold(key.borrow()) {
                continue;
            }
            let found = level.tier.read(key, now).await;
            level.count(&found);
            match found {
                Ok(Some(stored)) => return Ok(Some(Arc::new(stored))),
                Ok(None) => {}
                Err(error) => trouble = Some(error),
            }
        }
        trouble.map_or(Ok(None), Err)
    }

    fn epoch(&self, key: TierKey<'_>) -> &AtomicU64 {
        &self.epochs[hash_of(key) as usize % EPOCHS]
    }

    /// Loads a key, together with all who want it as it is now.
    fn load(self: &Arc<Self>, key: TierKeyBuf, now: Millis) -> tokio::task::JoinHandle<Loaded> {
        let clears = self.clears.load(Ordering::Relaxed);
        let epoch = self.epoch(key.borrow()).load(Ordering::Relaxed);
        let stack = Arc::clone(self);
        self.runtime.spawn(async move {
            let wanted = (key, clears.wrapping_add(epoch));
            let search = stack.search(&wanted.0, now);
            stack.loads.share(wanted.clone(), search).await
        })
    }

    fn push(&self, change: &TierChange) {
        for level in &self.levels {
            level.queue.push(change.clone());
        }
    }

    fn is_full(&self) -> bool {
        self.levels.iter().any(|level| level.queue.is_full())
    }
}

impl Levels for Stack {
    fn figures(&self) -> Vec<LevelFigures> {
        self.levels.iter().map(Level::figures).collect()
    }

    fn memory_bytes(&self) -> u64 {
        let bytes = |level: &Level| level.tier.figures().index_bytes + level.queue.bytes();
        self.levels.iter().map(bytes).sum()
    }
}

impl Level {
    fn figures(&self) -> LevelFigures {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LevelFigures {
            name: self.tier.name().to_owned(),
            tier: self.tier.figures(),
            hits: load(&self.counts.hits),
            misses: load(&self.counts.misses),
            read_errors: load(&self.counts.read_errors),
            writes: load(&self.counts.writes),
            write_errors: load(&self.counts.write_errors),
            rounds: load(&self.counts.rounds),
            queued_bytes: self.queue.bytes(),
        }
    }

    /// Counts a look into the tier.
    fn count(&self, found: &Result<Option<Stored>, TierError>) {
        let counter = match found {
            Ok(Some(_)) => &self.counts.hits,
            Ok(None) => &self.counts.misses,
            Err(_) => &self.counts.read_errors,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The stack as one tenant's memory sees it.
struct TenantBelow {
    stack: Arc<Stack>,
    tenant: Arc<str>,
    rules: Rules,
    clears: AtomicU64,
}

impl TenantBelow {
    fn key<'a>(&'a self, key: Key<'a>) -> TierKey<'a> {
        TierKey::new(&self.tenant, key)
    }

    fn key_buf(&self, key: Key<'_>) -> TierKeyBuf {
        TierKeyBuf {
            tenant: Arc::clone(&self.tenant),
            db: key.db,
            bytes: key.bytes.into(),
        }
    }

    fn policy(&self, key: Key<'_>) -> WritePolicy {
        let fits = |(pattern, _): &&(KeyPattern, WritePolicy)| pattern(key.bytes);
        let found = self.rules.patterns.iter().find(fits);
        found.map_or(self.rules.write, |(_, policy)| *policy)
    }

    fn put_down(&self, key: Key<'_>, entry: Entry<'_>) {
        let label = entry.label();
        let stored = Stored {
            value: entry.value().into(),
            expires_at: entry.expires_at(),
            priority: label.priority,
            note: label.note.into(),
            times: label.times,
        };
        let change = TierChange::Put(self.key_buf(key), Arc::new(stored));
        self.stack.push(&change);
    }

    /// Something is told of a key: whoever looks for it from now on does not take part in an older load.
    fn turn(&self, key: Key<'_>) {
        let epoch = self.stack.epoch(self.key(key));
        epoch.fetch_add(1, Ordering::Relaxed);
    }

    fn told(&self) {
        TOLD.set(TOLD.get().wrapping_add(1));
    }
}

impl Below for TenantBelow {
    fn put(&self, key: Key<'_>, entry: Entry<'_>) -> bool {
        let policy = self.policy(key);
        self.turn(key);
        self.put_down(key, entry);
        if policy != WritePolicy::Behind || self.stack.is_full() {
            self.told();
        }
        policy != WritePolicy::Around
    }

    fn delete(&self, key: Key<'_>) {
        self.turn(key);
        let own = self.key(key);
        let is_there =
            |level: &Level| level.queue.coming(own).is_some() || level.tier.may_hold(own);
        if self.stack.levels.iter().any(is_there) {
            self.stack.push(&TierChange::Delete(self.key_buf(key)));
            self.told();
        }
    }

    fn evicted(&self, key: Key<'_>, entry: Entry<'_>) {
        // What is below is as it is in memory, as all changes were told.
        let is_absent = |level: &Level| {
            let own = self.key(key);
            level.queue.coming(own).is_none() && !level.tier.may_hold(own)
        };
        if self.rules.demotes && self.stack.levels.iter().all(is_absent) {
            self.stack.demotions.fetch_add(1, Ordering::Relaxed);
            self.put_down(key, entry);
        }
    }

    fn clear(&self, db: Option<u8>) {
        self.clears.fetch_add(1, Ordering::Relaxed);
        self.stack.clears.fetch_add(1 << 32, Ordering::Relaxed);
        self.stack
            .push(&TierChange::Clear(Arc::clone(&self.tenant), db));
        self.told();
    }

    fn clears(&self) -> u64 {
        self.clears.load(Ordering::Relaxed)
    }

    fn sight(&self, key: Key<'_>, now: Millis) -> Sight {
        self.stack.sight(self.key(key), now)
    }

    fn load(&self, key: Key<'_>, now: Millis) -> Answer<'static, Loaded> {
        if let Some(found) = self.stack.search_now(self.key(key), now) {
            return Box::pin(ready(found));
        }
        let loading = self.stack.load(self.key_buf(key), now);
        Box::pin(async move { loading.await.unwrap_or_else(|_| Err(given_up())) })
    }

    fn load_here(&self, key: Key<'_>, now: Millis, patience: Duration) -> Loaded {
        if let Some(found) = self.stack.search_now(self.key(key), now) {
            return found;
        }
        let loading = self.stack.load(self.key_buf(key), now);
        let (answer, answered) = mpsc::sync_channel(1);
        self.stack.runtime.spawn(async move {
            let loaded = loading.await.unwrap_or_else(|_| Err(given_up()));
            // Nobody may wait for it any more.
            let _ = answer.send(loaded);
        });
        answered.recv_timeout(patience).unwrap_or_else(|_| {
            let text = format!("nothing came from a slower tier within {patience:?}");
            Err(TierError::Unavailable(text))
        })
    }

    fn told(&self) -> u64 {
        TOLD.get()
    }

    fn settled(&self) -> Option<Answer<'static, ()>> {
        let levels = self.stack.levels.iter();
        let waits: Vec<_> = levels.filter_map(|level| level.queue.settled()).collect();
        if waits.is_empty() {
            return None;
        }
        Some(Box::pin(async move {
            for wait in waits {
                wait.await;
            }
        }))
    }

    fn is_full(&self) -> bool {
        self.stack.is_full()
    }

    fn await_room_here(&self, patience: Duration) -> bool {
        let Some(settled) = self.settled().filter(|_| self.is_full()) else {
            return true;
        };
        let (answer, answered) = mpsc::sync_channel(1);
        self.stack.runtime.spawn(async move {
            settled.await;
            // Nobody may wait for it any more.
            let _ = answer.send(());
        });
        answered.recv_timeout(patience).is_ok()
    }
}

fn given_up() -> TierError {
    TierError::Unavailable("the load was given up".to_owned())
}

#[cfg(test)]
mod tests;
