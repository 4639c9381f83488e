//! The metrics page: what engine and server count, under the names of [`larder_observe::METRICS`].

use larder_engine::loader::LoadFailure;
use larder_engine::tier::{LOAD_MS_BOUNDS, LevelFigures, LoaderFigures, Shed};
use larder_engine::{
    CALL_NS_BOUNDS, Invalidation, PolicyFigures, PolicyRow, PolicyRuntime, Tenant, TenantStats,
};
use larder_observe::{Distribution, Snapshot, metrics as m};
use larder_server::{Shared, Warmth};
use larder_tiers::webhook::WebhookFigures;

use crate::hooks::Webhooks;
use crate::upkeep::Upkeep;

mod codec;
mod prediction;
mod process;
mod server;

/// Everything at this moment, in the text format of Prometheus.
pub fn render(shared: &Shared, upkeep: &Upkeep, webhooks: &Webhooks) -> String {
    let mut snapshot = Snapshot::default();
    snapshot.set(&m::BUILD, &[env!("CARGO_PKG_VERSION")], 1);
    let uptime_ms = shared.now().saturating_sub(shared.started_ms);
    snapshot.set(&m::UPTIME, &[], uptime_ms / 1000);
    snapshot.set(&m::MEMORY_BYTES, &[], shared.engine.memory_bytes());
    server::add(&mut snapshot, shared);
    process::add(&mut snapshot, shared);
    for tenant in shared.engine.tenants() {
        add_tenant(&mut snapshot, tenant);
        add_quota(&mut snapshot, shared, tenant);
        add_scripts(&mut snapshot, shared, tenant);
        add_onlookers(&mut snapshot, shared, tenant);
        prediction::add(&mut snapshot, shared, tenant);
        for (warmth, count) in Warmth::ALL.iter().zip(shared.warmed(tenant)) {
            snapshot.set(&m::WARM_KEYS, &[tenant.name(), warmth.name()], count);
        }
    }
    for level in shared.levels() {
        add_level(&mut snapshot, &level);
    }
    snapshot.set(&m::TAG_WRITE_ERRORS, &[], shared.tag_errors());
    codec::add(&mut snapshot, upkeep);
    for loader in shared.loaders() {
        add_loader(&mut snapshot, &loader);
    }
    for (number, (tenant, figures)) in webhooks.figures().enumerate() {
        add_webhook(&mut snapshot, [tenant, &number.to_string()], &figures);
    }
    for row in shared.policies.list() {
        add_policy(&mut snapshot, &row);
    }
    snapshot.render()
}

fn add_level(snapshot: &mut Snapshot, level: &LevelFigures) {
    let tier = &level.tier;
    for (metric, value) in [
        (m::TIER_ENTRIES, tier.entries),
        (m::TIER_USED, tier.used_bytes),
        (m::TIER_MAX, tier.bytes_max),
        (m::TIER_INDEX, tier.index_bytes),
        (m::TIER_QUEUED, level.queued_bytes),
        (m::TIER_TROUBLE, level.is_in_trouble().into()),
        (m::TIER_HITS, level.hits),
        (m::TIER_MISSES, level.misses),
        (m::TIER_READ_ERRORS, level.read_errors),
        (m::TIER_WRITES, level.writes),
        (m::TIER_WRITE_ERRORS, level.write_errors),
        (m::TIER_EVICTIONS, tier.evictions),
        (m::TIER_PREFIXES, tier.prefixes),
        (m::TIER_DAMAGED, tier.damaged),
        (m::TIER_OVERTAKEN, tier.overtaken),
        (m::TIER_UNREPLICATED, tier.unreplicated),
        (m::TIER_TOLD, tier.told),
        (m::TIER_HEARD, tier.heard),
        (m::TIER_LOSSES, tier.losses),
        (m::TIER_HOSTS, tier.hosts),
        (m::TIER_DEAF, tier.is_deaf.into()),
        (m::TIER_WRITTEN, tier.written_bytes),
        (m::TIER_PUT, tier.put_bytes),
        (m::TIER_DEFERRED, level.deferred),
        (m::TIER_COLLAPSES, level.collapses),
    ] {
        snapshot.set(&metric, &[&level.name], value);
    }
    for (of, side) in [("reads", level.reads), ("writes", level.writes_to)] {
        let labels = [&*level.name, of];
        let state = [labels[0], of, side.circuit.name()];
        snapshot.set(&m::TIER_CIRCUIT, &state, 1);
        snapshot.set(&m::TIER_OPENED, &labels, side.opened);
        snapshot.set(&m::TIER_RETRIES, &labels, side.retries);
    }
    for (reason, count) in [("open", level.passed_over), ("crowded", level.crowded_out)] {
        snapshot.set(&m::TIER_REJECTED, &[&level.name, reason], count);
    }
    for (class, count) in Shed::ALL.iter().zip(level.shed) {
        snapshot.set(&m::TIER_SHED, &[&level.name, class.name()], count);
    }
    let delay = tier.delay_us as f64 / 1e6;
    snapshot.set_float(&m::TIER_DELAY, &[&level.name], delay);
}

fn add_loader(snapshot: &mut Snapshot, loader: &LoaderFigures) {
    let labels = [&*loader.tenant, &*loader.pattern];
    for (metric, value) in [
        (m::LOADER_VALUES, loader.values),
        (m::LOADER_BYTES, loader.value_bytes),
        (m::LOADER_ABSENCES, loader.absences),
        (m::LOADER_REFRESHES_DROPPED, loader.refreshes_dropped),
        (m::LOADER_IN_FLIGHT, loader.in_flight),
        (m::LOADER_WAITING, loader.waiting),
    ] {
        snapshot.set(&metric, &labels, value);
    }
    for (failure, count) in LoadFailure::ALL.iter().zip(loader.failures) {
        let labels = [labels[0], labels[1], failure.name()];
        snapshot.set(&m::LOADER_FAILURES, &labels, count);
    }
    for (reason, count) in [
        ("early", loader.refreshed_early),
        ("stale", loader.refreshed_stale),
    ] {
        let labels = [labels[0], labels[1], reason];
        snapshot.set(&m::LOADER_REFRESHES, &labels, count);
    }
    let mut count = 0;
    let mut at_most = Vec::new();
    for (at, loads) in loader.times.iter().enumerate() {
        count += loads;
        if let Some(bound_ms) = LOAD_MS_BOUNDS.get(at) {
            at_most.push((*bound_ms as f64 / 1e3, count));
        }
    }
    let times = Distribution {
        count,
        sum: loader.busy_ms as f64 / 1e3,
        at_most,
    };
    snapshot.set_histogram(&m::LOADER_SECONDS, &labels, &times);
}

fn add_webhook(snapshot: &mut Snapshot, labels: [&str; 2], figures: &WebhookFigures) {
    let [tenant, number] = labels;
    for (result, events) in [("sent", figures.sent), ("dropped", figures.dropped)] {
        snapshot.set(&m::HOOK_EVENTS, &[tenant, number, result], events);
    }
    snapshot.set(&m::HOOK_FAILURES, &labels, figures.failures);
    snapshot.set(&m::HOOK_WAITING, &labels, figures.waiting_bytes);
}

fn add_quota(snapshot: &mut Snapshot, shared: &Shared, tenant: &Tenant) {
    let (times, time) = shared.throttled(tenant);
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    for (metric, value) in [
        (m::TENANT_CLIENTS, shared.connections_of(tenant)),
        (m::THROTTLED, times),
        (m::THROTTLED_TIME, ms),
    ] {
        snapshot.set(&metric, &[tenant.name()], value);
    }
}

fn add_scripts(snapshot: &mut Snapshot, shared: &Shared, tenant: &Tenant) {
    let (name, figures) = ([tenant.name()], shared.script_figures(tenant));
    for (metric, value) in [
        (m::SCRIPTS, figures.runs),
        (m::SCRIPTS_FAILED, figures.failed),
        (m::SCRIPT_MEMORY, figures.memory_bytes),
        (m::SCRIPT_ENTRIES, figures.known),
    ] {
        snapshot.set(&metric, &name, value);
    }
    snapshot.set_float(&m::SCRIPT_TIME, &name, seconds(figures.ns));
}

fn add_onlookers(snapshot: &mut Snapshot, shared: &Shared, tenant: &Tenant) {
    let figures = shared.tracking_figures(tenant);
    for (metric, value) in [
        (m::TRACKING_CLIENTS, figures.clients),
        (m::TRACKING_KEYS, figures.keys),
        (m::TRACKING_MESSAGES, figures.messages),
        (m::NOTIFICATIONS_DROPPED, shared.dropped_events(tenant)),
    ] {
        snapshot.set(&metric, &[tenant.name()], value);
    }
}

fn add_tenant(snapshot: &mut Snapshot, tenant: &Tenant) {
    let name = tenant.name();
    let stats: TenantStats = tenant.stats();
    let rows = [
        (m::HITS, stats.hits),
        (m::MISSES, stats.misses),
        (m::INSERTS, stats.inserts),
        (m::UPDATES, stats.updates),
        (m::REFUSED, stats.refused),
        (m::EXPIRED, stats.expired),
        (m::INVALIDATED, stats.invalidated),
        (m::TAGS, stats.tags.known),
        (m::TAG_FLOOR_RAISES, stats.tags.floor_raises),
        (m::EVENTS_DROPPED, stats.events_dropped),
        (m::WRONG_VICTIMS, stats.wrong_victims),
        (m::REFUSED_NEWCOMERS, stats.refused_newcomers),
        (m::LEASES, stats.leases),
        (m::LEASES_OVER, stats.leases_over),
        (m::UNFIT_SHARDS, tenant.unfit_shards() as u64),
        (m::ENTRIES, stats.entries_total()),
        (m::TTL_ENTRIES, stats.entries_with_ttl.iter().sum()),
        (m::STALE_ENTRIES, stats.stale),
        (m::USED_BYTES, stats.used_bytes),
        (m::DATA_BYTES, stats.data_bytes),
        (m::BUDGET_BYTES, stats.budget_bytes),
        (m::TENANT_MEMORY_BYTES, stats.memory_bytes),
        (m::EVICTOR_BYTES, stats.evictor_bytes),
        (m::SHARDS, stats.shards),
    ];
    for (metric, value) in rows {
        snapshot.set(&metric, &[name], value);
    }
    for kind in Invalidation::ALL {
        let count = stats.invalidations[kind as usize];
        snapshot.set(&m::INVALIDATIONS, &[name, kind.name()], count);
    }
    // `evictions` counts both.
    let by_policy = stats.evictions.saturating_sub(stats.fallback_evictions);
    snapshot.set(&m::EVICTIONS, &[name, "policy"], by_policy);
    snapshot.set(&m::EVICTIONS, &[name, "fallback"], stats.fallback_evictions);
}

fn add_policy(snapshot: &mut Snapshot, row: &PolicyRow) {
    let kinds: Vec<_> = row.kinds.iter().map(|kind| kind.name()).collect();
    let labels = [
        &*row.name,
        row.runtime.name(),
        &kinds.join(","),
        &row.tenant,
        row.state.name(),
    ];
    snapshot.set(&m::POLICY_STATES, &labels, 1);
    if row.runtime == PolicyRuntime::Native {
        return;
    }
    let figures = &row.figures;
    let rows = [
        (m::POLICY_CALLS, figures.calls),
        (m::POLICY_EVENTS, figures.events),
        (m::POLICY_CALL_TIME, figures.call_ns),
        (m::POLICY_REFUSED_VALUES, figures.refused_values),
        (m::POLICY_INSTANCES, figures.instances),
        (m::POLICY_MEMORY, figures.memory_bytes),
    ];
    for (metric, value) in rows {
        snapshot.set(&metric, &[&row.name], value);
    }
    snapshot.set_histogram(&m::POLICY_CALL_SECONDS, &[&row.name], &call_times(figures));
    let by_label = [
        (m::POLICY_OFFENCES, "trap", figures.traps),
        (m::POLICY_OFFENCES, "deadline", figures.deadlines_missed),
        (m::POLICY_OFFENCES, "answer", figures.wrong_answers),
        (m::POLICY_LOG_LINES, "written", figures.log_lines),
        (m::POLICY_LOG_LINES, "dropped", figures.log_lines_dropped),
    ];
    for (metric, label, value) in by_label {
        snapshot.set(&metric, &[&row.name, label], value);
    }
}

/// How long a policy's calls took.
fn call_times(figures: &PolicyFigures) -> Distribution {
    let mut count = 0;
    let mut at_most = Vec::new();
    for (at, calls) in figures.call_times.iter().enumerate() {
        count += calls;
        if let Some(bound) = CALL_NS_BOUNDS.get(at) {
            at_most.push((seconds(*bound), count));
        }
    }
    Distribution {
        count,
        sum: seconds(figures.call_ns),
        at_most,
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests;
