//! MONITOR: clients that are shown what is carried out for their tenant.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_resp::Args;

use crate::clients::Kind;
use crate::commands::{Command, Flag, brings_secret};
use crate::mailbox::{MAIL_BYTES_MAX, Mailbox};
use crate::{Context, Session, Shared};

/// A command of more bytes than this is not shown to its end.
const LINE_BYTES_MAX: usize = 1 << 20;
const REDACTED: &str = "(redacted)";

/// Those who watch one tenant.
#[derive(Default)]
pub(crate) struct Watchers {
    count: AtomicUsize,
    mailboxes: Mutex<BTreeMap<u64, Arc<Mailbox>>>,
}

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Mailbox>>> {
        self.mailboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// That a connection watches. It ends when this is dropped.
pub(crate) struct Monitoring {
    watchers: Arc<Watchers>,
    client: u64,
}

impl Monitoring {
    /// Shows the connection what is carried out from now on.
    pub(crate) fn new(shared: &Shared, session: &Session) -> Self {
        let watchers = shared.watchers(session).clone();
        let mailbox = session.client.open_mailbox(shared.buffers.of(session));
        watchers.lock().insert(session.id, mailbox.clone());
        watchers.count.fetch_add(1, Ordering::Relaxed);
        Self {
            watchers,
            client: session.id,
        }
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.watchers.lock().remove(&self.client);
        self.watchers.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the commands of a turn are shown to anybody.
#[derive(Default)]
pub(crate) struct Showing {
    is_on: bool,
    /// What a script has done that runs; it may have to begin anew, and then has done nothing.
    script: Option<Vec<u8>>,
}

impl Showing {
    /// How the turn of a connection begins.
    pub(crate) fn new(shared: &Shared, session: &Session) -> Self {
        Self {
            is_on: shared.watchers(session).count.load(Ordering::Relaxed) > 0,
            script: None,
        }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// What is carried out from now on is a script's.
    pub(crate) fn begin_script(&mut self) {
        self.script = self.is_on.then(Vec::new);
    }
}

/// Shows what a script did that has ended; `counts` is false where it begins anew.
pub(crate) fn end_script(ctx: &mut Context<'_>, counts: bool) {
    let lines = ctx.watch.showing.script.take();
    if let Some(lines) = lines.filter(|lines| counts && !lines.is_empty()) {
        post(ctx, &lines);
    }
}

/// Shows a command that was carried out, unless it is one that is better not shown.
#[cold]
pub(crate) fn show_unless_secret(ctx: &mut Context<'_>, command: &Command, args: Args<'_>) {
    let is_hidden = |flag: &Flag| matches!(flag, Flag::Admin | Flag::SkipMonitor);
    if !command.flags.iter().any(is_hidden) {
        show(ctx, args);
    }
}

/// Shows a command to all who watch the tenant.
#[cold]
pub(crate) fn show(ctx: &mut Context<'_>, args: Args<'_>) {
    let line = line(ctx, args);
    match &mut ctx.watch.showing.script {
        Some(lines) if lines.len() + line.len() < MAIL_BYTES_MAX => lines.extend_from_slice(&line),
        _ => post(ctx, &line),
    }
}

fn post(ctx: &Context<'_>, lines: &[u8]) {
    let watchers = ctx.shared.watchers(ctx.session).lock();
    watchers
        .values()
        .for_each(|mailbox| mailbox.put_line(lines));
}

/// When, where and what, in the words of Redis.
fn line(ctx: &Context<'_>, args: Args<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    let client = &ctx.session.client;
    let (seconds, rest_ms) = (ctx.now / 1000, ctx.now % 1000);
    // Writing to a vector cannot fail.
    let _ = write!(line, "+{seconds}.{rest_ms:03}000 [{} ", ctx.session.db);
    let _ = match (&ctx.watch.showing.script, client.kind()) {
        (Some(_), _) => write!(line, "lua"),
        (_, Kind::Unix) => write!(line, "unix:{}", client.peer().trim_end_matches(":0")),
        (_, Kind::Tcp | Kind::Tls | Kind::Http) => write!(line, "{}", client.peer()),
    };
    line.push(b']');
    for (at, arg) in args.iter().enumerate() {
        if line.len() > LINE_BYTES_MAX {
            let _ = write!(line, " ... ({} more arguments)", args.len() - at);
            break;
        }
        line.extend_from_slice(b" \"");
        match is_secret(args, at) || at > 1 && ctx.watch.holds_secret {
            true => line.extend_from_slice(REDACTED.as_bytes()),
            false => append_escaped(&mut line, arg),
        }
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// Whether an argument is a name or password of who signs in, or a value that is nobody's to see.
fn is_secret(args: Args<'_>, at: usize) -> bool {
    let is_auth = |at: usize| {
        args.get(at)
            .is_some_and(|arg| arg.eq_ignore_ascii_case(b"AUTH"))
    };
    let is_hello = args.name().eq_ignore_ascii_case(b"HELLO");
    at > 1 && brings_secret(args)
        || at > 0 && (is_auth(0) || is_hello && (is_auth(at - 1) || is_auth(at.saturating_sub(2))))
}

/// Appends bytes so that they can be read, and what is too long to its beginning.
fn append_escaped(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    let shown = &bytes[..bytes.len().min(room)];
    for byte in shown {
        match byte {
            b'\\' | b'"' => line.extend_from_slice(&[b'\\', *byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            7 => line.extend_from_slice(b"\\a"),
            8 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(*byte),
            // Writing to a vector cannot fail.
            _ => drop(write!(line, "\\x{byte:02x}")),
        }
    }
    if shown.len() < bytes.len() {
        let _ = write!(line, "... ({} more bytes)", bytes.len() - shown.len());
    }
}
