//! Keys that are brought into memory before anybody reads them: from below, as far down as where values come from, a few at a
//! time, so that those who read do not wait for it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::below::Reach;
use larder_engine::{KEY_BYTES_MAX, Key, Prewarmed, Tenant};
use larder_resp::{ArgsBuf, Reply};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

use crate::hot_set::HotSetProgress;
use crate::stats::bump;
use crate::{Health, Session, Shared};

/// Loads of this kind that go on at once in the server, shared out among its tenants: none waits for another's origin.
pub(crate) const LOADS_MAX: usize = 32;
/// Of a tenant, however many there are.
const TENANT_LOADS_MIN: usize = 2;
/// Keys that are looked at before others have their turn.
const TURN_KEYS: u64 = 64;

/// What became of a key that was to be in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmth {
    /// It was there.
    Resident,
    /// It was brought there.
    Loaded,
    /// It is nowhere.
    Absent,
    /// It could not be read, has no room there, or the server drains.
    Failed,
}

impl Warmth {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Resident, Self::Loaded, Self::Absent, Self::Failed];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resident => "resident",
            Self::Loaded => "loaded",
            Self::Absent => "absent",
            Self::Failed => "failed",
        }
    }
}

/// How many keys came to what, by [`Warmth::ALL`].
pub type Warmed = [u64; Warmth::ALL.len()];

/// The same, counted as it happens.
#[derive(Debug, Default)]
pub(crate) struct WarmCounters([AtomicU64; Warmth::ALL.len()]);

impl WarmCounters {
    fn add(&self, warmth: Warmth) {
        bump(&self.0[warmth as usize]);
    }

    pub(crate) fn sums(&self) -> Warmed {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

/// What the server knows of keys that are brought into memory before anybody reads them.
pub(crate) struct WarmUps {
    /// For each load of this kind, by the number of the tenant.
    permits: Box<[Semaphore]>,
    /// What became of the keys, by the number of the tenant.
    pub(crate) counters: Box<[WarmCounters]>,
    /// How the hot set comes back, likewise.
    pub(crate) hot_sets: Box<[HotSetProgress]>,
}

impl WarmUps {
    /// Of so many tenants.
    pub(crate) fn new(tenants: usize) -> Self {
        let own = (LOADS_MAX / tenants.max(1)).max(TENANT_LOADS_MIN);
        Self {
            permits: (0..tenants).map(|_| Semaphore::new(own)).collect(),
            counters: (0..tenants).map(|_| WarmCounters::default()).collect(),
            hot_sets: (0..tenants).map(|_| HotSetProgress::default()).collect(),
        }
    }
}

/// Brings keys of one tenant into memory. Loads end when it is dropped.
pub(crate) struct Warmer {
    shared: Arc<Shared>,
    tenant: Arc<Tenant>,
    loads: JoinSet<Warmth>,
    loads_max: usize,
    looked_at: u64,
    warmed: Warmed,
}

impl Warmer {
    /// With so many loads at once, at most.
    pub(crate) fn new(shared: &Arc<Shared>, tenant: &Arc<Tenant>, loads_max: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            tenant: Arc::clone(tenant),
            loads: JoinSet::new(),
            loads_max,
            looked_at: 0,
            warmed: Warmed::default(),
        }
    }

    /// Sees to it that a key is in memory, or begins to.
    pub(crate) async fn want(&mut self, key: Key<'_>) {
        self.looked_at += 1;
        if self.looked_at.is_multiple_of(TURN_KEYS) {
            yield_now().await;
        }
        let now = self.shared.now();
        if self.shared.health() == Health::Draining {
            self.note(Warmth::Failed);
        } else if self.tenant.peek(key, now, |_| ()).is_some() {
            self.note(Warmth::Resident);
        } else if key.bytes.len() > KEY_BYTES_MAX || !self.tenant.lacks(key, Reach::Origin, now) {
            self.note(Warmth::Absent);
        } else {
            while self.loads.len() >= self.loads_max {
                self.await_load().await;
            }
            let (shared, tenant) = (Arc::clone(&self.shared), Arc::clone(&self.tenant));
            self.loads
                .spawn(load(shared, tenant, key.db, key.bytes.into()));
        }
    }

    /// How many keys came to what so far.
    pub(crate) fn warmed(&self) -> Warmed {
        self.warmed
    }

    /// Waits for what was begun.
    pub(crate) async fn finish(&mut self) {
        while !self.loads.is_empty() {
            self.await_load().await;
        }
    }

    async fn await_load(&mut self) {
        if let Some(loaded) = self.loads.join_next().await {
            // What panicked was said.
            self.note(loaded.unwrap_or(Warmth::Failed));
        }
    }

    fn note(&mut self, warmth: Warmth) {
        self.warmed[warmth as usize] += 1;
        self.shared.warm_ups.counters[self.tenant.number()].add(warmth);
    }
}

async fn load(shared: Arc<Shared>, tenant: Arc<Tenant>, db: u8, key: Box<[u8]>) -> Warmth {
    // It is never closed.
    let _permit = shared.warm_ups.permits[tenant.number()].acquire().await;
    let key = Key::new(db, &key);
    match tenant
        .prewarm(key, Reach::Origin, None, || shared.now())
        .await
    {
        Ok(Prewarmed::Came) => Warmth::Loaded,
        Ok(Prewarmed::Here | Prewarmed::Renewed) => Warmth::Resident,
        Ok(Prewarmed::Absent) => Warmth::Absent,
        // Somebody wrote it meanwhile, or removed it.
        Ok(Prewarmed::Changed) => match tenant.peek(key, shared.now(), |_| ()) {
            Some(()) => Warmth::Resident,
            None => Warmth::Absent,
        },
        Ok(Prewarmed::NoRoom) | Err(_) => Warmth::Failed,
    }
}

/// Keys that a client wants in memory, while it is seen to.
pub(crate) struct Warming {
    /// Bytes of the keys.
    pub(crate) bytes: usize,
    pub(crate) work: Pin<Box<dyn Future<Output = Warmed> + Send>>,
}

impl Warming {
    /// Loads that one client has going on at once.
    const LOADS_MAX: usize = LOADS_MAX / 2;

    /// Sees to keys of the database that a session has selected.
    pub(crate) fn begin(shared: &Arc<Shared>, session: &Session, keys: ArgsBuf) -> Self {
        let mut warmer = Warmer::new(shared, &session.tenant, Self::LOADS_MAX);
        let db = session.db;
        Self {
            bytes: keys.heap_bytes(),
            work: Box::pin(async move {
                for key in keys.args() {
                    warmer.want(Key::new(db, key)).await;
                }
                warmer.finish().await;
                warmer.warmed()
            }),
        }
    }
}

/// Tells how many keys came to what.
pub(crate) fn reply_warmed(reply: &mut Reply<'_>, warmed: Warmed) {
    reply.map(warmed.len());
    for (warmth, count) in Warmth::ALL.into_iter().zip(warmed) {
        reply.bulk(warmth.name().as_bytes());
        reply.integer(count as i64);
    }
}

#[cfg(test)]
mod tests;
