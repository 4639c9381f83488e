//! State of the whole server, shared by workers, commands, HTTP and metrics.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use larder_engine::foresight::{Explanation, Foresight, Prediction};
use larder_engine::tier::{CodecFigures, LevelFigures, Levels, LoaderFigures};
use larder_engine::{Deciders, Engine, Key, Millis, Policies, Tenant};

use crate::baseline::Baseline;
use crate::budget::Budgets;
use crate::clients::pauses::Pauses;
use crate::clients::{Census, Clients};
use crate::http::Figures;
use crate::latency::LatencyMonitor;
use crate::meter::{CommandFigures, Counted, Meter};
use crate::onlookers::monitor::Watchers;
use crate::onlookers::{Hook, Onlookers, TrackingFigures, set_events};
use crate::pubsub::Hub;
use crate::sampler::Sampler;
use crate::scripts::{ScriptFigures, Scripts};
use crate::secrets::Secrets;
use crate::slowlog::SlowLog;
use crate::stats::{Counters, MaintenanceCounters, MaintenanceFigures, Totals, WorkerCounters};
use crate::tls::Tls;
use crate::tuning::Tuning;
use crate::warm::{WarmUps, Warmed};
use crate::{ServerConfig, Session, Users};

/// A worker that has been at one thing for longer than this, and than a script may take, hangs.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What the server is given besides its settings: everything that would make it depend on a real clock,
/// a source of randomness or an allocator.
pub struct Parts {
    /// The store.
    pub engine: Arc<Engine>,
    /// Makes what decides over the values that a worker writes.
    pub deciders: Arc<dyn Deciders>,
    /// Keeps the policies.
    pub policies: Arc<dyn Policies>,
    /// The levels below the memory, if there are some.
    pub levels: Option<Arc<dyn Levels>>,
    /// What the codec did so far.
    pub codec: Arc<dyn Fn() -> CodecFigures + Send + Sync>,
    /// Whoever foretells what will be asked for, if that is wanted.
    pub foresight: Option<Arc<dyn Foresight>>,
    /// Who is told of entries that go.
    pub hooks: Vec<Hook>,
    /// Reads the wall clock, in Unix milliseconds.
    pub clock: fn() -> Millis,
    /// Reads a clock that never goes back, in nanoseconds since some moment; times commands.
    pub monotonic_ns: fn() -> u64,
    /// Resident memory of the process, as far as it can be measured; feeds the governor.
    pub resident: fn() -> Option<Resident>,
    /// Makes the allocator give back what it holds unused; called when resident memory is high.
    pub release_memory: fn(),
    /// Name of this run of the process: 40 hexadecimal digits, random.
    pub run_id: String,
    /// Fills a buffer with random bytes that nobody can guess: the system's.
    pub random: fn(&mut [u8]) -> io::Result<()>,
    /// Reads and changes what is logged.
    pub log: LogControl,
}

/// Resident memory of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resident {
    /// All of it, in bytes.
    pub bytes: u64,
    /// Of that, what is mapped from files: the program itself. The system takes it back when it needs memory.
    pub file_bytes: u64,
}

/// How the level of the log is read and changed while the server runs.
#[derive(Debug, Clone, Copy)]
pub struct LogControl {
    /// The level in force, or levels by module.
    pub read: fn() -> String,
    /// Whether a text is such; else what is wrong with it, in a sentence for people.
    pub check: fn(&str) -> Result<(), String>,
    /// Puts a text that was checked in force.
    pub change: fn(&str),
}

/// What all tenants together may remember of keys that were read is this part of the clients' buffers.
const TRACKING_PART: usize = 4;

/// State of the whole server.
pub struct Shared {
    /// The store.
    pub engine: Arc<Engine>,
    /// Keeps the policies.
    pub policies: Arc<dyn Policies>,
    /// Settings.
    pub config: ServerConfig,
    /// Name of this run of the process: 40 hexadecimal digits.
    pub run_id: String,
    /// Who may do what.
    pub users: Arc<Users>,
    /// When the server was made.
    pub started_ms: Millis,
    pub(crate) deciders: Arc<dyn Deciders>,
    pub(crate) clock: fn() -> Millis,
    pub(crate) monotonic_ns: fn() -> u64,
    pub(crate) levels: Option<Arc<dyn Levels>>,
    pub(crate) codec: Arc<dyn Fn() -> CodecFigures + Send + Sync>,
    pub(crate) foresight: Option<Arc<dyn Foresight>>,
    pub(crate) resident: fn() -> Option<Resident>,
    pub(crate) release_memory: fn(),
    pub(crate) counters: Counters,
    pub(crate) maintenance: MaintenanceCounters,
    /// Those of the workers, and one more for HTTP.
    pub(crate) workers: Box<[WorkerCounters]>,
    /// Likewise.
    pub(crate) meters: Box<[Meter]>,
    pub(crate) baseline: Baseline,
    pub(crate) latency: LatencyMonitor,
    pub(crate) log: LogControl,
    pub(crate) sampler: Sampler,
    pub(crate) secrets: Secrets,
    pub(crate) slowlog: SlowLog,
    pub(crate) tuning: Tuning,
    pub(crate) buffers: Budgets,
    pub(crate) clients: Clients,
    pub(crate) pauses: Pauses,
    /// Who looks on, by the number of the tenant.
    pub(crate) onlookers: Box<[Arc<Onlookers>]>,
    /// Who watches a tenant, by its number.
    watchers: Box<[Arc<Watchers>]>,
    pub(crate) http: Figures,
    pub(crate) warm_ups: WarmUps,
    /// The scripts of each tenant, by its number.
    pub(crate) scripts: Box<[Arc<Scripts>]>,
    pub(crate) resp_addr: OnceLock<SocketAddr>,
    pub(crate) tls_addr: OnceLock<SocketAddr>,
    /// Set when the server starts, if TLS is spoken anywhere.
    pub(crate) tls: OnceLock<Arc<Tls>>,
    health: AtomicU8,
    next_client: AtomicU64,
}

/// What the server is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Not all listeners are open yet.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what was begun; accepts nobody.
    Draining,
    /// A worker thread died by a fault of its own; its connections are lost and it accepts nobody.
    Failed,
}

impl Shared {
    /// State of a server that is not started yet.
    pub fn new(config: ServerConfig, parts: Parts) -> Self {
        let threads = config.threads.max(1);
        let tenants = parts.engine.tenants().len();
        let workers = (0..=threads).map(|_| WorkerCounters::default());
        let users = Users::new(
            &config.users,
            &config.tenant_limits,
            &parts.engine,
            parts.clock,
            parts.random,
        );
        let tuning = Tuning::new(&config);
        let buffers = Budgets::new(config.client_buffers_bytes_max, tenants);
        let onlookers = onlookers(&parts.engine, &config, &tuning, &buffers, parts.hooks);
        let events = config.keyspace_events;
        set_events(&tuning.keyspace_events, &parts.engine, events);
        Self {
            scripts: (0..tenants).map(|_| Arc::default()).collect(),
            users: Arc::new(users),
            started_ms: (parts.clock)(),
            slowlog: SlowLog::new(tenants),
            baseline: Baseline::new(tenants),
            latency: LatencyMonitor::default(),
            log: parts.log,
            sampler: Sampler::new(tenants, (parts.monotonic_ns)()),
            secrets: Secrets::default(),
            engine: parts.engine,
            deciders: parts.deciders,
            policies: parts.policies,
            levels: parts.levels,
            codec: parts.codec,
            foresight: parts.foresight,
            run_id: parts.run_id,
            clock: parts.clock,
            monotonic_ns: parts.monotonic_ns,
            resident: parts.resident,
            release_memory: parts.release_memory,
            counters: Counters::default(),
            maintenance: MaintenanceCounters::new((parts.monotonic_ns)()),
            workers: workers.collect(),
            meters: (0..=threads).map(|_| Meter::new()).collect(),
            tuning,
            http: Figures::default(),
            warm_ups: WarmUps::new(tenants),
            buffers,
            clients: Clients::default(),
            pauses: Pauses::new(tenants),
            onlookers,
            watchers: (0..tenants).map(|_| Arc::default()).collect(),
            config,
            resp_addr: OnceLock::new(),
            tls_addr: OnceLock::new(),
            tls: OnceLock::new(),
            health: AtomicU8::new(Health::Starting as u8),
            next_client: AtomicU64::new(1),
        }
    }

    /// The channels of a connection's tenant.
    pub(crate) fn hub(&self, session: &Session) -> &Arc<Hub> {
        self.onlookers[session.tenant.number()].hub()
    }

    /// Those who watch a connection's tenant.
    pub(crate) fn watchers(&self, session: &Session) -> &Arc<Watchers> {
        &self.watchers[session.tenant.number()]
    }

    /// The time now, in Unix milliseconds.
    pub fn now(&self) -> Millis {
        (self.clock)()
    }

    /// Address of the Redis protocol with the port that is really listened on; the configured one
    /// before the server has started.
    pub fn resp_addr(&self) -> Option<SocketAddr> {
        self.resp_addr.get().copied().or(self.config.listen)
    }

    /// That of the Redis protocol over TLS, likewise.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        let configured = self.config.tls.as_ref().and_then(|tls| tls.listen);
        self.tls_addr.get().copied().or(configured)
    }

    /// Resident memory of the process in bytes, if it can be measured.
    pub fn resident_bytes(&self) -> Option<u64> {
        Some((self.resident)()?.bytes)
    }

    /// Values that policies found to be secrets and that were kept as they are, for want of a key ring.
    pub fn unsealed_secrets(&self) -> u64 {
        self.secrets.unsealed()
    }

    /// What the server is ready for.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Starting,
            1 => Health::Ready,
            2 => Health::Draining,
            _ => Health::Failed,
        }
    }

    /// For how long a worker, or several, have done nothing but what they were last seen to begin, where that is
    /// longer than any script may take.
    pub fn silence(&self) -> Option<Duration> {
        let now_ns = (self.monotonic_ns)();
        // The last counts what comes by HTTP.
        let (_, workers) = self.workers.split_last()?;
        let silent_ns = workers
            .iter()
            .map(|worker| worker.silent_ns(now_ns))
            .max()?;
        let silence = Duration::from_nanos(silent_ns);
        (silence > SILENCE_MAX + self.config.lua_time_max).then_some(silence)
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.health.store(health as u8, Ordering::Release);
    }

    /// It serves from now on, unless something happened meanwhile.
    pub(crate) fn set_ready(&self) {
        let turn = |health| (health == Health::Starting as u8).then_some(Health::Ready as u8);
        // Where it has failed already, it stays so.
        let _ = self
            .health
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, turn);
    }

    pub(crate) fn next_client(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// How often connections of a tenant were delayed because it had used up its requests, and for how
    /// long together.
    pub fn throttled(&self, tenant: &Tenant) -> (u64, Duration) {
        let quota = self.users.quota(tenant);
        quota.map(|quota| quota.throttled()).unwrap_or_default()
    }

    /// What was counted of a tenant's scripts.
    pub fn script_figures(&self, tenant: &Tenant) -> ScriptFigures {
        self.scripts[tenant.number()].figures()
    }

    /// What became of a tenant's keys that were to be in memory before anybody reads them, by [`crate::Warmth::ALL`].
    pub fn warmed(&self, tenant: &Tenant) -> Warmed {
        self.warm_ups.counters[tenant.number()].sums()
    }

    /// Keyspace notifications of a tenant that were dropped because too many waited.
    pub fn dropped_events(&self, tenant: &Tenant) -> u64 {
        self.onlookers[tenant.number()].dropped_events()
    }

    /// Figures of a tenant's client-side caching.
    pub fn tracking_figures(&self, tenant: &Tenant) -> TrackingFigures {
        self.onlookers[tenant.number()].tracking_figures()
    }

    /// Memory that the levels below the memory take beside it, and prediction.
    pub(crate) fn levels_bytes(&self) -> u64 {
        let levels = self.levels.as_ref();
        let foresight = self.foresight.as_ref();
        levels.map_or(0, |levels| levels.memory_bytes())
            + foresight.map_or(0, |foresight| foresight.memory_bytes())
    }

    /// What prediction knows of a key, if anything.
    pub(crate) fn explain_prediction(&self, tenant: &Tenant, key: Key<'_>) -> Option<Explanation> {
        self.foresight.as_ref()?.explain(tenant.number(), key)
    }

    /// How prediction stands for a tenant.
    pub fn prediction(&self, tenant: &Tenant) -> Prediction {
        let foresight = self.foresight.as_ref();
        foresight.map_or_else(
            || Prediction {
                why: "predict.enabled is false".to_owned(),
                ..Prediction::default()
            },
            |foresight| foresight.prediction(tenant.number()),
        )
    }

    /// How the levels below the memory stand, from the top.
    pub fn levels(&self) -> Vec<LevelFigures> {
        let levels = self.levels.as_ref();
        levels.map(|levels| levels.figures()).unwrap_or_default()
    }

    /// Times that invalidated tags could not be written down.
    pub fn tag_errors(&self) -> u64 {
        let levels = self.levels.as_ref();
        levels.map_or(0, |levels| levels.tag_errors())
    }

    /// What of the levels below the memory does nothing at the moment: the names of those that the server is not ready
    /// without, and of the others.
    pub(crate) fn levels_away(&self) -> (Vec<String>, Vec<String>) {
        let away = self.levels().into_iter();
        let (required, others): (Vec<_>, Vec<_>) = away
            .filter(LevelFigures::is_in_trouble)
            .partition(|level| level.is_required);
        let names =
            |levels: Vec<LevelFigures>| levels.into_iter().map(|level| level.name).collect();
        (names(required), names(others))
    }

    /// How the loaders of all tenants stand.
    pub fn loaders(&self) -> Vec<LoaderFigures> {
        let levels = self.levels.as_ref();
        levels.map(|levels| levels.loaders()).unwrap_or_default()
    }

    /// Memory of all Lua states.
    pub(crate) fn lua_bytes(&self) -> u64 {
        let tenants = self.scripts.iter();
        tenants.map(|scripts| scripts.memory_bytes()).sum()
    }

    /// Connections that speak for users of a tenant.
    pub fn connections_of(&self, tenant: &Tenant) -> u64 {
        let quota = self.users.quota(tenant);
        quota.map_or(0, |quota| quota.connections())
    }

    /// What the server has counted since it started, summed over its workers.
    pub fn totals(&self) -> Totals {
        let mut totals = self.counters.totals();
        for worker in &self.workers {
            worker.add_to(&mut totals);
        }
        totals.buffers_bytes = self.buffers.used_bytes();
        totals.http = self.http.totals();
        totals.users = self.users.totals();
        totals.tls = self.tls.get().map(|tls| tls.totals()).unwrap_or_default();
        totals
    }

    /// What was counted of each command that was asked for since the server started.
    pub fn command_figures(&self) -> Vec<CommandFigures> {
        self.counted().commands()
    }

    /// Error replies since the server started, by code.
    pub fn errors_by_code(&self) -> BTreeMap<String, u64> {
        self.counted().errors
    }

    /// The connections that there are, counted.
    pub fn census(&self) -> Census {
        self.clients.census(None)
    }

    /// Commands that took long since the server started.
    pub fn slow_commands(&self) -> u64 {
        self.slowlog.noted()
    }

    /// What maintenance did since the server started.
    pub fn maintenance_figures(&self) -> MaintenanceFigures {
        self.maintenance.figures((self.monotonic_ns)())
    }

    /// Whether those who have not signed in have little time, as others may want what they take.
    pub(crate) fn is_crowded(&self) -> bool {
        let open = self.counters.connections.load(Ordering::Relaxed);
        let are_places_few = open.saturating_mul(4) >= self.clients_max().saturating_mul(3);
        are_places_few || self.buffers.strangers().is_half_full()
    }

    /// Connections that may be open.
    pub fn clients_max(&self) -> u64 {
        self.tuning.clients_max.load(Ordering::Relaxed)
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted::sum(&self.meters)
    }
}

#[cfg(test)]
mod tests;

/// Connects those who look on to what changes in each tenant, and gives each its own of the hooks.
fn onlookers(
    engine: &Engine,
    config: &ServerConfig,
    tuning: &Tuning,
    buffers: &Budgets,
    mut hooks: Vec<Hook>,
) -> Box<[Arc<Onlookers>]> {
    let tenants = engine.tenants();
    let tracking_bytes_max = config.client_buffers_bytes_max / TRACKING_PART / tenants.len().max(1);
    let connect = |tenant: &Arc<Tenant>| {
        let told = tuning.keyspace_events.clone();
        let budget = buffers.tenant(tenant.number()).clone();
        let is_own = |hook: &mut Hook| hook.tenant == *tenant.name();
        let own: Vec<_> = hooks.extract_if(.., is_own).collect();
        if !own.is_empty() {
            tenant.changes().want();
        }
        let onlookers = Arc::new(Onlookers::new(told, budget, tracking_bytes_max, own));
        tenant.changes().connect(onlookers.clone());
        onlookers
    };
    tenants.iter().map(connect).collect()
}
