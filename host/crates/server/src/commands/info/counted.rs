//! What is counted of connections, commands and the process.

use larder_engine::Invalidation;

use super::sections::{Figures, Lines, line};
use crate::TrackingFigures;
use crate::process::ProcessStat;

pub(super) fn clients(figures: &Figures<'_>) -> Lines {
    let shared = figures.shared;
    let census = shared.clients.census(Some(figures.session.login.user()));
    vec![
        line("connected_clients", figures.totals.connections),
        line("cluster_connections", 0),
        line("maxclients", shared.clients_max()),
        line("client_recent_max_input_buffer", census.input_bytes_max),
        line("client_recent_max_output_buffer", census.output_bytes_max),
        line("client_buffers_bytes", figures.totals.buffers_bytes),
        line(
            "client_buffers_bytes_max",
            shared.config.client_buffers_bytes_max,
        ),
        line("blocked_clients", census.paused),
        line("tracking_clients", tracking(figures).clients),
        line("pubsub_clients", census.subscribed),
        line("monitor_clients", census.monitoring),
        line("watching_clients", census.watching),
        line("clients_in_timeout_table", 0),
        line("total_watched_keys", census.watched_keys),
        line("total_blocking_keys", 0),
        line("total_blocking_keys_on_nokey", 0),
    ]
}

fn tracking(figures: &Figures<'_>) -> TrackingFigures {
    figures.shared.tracking_figures(&figures.session.tenant)
}

pub(super) fn stats(figures: &Figures<'_>) -> Lines {
    let (totals, tenant) = (&figures.totals, &figures.tenant);
    let rates = figures.shared.sampler.rates();
    let [channels, patterns, shard_channels] = figures.shared.hub(figures.session).counts();
    let tracking = tracking(figures);
    let by = |kind: Invalidation| tenant.invalidations[kind as usize];
    let kib = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    vec![
        line("total_connections_received", totals.accepted),
        line("total_commands_processed", totals.commands),
        line("instantaneous_ops_per_sec", rates.commands),
        line("total_net_input_bytes", totals.input_bytes),
        line("total_net_output_bytes", totals.output_bytes),
        line("instantaneous_input_kbps", kib(rates.input_bytes)),
        line("instantaneous_output_kbps", kib(rates.output_bytes)),
        line("rejected_connections", totals.rejected),
        line("timed_out_connections", totals.timed_out),
        line(
            "client_output_buffer_limit_disconnections",
            totals.over_limit,
        ),
        line("protocol_errors", totals.protocol_errors),
        line("total_error_replies", totals.errors),
        line("unexpected_error_replies", 0),
        line("expired_keys", tenant.expired),
        line("evicted_keys", tenant.evictions),
        line("evicted_keys_by_fallback", tenant.fallback_evictions),
        line("eviction_wrong_victims", tenant.wrong_victims),
        line("eviction_events_dropped", tenant.events_dropped),
        line("invalidated_keys", tenant.invalidated),
        line("invalidations_by_tag", by(Invalidation::Tag)),
        line("invalidations_by_prefix", by(Invalidation::Prefix)),
        line("invalidations_by_tenant", by(Invalidation::Tenant)),
        line("invalidated_tags_known", tenant.tags.known),
        line("invalidated_tags_forgotten", tenant.tags.floor_raises),
        line("keyspace_hits", tenant.hits),
        line("keyspace_misses", tenant.misses),
        line("keyspace_inserts", tenant.inserts),
        line("keyspace_updates", tenant.updates),
        line("refused_writes", tenant.refused),
        line("refused_newcomers", tenant.refused_newcomers),
        line("pubsub_channels", channels),
        line("pubsub_patterns", patterns),
        line("pubsubshard_channels", shard_channels),
        line("tracking_total_keys", tracking.keys),
        line("tracking_total_items", tracking.items),
        line("tracking_total_prefixes", tracking.prefixes),
        line("slowlog_commands", figures.shared.slow_commands()),
    ]
}

/// Seconds of processor time, where the system tells.
pub(super) fn cpu(_figures: &Figures<'_>) -> Lines {
    let told = ProcessStat::read().map(|stat| {
        let seconds = |seconds: f64| format!("{seconds:.6}");
        vec![
            line("used_cpu_sys", seconds(stat.system_seconds)),
            line("used_cpu_user", seconds(stat.user_seconds)),
            line("used_cpu_sys_children", seconds(0.0)),
            line("used_cpu_user_children", seconds(0.0)),
        ]
    });
    told.unwrap_or_default()
}
