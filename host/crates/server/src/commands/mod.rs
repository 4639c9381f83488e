//! The commands: a table of what there is, one file a command or family, and the way from a request
//! to the function that answers it.

mod append;
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
mod note;
mod object;
mod offer;
mod persist;
mod ping;
mod policy;
mod quit;
mod randomkey;
mod range;
mod relocate;
mod replication;
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
use crate::{Context, Flow};

pub(crate) use condition::digest;
pub(crate) use failure::VALUE_TOO_LARGE;
pub(crate) use glob::matches;
pub(crate) use note::{Item, items};

use failure::Failure;
use metadata::{Action, Category, Command, Flag, Group, Keys};

/// What a command comes to: how the connection goes on, or an error to be replied. A command that
/// fails has written nothing yet.
type Outcome = Result<Flow, Failure>;

/// Answers one request. `args` is not empty.
pub(crate) fn dispatch(ctx: &mut Context<'_>, args: Args<'_>) -> Flow {
    execute(ctx, args).unwrap_or_else(|failure| {
        ctx.reply.error(failure.text());
        Flow::Continue
    })
}

fn execute(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some(command) = table::find(args.name()) else {
        return refuse_unknown(ctx, args);
    };
    if !command.accepts(args.len()) {
        return Err(Failure::arity(&command.lowercase_name()));
    }
    match command.action {
        Action::Run(run) => run(ctx, args),
        Action::Container { alone, subcommands } => match (args.get(1), alone) {
            (Some(name), _) => execute_subcommand(ctx, args, command, subcommands, name),
            (None, Some(run)) => run(ctx, args),
            (None, None) => Err(Failure::arity(&command.lowercase_name())),
        },
    }
}

/// Refuses what is no command. The lines of an HTTP request end the connection, as in Redis: a web
/// page can make a browser send them, with commands in the body.
fn refuse_unknown(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let name = args.name();
    if !name.eq_ignore_ascii_case(b"POST") && !name.eq_ignore_ascii_case(b"HOST:") {
        return Err(Failure::unknown_command(args));
    }
    bump(&ctx.shared.counters.protocol_errors);
    ctx.reply
        .error("ERR Protocol error: this is HTTP; the Redis protocol is spoken here");
    Ok(Flow::Close)
}

fn execute_subcommand(
    ctx: &mut Context<'_>,
    args: Args<'_>,
    container: &Command,
    subcommands: &[Command],
    name: &[u8],
) -> Outcome {
    let found = subcommands
        .iter()
        .find(|sub| name.eq_ignore_ascii_case(sub.name.as_bytes()));
    let Some(subcommand) = found else {
        return Err(Failure::unknown_subcommand(container.name, name));
    };
    match subcommand.action {
        Action::Run(run) if subcommand.accepts(args.len()) => run(ctx, args),
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
