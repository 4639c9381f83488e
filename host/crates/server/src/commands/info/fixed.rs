//! What stays as it is while the server runs, or has no meaning here and is told because clients ask.

use std::process;

use super::super::hello::REDIS_VERSION;
use crate::hot_set::HotSetState;

use super::sections::{Figures, Lines, line};

pub(super) fn server(figures: &Figures<'_>) -> Lines {
    let shared = figures.shared;
    let uptime_seconds = figures.now.saturating_sub(shared.started_ms) / 1000;
    let executable = std::env::current_exe().unwrap_or_default();
    let addr = shared.resp_addr().or(shared.tls_addr());
    vec![
        line("redis_version", REDIS_VERSION),
        line("redis_git_sha1", "00000000"),
        line("redis_git_dirty", 0),
        line("redis_mode", "standalone"),
        line("server_name", "larder"),
        line("larder_version", env!("CARGO_PKG_VERSION")),
        line("os", std::env::consts::OS),
        line("arch_bits", usize::BITS),
        line("multiplexing_api", "epoll"),
        line("process_id", process::id()),
        line("process_supervised", "no"),
        line("run_id", &shared.run_id),
        line("tcp_port", addr.map_or(0, |addr| addr.port())),
        line("server_time_usec", figures.now * 1000),
        line("uptime_in_seconds", uptime_seconds),
        line("uptime_in_days", uptime_seconds / 86_400),
        line("hz", 100),
        line("executable", executable.display()),
        line("config_file", ""),
        line("worker_threads", shared.config.threads),
        line("io_threads_active", u8::from(shared.config.threads > 1)),
    ]
}

/// Nothing is written to disk as Redis does it. What comes back at the start is the hot set.
pub(super) fn persistence(figures: &Figures<'_>) -> Lines {
    let hot_set = &figures.shared.warm_ups.hot_sets[figures.session.tenant.number()];
    let [keys, looked_at, loaded] = hot_set.counts();
    vec![
        line(
            "loading",
            u8::from(hot_set.state() == HotSetState::Restoring),
        ),
        line("async_loading", 0),
        line("rdb_changes_since_last_save", 0),
        line("rdb_bgsave_in_progress", 0),
        line("rdb_last_save_time", figures.shared.started_ms / 1000),
        line("rdb_last_bgsave_status", "ok"),
        line("rdb_last_bgsave_time_sec", -1),
        line("rdb_current_bgsave_time_sec", -1),
        line("aof_enabled", 0),
        line("aof_rewrite_in_progress", 0),
        line("aof_rewrite_scheduled", 0),
        line("aof_last_rewrite_time_sec", -1),
        line("aof_current_rewrite_time_sec", -1),
        line("aof_last_bgrewrite_status", "ok"),
        line("aof_last_write_status", "ok"),
        line("hot_set_state", hot_set.state().name()),
        line("hot_set_keys", keys),
        line("hot_set_looked_at", looked_at),
        line("hot_set_loaded", loaded),
    ]
}

/// There is one server, which nobody follows.
pub(super) fn replication(figures: &Figures<'_>) -> Lines {
    vec![
        line("role", "master"),
        line("connected_slaves", 0),
        line("master_failover_state", "no-failover"),
        line("master_replid", &figures.shared.run_id),
        line("master_replid2", "0".repeat(40)),
        line("master_repl_offset", 0),
        line("second_repl_offset", -1),
        line("repl_backlog_active", 0),
        line("repl_backlog_size", 0),
        line("repl_backlog_first_byte_offset", 0),
        line("repl_backlog_histlen", 0),
    ]
}

pub(super) fn cluster(_figures: &Figures<'_>) -> Lines {
    vec![line("cluster_enabled", 0)]
}
