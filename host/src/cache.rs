//! A cache inside another program.

mod builder;
mod policy;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder_engine::below::Reach;
use larder_engine::{
    Access, Edit, Engine, Entry, Error, Expiry, FetchError, Key, Label, Millis, Tenant, TenantStats,
};
use larder_tiers::Stack;

use crate::upkeep::Working;
pub use builder::CacheBuilder;
use policy::Policies;

/// The tenant that the engine has.
const TENANT: &str = "default";
/// How often maintenance comes.
const UPKEEP: Duration = Duration::from_millis(10);

/// A cache in this process: entries in memory, and where that is wanted on disk below it, from a loader where neither
/// has them, and under the rule of a policy in WebAssembly. On disk values are compressed where that pays, and sealed where
/// there is a key ring.
///
/// A hit in memory is answered without waiting. What is written has reached the disk when the call is over, so it is
/// there after the end of the process, whatever ends it. Those who miss the same key at once share one load, and what a
/// write or [`Cache::delete`] has overtaken never comes back. A thread of its own does the upkeep until the cache is
/// dropped, which waits for what is on its way to the disk.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder::{Cache, Fetched, TierKeyBuf};
///
/// let cache = Cache::builder(16 << 20)
///     .loader(|key: TierKeyBuf| async move { Ok(Some(Fetched::from(key.bytes.to_vec()))) })
///     .build()?;
/// cache.set(b"greeting", b"hello", None).await?;
/// assert_eq!(cache.get(b"greeting").await?.as_deref(), Some(&b"hello"[..]));
/// assert_eq!(cache.get(b"other").await?.as_deref(), Some(&b"other"[..]));
/// # anyhow::Ok(())
/// # }).unwrap();
/// ```
pub struct Cache {
    tenant: Arc<Tenant>,
    policies: Policies,
    /// There is a key ring.
    seals: bool,
    // Both end before what lies below, as they may use it.
    _upkeep: Upkeep,
    _caring: Option<Working>,
    _lower: Option<Lower>,
}

impl Cache {
    /// A cache of so many bytes of memory, everything that is kept to find entries included; 4 MiB at least.
    pub fn builder(memory_bytes: u64) -> CacheBuilder {
        CacheBuilder::new(memory_bytes)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// Where the disk cannot be read, the loader fails, or what was found does not fit into the memory.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, FetchError> {
        let key = Key::new(0, key);
        let value = |entry: Entry<'_>| entry.value().to_vec();
        if let Some(value) = self.tenant.get(key, now(), value) {
            return Ok(Some(value));
        }
        self.tenant.fetch(key, Reach::Origin, now, value).await
    }

    /// Keeps a value under a key, for `ttl` or as long as there is room, unless the policy decides otherwise.
    ///
    /// # Errors
    /// When key or value are too long, or there is no room.
    pub async fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) -> Result<(), Error> {
        let (key, now) = (Key::new(0, key), now());
        let verdict = self.policies.decide(key, value, ttl, now);
        if !verdict.keep {
            self.delete(key.bytes).await;
            return Ok(());
        }
        let ttl_ms = verdict.ttl_ms.map(|ttl_ms| now.saturating_add(ttl_ms));
        let edit = Edit::Put {
            value: value.into(),
            expiry: ttl_ms.map_or(Expiry::Never, Expiry::At),
            label: Some(Label {
                priority: verdict.priority,
                note: match verdict.is_secret && self.seals {
                    true => larder_server::SECRET_NOTE,
                    false => &[],
                },
                ..Label::NONE
            }),
        };
        self.settled(|tenant| {
            let access = Access::Offer(verdict.priority);
            match tenant.update(key, now, access, value.len(), |_| (edit.clone(), ())) {
                // It may be evicted at any time.
                Err(Error::Refused) => Ok(()),
                done => done,
            }
        })
        .await
    }

    /// Keeps nothing under a key.
    pub async fn delete(&self, key: &[u8]) {
        let key = Key::new(0, key);
        self.settled(|tenant| tenant.remove(key, now())).await;
    }

    /// What happened in memory.
    pub fn stats(&self) -> TenantStats {
        self.tenant.stats()
    }

    /// Makes a change, and waits until it is below, too.
    async fn settled<R>(&self, change: impl FnOnce(&Tenant) -> R) -> R {
        let Some(below) = self.tenant.below() else {
            return change(&self.tenant);
        };
        let told = below.told();
        let done = change(&self.tenant);
        let settled = (below.told() != told).then(|| below.settled()).flatten();
        if let Some(settled) = settled {
            settled.await;
        }
        done
    }
}

/// What lies below the memory; it ends when this is dropped, also where the rest of a cache cannot be had.
struct Lower(Arc<Stack>);

impl Drop for Lower {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The thread that does the upkeep of an engine; it ends when this is dropped.
struct Upkeep {
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let thread = thread::Builder::new().name("larder-upkeep".into());
        Ok(Self {
            end: Some(end),
            thread: Some(thread.spawn(move || maintain(&engine, &ended))?),
        })
    }
}

fn maintain(engine: &Engine, ended: &Receiver<()>) {
    while ended.recv_timeout(UPKEEP) == Err(RecvTimeoutError::Timeout) {
        while engine.maintain(now()) {}
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // It has no result, and what panicked in it was said.
            let _ = thread.join();
        }
    }
}

/// The system's clock, in Unix milliseconds.
fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as Millis
}

#[cfg(test)]
mod tests;
