//! The tiers below the memory, one under the other: what is written goes down to all of them, what is looked for is taken
//! from the first that has it.

mod authority;
mod brought;
mod ear;
mod epochs;
mod level;
mod post;
mod tenant;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder_engine::below::{Below, Loaded, Sight};
use larder_engine::tags::{Known, Tags};
use larder_engine::tier::{
    LevelFigures, Levels, LoaderFigures, Shed, Stored, Tier, TierChange, TierError, TierKey,
    TierKeyBuf,
};
use larder_engine::{Key, Millis, Tenant};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::task::JoinHandle as JoinTask;

use crate::guard::is_trouble;
use crate::loader::{LoadRule, Ordered, Refreshes, Source, refresh_all};
use crate::loads::{Loads, Wanted};
use crate::queue::{Coming, hash_of};
use crate::stack::brought::Brought;
use crate::stack::ear::{StackEar, follow};
use crate::stack::post::Post;
use crate::stack::tenant::{Mean, TenantBelow};
use crate::tag_file::TagFile;
use crate::writer::{Recall, write};
pub(crate) use epochs::Epochs;
pub use level::LevelConfig;
pub(crate) use level::{Counts, Level};

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
    /// Keys over which the lowest tier has the authority, which must be able to have it. No other tier has them.
    pub authority: Vec<KeyPattern>,
    /// Where the values of keys come from that no tier has. The first that fits a key counts.
    pub loaders: Vec<LoadRule>,
}

/// Whether a key fits.
pub type KeyPattern = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What a stack is made with.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Of what is drawn, which values are loaded anew early and when something is tried again, and of hashes that do not
    /// outlast the process.
    pub seed: u64,
    /// For how long a tier may take nothing when the stack stops, before what is on its way to it is given up.
    pub end_timeout: Duration,
}

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// See the module.
pub struct Stack {
    pub(crate) levels: Vec<Level>,
    loads: Loads,
    pub(crate) brought: Brought,
    /// The loaders of all tenants.
    pub(crate) sources: Mutex<Vec<Arc<Source>>>,
    pub(crate) refreshes: Refreshes,
    clock: Clock,
    /// Runs what tiers do.
    runtime: Handle,
    /// Whether memory is being told to doubt what it has: what it has not doubted yet is not to go down behind that.
    is_doubted: AtomicBool,
    /// Until when what is in memory, and in levels that are not shared, is as good as what other hosts tell; `None` where no
    /// level is shared.
    good_until: Option<Arc<AtomicU64>>,
    /// For how long memory answers what other hosts may have changed, while levels cannot be asked.
    stale_ms_max: Millis,
    /// Where invalidated tags are written down, if they are.
    tag_file: OnceLock<Arc<TagFile>>,
    /// Hears of what other hosts do.
    ear: OnceLock<Arc<StackEar>>,
    post: Post,
    seed: u64,
    /// Held by whoever has a prefix removed.
    prefixing: Mutex<()>,
    demotions: AtomicU64,
    end_timeout: Duration,
    is_ending: AtomicBool,
    ends: Notify,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Stack {
    /// Puts tiers one under the other, the fastest first, with a thread that serves them. There may be none, where
    /// there are loaders. `clock` tells the time.
    ///
    /// # Errors
    /// When the thread cannot be had.
    pub fn start(
        tiers: Vec<(Arc<dyn Tier>, LevelConfig)>,
        config: &StackConfig,
        clock: impl Fn() -> Millis + Send + Sync + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let clock: Clock = Arc::new(clock);
        let level = |(tier, own)| Level::new(tier, own, config.seed, Arc::clone(&clock));
        let is_shared = tiers.iter().any(|(tier, _)| tier.is_shared());
        let stale_max = tiers.iter().filter_map(|(tier, _)| tier.stale_max()).min();
        let stack = Arc::new(Self {
            good_until: is_shared.then(|| Arc::new(AtomicU64::new(Millis::MAX))),
            stale_ms_max: stale_max.map_or(Millis::MAX, |max| max.as_millis() as Millis),
            levels: tiers.into_iter().map(level).collect(),
            // Tiers know what they hold.
            loads: Loads::new(Duration::ZERO),
            brought: Brought::default(),
            sources: Mutex::default(),
            refreshes: Refreshes::new(config.seed),
            clock: Arc::clone(&clock),
            runtime: runtime.handle().clone(),
            is_doubted: AtomicBool::new(false),
            tag_file: OnceLock::new(),
            ear: OnceLock::new(),
            post: Post::default(),
            seed: config.seed,
            prefixing: Mutex::default(),
            demotions: AtomicU64::new(0),
            end_timeout: config.end_timeout,
            is_ending: AtomicBool::new(false),
            ends: Notify::new(),
            thread: Mutex::new(None),
        });
        if stack.levels.iter().any(|level| level.tier.is_shared()) {
            let (letterbox, own) = (stack.post.letterbox(), Arc::downgrade(&stack));
            let thread = thread::Builder::new().name("larder-ear".into());
            thread.spawn(move || follow(&letterbox, &own))?;
        }
        let own = Arc::clone(&stack);
        let serve = move || {
            for at in 0..own.levels.len() {
                let (stack, clock) = (Arc::clone(&own), Arc::clone(&clock));
                let memory = stack.memory();
                runtime.spawn(async move { write(&stack.levels[at], &*clock, &memory).await });
            }
            runtime.block_on(own.run());
        };
        let thread = thread::Builder::new().name("larder-tiers".into());
        *stack.thread.lock() = Some(thread.spawn(serve)?);
        Ok(stack)
    }

    /// What the memory of all tenants that are served has of a key.
    fn memory(self: &Arc<Self>) -> Recall {
        let own = Arc::downgrade(self);
        Arc::new(move |key| {
            let stack = own.upgrade()?;
            let tenant = stack.ear.get()?.tenant(&key.tenant)?;
            let key = Key::new(key.db, &key.bytes);
            tenant.peek(key, stack.now(), |entry| Arc::new(entry.to_stored()))
        })
    }

    /// Has invalidated tags be written down, in all tenants that are asked for afterwards. The first call counts.
    pub fn keep_tags(&self, file: TagFile) {
        let file = Arc::new(file);
        if self.tag_file.set(Arc::clone(&file)).is_ok() {
            let clock = Arc::clone(&self.clock);
            self.runtime.spawn(file.keep(move || clock()));
        }
    }

    /// What lies below the memory of a tenant.
    pub fn below(self: &Arc<Self>, tenant: &str, rules: Rules) -> Arc<dyn Below> {
        let are_shared = self.levels.iter().any(|level| level.tier.counts_tags());
        let tags = match self.tag_file.get() {
            Some(file) => file.tags(tenant, are_shared),
            None => Arc::new(Tags::new([self.seed, !self.seed], &Known::default())),
        };
        if are_shared {
            tags.share();
        }
        let ordered = Arc::new(Ordered::new(self.seed));
        let epochs = Arc::new(Epochs::new(self.seed));
        let sources = rules.loaders.iter().map(|rule| {
            let (clock, tags) = (Arc::clone(&self.clock), Arc::clone(&tags));
            let (ordered, epochs) = (Arc::clone(&ordered), Arc::clone(&epochs));
            let source = Source::new(tenant, rule, clock, tags, ordered, epochs);
            (Arc::clone(&rule.fits), Arc::new(source))
        });
        let sources: Vec<_> = sources.collect();
        let own = sources.iter().map(|(_, source)| Arc::clone(source));
        self.sources.lock().extend(own);
        Arc::new(TenantBelow {
            stack: Arc::clone(self),
            tenant: tenant.into(),
            tags,
            rules,
            sources,
            epochs,
            clears: AtomicU64::new(0),
            priorities: Mean::default(),
            turns: Arc::default(),
        })
    }

    /// Has what was loaded be loaded anew in these tenants, when it is due, and what other hosts change go from them. The
    /// first call counts.
    pub fn serve(self: &Arc<Self>, tenants: &[Arc<Tenant>]) {
        if self.ear.get().is_none() {
            self.listen(tenants);
        }
        let tenants = tenants.iter().map(Arc::downgrade).collect();
        if let Some(orders) = self.refreshes.take_orders() {
            let refreshing = refresh_all(Arc::clone(self), tenants, orders);
            self.runtime.spawn(refreshing);
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Millis {
        (self.clock)()
    }

    /// Entries that went down when they went from memory.
    pub fn demotions(&self) -> u64 {
        self.demotions.load(Ordering::Relaxed)
    }

    /// Writes what is on its way, closes the tiers and ends the thread. What a tier does not take is said in the log. Nothing
    /// may be told afterwards.
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
            level.end(self.end_timeout).await;
        }
        if let Some(settled) = self.tag_file.get().and_then(|file| file.settled()) {
            settled.await;
        }
    }

    /// The levels that can be asked: while it is not known whether others were heard, none that cannot have heard of them.
    fn trusted(&self, now: Millis) -> impl Iterator<Item = &Level> {
        let until = self.good_until.as_ref();
        let is_unheard = until.is_some_and(|until| now > until.load(Ordering::Relaxed));
        let levels = self.levels.iter();
        levels.filter(move |level| !is_unheard || level.tier.is_shared())
    }

    /// What there is of a key on the way down, or in a tier that can say so at once. What is void counts as absent here as
    /// below.
    fn sight(&self, key: TierKey<'_>, tags: &Tags, now: Millis) -> Sight {
        for level in self.trusted(now) {
            match level.queue.coming(key) {
                Some(coming) => {
                    if let Some(stored) = valid(coming, tags, now) {
                        return Sight::There(stored);
                    }
                }
                None if level.tier.may_hold(key) => return Sight::Maybe,
                None => {}
            }
        }
        Sight::Absent
    }

    /// What a look from level to level would find, where that can be told at once.
    fn search_now(&self, key: TierKey<'_>, tags: &Tags, now: Millis) -> Option<Loaded> {
        let mut trouble = None;
        for level in self.trusted(now) {
            if let Some(coming) = level.queue.coming(key) {
                if let Some(stored) = valid(coming, tags, now) {
                    return Some(Ok(Some(stored)));
                }
            } else if level.tier.may_hold(key) {
                match level.read_now(key, tags, now)? {
                    Ok(Some(stored)) => return Some(Ok(Some(Arc::new(stored)))),
                    Ok(None) => {}
                    Err(error) => trouble = Some(worse(trouble, error)),
                }
            }
        }
        Some(trouble.map_or(Ok(None), Err))
    }

    /// Looks for a key from level to level. What is not to be in one of them any more may be in the next yet: of what was
    /// removed the next knows as well, of what had no room on its way to this one it need not.
    async fn search(&self, key: &TierKeyBuf, tags: &Tags, now: Millis) -> Loaded {
        let mut trouble = None;
        for level in self.trusted(now) {
            if let Some(coming) = level.queue.coming(key.borrow()) {
                if let Some(stored) = valid(coming, tags, now) {
                    return Ok(Some(stored));
                }
            } else if level.tier.may_hold(key.borrow()) {
                match level.read(key, tags, now).await {
                    Ok(Some(stored)) => return Ok(Some(Arc::new(stored))),
                    Ok(None) => {}
                    Err(error) => trouble = Some(worse(trouble, error)),
                }
            }
        }
        trouble.map_or(Ok(None), Err)
    }

    /// Loads a key, together with all who want it as it is now: from the tiers, else from `source`, to which it makes a
    /// difference whether anybody has asked for it.
    fn load(
        self: &Arc<Self>,
        wanted: Wanted,
        tags: Arc<Tags>,
        source: Option<Arc<Source>>,
        is_asked_for: bool,
        now: Millis,
    ) -> JoinTask<Loaded> {
        let stack = Arc::clone(self);
        self.runtime.spawn(async move {
            let search = stack.search(&wanted.0, &tags, now);
            let found = stack.loads.share(wanted.clone(), search, is_asked_for);
            let found = found.await;
            match source {
                Some(source) if !matches!(found, Ok(Some(_))) => {
                    let hash = hash_of(wanted.0.borrow());
                    let loaded = source.load(wanted, is_asked_for).await;
                    if matches!(loaded, Ok(Some(_))) {
                        // What could not be read may be there, and newer.
                        let is_known_absent = !found.as_ref().is_err_and(is_trouble);
                        stack.brought.add(hash, is_known_absent);
                    }
                    loaded
                }
                Some(_) => {
                    let _ = stack.brought.take(wanted.0.borrow());
                    found
                }
                None => found,
            }
        })
    }

    fn push(&self, change: &TierChange) {
        for level in &self.levels {
            level.queue.push(change.clone());
        }
    }

    /// Has the levels with room for it do what can be left out. Whether there was one.
    fn offer(&self, class: Shed, change: &TierChange) -> bool {
        let levels = self.levels.iter();
        levels.fold(false, |any, level| level.offer(class, change) | any)
    }

    fn is_full(&self) -> bool {
        self.levels.iter().any(|level| level.queue.is_full())
    }
}

/// Of two errors the one that leaves open what there is.
fn worse(before: Option<TierError>, error: TierError) -> TierError {
    before.filter(is_trouble).unwrap_or(error)
}

/// What there will be in a level, unless it has expired or is void.
fn valid(coming: Coming, tags: &Tags, now: Millis) -> Option<Arc<Stored>> {
    coming.stored(now).filter(|stored| !is_void(tags, stored))
}

/// Whether an entry is void, by a tag of its own.
fn is_void(tags: &Tags, stored: &Stored) -> bool {
    tags.is_void(&stored.note)
}

impl Levels for Stack {
    fn figures(&self) -> Vec<LevelFigures> {
        self.levels.iter().map(Level::figures).collect()
    }

    fn loaders(&self) -> Vec<LoaderFigures> {
        let sources = self.sources.lock();
        sources.iter().map(|source| source.figures()).collect()
    }

    fn tag_errors(&self) -> u64 {
        self.tag_file.get().map_or(0, |file| file.errors())
    }

    fn memory_bytes(&self) -> u64 {
        let bytes = |level: &Level| Tier::figures(&level.tier).index_bytes + level.queue.bytes();
        let sources = self.sources.lock();
        let absences = sources.iter().map(|source| source.memory_bytes());
        self.levels.iter().map(bytes).sum::<u64>() + absences.sum::<u64>()
    }
}

#[cfg(test)]
impl Stack {
    /// Once what was begun so far waits for something: its one thread takes turns.
    pub(crate) async fn turns(&self) {
        for _ in 0..16 {
            self.runtime.spawn(async {}).await.unwrap();
        }
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
