//! From the configuration to what engine and server are made with.

use std::io::BufReader;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, anyhow};
use larder_engine::below;
use larder_engine::glob::Pattern;
use larder_engine::tier::{CodecFigures, Tier};
use larder_engine::{
    Engine, EngineConfig, LABEL_NOTE_BYTES_MAX, Millis, SizeClasses, TenantConfig, Vault,
};
use larder_policy_runtime::{KeeperConfig, Limits, Refusal, Sandbox, SandboxConfig};
use larder_server::{ServerConfig, TenantLimits, UserConfig};
use larder_tiers::codec::{Codec, Dictionaries, Encrypt, Flow, KeyRing, Settings};
use larder_tiers::disk::{Disk, DiskOptions};
use larder_tiers::loader::LoadRule;
use larder_tiers::redis::{RedisOptions, RedisTier};
use larder_tiers::{KeyPattern, LevelConfig, Records, Rules, Safe, Stack, StackConfig, TagFile};
use zeroize::Zeroizing;

use crate::config::{Below, ByteSize, Config, DiskLevel, Loaded, RedisLevel, Tenant, User};
use crate::hash_password::read_password;
use crate::loaders;
use crate::reuse::{Learning, reuse};

/// What to build the engine with, in a process whose allocator has these size classes. `codec` seals and compresses what is
/// to lie so in memory.
pub fn engine_config(
    config: &Config,
    size_classes: SizeClasses,
    seed: u64,
    start_ms: Millis,
    codec: Option<&Arc<Codec>>,
    lower: Option<&Lower>,
) -> EngineConfig {
    let pack_bytes_min = config.codec.memory.map(usize_of);
    let codec = codec.filter(|_| config.codec.key_ring.is_some() || pack_bytes_min.is_some());
    let safe = |codec: &Arc<Codec>, tenant: &Tenant| {
        let (codec, is_secret) = (Arc::clone(codec), larder_server::is_secret);
        let safe = Safe::new(codec, &tenant.name, is_secret, pack_bytes_min);
        Arc::new(safe) as Arc<dyn Vault>
    };
    let tenant = |tenant: &Tenant| TenantConfig {
        name: tenant.name.clone(),
        memory_bytes: tenant.memory.bytes(),
        evictor: tenant.eviction.factory(),
        reuse: Some(reuse(seed, tenant.memory.bytes(), Learning::Beside)),
        below: lower.and_then(|lower| lower.below(config, tenant)),
        vault: codec.map(|codec| safe(codec, tenant)),
    };
    EngineConfig {
        memory_bytes: config.store.memory.bytes(),
        threads: threads(config),
        seed,
        size_classes,
        start_ms,
        volatile_only: config.store.volatile_only,
        tenants: config.store.tenants.iter().map(tenant).collect(),
    }
}

/// The folder of dictionaries within the data folder.
const DICTIONARIES: &str = "dictionaries";
/// What the longest value there may be and its note have together.
const CONTENT_BYTES_MAX: usize = (512 << 20) + LABEL_NOTE_BYTES_MAX;

/// Makes the form in which values leave the memory.
///
/// # Errors
/// When the folder of dictionaries cannot be used.
pub fn codec(config: &Config, ring: Option<KeyRing>, seed: u64) -> anyhow::Result<Arc<Codec>> {
    let (compress, encrypt) = (config.codec.compress, config.codec.encrypt);
    let disk = config.store.below.as_ref().and_then(|below| below.disk);
    let folder = disk.map(|_| &*config.folders.data);
    let tenants = config.store.tenants.len();
    codec_in(folder, compress, encrypt, ring, seed, tenants)
}

/// As [`codec`], for so many tenants; its dictionaries are in a folder within that one, or in memory alone.
///
/// # Errors
/// As [`codec`].
pub(crate) fn codec_in(
    folder: Option<&Path>,
    compress: bool,
    encrypt: Encrypt,
    ring: Option<KeyRing>,
    seed: u64,
    tenants: usize,
) -> anyhow::Result<Arc<Codec>> {
    let settings = Settings {
        compress,
        encrypt,
        content_bytes_max: CONTENT_BYTES_MAX,
        data_type_of: larder_server::data_type,
        tenants,
        seed,
    };
    let open = |folder: PathBuf| {
        let opened = Dictionaries::open(folder.clone());
        opened.with_context(|| format!("the folder {} cannot be used", folder.display()))
    };
    let dictionaries = folder.map(|folder| open(folder.join(DICTIONARIES)));
    let dictionaries = dictionaries.transpose()?.unwrap_or_default();
    Ok(Arc::new(Codec::new(settings, ring, dictionaries)))
}

/// Tells what a codec did.
pub fn codec_figures(codec: &Arc<Codec>) -> Arc<dyn Fn() -> CodecFigures + Send + Sync> {
    let codec = Arc::clone(codec);
    Arc::new(move || {
        let figures = codec.figures();
        let flows = figures.kinds.iter();
        let flows = flows.flat_map(|kind| [kind.plain, kind.zstd, kind.dictionary, kind.lz4]);
        let sum = |of: fn(&Flow) -> u64| flows.clone().map(|flow| of(&flow)).sum();
        CodecFigures {
            records: sum(|flow| flow.records),
            input_bytes: sum(|flow| flow.bytes_in),
            output_bytes: sum(|flow| flow.bytes_out),
            sealed: figures.sealed,
            opened: figures.opened,
            damaged: figures.damaged.iter().sum(),
            dictionaries: figures.dictionaries as u64,
            memory_bytes: figures.memory_bytes as u64,
        }
    })
}

/// The folder of the second level within the data folder.
pub(crate) const DISK: &str = "disk";
/// The file of invalidated tags within the data folder.
const TAGS: &str = "tags";
/// What finding its entries may take: half as much as the memory, and so much at least.
const INDEX_PART: u64 = 2;
const INDEX_BYTES_MIN: u64 = 32 << 20;
/// How long a level may take nothing when the server ends, before what is on its way to it is given up.
pub(crate) const END_TIMEOUT: Duration = Duration::from_secs(10);

/// What lies below the memory.
pub struct Lower {
    /// All of it; without levels where there are loaders alone.
    pub stack: Arc<Stack>,
    /// The level on disk.
    pub disk: Option<Arc<Disk>>,
    /// Each with its tenant.
    loaders: Vec<(String, LoadRule)>,
}

/// When the writes of a tenant are acknowledged, and what becomes of its evicted entries.
fn writes(level: Option<&Below>, tenant: &Tenant) -> Rules {
    let patterns = tenant
        .writes
        .keys
        .iter()
        .map(|(pattern, write)| (fits(pattern), *write));
    let lowest = level.and_then(|level| level.redis.last());
    let authority = lowest.iter().flat_map(|level| &level.authority);
    let write = tenant.writes.policy.or(level.map(|level| level.write));
    Rules {
        write: write.unwrap_or_default(),
        patterns: patterns.collect(),
        demotes: level.is_some_and(|level| level.demotes),
        authority: authority.map(|pattern| fits(pattern)).collect(),
        loaders: Vec::new(),
    }
}

fn fits(pattern: &str) -> KeyPattern {
    let pattern = Pattern::new(pattern.as_bytes());
    Arc::new(move |key| pattern.matches(key))
}

impl Lower {
    /// What lies below the memory of a tenant, if anything does.
    fn below(&self, config: &Config, tenant: &Tenant) -> Option<Arc<dyn below::Below>> {
        let own = self.loaders.iter().filter(|(of, _)| *of == tenant.name);
        let loaders: Vec<_> = own.map(|(_, rule)| rule.clone()).collect();
        let level = config.store.below.as_ref();
        let rules = Rules {
            loaders,
            ..writes(level, tenant)
        };
        let is_there = level.is_some() || !rules.loaders.is_empty();
        is_there.then(|| self.stack.below(&tenant.name, rules))
    }
}

/// Opens what lies below the memory, if something is to.
///
/// # Errors
/// When the folder cannot be used, Redis not be signed in to or a loader not be made, in one sentence.
pub fn lower(
    config: &Config,
    codec: &Arc<Codec>,
    seed: u64,
    clock: fn() -> Millis,
) -> anyhow::Result<Option<Lower>> {
    let loaders = loaders::rules(config, |name| env::var_os(name))?;
    let below = config.store.below.as_ref();
    if below.is_none() && loaders.is_empty() {
        return Ok(None);
    }
    let disk = below.and_then(|below| below.disk);
    let disk = disk.map(|level| open_disk(config, &level, codec, clock));
    let disk = disk.transpose()?;
    let mut tiers: Vec<(Arc<dyn Tier>, LevelConfig)> = Vec::new();
    if let (Some(disk), Some(level)) = (&disk, below.and_then(|below| below.disk)) {
        tiers.push((Arc::<Disk>::clone(disk), level.guarded));
    }
    for level in below.map(|below| &below.redis[..]).unwrap_or_default() {
        tiers.push((Arc::new(open_redis(level, codec)?), level.guarded));
    }
    let settings = StackConfig {
        seed,
        end_timeout: END_TIMEOUT,
    };
    let stack = Stack::start(tiers, &settings, clock)
        .context("the system gives no thread for what lies below the memory")?;
    if below.is_some() {
        let file = TagFile::open(config.folders.data.join(TAGS), clock())?;
        stack.keep_tags(file);
    }
    Ok(Some(Lower {
        stack,
        disk,
        loaders,
    }))
}

fn open_disk(
    config: &Config,
    level: &DiskLevel,
    codec: &Arc<Codec>,
    clock: fn() -> Millis,
) -> anyhow::Result<Arc<Disk>> {
    let records = Records::new(Arc::clone(codec), larder_server::is_secret);
    let disk = Disk::open(&disk_options(config, level), Arc::new(records), clock());
    let disk = disk.map_err(|error| anyhow!("{error}; --l2 none keeps entries in memory alone"))?;
    Ok(Arc::new(disk))
}

fn disk_options(config: &Config, level: &DiskLevel) -> DiskOptions {
    DiskOptions {
        folder: config.folders.data.join(DISK),
        bytes_max: level.size.bytes(),
        index_bytes_max: index_bytes_max(config.store.memory),
        sync_every: level.sync,
    }
}

/// Files that what lies below the memory may have open.
pub(crate) fn files_below_max(config: &Config) -> u64 {
    let disk = config.store.below.as_ref().and_then(|below| below.disk);
    disk.map_or(0, |level| disk_options(config, &level).files_max())
}

fn open_redis(level: &RedisLevel, codec: &Arc<Codec>) -> anyhow::Result<RedisTier> {
    let password = level.password_file.as_deref().map(password).transpose()?;
    let tls_ca = level.tls_ca.as_deref().map(|path| {
        fs::read(path)
            .with_context(|| format!("no authorities for {} in {}", level.address, path.display()))
    });
    let options = RedisOptions {
        address: level.address.clone(),
        password,
        tls_ca: tls_ca.transpose()?,
        connections: level.connections,
        timeout: level.guarded.guard.deadline,
        prefix: level.prefix.clone(),
        buckets: level.hash_tags,
        ttl_max: level.ttl_max,
        consistency: level.consistency,
        hearing: level.hearing,
        stale_max: level.stale_max,
        is_required: level.guarded.is_required,
    };
    let records = Records::new(Arc::clone(codec), larder_server::is_secret).portable();
    Ok(RedisTier::open(&options, Arc::new(records))?)
}

/// The password that a file holds.
fn password(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let wrong = || format!("no password in {}", path.display());
    let file = fs::File::open(path).with_context(wrong)?;
    let password = read_password(&mut BufReader::new(file)).with_context(wrong)?;
    let password = String::from_utf8(password).map_err(|_| anyhow!("it is no UTF-8"));
    password.map(Zeroizing::new).with_context(wrong)
}

/// Bytes of memory that finding entries of the second level may take, beside those of the memory itself.
pub(crate) fn index_bytes_max(memory: ByteSize) -> u64 {
    (memory.bytes() / INDEX_PART).max(INDEX_BYTES_MIN)
}

/// The folder of compiled policies within the data folder.
const CODE_CACHE: &str = "policy-code";
/// The folder of policies is looked through so often though no event came.
const POLICIES_POLL: Duration = Duration::from_secs(2);

/// What to start the keeper of policies with.
///
/// # Errors
/// When WebAssembly cannot be run here, or the folder for compiled code is not safe.
pub fn keeper_config(
    config: &Config,
    engine: Arc<Engine>,
    seed: u64,
    clock: fn() -> Millis,
) -> Result<KeeperConfig, Refusal> {
    let sandbox = Sandbox::new(SandboxConfig {
        cache_dir: Some(config.folders.data.join(CODE_CACHE)),
        limits: Limits::default(),
    })?;
    let natives = config.store.tenants.iter();
    Ok(KeeperConfig {
        folder: config.folders.policies.clone(),
        data: config.folders.data.clone(),
        sandbox,
        engine,
        natives: natives.map(|tenant| tenant.eviction.factory()).collect(),
        // The workers, and the thread of HTTP.
        threads: threads(config) + usize::from(config.endpoints.http.is_some()),
        clock,
        seed,
        poll: POLICIES_POLL,
    })
}

/// What to start the server with.
pub fn server_config(
    Loaded {
        config, settings, ..
    }: &Loaded,
) -> ServerConfig {
    let limits = &config.limits;
    // Clients are told of every setting but the one that would let them aim at hashes.
    let settings = settings
        .iter()
        .filter(|setting| setting.key != "seed")
        .map(|setting| (setting.key.to_owned(), setting.text.clone()));
    ServerConfig {
        listen: config.endpoints.listen,
        unix_socket: config.endpoints.unix_socket.clone(),
        http: config.endpoints.http,
        tls: config.tls.served(),
        threads: threads(config),
        clients_max: limits.clients_max,
        idle_timeout: limits.idle_timeout,
        request_timeout: limits.request_timeout,
        proto_bulk_bytes_max: usize_of(limits.proto_max_bulk),
        request_bytes_max: usize_of(limits.request_max),
        output_bytes_max: usize_of(limits.output_max),
        client_buffers_bytes_max: usize_of(limits.client_buffers_max),
        drain_timeout: limits.drain_timeout,
        users: config.store.users.iter().map(user_config).collect(),
        tenant_limits: config.store.tenants.iter().map(limits_of).collect(),
        lua_memory_bytes_max: usize_of(config.lua.memory_max),
        lua_time_max: config.lua.time_max,
        seals: config.codec.encrypt != Encrypt::None,
        keyspace_events: config.store.notify_keyspace_events,
        print_config: settings.collect(),
    }
}

fn user_config(user: &User) -> UserConfig {
    UserConfig {
        name: user.name.clone(),
        tenant: user.tenant.clone(),
        is_admin: user.is_admin,
        password_hashes: user.passwords.clone(),
        rules: user.rules.clone(),
    }
}

fn limits_of(tenant: &Tenant) -> TenantLimits {
    TenantLimits {
        ops_per_second_max: tenant.ops_per_second_max,
        connections_max: tenant.connections_max,
    }
}

fn threads(config: &Config) -> usize {
    let available = || thread::available_parallelism().map_or(1, NonZero::get);
    config.store.threads.unwrap_or_else(available)
}

fn usize_of(size: ByteSize) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
