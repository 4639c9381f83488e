//! The eviction policies that are compiled in.

use larder_policy_runtime::{Settings, native_setup};
use larder_sdk::{Eviction, Parameters, Policy, Setup};
use larder_simulator::replay::{Cell, Native, Replay};

/// Makes a cache: of a setup, a capacity in bytes, so many shards, and a seed.
type MakeCell = fn(&[u8], u64, u32, u64) -> Result<Box<dyn Cell>, String>;

/// A policy by name.
pub(super) struct NativePolicy {
    pub(super) name: &'static str,
    manifest: &'static str,
    cell: MakeCell,
}

macro_rules! natives {
    ($($name:literal: $module:ident::$policy:ident),* $(,)?) => {
        /// All of them.
        pub(super) const NATIVES: &[NativePolicy] = &[$(NativePolicy {
            name: $name,
            manifest: $module::MANIFEST,
            cell: cell::<$module::$policy>,
        }),*];
    };
}

natives! {
    "arc": larder_policy_arc::Arc,
    "business-priority": larder_policy_business_priority::ByValue,
    "clock": larder_policy_clock::Clock,
    "clock2q-plus": larder_policy_clock2q_plus::Clock2QPlus,
    "fifo": larder_policy_fifo::Fifo,
    "gdsf": larder_policy_gdsf::Gdsf,
    "lfu": larder_policy_lfu::Lfu,
    "lhd": larder_policy_lhd::Lhd,
    "lirs": larder_policy_lirs::Lirs,
    "lru": larder_policy_lru::Lru,
    "s3-fifo": larder_policy_s3_fifo::S3Fifo,
    "sieve": larder_policy_sieve::Sieve,
    "slru": larder_policy_slru::Slru,
    "two-q": larder_policy_two_q::TwoQ,
    "w-tinylfu": larder_policy_w_tinylfu::WTinyLfu,
}

impl NativePolicy {
    /// An empty cache of it.
    ///
    /// # Errors
    /// What of its settings cannot be.
    pub(super) fn cell(
        &self,
        settings: &Settings,
        capacity_bytes: u64,
        shards: u32,
        seed: u64,
    ) -> Result<Box<dyn Cell>, String> {
        let setup = native_setup(self.manifest, settings, seed).map_err(|refusal| refusal.0)?;
        (self.cell)(&setup, capacity_bytes, shards, seed)
    }
}

fn cell<P: Eviction + Policy + Send + 'static>(
    setup: &[u8],
    capacity_bytes: u64,
    shards: u32,
    seed: u64,
) -> Result<Box<dyn Cell>, String> {
    let driver = |shard| {
        let parameters = P::Parameters::read(&Setup::new(setup));
        P::new(parameters, super::shard_seed(seed, shard)).map(Native)
    };
    let drivers: Result<Vec<_>, _> = (0..shards).map(driver).collect();
    let replay = Replay::new(drivers?, capacity_bytes).map_err(|unfit| unfit.0)?;
    Ok(Box::new(replay))
}
