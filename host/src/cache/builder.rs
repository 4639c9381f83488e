//! What a cache is made with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use larder_engine::loader::Loader;
use larder_engine::tier::Tier;
use larder_engine::{Engine, EngineConfig, SizeClasses, TenantConfig, Vault};
use larder_tiers::codec::{Codec, Encrypt, KeyRing};
use larder_tiers::disk::{Disk, DiskOptions};
use larder_tiers::loader::{LoadLimits, LoadRule};
use larder_tiers::{LevelConfig, Records, Rules, Safe, Stack, StackConfig};
use rand::TryRng;
use rand::rngs::SysRng;

use super::policy::Policies;
use super::{Cache, Lower, TENANT, Upkeep, now};
use crate::assemble::{END_TIMEOUT, codec_in, index_bytes_max};
use crate::config::{ByteSize, DEFAULT_EVICTION, Eviction};
use crate::keys::RingFile;
use crate::reuse::{Learning, reuse};
use crate::upkeep as care;

/// Loads that go on at once.
const LOADS_MAX: usize = 64;

/// Makes a [`Cache`].
pub struct CacheBuilder {
    memory_bytes: u64,
    disk: Option<(PathBuf, u64)>,
    compress: bool,
    key_ring: Option<PathBuf>,
    policy: Option<PathBuf>,
    loader: Option<Arc<dyn Loader>>,
    load_timeout: Duration,
}

impl CacheBuilder {
    pub(super) fn new(memory_bytes: u64) -> Self {
        Self {
            memory_bytes,
            disk: None,
            compress: true,
            key_ring: None,
            policy: None,
            loader: None,
            load_timeout: Duration::from_secs(10),
        }
    }

    /// Keeps entries in a folder too, in so many bytes: those that memory has no room for, and after the end of the
    /// process all. The folder is for this cache alone, and made if it is not there. 1 MiB at least.
    #[must_use]
    pub fn disk(mut self, folder: impl Into<PathBuf>, bytes: u64) -> Self {
        self.disk = Some((folder.into(), bytes));
        self
    }

    /// Whether values are compressed on disk where that pays, with dictionaries for small ones, which lie in the folder, too.
    /// They are, if nothing is said.
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Seals what lies on disk, and in memory what a policy finds to be a secret, with a key ring that `larder keys new`
    /// made. The file is looked at every second: a changed one is taken, and what is on disk is sealed anew. What is not
    /// sealed is not read, so a folder begins anew when this is said first. Keeping the process from being dumped is up to the
    /// program.
    #[must_use]
    pub fn key_ring(mut self, file: impl Into<PathBuf>) -> Self {
        self.key_ring = Some(file.into());
        self
    }

    /// Has a policy decide, as `larder policy build` makes it: what is evicted, or what is kept, for how long and what it
    /// is worth. One that breaks a rule is not asked any more.
    #[must_use]
    pub fn policy(mut self, wasm: impl Into<PathBuf>) -> Self {
        self.policy = Some(wasm.into());
        self
    }

    /// Loads what neither memory nor disk has: a closure that takes a key and returns a future. It goes on in the thread
    /// that writes to the disk, so it is to await and not to block.
    #[must_use]
    pub fn loader(mut self, loader: impl Loader) -> Self {
        self.loader = Some(Arc::new(loader));
        self
    }

    /// How long a load may take; ten seconds if nothing is said.
    #[must_use]
    pub fn load_timeout(mut self, timeout: Duration) -> Self {
        self.load_timeout = timeout;
        self
    }

    /// The cache.
    ///
    /// # Errors
    /// When the folder cannot be used, the policy or the key ring is refused, or the system gives no thread; in one
    /// sentence.
    pub fn build(self) -> anyhow::Result<Cache> {
        let mut seed = [0; 8];
        SysRng
            .try_fill_bytes(&mut seed)
            .context("the system gives no random numbers")?;
        let seed = u64::from_ne_bytes(seed);
        let native =
            Eviction::named(DEFAULT_EVICTION).context("the default policy is compiled in")?;
        let (policies, evictor) = Policies::load(self.policy.as_deref(), seed)?;
        let ring = self.key_ring.as_deref().map(RingFile::open).transpose()?;
        let (ring_file, ring) = ring.unzip();
        let codec = self.codec(ring, seed)?;
        let disk = self.open_disk(&codec)?;
        let lower = self.stack(disk.clone(), seed)?.map(Lower);
        let below = lower
            .as_ref()
            .map(|Lower(stack)| stack.below(TENANT, self.rules()));
        let engine = Engine::new(EngineConfig {
            memory_bytes: self.memory_bytes,
            threads: std::thread::available_parallelism().map_or(1, Into::into),
            seed,
            size_classes: SizeClasses::Sixteen,
            start_ms: now(),
            volatile_only: false,
            tenants: vec![TenantConfig {
                name: TENANT.to_owned(),
                memory_bytes: self.memory_bytes,
                evictor: evictor.unwrap_or_else(|| native.factory()),
                reuse: Some(reuse(seed, self.memory_bytes, Learning::Beside)),
                below,
                vault: ring_file.is_some().then(|| {
                    let (codec, is_secret) = (Arc::clone(&codec), larder_server::is_secret);
                    Arc::new(Safe::new(codec, TENANT, is_secret, None)) as Arc<dyn Vault>
                }),
            }],
        })?;
        let tenant = Arc::clone(engine.default_tenant());
        let seals = ring_file.is_some();
        let needs_care = seals || disk.is_some();
        let caring = needs_care.then(|| care::Upkeep::new(codec).start(ring_file, disk, now));
        let caring = caring
            .transpose()
            .context("the system gives no thread for the codec")?;
        let upkeep = Upkeep::start(engine).context("the system gives no thread for the upkeep")?;
        Ok(Cache {
            tenant,
            policies,
            seals,
            _upkeep: upkeep,
            _caring: caring,
            _lower: lower,
        })
    }

    fn codec(&self, ring: Option<KeyRing>, seed: u64) -> anyhow::Result<Arc<Codec>> {
        let encrypt = match ring {
            Some(_) => Encrypt::All,
            None => Encrypt::None,
        };
        let folder = self.disk.as_ref().map(|(folder, _)| &**folder);
        codec_in(folder, self.compress, encrypt, ring, seed, 1)
    }

    fn open_disk(&self, codec: &Arc<Codec>) -> anyhow::Result<Option<Arc<Disk>>> {
        let Some((folder, bytes)) = &self.disk else {
            return Ok(None);
        };
        let options = DiskOptions {
            folder: folder.clone(),
            bytes_max: *bytes,
            index_bytes_max: index_bytes_max(ByteSize::new(self.memory_bytes)),
            sync_every: None,
        };
        let records = Records::new(Arc::clone(codec), larder_server::is_secret);
        Ok(Some(Arc::new(Disk::open(
            &options,
            Arc::new(records),
            now(),
        )?)))
    }

    fn stack(&self, disk: Option<Arc<Disk>>, seed: u64) -> anyhow::Result<Option<Arc<Stack>>> {
        if disk.is_none() && self.loader.is_none() {
            return Ok(None);
        }
        let disk = disk.map(|disk| (disk as Arc<dyn Tier>, LevelConfig::default()));
        let settings = StackConfig {
            seed,
            end_timeout: END_TIMEOUT,
        };
        let stack = Stack::start(disk.into_iter().collect(), &settings, now);
        Ok(Some(stack.context(
            "the system gives no thread for what lies below the memory",
        )?))
    }

    fn rules(&self) -> Rules {
        let limits = LoadLimits {
            ttl: None,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            early_percent: 0,
            absent_ttl: Duration::ZERO,
            timeout: self.load_timeout,
            value_bytes_max: usize::MAX,
            in_flight_max: LOADS_MAX,
            note_of: |_| Vec::new(),
        };
        let rule = |loader: &Arc<dyn Loader>| LoadRule {
            name: "*".into(),
            fits: Arc::new(|_| true),
            loader: Arc::clone(loader),
            limits,
        };
        Rules {
            demotes: true,
            loaders: self.loader.iter().map(rule).collect(),
            ..Rules::default()
        }
    }
}
