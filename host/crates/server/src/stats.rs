//! Counters of the server. Those that change with every batch belong to one worker each and are written
//! by plain load and store; those that change with a connection are shared.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{HttpTotals, TlsTotals};

/// What the server has counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections open now.
    pub connections: u64,
    /// Connections accepted and served.
    pub accepted: u64,
    /// Connections refused because `clients_max` was reached.
    pub rejected: u64,
    /// Connections closed because they were idle, or a request or reply made no progress in time.
    pub timed_out: u64,
    /// Connections closed because their output or the buffers of all clients reached their bound.
    pub over_limit: u64,
    /// Connections closed because a command panicked.
    pub panicked: u64,
    /// Requests executed, unknown commands included.
    pub commands: u64,
    /// Error replies.
    pub errors: u64,
    /// Connections closed because they did not speak the protocol or went over a limit of it.
    pub protocol_errors: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes written to clients.
    pub output_bytes: u64,
    /// Bytes that half-read requests and unwritten replies hold now.
    pub buffers_bytes: u64,
    /// What HTTP has counted.
    pub http: HttpTotals,
    /// What happened to those who sign in, and what was denied.
    pub users: UserTotals,
    /// What TLS has counted.
    pub tls: TlsTotals,
}

/// What the server has counted about users since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserTotals {
    /// Right passwords.
    pub sign_ins: u64,
    /// Wrong passwords.
    pub failures: u64,
    /// Addresses that were locked out for their wrong passwords.
    pub lock_outs: u64,
    /// Requests denied because nobody had signed in.
    pub unauthenticated: u64,
    /// Requests denied because the command was not allowed.
    pub denied_commands: u64,
    /// Requests denied because of a key.
    pub denied_keys: u64,
    /// Requests denied because of a channel.
    pub denied_channels: u64,
}

impl Totals {
    /// Takes away what had been counted `before`; what is so now stays.
    pub(crate) fn subtract(&mut self, before: &Self) {
        for (count, before) in [
            (&mut self.accepted, before.accepted),
            (&mut self.rejected, before.rejected),
            (&mut self.timed_out, before.timed_out),
            (&mut self.over_limit, before.over_limit),
            (&mut self.panicked, before.panicked),
            (&mut self.commands, before.commands),
            (&mut self.errors, before.errors),
            (&mut self.protocol_errors, before.protocol_errors),
            (&mut self.input_bytes, before.input_bytes),
            (&mut self.output_bytes, before.output_bytes),
        ] {
            *count = count.saturating_sub(before);
        }
    }
}

/// What maintenance did since the server started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaintenanceFigures {
    /// Rounds that ended.
    pub rounds: u64,
    /// Time that they took, in nanoseconds.
    pub busy_ns: u64,
    /// Time since the last one ended, or since the server was made, in nanoseconds.
    pub lag_ns: u64,
}

/// Written by the thread of maintenance alone.
pub(crate) struct MaintenanceCounters {
    rounds: AtomicU64,
    busy_ns: AtomicU64,
    ended_ns: AtomicU64,
}

impl MaintenanceCounters {
    pub(crate) fn new(now_ns: u64) -> Self {
        Self {
            rounds: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            ended_ns: AtomicU64::new(now_ns),
        }
    }

    /// Counts a round, from when to when it went on.
    pub(crate) fn add_round(&self, began_ns: u64, ended_ns: u64) {
        add(&self.rounds, 1);
        add(&self.busy_ns, ended_ns.saturating_sub(began_ns));
        self.ended_ns.store(ended_ns, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self, now_ns: u64) -> MaintenanceFigures {
        MaintenanceFigures {
            rounds: self.rounds.load(Ordering::Relaxed),
            busy_ns: self.busy_ns.load(Ordering::Relaxed),
            lag_ns: now_ns.saturating_sub(self.ended_ns.load(Ordering::Relaxed)),
        }
    }
}

/// Counters that change at most once a connection.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) over_limit: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) protocol_errors: AtomicU64,
}

impl Counters {
    pub(crate) fn totals(&self) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            connections: load(&self.connections),
            accepted: load(&self.accepted),
            rejected: load(&self.rejected),
            timed_out: load(&self.timed_out),
            over_limit: load(&self.over_limit),
            panicked: load(&self.panicked),
            protocol_errors: load(&self.protocol_errors),
            ..Totals::default()
        }
    }
}

/// Counts one more.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counters that one worker alone writes. Aligned so that no two workers share a cache line (or the pair
/// of lines that the prefetcher fetches together).
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct WorkerCounters {
    commands: AtomicU64,
    errors: AtomicU64,
    input_bytes: AtomicU64,
    output_bytes: AtomicU64,
    /// When it was last seen to go on, in nanoseconds.
    beat_ns: AtomicU64,
}

impl WorkerCounters {
    /// Notes that the worker goes on.
    pub(crate) fn beat(&self, now_ns: u64) {
        self.beat_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Nanoseconds since it was last seen to go on.
    pub(crate) fn silent_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.beat_ns.load(Ordering::Relaxed))
    }

    pub(crate) fn add_commands(&self, commands: u64, errors: u64) {
        add(&self.commands, commands);
        add(&self.errors, errors);
    }

    pub(crate) fn add_input(&self, bytes: usize) {
        add(&self.input_bytes, bytes as u64);
    }

    pub(crate) fn add_output(&self, bytes: usize) {
        add(&self.output_bytes, bytes as u64);
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        totals.commands += self.commands.load(Ordering::Relaxed);
        totals.errors += self.errors.load(Ordering::Relaxed);
        totals.input_bytes += self.input_bytes.load(Ordering::Relaxed);
        totals.output_bytes += self.output_bytes.load(Ordering::Relaxed);
    }
}

/// Adds without a locked instruction: right only because the counter has a single writer.
#[inline]
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(more),
        Ordering::Relaxed,
    );
}
