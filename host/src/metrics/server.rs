//! What the server counts: connections, commands, maintenance.

use std::collections::BTreeMap;

use larder_observe::{Distribution, Snapshot, metrics as m};
use larder_server::{
    Census, CommandFigures, Health, Latency, Operation, Shared, TlsTotals, Totals, UserTotals,
};

use super::seconds;

/// Bounds of the durations of commands: powers of two of nanoseconds from 1 µs to 17 s.
const BOUND_EXPONENTS: std::ops::RangeInclusive<u32> = 10..=34;

pub(super) fn add(snapshot: &mut Snapshot, shared: &Shared) {
    let config = &shared.config;
    snapshot.set(&m::WORKERS, &[], config.threads as u64);
    snapshot.set(&m::CLIENTS_MAX, &[], shared.clients_max());
    let buffers_max = config.client_buffers_bytes_max as u64;
    snapshot.set(&m::CLIENT_BUFFERS_MAX, &[], buffers_max);
    snapshot.set(&m::READY, &[state(shared.health())], 1);
    snapshot.set(&m::SLOW_COMMANDS, &[], shared.slow_commands());
    snapshot.set(&m::SECRETS_UNSEALED, &[], shared.unsealed_secrets());
    add_totals(snapshot, &shared.totals());
    add_census(snapshot, &shared.census());
    add_errors(snapshot, &shared.errors_by_code());
    add_commands(snapshot, &shared.command_figures());
    let maintenance = shared.maintenance_figures();
    snapshot.set(&m::MAINTENANCE_ROUNDS, &[], maintenance.rounds);
    snapshot.set_float(&m::MAINTENANCE_TIME, &[], seconds(maintenance.busy_ns));
    snapshot.set_float(&m::MAINTENANCE_LAG, &[], seconds(maintenance.lag_ns));
}

const fn state(health: Health) -> &'static str {
    match health {
        Health::Starting => "starting",
        Health::Ready => "ready",
        Health::Draining => "draining",
        Health::Failed => "failed",
    }
}

fn add_totals(snapshot: &mut Snapshot, totals: &Totals) {
    let rows = [
        (m::CLIENTS, totals.connections),
        (m::CLIENTS_ACCEPTED, totals.accepted),
        (m::CLIENTS_REJECTED, totals.rejected),
        (m::CLIENT_BUFFERS, totals.buffers_bytes),
        (m::COMMANDS, totals.commands),
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
    let classes = ["2xx", "3xx", "4xx", "5xx"];
    for (class, count) in classes.iter().zip(&totals.http.responses[1..]) {
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
    add_tls(snapshot, &totals.tls);
}

fn add_census(snapshot: &mut Snapshot, census: &Census) {
    for (kind, count) in [
        ("tcp", census.tcp),
        ("tls", census.tls),
        ("unix", census.unix),
    ] {
        snapshot.set(&m::CLIENTS_BY_KIND, &[kind], count);
    }
}

fn add_tls(snapshot: &mut Snapshot, totals: &TlsTotals) {
    let rows = [
        (m::TLS_HANDSHAKES, "done", totals.done),
        (m::TLS_HANDSHAKES, "failed", totals.failed),
        (m::TLS_HANDSHAKES, "unfinished", totals.unfinished),
        (m::TLS_HANDSHAKES, "plaintext", totals.plaintext),
        (m::TLS_HANDSHAKES, "crowded", totals.crowded),
        (m::TLS_RELOADS, "taken", totals.reloads),
        (m::TLS_RELOADS, "refused", totals.reloads_refused),
    ];
    for (metric, result, count) in rows {
        snapshot.set(&metric, &[result], count);
    }
    snapshot.set(&m::TLS_NOT_AFTER, &[], totals.not_after_s);
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

/// There is always one, so that an alert finds it before the first error.
fn add_errors(snapshot: &mut Snapshot, by_code: &BTreeMap<String, u64>) {
    if !by_code.contains_key("ERR") {
        snapshot.set(&m::ERROR_REPLIES, &["ERR"], 0);
    }
    for (code, count) in by_code {
        snapshot.set(&m::ERROR_REPLIES, &[code], *count);
    }
}

fn add_commands(snapshot: &mut Snapshot, commands: &[CommandFigures]) {
    for operation in Operation::ALL {
        let (mut latency, mut ns, mut failed, mut rejected) = (Latency::default(), 0, 0, 0);
        for command in commands.iter().filter(|each| each.operation == operation) {
            latency.add(&command.latency);
            ns += command.ns;
            failed += command.failed;
            rejected += command.rejected;
        }
        let at_most = BOUND_EXPONENTS.map(|exponent| {
            let bound_ns = 1 << exponent;
            (seconds(bound_ns), latency.below(bound_ns))
        });
        let distribution = Distribution {
            count: latency.count(),
            sum: seconds(ns),
            at_most: at_most.collect(),
        };
        let name = operation.name();
        snapshot.set_histogram(&m::COMMAND_SECONDS, &[name], &distribution);
        snapshot.set(&m::COMMANDS_FAILED, &[name], failed);
        snapshot.set(&m::COMMANDS_REJECTED, &[name], rejected);
    }
}
