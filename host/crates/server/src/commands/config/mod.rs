//! CONFIG: the effective settings, by their names in Redis and in Larder.

mod events;
mod get;
mod set;
mod settings;
mod words;

use larder_resp::Args;

use super::{Action, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};
pub(super) use settings::maxmemory_policy;

pub(super) const COMMAND: Command = Command::container(
    "CONFIG",
    Group::Server,
    "2.0.0",
    "Commands about the server's settings",
    &[GET, HELP_SUBCOMMAND, RESETSTAT, REWRITE, SET],
);

const GET: Command = Command {
    name: "GET",
    arity: -3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "2.0.0",
    summary: "Returns the effective values of settings",
    action: Action::Run(get::run),
};

const HELP_SUBCOMMAND: Command = Command::help(Group::Server, "5.0.0", &[], |ctx, _| {
    reply_help(ctx, "CONFIG", &HELP)
});

const RESETSTAT: Command = Command {
    name: "RESETSTAT",
    arity: 2,
    summary: "Lets the figures of INFO begin at 0 again",
    action: Action::Run(reset),
    ..GET
};

const REWRITE: Command = Command {
    name: "REWRITE",
    arity: 2,
    since: "2.8.0",
    summary: "Is refused: the file of settings is its owner's",
    action: Action::Run(rewrite),
    ..GET
};

const SET: Command = Command {
    name: "SET",
    arity: -4,
    summary: "Changes settings that can be changed while the server runs",
    action: Action::Run(set::run),
    ..GET
};

const HELP: [&str; 8] = [
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>, until the server ends.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Is refused: what lasts is written into the configuration file by its owner.",
];

/// The server's figures, and the tenant's.
fn reset(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let shared = ctx.shared;
    let (number, stats) = (ctx.store.tenant().number(), ctx.store.stats());
    let (totals, counted) = (shared.totals(), shared.counted());
    shared.baseline.set(totals, counted, number, stats);
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn rewrite(_ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    Err(Failure::new(
        "ERR CONFIG REWRITE is not supported: write what shall last into the configuration file; \
         `larder print-config` shows what is in force",
    ))
}
