//! MEMORY: what an entry takes, and all of them.

mod stats;

use larder_resp::{Args, parse_integer};

use super::{Action, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command::container(
    "MEMORY",
    Group::Server,
    "4.0.0",
    "Commands about the memory of entries",
    &[DOCTOR, HELP_SUBCOMMAND, MALLOC_STATS, PURGE, STATS, USAGE],
);

const USAGE: Command = Command {
    name: "USAGE",
    arity: -3,
    flags: &[Flag::ReadOnly],
    keys: Keys::SECOND,
    group: Group::Server,
    categories: &[],
    since: "4.0.0",
    summary: "Returns the bytes that an entry takes",
    action: Action::Run(usage),
};

const STATS: Command = Command {
    name: "STATS",
    arity: 2,
    flags: &[],
    keys: Keys::NONE,
    summary: "Returns what the memory of the tenant is used for",
    action: Action::Run(stats::run),
    ..USAGE
};

const DOCTOR: Command = Command {
    name: "DOCTOR",
    summary: "Says in words what is wrong with the memory, if something is",
    action: Action::Run(stats::doctor),
    ..STATS
};

const MALLOC_STATS: Command = Command {
    name: "MALLOC-STATS",
    summary: "Says that the allocator's own figures are not told",
    action: Action::Run(malloc_stats),
    ..STATS
};

const PURGE: Command = Command {
    name: "PURGE",
    summary: "Makes the allocator give back what it holds unused",
    action: Action::Run(purge),
    ..STATS
};

const HELP_SUBCOMMAND: Command = Command::help(Group::Server, "4.0.0", &[], |ctx, _| {
    reply_help(ctx, "MEMORY", &HELP)
});

const HELP: [&str; 10] = [
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Is not supported.",
    "PURGE",
    "    Make the allocator give back what it holds unused.",
    "STATS",
    "    Return what the memory is used for.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return the bytes that the entry takes, header and the allocator's rounding included.",
];

/// As a Redis does whose allocator tells nothing.
fn malloc_stats(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply
        .bulk(b"Stats not supported for the current allocator");
    Ok(Flow::Continue)
}

fn purge(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    (ctx.shared.release_memory)();
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// A value is one piece, so SAMPLES is checked and changes nothing.
fn usage(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut rest = args.iter().skip(3);
    while let Some(option) = rest.next() {
        let count = rest
            .next()
            .filter(|_| option.eq_ignore_ascii_case(b"SAMPLES"))
            .ok_or(Failure::SYNTAX)?;
        if parse_integer(count).ok_or(Failure::NOT_AN_INTEGER)? < 0 {
            return Err(Failure::SYNTAX);
        }
    }
    match ctx.store.standing(ctx.key(&args[2]), ctx.now) {
        Some(standing) => ctx.reply.integer(standing.bytes as i64),
        None => ctx.reply.null(),
    }
    Ok(Flow::Continue)
}
