//! What a script's `redis.call` does.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use larder_engine::Key;
use larder_lua::{Called, Host, Level, Progress};
use larder_resp::{Args, Reply, Version};
use tracing::{debug, info, trace, warn};

use super::super::{Command, Flag, Found, resolve, table};
use crate::Context;
use crate::exec::run_one;
use crate::scripts::KnownScript;
use crate::transaction::is_boundless;

/// How long a script that has written waits for shards that it had not asked for. Whoever holds one holds
/// it for moments, unless it waits for one that the script holds.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Characters of a line that a script may log.
const LOGGED_CHARS_MAX: usize = 1_024;

/// Runs a script's commands as its connection's.
pub(super) struct Caller<'r, 'c> {
    pub(super) ctx: &'r mut Context<'c>,
    pub(super) known: &'r KnownScript,
    pub(super) progress: Arc<Progress>,
    pub(super) is_read_only: bool,
}

/// Whether the shards that a command needs are held.
enum Hold {
    Held,
    Missing,
    Refused,
}

const UNDECLARED: &str = "ERR the script touches a key that it had not declared, after it has written, and others hold it: declare all keys";

impl Host for Caller<'_, '_> {
    fn call(&mut self, args: Args<'_>, version: Version, out: &mut Vec<u8>) -> Called {
        let command = match self.permitted(args) {
            Ok(command) => command,
            Err(text) => return refused(out, version, text),
        };
        match self.hold(command, args) {
            Hold::Held => {}
            Hold::Missing => return Called::Again,
            Hold::Refused => return refused(out, version, UNDECLARED),
        }
        if has_effect(command) && !self.progress.write() {
            return refused(out, version, "ERR Script killed by user with SCRIPT KILL.");
        }
        // The connection's buffer serves as the command's, as nothing is written there meanwhile.
        let len = self.ctx.reply.out_len();
        self.ctx.reply.set_version(version);
        run_one(self.ctx, args);
        self.ctx.carried += 1;
        *out = self.ctx.reply.take_back(len);
        Called::Replied
    }

    fn log(&mut self, level: Level, text: &str) {
        let tenant = self.ctx.store.tenant().number();
        if !self.ctx.shared.scripts[tenant].may_log(self.ctx.shared.now()) {
            return;
        }
        let text = line(text);
        let script = self.known.script.sha();
        match level {
            Level::Debug => trace!(script, "{text}"),
            Level::Verbose => debug!(script, "{text}"),
            Level::Notice => info!(script, "{text}"),
            Level::Warning => warn!(script, "{text}"),
        }
    }

    fn may(&mut self, args: Args<'_>) -> Option<bool> {
        let Found { command, .. } = resolve(args).ok()?;
        Some(self.ctx.session.login.user().check(command, args).is_ok())
    }
}

impl Caller<'_, '_> {
    /// The command that a script may run, or why it may not.
    fn permitted(&self, args: Args<'_>) -> Result<&'static Command, &'static str> {
        let Ok(Found { command, .. }) = resolve(args) else {
            let is_known = table::find(args.name()).is_some_and(|command| {
                let subcommands = command.subcommands();
                let is_named = |name: &[u8]| {
                    let mut names = subcommands.iter().map(|sub| sub.name.as_bytes());
                    names.any(|known| name.eq_ignore_ascii_case(known))
                };
                subcommands.is_empty() || args.get(1).is_none_or(is_named)
            });
            return Err(match is_known {
                true => "ERR Wrong number of args calling Redis command from script",
                false => "ERR Unknown Redis command called from script",
            });
        };
        if command.flags.contains(&Flag::NoScript) {
            return Err("ERR This Redis command is not allowed from script");
        }
        if self.is_read_only && has_effect(command) {
            return Err("ERR Write commands are not allowed from read-only scripts.");
        }
        Ok(command)
    }

    /// Sees to it that the shards are held that a command needs.
    fn hold(&mut self, command: &Command, args: Args<'_>) -> Hold {
        let Some(held) = self.ctx.store.as_held() else {
            return Hold::Missing;
        };
        let db = self.ctx.session.db;
        let mut keys = command.key_positions(args.len());
        let mut is_declared = || keys.all(|at| held.holds(Key::new(db, &args[at])));
        let needs_all = command.name != "SELECT" && is_boundless(command, args.len());
        if held.holds_all() || (!needs_all && is_declared()) {
            return Hold::Held;
        }
        self.known.set_boundless();
        if !self.progress.has_written() {
            return Hold::Missing;
        }
        let deadline = Instant::now() + WAIT_MAX;
        while !held.try_hold_all() {
            if Instant::now() > deadline {
                return Hold::Refused;
            }
            thread::yield_now();
        }
        Hold::Held
    }
}

/// Whether others notice a command, so that it must not be done twice.
fn has_effect(command: &Command) -> bool {
    command.flags.contains(&Flag::Write) || matches!(command.name, "PUBLISH" | "SPUBLISH")
}

/// A text as one line of a log, which nobody takes for several.
fn line(text: &str) -> String {
    let mut line = String::new();
    for char in text.chars().take(LOGGED_CHARS_MAX) {
        match char.is_control() {
            true => line.extend(char.escape_default()),
            false => line.push(char),
        }
    }
    line
}

fn refused(out: &mut Vec<u8>, version: Version, text: &str) -> Called {
    Reply::new(out, version).error(text);
    Called::Replied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_is_one_short_line() {
        assert_eq!(line("naïve\nx\u{1b}[1m"), "naïve\\nx\\u{1b}[1m");
        let long = "a".repeat(2 * LOGGED_CHARS_MAX);
        assert_eq!(line(&long).len(), LOGGED_CHARS_MAX);
    }
}
