//! What commands took: counted by worker and command, summed up when somebody asks.

mod figures;
mod histogram;
mod paced;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::commands::COMMANDS;
use crate::stats::add;

pub(crate) use figures::Counted;
pub use figures::{CommandFigures, Operation};
pub use histogram::Latency;
pub(crate) use paced::Paced;
pub(crate) use watch::{Slow, Timing, Watch};

use histogram::Histogram;

/// Codes of errors that are told apart. Scripts can make up others, which count as [`OTHER_ERRORS`].
const ERROR_CODES: [&str; 12] = [
    "BUSYKEY",
    "ERR",
    "EXECABORT",
    "NOAUTH",
    "NOPERM",
    "NOPROTO",
    "NOSCRIPT",
    "NOTBUSY",
    "OOM",
    "UNKILLABLE",
    "WRONGPASS",
    "WRONGTYPE",
];
const OTHER_ERRORS: &str = "OTHER";

/// What one worker counts. It alone writes the numbers; others read.
pub(crate) struct Meter {
    commands: Box<[CommandMeter]>,
    /// Commands still to be timed one by one.
    close_look: AtomicU32,
    /// Error replies by code. Locked by its worker for each error, and by others for a look.
    errors: Mutex<BTreeMap<&'static str, u64>>,
}

/// What is counted of one command. How often it was called is how often its time was recorded.
#[derive(Default)]
struct CommandMeter {
    ns: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    /// Made with the first call: most commands are never called.
    latency: OnceLock<Box<Histogram>>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            commands: (0..COMMANDS).map(|_| CommandMeter::default()).collect(),
            close_look: AtomicU32::new(0),
            errors: Mutex::default(),
        }
    }

    /// Counts a call that took `ns`.
    #[inline]
    fn record(&self, command: u16, ns: u64) {
        let meter = &self.commands[command as usize];
        add(&meter.ns, ns);
        meter.latency.get_or_init(Box::default).record(ns);
    }

    /// Adds what a call took that was counted before.
    fn add_time(&self, command: u16, ns: u64) {
        add(&self.commands[command as usize].ns, ns);
    }

    #[inline]
    fn looks_closely(&self) -> bool {
        self.close_look.load(Ordering::Relaxed) > 0
    }

    fn look_closely(&self, commands: u32) {
        self.close_look.store(commands, Ordering::Relaxed);
    }

    #[inline]
    fn look_less(&self) {
        let left = self.close_look.load(Ordering::Relaxed).saturating_sub(1);
        self.close_look.store(left, Ordering::Relaxed);
    }

    /// Counts an error reply, which stands in `reply` from its `-` on.
    #[cold]
    pub(crate) fn note_error(&self, reply: &[u8]) {
        let text = reply.strip_prefix(b"-").unwrap_or(reply);
        let code = text.split(|byte| !byte.is_ascii_graphic()).next();
        let code = code.unwrap_or_default();
        let mut codes = ERROR_CODES.into_iter();
        let known = codes.find(|known| known.as_bytes() == code);
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        *errors.entry(known.unwrap_or(OTHER_ERRORS)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
