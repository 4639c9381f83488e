//! Levels in Redis and in a Redis Cluster.

mod adapter;
mod authority;
mod clocks;
mod failover;
mod flushes;
mod hosts;
mod invalidation;
mod looks;
mod migration;
mod openings;
mod replicas;
mod server;
mod stopped;
mod swaps;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use e2e::harness::PATIENCE;
use larder_engine::authority::{Arbiter, Seen};
use larder_engine::tier::{Stored, Tier, TierChange, TierError, TierKeyBuf};
use larder_tiers::Plain;
use larder_tiers::conformance::tell;
use larder_tiers::redis::{Consistency, OpenError, RedisOptions, RedisTier};
use tokio::runtime::{Builder, Runtime};

/// When all is written and read here.
const NOW: u64 = 1_700_000_000_000;

/// Options for tests: patient.
fn options(url: &str, prefix: &str) -> RedisOptions {
    RedisOptions {
        address: url.parse().expect("an address"),
        password: None,
        tls_ca: None,
        connections: 2,
        timeout: PATIENCE,
        prefix: prefix.to_owned(),
        buckets: None,
        ttl_max: Duration::from_secs(86_400),
        consistency: Consistency::One,
        hearing: None,
        stale_max: None,
        is_required: true,
    }
}

fn open(options: &RedisOptions) -> Result<RedisTier, OpenError> {
    RedisTier::open(options, Arc::new(Plain))
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A tier, asked by who may wait.
struct Asked {
    tier: RedisTier,
    runtime: Runtime,
}

impl Asked {
    #[track_caller]
    fn open(options: &RedisOptions) -> Self {
        Self {
            tier: open(options).expect("the tier opens"),
            runtime: runtime(),
        }
    }

    fn write(&self, changes: &[TierChange]) -> Vec<Result<(), TierError>> {
        self.runtime.block_on(tell(&self.tier, changes, NOW))
    }

    #[track_caller]
    fn look(&self, keys: &[TierKeyBuf]) -> Vec<Seen> {
        let looking = self.tier.look(keys, u64::MAX, NOW);
        self.runtime.block_on(looking).expect("a look")
    }

    #[track_caller]
    fn wrote(&self, changes: &[TierChange]) {
        assert_eq!(self.write(changes), vec![Ok(()); changes.len()]);
    }

    fn read(&self, key: &TierKeyBuf) -> Result<Option<Stored>, TierError> {
        self.runtime.block_on(self.tier.read(key, NOW))
    }

    #[track_caller]
    fn value(&self, key: &TierKeyBuf) -> Option<Vec<u8>> {
        let found = self.read(key).expect("a read");
        found.map(|stored| stored.value.into())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.runtime.block_on(self.tier.close());
    }
}
