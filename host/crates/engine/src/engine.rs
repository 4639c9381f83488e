//! All tenants together, and the memory they share.

use std::collections::HashSet;
use std::sync::Arc;

use crate::below::Below;
use crate::entry::Millis;
use crate::error::ConfigError;
use crate::evictor::EvictorFactory;
use crate::reuse::ReuseFactory;
use crate::size_class::SizeClasses;
use crate::tenant::{Shared, TENANT_BYTES_MIN, Tenant};
use crate::vault::Vault;

/// The least memory an engine can work with.
pub const MEMORY_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// What the process may take beyond 1.15 times the memory configured: code, stacks, buffers.
pub const RESIDENT_ALLOWANCE_BYTES: u64 = 32 * 1024 * 1024;

/// The governor never holds the budget below this part of the memory, in percent: what is resident
/// beyond the cache may have another cause, which evicting does not mend.
const BUDGET_PERCENT_MIN: u64 = 40;
/// How far it moves the budget in one step, in thousandths of the memory: down at least so far, or
/// by the whole excess.
const LOWER_PER_MILLE: u64 = 10;
const RAISE_PER_MILLE: u64 = 5;
/// Where it begins to act: so many percent of the memory, and the allowance but for this headroom.
/// What is written between two looks must fit between here and the bound.
const TARGET_PERCENT: u64 = 108;
const HEADROOM_BYTES: u64 = 8 * 1024 * 1024;

/// What an engine is made with.
#[derive(Clone)]
pub struct EngineConfig {
    /// Bytes for all tenants together, everything that is kept to find entries included.
    pub memory_bytes: u64,
    /// Threads that will use it; decides over the number of shards.
    pub threads: usize,
    /// For hashing and for the fallback's samples.
    pub seed: u64,
    /// Of the process's allocator.
    pub size_classes: SizeClasses,
    /// When it starts.
    pub start_ms: Millis,
    /// Nothing is evicted but what would expire anyway.
    pub volatile_only: bool,
    /// At least one; the first is the default.
    pub tenants: Vec<TenantConfig>,
}

/// What a tenant is made with.
#[derive(Clone)]
pub struct TenantConfig {
    /// Unique.
    pub name: String,
    /// Its share of the memory.
    pub memory_bytes: u64,
    /// Decides over its evictions.
    pub evictor: Arc<dyn EvictorFactory>,
    /// Knows how soon entries will be asked for again, for evictors that want to be told.
    pub reuse: Option<Arc<dyn ReuseFactory>>,
    /// What lies below its memory, if anything does.
    pub below: Option<Arc<dyn Below>>,
    /// Keeps values shut that are not to lie open in memory.
    pub vault: Option<Arc<dyn Vault>>,
}

/// The in-memory level: its tenants.
pub struct Engine {
    tenants: Vec<Arc<Tenant>>,
    memory_bytes: u64,
}

impl Engine {
    /// Builds the tenants' stores.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn new(config: EngineConfig) -> Result<Self, ConfigError> {
        check(&config)?;
        let shared = Shared {
            classes: config.size_classes,
            threads: config.threads,
            seed: config.seed,
            start_ms: config.start_ms,
            volatile_only: config.volatile_only,
        };
        let tenants = config.tenants.iter().enumerate();
        let tenants = tenants.map(|(n, tenant)| Tenant::new(n, tenant, shared).map(Arc::new));
        Ok(Self {
            tenants: tenants.collect::<Result<_, _>>()?,
            memory_bytes: config.memory_bytes,
        })
    }

    /// All tenants, the default first.
    pub fn tenants(&self) -> &[Arc<Tenant>] {
        &self.tenants
    }

    /// The tenant of that name.
    pub fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.tenants.iter().find(|tenant| tenant.name() == name)
    }

    /// The first tenant.
    pub fn default_tenant(&self) -> &Arc<Tenant> {
        // `check` refuses a configuration without one.
        &self.tenants[0]
    }

    /// Bytes configured for all tenants together.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// One bounded step of maintenance over all tenants: removes what has expired, tells evictors
    /// what happened, evicts what the budget no longer allows. Whether more is waiting.
    ///
    /// To be called about every ten milliseconds, and again at once while more is waiting.
    pub fn maintain(&self, now: Millis) -> bool {
        self.tenants
            .iter()
            .fold(false, |more, tenant| tenant.maintain(now) | more)
    }

    /// Resident memory of the process, in bytes, above which [`Self::govern`] lowers budgets. Whoever
    /// measures more should first make the allocator give back what it holds unused.
    pub fn resident_bytes_target(&self) -> u64 {
        self.memory_bytes / 100 * TARGET_PERCENT + RESIDENT_ALLOWANCE_BYTES - HEADROOM_BYTES
    }

    /// Keeps the process within its bound of memory: lowers the tenants' budgets step by step while
    /// `resident_bytes`, as just measured, exceed the target, and raises them again. Memory may be
    /// resident beyond what is used because the allocator cannot give back pages that are still
    /// used in part.
    ///
    /// To be called about every ten milliseconds.
    pub fn govern(&self, resident_bytes: u64) {
        let target = self.resident_bytes_target();
        for tenant in &self.tenants {
            let (memory, budget) = (tenant.memory_bytes(), tenant.budget());
            let next = if resident_bytes > target {
                // What was asked for last has to be evicted before it can show.
                if tenant.excess_bytes() > 0 {
                    continue;
                }
                let part = memory as f64 / self.memory_bytes as f64;
                let excess = ((resident_bytes - target) as f64 * part) as u64;
                let less = excess.max(memory / 1000 * LOWER_PER_MILLE);
                let lowered = tenant.used().min(budget).saturating_sub(less);
                lowered.max(memory * BUDGET_PERCENT_MIN / 100)
            } else {
                let room = (target - resident_bytes).min(memory / 1000 * RAISE_PER_MILLE);
                (budget + room).min(memory)
            };
            tenant.set_budget(next);
        }
    }
}

fn check(config: &EngineConfig) -> Result<(), ConfigError> {
    let bytes = config.memory_bytes;
    if bytes < MEMORY_BYTES_MIN {
        return Err(ConfigError::MemoryTooSmall {
            bytes,
            bytes_min: MEMORY_BYTES_MIN,
        });
    }
    if config.tenants.is_empty() {
        return Err(ConfigError::NoTenant);
    }
    let mut names = HashSet::new();
    for TenantConfig {
        name, memory_bytes, ..
    } in &config.tenants
    {
        let tenant = name.clone();
        if *memory_bytes < TENANT_BYTES_MIN {
            let (bytes, bytes_min) = (*memory_bytes, TENANT_BYTES_MIN);
            return Err(ConfigError::ShareTooSmall {
                tenant,
                bytes,
                bytes_min,
            });
        }
        if !names.insert(name) {
            return Err(ConfigError::TenantTwice { tenant });
        }
    }
    let sum_bytes = config
        .tenants
        .iter()
        .fold(0u64, |sum, t| sum.saturating_add(t.memory_bytes));
    if sum_bytes > bytes {
        return Err(ConfigError::SharesTooLarge { sum_bytes, bytes });
    }
    Ok(())
}
