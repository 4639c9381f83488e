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
mod cache_record;
mod cache_set;
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
mod exists;
mod expire;
mod failure;
mod flush;
mod function;
mod get;
mod getdel;
mod getex;
mod getset;
mod glob;
mod hello;
mod incr;
mod info;
mod keys;
mod lcs;
mod lolwut;
mod memory;
mod metadata;
mod mget;
mod module;
mod moment;
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
mod scan;
mod select;
mod set;
mod setex;
mod setnx;
mod strlen;
mod swapdb;
mod table;
mod time;
mod touch;
mod ttl;
mod type_of;

use larder_engine::Key;
use larder_resp::Args;

use crate::stats::bump;
use crate::users::Stopped;
use crate::{Context, Flow, Session, Shared, transaction};

pub(crate) use auth::finish as finish_sign_in;
pub(crate) use command::{Named, categories};
pub(crate) use condition::digest;
pub(crate) use failure::{Failure, VALUE_TOO_LARGE};
pub(crate) use glob::{PATTERN_BYTES_MAX, matches};
pub(crate) use metadata::{Command, Flag, Group, Run};
pub(crate) use note::{Item, items};
pub(crate) use table::TABLE;

use metadata::{Action, Category, Keys};

/// What a command comes to: how the connection goes on, or an error to be replied. A command that
/// fails has written nothing yet.
pub(crate) type Outcome = Result<Flow, Failure>;

/// Answers one request. `args` is not empty.
pub(crate) fn dispatch(ctx: &mut Context<'_>, args: Args<'_>) -> Flow {
    let mut resolved = resolve(args);
    if ctx.session.subscriptions.is_some() {
        resolved = resolved.and_then(|found| pubsub::check_allowed(ctx, args).map(|()| found));
    }
    let outcome = match resolved {
        Ok((command, run)) => match ctx.session.authorize(ctx.shared, command, args) {
            Ok(()) if ctx.session.is_queuing() => transaction::queue(ctx, args, command, run),
            Ok(()) => run(ctx, args),
            Err(stopped) => stop(ctx, args, stopped),
        },
        Err(failure) => refuse(ctx, args, failure),
    };
    outcome.unwrap_or_else(|failure| {
        ctx.reply.error(failure.text());
        Flow::Continue
    })
}

/// Whether a request for a command without subcommands may be carried out.
///
/// # Errors
/// With what to answer when it may not.
pub(crate) fn authorize(
    shared: &Shared,
    session: &mut Session,
    args: Args<'_>,
) -> Result<(), Failure> {
    let command = table::find(args.name()).ok_or(Failure::SYNTAX)?;
    session
        .authorize(shared, command, args)
        .map_err(|(Stopped::Refused(failure) | Stopped::Removed(failure))| failure)
}

/// The command or subcommand that a request names, and what answers it.
fn resolve(args: Args<'_>) -> Result<(&'static Command, Run), Failure> {
    let Some(command) = table::find(args.name()) else {
        return Err(Failure::unknown_command(args));
    };
    if !command.accepts(args.len()) {
        return Err(Failure::arity(&command.lowercase_name()));
    }
    match command.action {
        Action::Run(run) => Ok((command, run)),
        Action::Container { alone, subcommands } => match (args.get(1), alone) {
            (Some(name), _) => resolve_subcommand(args, command, subcommands, name),
            (None, Some(run)) => Ok((command, run)),
            (None, None) => Err(Failure::arity(&command.lowercase_name())),
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

/// Refuses what is no command or has a wrong number of arguments; a transaction that was begun fails.
/// The lines of an HTTP request end the connection, as in Redis: a web page can make a browser send them,
/// with commands in the body.
#[cold]
fn refuse(ctx: &mut Context<'_>, args: Args<'_>, failure: Failure) -> Outcome {
    let name = args.name();
    if !name.eq_ignore_ascii_case(b"POST") && !name.eq_ignore_ascii_case(b"HOST:") {
        return Err(transaction::refused(ctx.session, name, failure));
    }
    bump(&ctx.shared.counters.protocol_errors);
    ctx.reply
        .error("ERR Protocol error: this is HTTP; the Redis protocol is spoken here");
    Ok(Flow::Close)
}

fn resolve_subcommand(
    args: Args<'_>,
    container: &Command,
    subcommands: &'static [Command],
    name: &[u8],
) -> Result<(&'static Command, Run), Failure> {
    let found = subcommands
        .iter()
        .find(|sub| name.eq_ignore_ascii_case(sub.name.as_bytes()));
    let Some(subcommand) = found else {
        return Err(Failure::unknown_subcommand(container.name, name));
    };
    match subcommand.action {
        Action::Run(run) if subcommand.accepts(args.len()) => Ok((subcommand, run)),
        _ => Err(Failure::arity(&subcommand.full_name(container))),
    }
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

    fn reply_bulk_or_null(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.reply.bulk(value),
            None => self.reply.null(),
        }
    }
}

#[cfg(test)]
mod tests;
