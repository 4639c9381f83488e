//! Larder's engine, used as its server uses it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use larder_engine::{
    Access, Edit, Engine, EngineConfig, Expiry, Key, Millis, SizeClasses, Tenant, TenantConfig,
    native,
};
use larder_policy_lru::Lru;
use larder_policy_s3_fifo::S3Fifo;

use super::{Shape, Store, VALUE_BYTES, key};

/// Memory where all keys are to fit.
const AMPLE_BYTES: u64 = 1024 * 1024 * 1024;
/// Steps of maintenance at a time, as the server bounds them.
const STEPS_MAX: usize = 64;
const SEED: u64 = 0x1a2d;

/// What decides over evictions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Policy {
    S3Fifo,
    Lru,
}

/// The engine with one tenant.
pub(crate) struct Larder {
    engine: Engine,
    tenant: Arc<Tenant>,
}

impl Larder {
    pub(crate) fn new(policy: Policy, shape: Shape) -> Result<Self> {
        let memory_bytes = match shape.held {
            None => AMPLE_BYTES,
            Some(held) => bytes_of(policy, held, shape.threads)?,
        };
        let engine = engine(policy, memory_bytes, shape.threads)?;
        let tenant = engine.default_tenant().clone();
        Ok(Self { engine, tenant })
    }
}

impl Store for Larder {
    fn now(&self) -> u64 {
        now()
    }

    #[inline]
    fn get(&self, key: &[u8], now: u64, out: &mut [u8; VALUE_BYTES]) -> bool {
        let read = |entry: larder_engine::Entry<'_>| out.copy_from_slice(entry.value());
        self.tenant.get(Key::new(0, key), now, read).is_some()
    }

    #[inline]
    fn insert(&self, key: &[u8], value: &[u8], now: u64) {
        put(&self.tenant, key, value, Expiry::Never, now);
    }

    #[inline]
    fn remove(&self, key: &[u8], now: u64) -> bool {
        self.tenant.remove(Key::new(0, key), now)
    }

    fn maintain(&self, now: u64) {
        for _ in 0..STEPS_MAX {
            if !self.engine.maintain(now) {
                break;
            }
        }
    }

    fn entries(&self) -> u64 {
        self.tenant.stats().entries_total()
    }
}

/// The clock, as the server reads it once a batch.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// An engine with one tenant that has all the memory.
pub(crate) fn engine(policy: Policy, memory_bytes: u64, threads: usize) -> Result<Engine> {
    let evictor = match policy {
        Policy::S3Fifo => native("s3-fifo", S3Fifo::default),
        Policy::Lru => native("lru", Lru::default),
    };
    let tenant = TenantConfig {
        name: "default".to_owned(),
        memory_bytes,
        evictor,
        reuse: None,
        below: None,
        vault: None,
    };
    Ok(Engine::new(EngineConfig {
        memory_bytes,
        threads,
        seed: SEED,
        size_classes: SizeClasses::Jemalloc,
        tenants: vec![tenant],
        start_ms: now(),
        volatile_only: false,
    })?)
}

pub(crate) fn put(tenant: &Tenant, key: &[u8], value: &[u8], expiry: Expiry, now: Millis) {
    let edit = |_: Option<larder_engine::Entry<'_>>| (Edit::put(value, expiry), ());
    // A cache that is full may refuse; the reads that follow count it as a miss.
    let _ = tenant.update(Key::new(0, key), now, Access::Write, value.len(), edit);
}

/// What the budget counts for so many entries: the memory that holds them and no more.
fn bytes_of(policy: Policy, entries: u64, threads: usize) -> Result<u64> {
    let engine = engine(policy, AMPLE_BYTES, threads)?;
    let (tenant, now) = (engine.default_tenant(), now());
    for number in 0..entries {
        put(tenant, &key(number), &[0; VALUE_BYTES], Expiry::Never, now);
    }
    while engine.maintain(now) {}
    Ok(tenant
        .stats()
        .used_bytes
        .max(larder_engine::MEMORY_BYTES_MIN))
}
