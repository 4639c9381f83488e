//! The commands: a table of what there is, one file a command or family, and the way from a request
//! to the function that answers it.

mod acl;
mod append;
mod auth;
mod bit;
mod bitcount;
mod bitfield;
mod bitop;
mod cache_explain;
mod cache_get;
mod cache_hot;
mod cache_invalidate;
mod cache_predict;
mod cache_record;
mod cache_set;
mod cache_warm;
mod client;
mod cluster;
mod command;
mod condition;
mod config;
mod dbsize;
mod decimal;
mod del;
mod dump;
mod echo;
mod eval;
mod exists;
mod expire;
mod failure;
mod flush;
mod function;
mod get;
mod getdel;
mod getex;
mod getset;
mod hello;
mod incr;
mod info;
mod keys;
mod latency;
mod lcs;
mod lolwut;
mod memory;
mod metadata;
mod mget;
mod module;
mod moment;
mod monitor;
mod mset;
mod multi;
mod note;
mod object;
mod offer;
mod persist;
mod ping;
mod policy;
mod pubsub;
mod quit;
mod randomkey;
mod range;
mod relocate;
mod replication;
mod reset;
mod roster;
mod scan;
mod script;
mod select;
mod set;
mod setex;
mod setnx;
mod slowlog;
mod strlen;
mod swapdb;
mod table;
mod time;
mod touch;
mod ttl;
mod type_of;
mod uses;

use larder_engine::Key;
use larder_engine::below::Reach;
use larder_resp::Args;

use crate::fetch;
use crate::meter::{Slow, Timing};
use crate::onlookers::Event;
use crate::onlookers::monitor::show_unless_secret;
use crate::stats::bump;
use crate::users::Stopped;
use crate::{Context, Flow, Session, Shared, transaction};

pub(crate) use auth::finish as finish_sign_in;
pub(crate) use cache_set::brings_secret;
pub(crate) use command::{Named, categories};
pub(crate) use condition::digest;
pub(crate) use failure::{Failure, NO_SEAL, NOT_SEALED, VALUE_TOO_LARGE};
pub(crate) use metadata::{Command, Flag, Group, Run};
pub use note::note_of_loaded;
pub(crate) use note::{Item, items};
pub use note::{SECRET_NOTE, data_type, is_secret};
pub(crate) use policy::policies_for;
pub(crate) use roster::{
    COMMANDS, all as all_commands, is_brief, is_logged, name_of, number_of, operation_of,
};
pub(crate) use select::database;
pub(crate) use table::TABLE;
pub(crate) use uses::KeyUse;

use metadata::{Action, Category, Keys};

/// What a command comes to: how the connection goes on, or an error to be replied. A command that
/// fails has written nothing yet.
pub(crate) type Outcome = Result<Flow, Failure>;

/// What a request names.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    /// By which it is counted.
    number: u16,
    /// The command or subcommand.
    pub(crate) command: &'static Command,
    run: Run,
}

impl Found {
    /// Carries it out.
    #[inline]
    pub(crate) fn carry_out(self, ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
        match ctx.store.tenant().below() {
            None => self.execute(ctx, args),
            Some(_) => fetch::carry_out(ctx, self, args),
        }
    }

    /// Carries it out on what is in memory, timed and counted.
    #[inline]
    pub(crate) fn execute(self, ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
        let timing = ctx.watch.enter(ctx.shared, self.number, args.len());
        let outcome = (self.run)(ctx, args);
        self.conclude(ctx, args, timing, outcome)
    }

    /// As [`Self::execute`], but where `is_valid` says no afterwards it counts for nothing.
    #[inline]
    pub(crate) fn attempt(
        self,
        ctx: &mut Context<'_>,
        args: Args<'_>,
        is_valid: impl FnOnce(&mut Context<'_>) -> bool,
    ) -> Option<Outcome> {
        let timing = ctx.watch.enter(ctx.shared, self.number, args.len());
        let outcome = (self.run)(ctx, args);
        if !is_valid(ctx) {
            ctx.watch.give_up(timing);
            return None;
        }
        Some(self.conclude(ctx, args, timing, outcome))
    }

    #[inline]
    fn conclude(
        self,
        ctx: &mut Context<'_>,
        args: Args<'_>,
        timing: Timing,
        outcome: Outcome,
    ) -> Outcome {
        if matches!(outcome, Ok(Flow::Fetch)) {
            ctx.watch.give_up(timing);
            return outcome;
        }
        if let Some(slow) = ctx.watch.leave(ctx.shared, timing, outcome.is_err()) {
            note_within(ctx, slow, args, &outcome);
        }
        if outcome.as_ref().is_err_and(Failure::is_no_admin) {
            ctx.session.note_no_admin(ctx.shared, self.command);
        }
        if ctx.watch.showing.is_on() {
            show_unless_secret(ctx, self.command, args);
        }
        outcome
    }
}

/// Notes what took long within a transaction or script; what is done in steps is noted by whoever does them.
#[cold]
fn note_within(ctx: &Context<'_>, slow: Slow, args: Args<'_>, outcome: &Outcome) {
    if !outcome.as_ref().is_ok_and(Flow::is_paced) {
        crate::slowlog::note_args(ctx.shared, ctx.session, ctx.now, slow, args);
    }
}

/// A request that names nothing, or has a wrong number of arguments for what it names.
pub(crate) struct Misfit {
    /// What it is counted by, if there is such a command.
    number: Option<u16>,
    failure: Failure,
}

impl Misfit {
    fn new(number: usize, failure: Failure) -> Self {
        Self {
            number: Some(number as u16),
            failure,
        }
    }
}

/// Answers one request. `args` is not empty.
pub(crate) fn dispatch(ctx: &mut Context<'_>, args: Args<'_>) -> Flow {
    let flow = answer(ctx, args);
    ctx.tracked(args, flow == Flow::Fetch);
    flow
}

fn answer(ctx: &mut Context<'_>, args: Args<'_>) -> Flow {
    let mut resolved = resolve(args);
    if ctx.session.is_told() {
        resolved = resolved.and_then(|found| {
            let allowed = pubsub::check_allowed(ctx, args);
            match allowed.and_then(|()| monitor::check_allowed(ctx, found.command)) {
                Ok(()) => Ok(found),
                Err(failure) => Err(Misfit::new(found.number.into(), failure)),
            }
        });
    }
    let outcome = match resolved {
        Ok(found) => match ctx.session.authorize(ctx.shared, found.command, args) {
            Ok(()) if ctx.session.is_queuing() => transaction::queue(ctx, args, found),
            Ok(()) => {
                ctx.track(found.command, args);
                found.carry_out(ctx, args)
            }
            Err(stopped) => {
                ctx.watch.reject(ctx.shared, found.number);
                stop(ctx, args, stopped)
            }
        },
        Err(misfit) => refuse(ctx, args, misfit),
    };
    outcome.unwrap_or_else(|failure| {
        ctx.reply.error(failure.text());
        Flow::Continue
    })
}

/// Whether a request may be carried out.
///
/// # Errors
/// With what to answer when it may not.
pub(crate) fn authorize(
    shared: &Shared,
    session: &mut Session,
    args: Args<'_>,
) -> Result<(), Failure> {
    let found = resolve(args).map_err(|misfit| misfit.failure)?;
    session
        .authorize(shared, found.command, args)
        .map_err(|(Stopped::Refused(failure) | Stopped::Removed(failure))| failure)
}

/// What a request is counted by, if it names something.
pub(crate) fn counted_by(args: Args<'_>) -> Option<u16> {
    resolve(args).ok().map(|found| found.number)
}

/// The command or subcommand that a request names, and what answers it.
pub(crate) fn resolve(args: Args<'_>) -> Result<Found, Misfit> {
    let Some(row) = table::row(args.name()) else {
        return Err(Misfit {
            number: None,
            failure: Failure::unknown_command(args),
        });
    };
    let command = &TABLE[row];
    let arity = || Misfit::new(row, Failure::arity(&command.lowercase_name()));
    if !command.accepts(args.len()) {
        return Err(arity());
    }
    let found = |run| Found {
        number: row as u16,
        command,
        run,
    };
    match command.action {
        Action::Run(run) => Ok(found(run)),
        Action::Container { alone, .. } => match (args.get(1), alone) {
            (Some(name), _) => resolve_subcommand(args, row, name),
            (None, Some(run)) => Ok(found(run)),
            (None, None) => Err(arity()),
        },
    }
}

/// Answers what is not allowed; a transaction that was begun fails.
#[cold]
fn stop(ctx: &mut Context<'_>, args: Args<'_>, stopped: Stopped) -> Outcome {
    match stopped {
        Stopped::Refused(failure) => Err(transaction::refused(ctx.session, args.name(), failure)),
        Stopped::Removed(failure) => {
            ctx.reply.error(failure.text());
            Ok(Flow::Close)
        }
    }
}

fn resolve_subcommand(args: Args<'_>, row: usize, name: &[u8]) -> Result<Found, Misfit> {
    let container = &TABLE[row];
    let subcommands = container.subcommands();
    let at = subcommands
        .iter()
        .position(|sub| name.eq_ignore_ascii_case(sub.name.as_bytes()))
        .ok_or_else(|| Misfit::new(row, Failure::unknown_subcommand(container.name, name)))?;
    let (command, number) = (&subcommands[at], roster::subcommand_number(row, at));
    match command.action {
        Action::Run(run) if command.accepts(args.len()) => Ok(Found {
            number,
            command,
            run,
        }),
        _ => {
            let failure = Failure::arity(&command.full_name(container));
            Err(Misfit::new(number.into(), failure))
        }
    }
}

/// Refuses what is no command or has a wrong number of arguments; a transaction that was begun fails.
/// The lines of an HTTP request end the connection, as in Redis: a web page can make a browser send them,
/// with commands in the body.
#[cold]
fn refuse(ctx: &mut Context<'_>, args: Args<'_>, misfit: Misfit) -> Outcome {
    if let Some(number) = misfit.number {
        ctx.watch.reject(ctx.shared, number);
    }
    let name = args.name();
    if !name.eq_ignore_ascii_case(b"POST") && !name.eq_ignore_ascii_case(b"HOST:") {
        return Err(transaction::refused(ctx.session, name, misfit.failure));
    }
    bump(&ctx.shared.counters.protocol_errors);
    ctx.reply
        .error("ERR Protocol error: this is HTTP; the Redis protocol is spoken here");
    Ok(Flow::Close)
}

/// Replies with the lines of a HELP subcommand, headed and ended as Redis does.
fn reply_help(ctx: &mut Context<'_>, container: &str, lines: &[&str]) -> Outcome {
    ctx.reply.array(lines.len() + 3);
    let head = "<subcommand> [<arg> [value] [opt] ...]. Subcommands are:";
    ctx.reply.simple(&format!("{container} {head}"));
    for line in lines.iter().chain(&["HELP", "    Print this help."]) {
        ctx.reply.simple(line);
    }
    Ok(Flow::Continue)
}

impl Context<'_> {
    /// `bytes` as a key of the database that the connection has selected.
    fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        Key::new(self.session.db, bytes)
    }

    /// [`larder_engine::Tenant::get`], told where there is nothing.
    fn read<R>(
        &mut self,
        key: Key<'_>,
        read: impl FnOnce(larder_engine::Entry<'_>) -> R,
    ) -> Option<R> {
        let found = self.store.get(key, self.now, read);
        self.notify_missing(key, found.is_none());
        found
    }

    /// [`larder_engine::Tenant::peek`], told where there is nothing.
    fn look<R>(
        &mut self,
        key: Key<'_>,
        read: impl FnOnce(larder_engine::Entry<'_>) -> R,
    ) -> Option<R> {
        let found = self.store.peek(key, self.now, read);
        self.notify_missing(key, found.is_none());
        found
    }

    /// Removes a key, which is told if it was there. Whether it was.
    fn forget(&mut self, key: Key<'_>) -> bool {
        let is_gone = self.store.remove(key, self.now);
        if is_gone {
            self.onlookers().notify(Event::DEL, key);
        }
        is_gone
    }

    #[inline]
    fn notify_missing(&self, key: Key<'_>, is_missing: bool) {
        if is_missing && self.onlookers().hear(Event::KEYMISS) && !self.may_come(key) {
            self.onlookers().notify(Event::KEYMISS, key);
        }
    }

    /// Whether a key that is not in memory may be below, so that the command is to come anew. What is held has
    /// all that it could get. Of keys that a loader may have only those commands tell that have asked it.
    #[cold]
    fn may_come(&self, key: Key<'_>) -> bool {
        !self.store.is_held() && self.store.tenant().lacks(key, Reach::Origin, self.now)
    }

    fn reply_bulk_or_null(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.reply.bulk(value),
            None => self.reply.null(),
        }
    }
}

#[cfg(test)]
mod tests;
