//! The metrics page: what engine and server count, under the names of [`larder_observe::METRICS`].

use larder_engine::{PolicyRow, PolicyRuntime, Tenant, TenantStats};
use larder_observe::{Snapshot, metrics as m};
use larder_server::{Shared, Totals, UserTotals};

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
        add_quota(&mut snapshot, shared, tenant);
    }
    for row in shared.policies.list() {
        add_policy(&mut snapshot, &row);
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
        (m::HTTP_CLIENTS, totals.http.connections),
        (m::HTTP_REFUSED, totals.http.refused),
        (m::HTTP_INPUT_BYTES, totals.http.input_bytes),
        (m::HTTP_OUTPUT_BYTES, totals.http.output_bytes),
    ];
    for (metric, value) in rows {
        snapshot.set(&metric, &[], value);
    }
    // Nothing is answered with 1xx here.
    for (class, count) in ["2xx", "3xx", "4xx", "5xx"]
        .iter()
        .zip(&totals.http.responses[1..])
    {
        snapshot.set(&m::HTTP_RESPONSES, &[class], *count);
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
    add_users(snapshot, &totals.users);
}

fn add_users(snapshot: &mut Snapshot, totals: &UserTotals) {
    snapshot.set(&m::SIGN_INS, &[], totals.sign_ins);
    snapshot.set(&m::AUTH_FAILURES, &[], totals.failures);
    snapshot.set(&m::LOCK_OUTS, &[], totals.lock_outs);
    for (reason, count) in [
        ("unauthenticated", totals.unauthenticated),
        ("command", totals.denied_commands),
        ("key", totals.denied_keys),
        ("channel", totals.denied_channels),
    ] {
        snapshot.set(&m::DENIED, &[reason], count);
    }
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
        (m::REFUSED_NEWCOMERS, stats.refused_newcomers),
        (m::UNFIT_SHARDS, tenant.unfit_shards() as u64),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};
    use crate::{assemble, memory};
    use larder_engine::decision::Kinds;
    use larder_engine::{
        Access, Edit, Engine, Expiry, Key, Policies, PolicyFigures, PolicyState, SizeClasses,
        Undecided,
    };
    use larder_observe::METRICS;
    use larder_server::Parts;
    use std::sync::Arc;

    struct OnePolicy;

    impl Policies for OnePolicy {
        fn list(&self) -> Vec<PolicyRow> {
            vec![PolicyRow {
                name: "gate".into(),
                file: "gate.wasm".into(),
                runtime: PolicyRuntime::Wasm,
                kinds: Kinds::default(),
                tenant: "*".into(),
                keys: "*".into(),
                state: PolicyState::Active,
                why: String::new(),
                version: String::new(),
                digest: String::new(),
                loaded_ms: 1,
                parameters: Vec::new(),
                has_previous: false,
                figures: PolicyFigures {
                    traps: 3,
                    ..PolicyFigures::default()
                },
            }]
        }
        fn enable(&self, _: &str) -> Result<(), String> {
            Ok(())
        }
        fn disable(&self, _: &str) -> Result<(), String> {
            Ok(())
        }
        fn rollback(&self, _: &str) -> Result<(), String> {
            Ok(())
        }
        fn reload(&self) -> Result<(), String> {
            Ok(())
        }
        fn decisions(&self, _: &str, _: u8, _: &[u8]) -> Vec<String> {
            Vec::new()
        }
    }

    fn shared() -> Shared {
        let loaded = config::load(Sources::default()).unwrap();
        let engine = assemble::engine_config(&loaded.config, SizeClasses::Sixteen, 7, 1);
        let parts = Parts {
            engine: Arc::new(Engine::new(engine).unwrap()),
            deciders: Arc::new(Undecided),
            policies: Arc::new(OnePolicy),
            clock: || 5_000,
            resident_bytes: memory::resident_bytes,
            release_memory: || (),
            random: |_| Ok(()),
            run_id: "0".repeat(40),
        };
        Shared::new(assemble::server_config(&loaded), parts)
    }

    #[test]
    fn a_scrape_has_each_metric_of_the_table_exactly_once() {
        let page = render(&shared());
        for metric in METRICS {
            let header = format!("# TYPE {} ", metric.name);
            assert_eq!(
                page.matches(&header).count(),
                1,
                "{} in\n{page}",
                metric.name
            );
        }
        assert_eq!(page.matches("# TYPE ").count(), METRICS.len());
    }

    #[test]
    fn what_the_engine_counts_is_published_by_tenant() {
        let shared = shared();
        let tenant = shared.engine.default_tenant();
        tenant
            .update(Key::new(0, b"key"), 1, Access::Write, 5, |_| {
                (Edit::put(&b"value"[..], Expiry::At(1 << 40)), ())
            })
            .unwrap();
        tenant.get(Key::new(0, b"key"), 1, |_| ()).unwrap();
        assert!(tenant.get(Key::new(0, b"other"), 1, |_| ()).is_none());
        let page = render(&shared);
        for line in [
            "larder_hits_total{tenant=\"default\"} 1",
            "larder_misses_total{tenant=\"default\"} 1",
            "larder_inserts_total{tenant=\"default\"} 1",
            "larder_entries{tenant=\"default\"} 1",
            "larder_ttl_entries{tenant=\"default\"} 1",
            "larder_data_bytes{tenant=\"default\"} 8",
            "larder_evictions_total{tenant=\"default\",chosen_by=\"fallback\"} 0",
            "larder_memory_limit_bytes 268435456",
            "larder_policy_offences_total{policy=\"gate\",kind=\"trap\"} 3",
            "larder_policy_info{policy=\"gate\",runtime=\"wasm\",kinds=\"\",tenant=\"*\",state=\"active\"} 1",
        ] {
            assert!(
                page.lines().any(|printed| printed == line),
                "{line} is not in\n{page}"
            );
        }
    }
}
