//! The metrics page: what engine and server count, under the names of [`larder_observe::METRICS`].

use larder_engine::{Tenant, TenantStats};
use larder_observe::{Snapshot, metrics as m};
use larder_server::{Shared, Totals};

use crate::memory;

/// Everything at this moment, in the text format of Prometheus.
pub fn render(shared: &Shared) -> String {
    let mut snapshot = Snapshot::default();
    snapshot.set(&m::BUILD, &[env!("CARGO_PKG_VERSION")], 1);
    let uptime_ms = shared.now().saturating_sub(shared.started_ms);
    snapshot.set(&m::UPTIME, &[], uptime_ms / 1000);
    snapshot.set(&m::MEMORY_BYTES, &[], shared.engine.memory_bytes());
    if let Some(resident_bytes) = memory::resident_bytes() {
        snapshot.set(&m::RESIDENT_BYTES, &[], resident_bytes);
    }
    add_totals(&mut snapshot, &shared.totals());
    for tenant in shared.engine.tenants() {
        add_tenant(&mut snapshot, tenant);
    }
    snapshot.render()
}

fn add_totals(snapshot: &mut Snapshot, totals: &Totals) {
    let rows = [
        (m::CLIENTS, totals.connections),
        (m::CLIENTS_ACCEPTED, totals.accepted),
        (m::CLIENTS_REJECTED, totals.rejected),
        (m::CLIENT_BUFFERS, totals.buffers_bytes),
        (m::COMMANDS, totals.commands),
        (m::ERROR_REPLIES, totals.errors),
        (m::INPUT_BYTES, totals.input_bytes),
        (m::OUTPUT_BYTES, totals.output_bytes),
        (m::PROTOCOL_ERRORS, totals.protocol_errors),
    ];
    for (metric, value) in rows {
        snapshot.set(&metric, &[], value);
    }
    let closed = [
        ("timeout", totals.timed_out),
        ("limit", totals.over_limit),
        ("protocol", totals.protocol_errors),
        ("fault", totals.panicked),
    ];
    for (reason, count) in closed {
        snapshot.set(&m::CLIENTS_CLOSED, &[reason], count);
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
        (m::EVENTS_DROPPED, stats.events_dropped),
        (m::WRONG_VICTIMS, stats.wrong_victims),
        (m::ENTRIES, stats.entries_total()),
        (m::TTL_ENTRIES, stats.entries_with_ttl.iter().sum()),
        (m::USED_BYTES, stats.used_bytes),
        (m::DATA_BYTES, stats.data_bytes),
        (m::BUDGET_BYTES, stats.budget_bytes),
        (m::TENANT_MEMORY_BYTES, stats.memory_bytes),
        (m::EVICTOR_BYTES, stats.evictor_bytes),
    ];
    for (metric, value) in rows {
        snapshot.set(&metric, &[name], value);
    }
    // `evictions` counts both.
    let by_policy = stats.evictions.saturating_sub(stats.fallback_evictions);
    snapshot.set(&m::EVICTIONS, &[name, "policy"], by_policy);
    snapshot.set(&m::EVICTIONS, &[name, "fallback"], stats.fallback_evictions);
}
