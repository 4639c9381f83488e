//! Configuration: what was said in the file, the environment and on the command line, checked as
//! a whole, becomes one plain [`Config`].
//!
//! A flag beats a variable `LARDER_…` of the environment, which beats the TOML file, which beats
//! the default. Every problem is found before anything is started, and all are reported at once.

mod codec;
mod declared;
mod environment;
mod file;
mod guard;
mod hooks;
mod kinds;
mod levels;
mod listed;
mod loaders;
mod patterns;
mod predict;
mod print;
mod problem;
mod reader;
mod tenants;
#[cfg(test)]
mod tests;
mod tls;
mod units;
mod unknown;
mod users;
mod writes;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use larder_engine::EvictorFactory;
use larder_observe::LogFormat;
use larder_server::{ClientAuth, Gone, KeyspaceEvents};
use larder_tiers::codec::Encrypt;
use larder_tiers::loader::http::UrlPattern;
use larder_tiers::redis::{Consistency, RedisAddress};
use larder_tiers::webhook::Uri;
use larder_tiers::{LevelConfig, WritePolicy};

pub(crate) use environment::PASSWORD_VARIABLE;
pub use environment::unknown_variables;
pub use print::print;
pub use problem::{Origin, Problem, Problems};
pub use reader::{Setting, flag_name};
pub use units::{ByteSize, NotAQuantity};

use crate::natives::{NATIVES, NativePolicy};
use reader::{Layers, Reader};

/// The settings of a server, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it is served.
    pub endpoints: Endpoints,
    /// Where things are kept on disk.
    pub folders: Folders,
    /// What is kept in memory.
    pub store: Store,
    /// Where TLS is spoken.
    pub tls: Tls,
    /// What clients may ask for.
    pub limits: Limits,
    /// The form in which values leave the process.
    pub codec: Codec,
    /// What is fetched before anybody asks for it.
    pub predict: Predict,
    /// What scripts may take.
    pub lua: Lua,
    /// What is logged.
    pub log: Log,
}

/// Where Larder is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Redis protocol over TCP without TLS; port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Health and metrics over HTTP.
    pub http: Option<SocketAddr>,
    /// Redis protocol over a Unix socket.
    pub unix_socket: Option<PathBuf>,
    /// Whether others may reach it though no password is asked for.
    pub insecure: bool,
}

/// Where things are kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Everything that outlives the process.
    pub data: PathBuf,
    /// Policies: what is dropped there is deployed.
    pub policies: PathBuf,
}

/// What is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Memory of all tenants together.
    pub memory: ByteSize,
    /// Worker threads; `None`: one a processor.
    pub threads: Option<usize>,
    /// Seed of the hashes; `None`: drawn at the start.
    pub seed: Option<u64>,
    /// Whether nothing is evicted but what would expire anyway.
    pub volatile_only: bool,
    /// Which changes of keys are published.
    pub notify_keyspace_events: KeyspaceEvents,
    /// How long the hot set may take to come back before the server is ready; `None`: it is neither kept nor brought back.
    pub warm_deadline: Option<Duration>,
    /// The levels below the memory, if there are any.
    pub below: Option<Below>,
    /// The tenants, their shares at most `memory` together; the first is `default`.
    pub tenants: Vec<Tenant>,
    /// The users; none: whoever can connect may do everything.
    pub users: Vec<User>,
    /// Where values come from that are nowhere in the cache; of those that fit a key the first counts.
    pub loaders: Vec<Loader>,
    /// Who is told of entries that go.
    pub hooks: Vec<Hook>,
}

/// What lies below the memory: at least one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// When a write is acknowledged, and where it is kept.
    pub write: WritePolicy,
    /// Whether what is evicted goes down where it is not below.
    pub demotes: bool,
    /// The disk, which comes first.
    pub disk: Option<DiskLevel>,
    /// Redis, from the top.
    pub redis: Vec<RedisLevel>,
}

/// A level on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskLevel {
    /// What it may take.
    pub size: ByteSize,
    /// How often it is brought to the disk itself.
    pub sync: Option<Duration>,
    /// What is asked of it, and what becomes of writes while it is away.
    pub guarded: LevelConfig,
}

/// A level in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisLevel {
    /// Where it is.
    pub address: RedisAddress,
    /// What is signed in with, in place of the address's own.
    pub password_file: Option<PathBuf>,
    /// Authorities of its certificate; `None`: the system's.
    pub tls_ca: Option<PathBuf>,
    /// Connections that are read over, to each server.
    pub connections: usize,
    /// What is asked of it, and what becomes of writes while it is away; where it is required nothing starts without it.
    pub guarded: LevelConfig,
    /// What all names begin with.
    pub prefix: String,
    /// How long an entry is kept at most.
    pub ttl_max: Duration,
    /// Who has a write when it is done.
    pub consistency: Consistency,
    /// In how many slots a tenant's entries are; `None`: all.
    pub hash_tags: Option<u32>,
    /// Whether servers with the same prefix tell each other of what they change, and how long one may say nothing then.
    pub hearing: Option<Duration>,
    /// For how long what others may have changed is answered without it; `None`: for ever.
    pub stale_max: Option<Duration>,
    /// Patterns of keys over which it has the authority.
    pub authority: Vec<String>,
}

/// A tenant and its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// `[a-z0-9_-]{1,64}`, unique.
    pub name: String,
    /// Its share of the memory.
    pub memory: ByteSize,
    /// Who chooses what it evicts.
    pub eviction: Eviction,
    /// Requests a second, beyond which connections are delayed.
    pub ops_per_second_max: Option<u64>,
    /// Connections at once.
    pub connections_max: Option<u64>,
    /// What of it is written to the second level.
    pub writes: Writes,
}

/// When a tenant's writes are acknowledged, and where they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// `None`: as [`Below::write`] says.
    pub policy: Option<WritePolicy>,
    /// Patterns of keys for which it is another; the first that fits counts.
    pub keys: Vec<(String, WritePolicy)>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `[a-z0-9_-]{1,64}`, unique.
    pub name: String,
    /// PHC strings; none: any password is right.
    pub passwords: Vec<String>,
    /// The tenant they work on.
    pub tenant: String,
    /// Whether they may do what concerns the whole server.
    pub is_admin: bool,
    /// What they may do; `None`: everything within their tenant.
    pub rules: Option<String>,
}

/// Where the values of some keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loader {
    /// Which keys.
    pub pattern: String,
    /// Where they are asked for.
    pub url: UrlPattern,
    /// The tenant whose keys they are.
    pub tenant: String,
    /// What is said beside.
    pub headers: Vec<(String, Header)>,
    /// How long a value is kept where nothing else is said; `None`: until it is evicted.
    pub ttl: Option<Duration>,
    /// Whether the origin may say how long its values are kept.
    pub honours_cache_control: bool,
    /// How long after that it is answered while it is loaded anew.
    pub stale_while_revalidate: Duration,
    /// How long after that it is answered where it cannot be loaded anew.
    pub stale_if_error: Duration,
    /// How eagerly values are loaded anew before their time is over, in percent of the usual.
    pub early_percent: u32,
    /// How long it is remembered that there is no value.
    pub absent_ttl: Duration,
    /// How long a load may take.
    pub timeout: Duration,
    /// Longest value.
    pub size_max: ByteSize,
    /// Loads at once.
    pub in_flight_max: usize,
}

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// This.
    Text(String),
    /// What that variable of the environment holds, a secret.
    Environment(String),
}

/// What is fetched before anybody asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predict {
    /// Whether anything is.
    pub enabled: bool,
    /// Memory for all tenants together, beside that of the entries.
    pub memory: ByteSize,
    /// How often a model is trained.
    pub interval: Duration,
    /// Candidates of which has to be known what became of them before one is trained.
    pub min_data_points: u64,
    /// How far ahead it looks at most.
    pub horizon: Duration,
    /// Fetches a second, a tenant.
    pub fetches_per_second: u32,
    /// Bytes a second, a tenant.
    pub bytes_per_second: ByteSize,
    /// Part of a tenant's memory that may wait to be asked for.
    pub share_percent: u64,
    /// Accesses that are looked at in a second, a tenant.
    pub accesses_per_second: u32,
    /// Whether one model learns from all tenants.
    pub shared: bool,
}

/// Who is told of entries that go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Of what.
    pub on: Vec<Gone>,
    /// Which keys.
    pub pattern: String,
    /// The tenant whose keys these are.
    pub tenant: String,
    /// Where it is told.
    pub to: HookTo,
}

/// Where a hook tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookTo {
    /// In a channel of the tenant.
    Channel(String),
    /// There, sealed with a secret if there is one.
    Url(Uri, Option<Secret>),
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In that variable of the environment.
    Environment(String),
    /// In that file.
    File(PathBuf),
}

/// The eviction policy where none is named.
pub const DEFAULT_EVICTION: &str = "s3-fifo";

/// Who chooses what is evicted: a policy that is compiled in.
#[derive(Clone, Copy)]
pub struct Eviction(&'static NativePolicy);

impl Eviction {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        NATIVES.iter().map(Self)
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|eviction| eviction.name() == name)
    }

    /// The name it has in the configuration.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// What makes evictors of it.
    pub fn factory(self) -> Arc<dyn EvictorFactory> {
        self.0.evictor()
    }
}

impl PartialEq for Eviction {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Eviction {}

impl fmt::Debug for Eviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The `[tls]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Redis protocol over TLS; port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Whether HTTP speaks TLS alone.
    pub http: bool,
    /// The certificate; there where TLS is spoken.
    pub cert: Option<PathBuf>,
    /// Its private key; there where TLS is spoken.
    pub key: Option<PathBuf>,
    /// Authorities of clients' certificates; there where those are asked for.
    pub client_ca: Option<PathBuf>,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
}

/// The `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub clients_max: usize,
    /// How long a connection may be silent; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a request may take to arrive, and a reply to be taken.
    pub request_timeout: Duration,
    /// Longest argument of a request.
    pub proto_max_bulk: ByteSize,
    /// Longest request.
    pub request_max: ByteSize,
    /// Replies that may wait for one connection.
    pub output_max: ByteSize,
    /// Buffers of all connections together.
    pub client_buffers_max: ByteSize,
    /// How long a stopping server waits for what was begun.
    pub drain_timeout: Duration,
}

/// The `[compression]` and the `[encryption]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// Whether values are compressed below the memory where that pays.
    pub compress: bool,
    /// From how many bytes on they are compressed in memory, if ever.
    pub memory: Option<ByteSize>,
    /// The key ring that they are sealed with.
    pub key_ring: Option<PathBuf>,
    /// What is sealed; nothing where there is no key ring.
    pub encrypt: Encrypt,
}

/// The `[lua]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lua {
    /// Memory of a Lua state, of which each worker has one a tenant.
    pub memory_max: ByteSize,
    /// How long a script may run.
    pub time_max: Duration,
}

/// The `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A level; or levels by module, when `LARDER_LOG` says so in its place.
    pub filter: String,
    /// For people or for programs.
    pub format: LogFormat,
}

/// Who may say something about the settings.
#[derive(Debug, Default)]
pub struct Sources {
    /// The file named on the command line; `LARDER_CONFIG` names it otherwise, or there is none.
    pub file: Option<PathBuf>,
    /// The variables of the environment, all of them.
    pub environment: Vec<(OsString, OsString)>,
    /// What the command line says, by key of the setting.
    pub flags: BTreeMap<String, String>,
}

/// A configuration without problems.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where each came from, in the order of the documentation.
    pub settings: Vec<Setting>,
    /// Whether the file has any `[[tenant]]`.
    pub tenants_listed: bool,
}

/// Reads and checks everything.
///
/// # Errors
/// With all that is wrong anywhere: flags last, the file's lines in order.
pub fn load(sources: Sources) -> Result<Loaded, Problems> {
    let environment = environment::own(&sources.environment);
    let path = sources
        .file
        .or_else(|| environment::config_file(&environment));
    let file = path.map(|path| file::File::read(&path)).unwrap_or_default();
    check(&Layers {
        file,
        environment,
        flags: sources.flags,
    })
}

/// Every setting with its default, as if nobody had said anything.
pub fn defaults() -> Vec<Setting> {
    let layers = Layers::default();
    let mut reader = Reader::new(&layers);
    declared::read(&mut reader);
    reader.settings
}

fn check(layers: &Layers) -> Result<Loaded, Problems> {
    let mut reader = Reader::new(layers);
    let config = declared::read(&mut reader);
    let Reader {
        mut problems,
        settings,
        ..
    } = reader;
    problems.extend(unknown::refuse(&layers.file, &settings));
    problems.sort_by_key(|problem| problem.origin);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    Ok(Loaded {
        config,
        settings,
        tenants_listed: !layers.file.tenants.is_empty(),
    })
}
