//! The sections of INFO. Where Redis has a figure it has the same name here.

use std::process;

use larder_engine::{Millis, TenantStats};

use super::super::hello::REDIS_VERSION;
use crate::{Context, Shared, Totals};

/// A section: its title, and what computes its lines.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) lines: fn(&Figures<'_>) -> Lines,
}

/// Names and values.
pub(super) type Lines = Vec<(&'static str, String)>;

/// All sections, in the order of the reply.
pub(super) static SECTIONS: [Section; 8] = [
    Section {
        title: "Server",
        lines: server,
    },
    Section {
        title: "Clients",
        lines: clients,
    },
    Section {
        title: "Memory",
        lines: memory,
    },
    Section {
        title: "Persistence",
        lines: persistence,
    },
    Section {
        title: "Stats",
        lines: stats,
    },
    Section {
        title: "Replication",
        lines: replication,
    },
    Section {
        title: "CPU",
        lines: cpu,
    },
    Section {
        title: "Keyspace",
        lines: keyspace,
    },
];

/// What the sections are computed from. Of tenants only the connection's own is seen.
pub(super) struct Figures<'c> {
    shared: &'c Shared,
    now: Millis,
    totals: Totals,
    tenant: TenantStats,
    eviction: String,
}

impl<'c> Figures<'c> {
    pub(super) fn gather(ctx: &'c Context<'_>) -> Self {
        Self {
            shared: ctx.shared,
            now: ctx.now,
            totals: ctx.shared.totals(),
            tenant: ctx.store.stats(),
            eviction: ctx.store.tenant().eviction(),
        }
    }
}

fn line(name: &'static str, value: impl ToString) -> (&'static str, String) {
    (name, value.to_string())
}

fn server(figures: &Figures<'_>) -> Lines {
    let uptime_seconds = figures.now.saturating_sub(figures.shared.started_ms) / 1000;
    vec![
        line("redis_version", REDIS_VERSION),
        line("redis_mode", "standalone"),
        line("server_name", "larder"),
        line("larder_version", env!("CARGO_PKG_VERSION")),
        line("os", std::env::consts::OS),
        line("arch_bits", usize::BITS),
        line("process_id", process::id()),
        line("run_id", &figures.shared.run_id),
        line("tcp_port", figures.shared.resp_addr().port()),
        line("server_time_usec", figures.now * 1000),
        line("uptime_in_seconds", uptime_seconds),
        line("uptime_in_days", uptime_seconds / 86_400),
        line("worker_threads", figures.shared.config.threads),
    ]
}

fn clients(figures: &Figures<'_>) -> Lines {
    vec![
        line("connected_clients", figures.totals.connections),
        line("maxclients", figures.shared.config.clients_max),
        line("client_buffers_bytes", figures.totals.buffers_bytes),
        line(
            "client_buffers_bytes_max",
            figures.shared.config.client_buffers_bytes_max,
        ),
        line("blocked_clients", 0),
    ]
}

/// The budget is the tenant's; resident is the whole process.
fn memory(figures: &Figures<'_>) -> Lines {
    let tenant = &figures.tenant;
    let mut lines = vec![
        line("used_memory", tenant.used_bytes),
        line("used_memory_human", human(tenant.used_bytes)),
        line("used_memory_dataset", tenant.data_bytes),
        line(
            "used_memory_overhead",
            tenant.used_bytes.saturating_sub(tenant.data_bytes),
        ),
        line("used_memory_evictor", tenant.evictor_bytes),
        line("budget_memory", tenant.budget_bytes),
        line("maxmemory", tenant.memory_bytes),
        line("maxmemory_human", human(tenant.memory_bytes)),
        line("maxmemory_policy", format!("allkeys-{}", figures.eviction)),
    ];
    if let Some(resident_bytes) = figures.shared.resident_bytes() {
        lines.push(line("used_memory_rss", resident_bytes));
        lines.push(line("used_memory_rss_human", human(resident_bytes)));
    }
    lines
}

/// Nothing is written to disk.
fn persistence(_figures: &Figures<'_>) -> Lines {
    vec![
        line("loading", 0),
        line("rdb_bgsave_in_progress", 0),
        line("aof_enabled", 0),
    ]
}

fn stats(figures: &Figures<'_>) -> Lines {
    let (totals, tenant) = (&figures.totals, &figures.tenant);
    vec![
        line("total_connections_received", totals.accepted),
        line("total_commands_processed", totals.commands),
        line("total_net_input_bytes", totals.input_bytes),
        line("total_net_output_bytes", totals.output_bytes),
        line("rejected_connections", totals.rejected),
        line("timed_out_connections", totals.timed_out),
        line(
            "client_output_buffer_limit_disconnections",
            totals.over_limit,
        ),
        line("protocol_errors", totals.protocol_errors),
        line("total_error_replies", totals.errors),
        line("expired_keys", tenant.expired),
        line("evicted_keys", tenant.evictions),
        line("evicted_keys_by_fallback", tenant.fallback_evictions),
        line("eviction_wrong_victims", tenant.wrong_victims),
        line("eviction_events_dropped", tenant.events_dropped),
        line("keyspace_hits", tenant.hits),
        line("keyspace_misses", tenant.misses),
        line("keyspace_inserts", tenant.inserts),
        line("keyspace_updates", tenant.updates),
        line("refused_writes", tenant.refused),
    ]
}

fn replication(_figures: &Figures<'_>) -> Lines {
    vec![line("role", "master"), line("connected_slaves", 0)]
}

/// Seconds of CPU time, where the system tells.
fn cpu(_figures: &Figures<'_>) -> Lines {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    match cpu_ticks(&stat) {
        Some((user, system)) => vec![
            line(
                "used_cpu_sys",
                format!("{:.2}", system as f64 / TICKS_A_SECOND),
            ),
            line(
                "used_cpu_user",
                format!("{:.2}", user as f64 / TICKS_A_SECOND),
            ),
        ],
        None => Vec::new(),
    }
}

/// The unit of `/proc/self/stat`, the same on every architecture that Linux shows to programs.
const TICKS_A_SECOND: f64 = 100.0;

/// User and system time: the 14th and 15th field, counted behind the name of the program, which
/// stands in parentheses and may contain anything.
fn cpu_ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// One line for each database that is not empty. The average time to live is not measured: 0.
fn keyspace(figures: &Figures<'_>) -> Lines {
    const NAMES: [&str; 16] = [
        "db0", "db1", "db2", "db3", "db4", "db5", "db6", "db7", "db8", "db9", "db10", "db11",
        "db12", "db13", "db14", "db15",
    ];
    let counts = figures
        .tenant
        .entries
        .iter()
        .zip(&figures.tenant.entries_with_ttl);
    let databases = NAMES
        .into_iter()
        .zip(counts)
        .filter(|(_, (keys, _))| **keys > 0);
    databases
        .map(|(name, (keys, expires))| {
            line(name, format!("keys={keys},expires={expires},avg_ttl=0"))
        })
        .collect()
}

/// Bytes as Redis shows them to people: `1.50M`.
fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "K", "M", "G", "T"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes}B")
            } else {
                format!("{value:.2}{unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.2}P")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a) R 1 (b) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0";
        assert_eq!(cpu_ticks(stat), Some((250, 31)));
        assert_eq!(cpu_ticks("7 (a) R 1"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn bytes_are_shown_as_redis_shows_them() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_572_864, "1.50M"),
            (3 << 30, "3.00G"),
            (5 << 50, "5.00P"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
    }
}
