//! SLOWLOG: the commands of the connection's tenant that took longest lately.

use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow, slowlog};

pub(super) const COMMAND: Command = Command::container(
    "SLOWLOG",
    Group::Server,
    "2.2.12",
    "Commands about commands that took long",
    &[GET, HELP_SUBCOMMAND, LEN, RESET],
);

const GET: Command = Command {
    name: "GET",
    arity: -2,
    flags: &[Flag::Admin, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Dangerous],
    since: "2.2.12",
    summary: "Returns the latest commands that took long",
    action: Action::Run(get),
};

const HELP_SUBCOMMAND: Command = Command::help(Group::Server, "6.2.0", &[], help);

const LEN: Command = Command {
    name: "LEN",
    arity: 2,
    summary: "Counts the entries of the log",
    action: Action::Run(len),
    ..GET
};

const RESET: Command = Command {
    name: "RESET",
    arity: 2,
    summary: "Empties the log",
    action: Action::Run(reset),
    ..GET
};

const HELP: [&str; 6] = [
    "GET [<count>]",
    "    Return the latest <count> entries, 10 by default; -1 for all. Each is: id,",
    "    time in seconds since 1970, duration in microseconds, arguments, client, its name.",
    "LEN",
    "    Return the length of the log.",
    "RESET",
];

fn help(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let lines = [&HELP[..], &["    Empty the log."]].concat();
    reply_help(ctx, "SLOWLOG", &lines)
}

/// The latest first.
fn get(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = match args.get(2) {
        _ if args.len() > 3 => return Err(TOO_MANY),
        None => 10,
        Some(count) => match parse_integer(count) {
            Some(-1) => usize::MAX,
            Some(count) => usize::try_from(count).map_err(|_| OUT_OF_RANGE)?,
            None => return Err(OUT_OF_RANGE),
        },
    };
    let entries: Vec<_> = {
        let log = slowlog::of(ctx.shared, &ctx.session.tenant);
        log.iter().rev().take(count).cloned().collect()
    };
    let reply = &mut ctx.reply;
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer((entry.at_ms / 1000) as i64);
        reply.integer(entry.took_us as i64);
        reply.array(entry.args.len());
        for arg in &entry.args {
            reply.bulk(arg);
        }
        reply.bulk(entry.peer.as_bytes());
        reply.bulk(&entry.client_name);
    }
    Ok(Flow::Continue)
}

const TOO_MANY: Failure = Failure::new(
    "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.",
);
const OUT_OF_RANGE: Failure = Failure::new("ERR count should be greater than or equal to -1");

fn len(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let len = slowlog::of(ctx.shared, &ctx.session.tenant).len();
    ctx.reply.integer(len as i64);
    Ok(Flow::Continue)
}

fn reset(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    slowlog::of(ctx.shared, &ctx.session.tenant).clear();
    ctx.reply.ok();
    Ok(Flow::Continue)
}
