//! The commands that took longest lately: a bounded list for each tenant.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_engine::{Millis, Tenant};
use larder_resp::{Args, Parsed, RequestParser};

use crate::commands::{brings_secret, is_brief, is_logged};
use crate::dialogue::limits;
use crate::latency::Event;
use crate::meter::Slow;
use crate::stats::bump;
use crate::{Session, Shared};

/// Arguments of a command that are kept; where there are more the last says how many.
const ARGS_MAX: usize = 32;
/// Bytes of an argument that are kept; what follows them says how many more there were.
const ARG_BYTES_MAX: usize = 128;
/// What stands for an argument that may be a password, or a value that is nobody's to see.
const REDACTED: &[u8] = b"(redacted)";

/// A command that took long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counted from 0, and never given again, however often the log is emptied.
    pub(crate) id: u64,
    /// When it ended.
    pub(crate) at_ms: Millis,
    /// What it took, in microseconds.
    pub(crate) took_us: u64,
    /// Its beginning, shortened.
    pub(crate) args: Vec<Vec<u8>>,
    /// Address of the client.
    pub(crate) peer: String,
    /// Name of the client, as it had been given.
    pub(crate) client_name: Vec<u8>,
}

/// The logs of all tenants.
pub(crate) struct SlowLog {
    logs: Box<[Mutex<VecDeque<Entry>>]>,
    next_id: AtomicU64,
    noted: AtomicU64,
}

impl SlowLog {
    pub(crate) fn new(tenants: usize) -> Self {
        Self {
            logs: (0..tenants).map(|_| Mutex::default()).collect(),
            next_id: AtomicU64::new(0),
            noted: AtomicU64::new(0),
        }
    }

    /// Entries since the start, of all tenants.
    pub(crate) fn noted(&self) -> u64 {
        self.noted.load(Ordering::Relaxed)
    }
}

/// The log of `tenant`, the latest entry last.
pub(crate) fn of<'s>(shared: &'s Shared, tenant: &Tenant) -> MutexGuard<'s, VecDeque<Entry>> {
    let log = &shared.slowlog.logs[tenant.number()];
    // It is whole between any two changes.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a command of `session` that took long, where that is wanted. Its request is `request`.
#[cold]
pub(crate) fn note(shared: &Shared, session: &Session, now: Millis, slow: Slow, request: &[u8]) {
    let mut parser = RequestParser::new(limits(&shared.config));
    if let Ok(Parsed::Request { args, .. }) = parser.parse(request) {
        note_args(shared, session, now, slow, args);
    }
}

/// As [`note`], with a request that is taken apart.
#[cold]
pub(crate) fn note_args(
    shared: &Shared,
    session: &Session,
    now: Millis,
    slow: Slow,
    args: Args<'_>,
) {
    if slow.ns >= shared.tuning.latency_ns() {
        let event = if is_brief(slow.command) {
            Event::FastCommand
        } else {
            Event::Command
        };
        shared.latency.add(event, now, slow.ns);
    }
    if slow.ns < shared.tuning.slowlog_ns() || !is_logged(slow.command) {
        return;
    }
    let mut args = shorten(args, slow.holds_secret);
    if slow.together > 1 {
        let note = format!(
            "... (the last of {} commands that took this together)",
            slow.together
        );
        args.push(note.into_bytes());
    }
    add(shared, session, now, slow.ns / 1000, args);
}

/// Notes what took so many microseconds.
pub(crate) fn add(
    shared: &Shared,
    session: &Session,
    now: Millis,
    took_us: u64,
    args: Vec<Vec<u8>>,
) {
    let len_max = shared.tuning.slowlog_len_max.load(Ordering::Relaxed);
    let entry = Entry {
        id: shared.slowlog.next_id.fetch_add(1, Ordering::Relaxed),
        at_ms: now,
        took_us,
        args,
        peer: session.client.peer().to_owned(),
        client_name: String::from(session.client.name()).into_bytes(),
    };
    bump(&shared.slowlog.noted);
    let mut log = of(shared, &session.tenant);
    log.push_back(entry);
    while log.len() as u64 > len_max {
        log.pop_front();
    }
}

/// The beginning of a request, as Redis shows it; what is behind its key only unless that `holds_secret`.
fn shorten(args: Args<'_>, holds_secret: bool) -> Vec<Vec<u8>> {
    let is = |name: &str| args.name().eq_ignore_ascii_case(name.as_bytes());
    let is_secret = is("AUTH") || is("HELLO") || is("ACL");
    let brings_secret = holds_secret || brings_secret(args);
    let shown = if args.len() > ARGS_MAX {
        ARGS_MAX - 1
    } else {
        args.len()
    };
    let mut short: Vec<Vec<u8>> = Vec::with_capacity(ARGS_MAX);
    for (at, arg) in args.iter().take(shown).enumerate() {
        short.push(match arg.split_at_checked(ARG_BYTES_MAX) {
            _ if is_secret && at > 0 || brings_secret && at > 1 => REDACTED.to_vec(),
            Some((head, rest)) if !rest.is_empty() => {
                let more = format!("... ({} more bytes)", rest.len());
                [head, more.as_bytes()].concat()
            }
            _ => arg.to_vec(),
        });
    }
    if args.len() > shown {
        let more = args.len() - shown;
        short.push(format!("... ({more} more arguments)").into_bytes());
    }
    short
}

#[cfg(test)]
mod tests;
