//! MEMORY: what an entry takes.

use larder_resp::{Args, parse_integer};

use super::{Action, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "MEMORY",
    arity: -2,
    flags: &[],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "4.0.0",
    summary: "Commands about the memory of entries",
    action: Action::Container {
        alone: None,
        subcommands: &[HELP_SUBCOMMAND, USAGE],
    },
};

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

const HELP_SUBCOMMAND: Command = Command {
    name: "HELP",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    summary: "Lists the subcommands",
    action: Action::Run(help),
    ..USAGE
};

const HELP: [&str; 2] = [
    "USAGE <key> [SAMPLES <count>]",
    "    Return the bytes that the entry takes, header and the allocator's rounding included.",
];

fn help(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    reply_help(ctx, "MEMORY", &HELP)
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
