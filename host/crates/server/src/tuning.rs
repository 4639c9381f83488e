//! What can be changed while the server runs: CONFIG SET writes it, everybody reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::ServerConfig;

/// Commands that take so many microseconds are noted in the slow log, as in Redis.
const SLOWLOG_SLOWER_US: i64 = 10_000;
/// Entries that the slow log of a tenant keeps, as in Redis.
const SLOWLOG_LEN_MAX: u64 = 128;

/// See the module.
pub(crate) struct Tuning {
    /// What takes so many microseconds is noted in the slow log; below 0 nothing is.
    pub(crate) slowlog_slower_us: AtomicI64,
    /// Entries that the slow log of a tenant keeps.
    pub(crate) slowlog_len_max: AtomicU64,
    /// What takes so many milliseconds is remembered by LATENCY; 0: nothing is.
    pub(crate) latency_threshold_ms: AtomicU64,
    /// Connections at once.
    pub(crate) clients_max: AtomicU64,
    /// How long a connection may be silent, in milliseconds; 0: for ever.
    pub(crate) idle_timeout_ms: AtomicU64,
    /// How long a request may take to arrive, and a reply may wait to be taken, in milliseconds.
    pub(crate) request_timeout_ms: AtomicU64,
    /// Which keyspace notifications are sent: [`crate::onlookers::KeyspaceEvents`].
    pub(crate) keyspace_events: Arc<AtomicU32>,
}

impl Tuning {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let ms =
            |time: Duration| AtomicU64::new(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Self {
            slowlog_slower_us: AtomicI64::new(SLOWLOG_SLOWER_US),
            slowlog_len_max: AtomicU64::new(SLOWLOG_LEN_MAX),
            latency_threshold_ms: AtomicU64::new(0),
            clients_max: AtomicU64::new(config.clients_max as u64),
            idle_timeout_ms: config.idle_timeout.map_or_else(AtomicU64::default, ms),
            request_timeout_ms: ms(config.request_timeout),
            keyspace_events: Arc::default(),
        }
    }

    /// From when on, in nanoseconds, a command is worth a closer look.
    #[inline]
    pub(crate) fn slow_ns(&self) -> u64 {
        self.slowlog_ns().min(self.latency_ns())
    }

    /// From when on, in nanoseconds, a command is noted in the slow log.
    pub(crate) fn slowlog_ns(&self) -> u64 {
        let slower_us = self.slowlog_slower_us.load(Ordering::Relaxed);
        u64::try_from(slower_us).map_or(u64::MAX, |us| us.saturating_mul(1_000))
    }

    /// From when on, in nanoseconds, LATENCY remembers something.
    pub(crate) fn latency_ns(&self) -> u64 {
        match self.latency_threshold_ms.load(Ordering::Relaxed) {
            0 => u64::MAX,
            ms => ms.saturating_mul(1_000_000),
        }
    }

    /// How long a connection may be silent; `None`: for ever.
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        let ms = self.idle_timeout_ms.load(Ordering::Relaxed);
        (ms > 0).then(|| Duration::from_millis(ms))
    }

    /// How long a request may take to arrive, and a reply may wait to be taken.
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.load(Ordering::Relaxed))
    }
}
