//! The settings that clients of Redis ask for, by their names there.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::{DATABASES, Tenant};

use super::{events, words};
use crate::onlookers::KEYS_MAX;
use crate::{BACKLOG, Context, Shared};

/// A setting.
pub(super) struct Setting {
    /// As Redis calls it.
    pub(super) name: &'static str,
    /// What is in force.
    pub(super) read: fn(&Context<'_>) -> String,
    /// How it is changed.
    pub(super) change: Change,
}

/// What is done once everything was found to be right.
pub(super) type Step = Box<dyn FnOnce(&Shared)>;

/// How a setting is changed while the server runs.
pub(super) enum Change {
    /// Not at all: it is read at the start.
    Never,
    /// Not at all, for a reason of its own.
    NotHere(&'static str),
    /// To a whole number.
    Number(RangeInclusive<i64>, fn(&Shared, i64)),
    /// To what a text says; the answer is what has to be done, or what is wrong with it.
    Text(fn(&Context<'_>, &str) -> Result<Step, String>),
}

impl Setting {
    const fn new(name: &'static str, read: fn(&Context<'_>) -> String, change: Change) -> Self {
        Self { name, read, change }
    }
}

const BY_POLICY: Change = Change::NotHere(
    "policies are files here: drop one into the folder of policies, or see POLICY HELP",
);
const NOT_KEPT: Change =
    Change::NotHere("entries are kept in memory only; nothing is written to disk");

/// Seconds of the longest timeout.
const TIMEOUT_S_MAX: i64 = i32::MAX as i64;
/// Most entries of a slow log.
const SLOWLOG_LEN_MAX: i64 = 10_000;

/// In alphabetical order.
pub(super) static SETTINGS: [Setting; 27] = [
    Setting::new("appendonly", |_| "no".into(), NOT_KEPT),
    Setting::new("bind", bind, Change::Never),
    Setting::new(
        "client-query-buffer-limit",
        |ctx| ctx.shared.config.request_bytes_max.to_string(),
        Change::Never,
    ),
    Setting::new("cluster-enabled", |_| "no".into(), Change::Never),
    Setting::new("databases", |_| DATABASES.to_string(), Change::Never),
    Setting::new(
        "io-threads",
        |ctx| ctx.shared.config.threads.to_string(),
        Change::Never,
    ),
    Setting::new(
        "latency-monitor-threshold",
        |ctx| number(&ctx.shared.tuning.latency_threshold_ms),
        Change::Number(0..=i64::MAX, |shared, ms| {
            put(&shared.tuning.latency_threshold_ms, ms)
        }),
    ),
    Setting::new("latency-tracking", |_| "yes".into(), Change::Never),
    Setting::new(
        "latency-tracking-info-percentiles",
        |_| "50 99 99.9".into(),
        Change::Never,
    ),
    Setting::new(
        "log.level",
        |ctx| (ctx.shared.log.read)(),
        Change::Text(words::log_level),
    ),
    Setting::new(
        "loglevel",
        words::redis_log_level,
        Change::Text(words::set_redis_log_level),
    ),
    Setting::new(
        "maxclients",
        |ctx| number(&ctx.shared.tuning.clients_max),
        Change::Number(1..=1_000_000, |shared, most| {
            put(&shared.tuning.clients_max, most)
        }),
    ),
    Setting::new(
        "maxmemory",
        |ctx| ctx.store.tenant().memory_bytes().to_string(),
        Change::Text(words::memory),
    ),
    Setting::new(
        "maxmemory-policy",
        |ctx| maxmemory_policy(ctx.store.tenant()),
        BY_POLICY,
    ),
    Setting::new("maxmemory-samples", |_| "5".into(), BY_POLICY),
    Setting::new(
        "notify-keyspace-events",
        events::read,
        Change::Text(events::change),
    ),
    Setting::new("port", |ctx| port(ctx.shared.resp_addr()), Change::Never),
    Setting::new(
        "proto-max-bulk-len",
        |ctx| ctx.shared.config.proto_bulk_bytes_max.to_string(),
        Change::Never,
    ),
    Setting::new(
        "request-timeout",
        |ctx| ctx.shared.tuning.request_timeout().as_secs().to_string(),
        Change::Number(1..=86_400, |shared, s| {
            put(&shared.tuning.request_timeout_ms, s * 1000)
        }),
    ),
    Setting::new("save", |_| String::new(), NOT_KEPT),
    Setting::new(
        "slowlog-log-slower-than",
        |ctx| {
            ctx.shared
                .tuning
                .slowlog_slower_us
                .load(Ordering::Relaxed)
                .to_string()
        },
        Change::Number(-1..=i64::MAX, |shared, us| {
            shared.tuning.slowlog_slower_us.store(us, Ordering::Relaxed);
        }),
    ),
    Setting::new(
        "slowlog-max-len",
        |ctx| number(&ctx.shared.tuning.slowlog_len_max),
        Change::Number(0..=SLOWLOG_LEN_MAX, |shared, most| {
            put(&shared.tuning.slowlog_len_max, most);
        }),
    ),
    Setting::new("tcp-backlog", |_| BACKLOG.to_string(), Change::Never),
    Setting::new(
        "timeout",
        |ctx| {
            ctx.shared
                .tuning
                .idle_timeout()
                .map_or(0, |timeout| timeout.as_secs())
                .to_string()
        },
        Change::Number(0..=TIMEOUT_S_MAX, |shared, s| {
            put(&shared.tuning.idle_timeout_ms, s * 1000)
        }),
    ),
    Setting::new("tls-port", |ctx| port(ctx.shared.tls_addr()), Change::Never),
    Setting::new(
        "tracking-table-max-keys",
        |_| KEYS_MAX.to_string(),
        Change::Never,
    ),
    Setting::new(
        "unixsocket",
        |ctx| {
            let path = ctx.shared.config.unix_socket.as_ref();
            path.map(|path| path.display().to_string())
                .unwrap_or_default()
        },
        Change::Never,
    ),
];

/// What chooses what is evicted, and whether from all entries, as Redis writes it.
pub(in crate::commands) fn maxmemory_policy(tenant: &Tenant) -> String {
    let of = match tenant.is_volatile_only() {
        true => "volatile",
        false => "allkeys",
    };
    format!("{of}-{}", tenant.eviction())
}

fn bind(ctx: &Context<'_>) -> String {
    let addr = ctx.shared.resp_addr().or(ctx.shared.tls_addr());
    addr.map(|addr| addr.ip().to_string()).unwrap_or_default()
}

/// 0 where nothing is served, as in Redis.
fn port(addr: Option<SocketAddr>) -> String {
    addr.map_or(0, |addr| addr.port()).to_string()
}

fn number(value: &AtomicU64) -> String {
    value.load(Ordering::Relaxed).to_string()
}

/// `number` is in the range of the setting, which begins at 0 or above.
fn put(value: &AtomicU64, number: i64) {
    value.store(number.unsigned_abs(), Ordering::Relaxed);
}

/// The settings of Larder that Redis has no name for, as they were when the server started.
pub(super) fn own_settings(shared: &Shared) -> impl Iterator<Item = (&str, String)> {
    let own = shared.config.print_config.iter();
    let own = own.filter(|(name, _)| SETTINGS.iter().all(|known| known.name != name));
    own.map(|(name, value)| (name.as_str(), value.clone()))
}
