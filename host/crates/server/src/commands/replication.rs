//! ROLE, WAIT and LASTSAVE: what a server says that has no replica and no file of its own.

use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::fetch::{awaits_replicas, replicas_reached};
use crate::{Context, Flow};

pub(super) const ROLE: Command = Command {
    name: "ROLE",
    arity: 1,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Admin, Category::Dangerous],
    since: "2.8.12",
    summary: "Tells that this server is no replica and has none",
    action: Action::Run(role),
};

pub(super) const LASTSAVE: Command = Command {
    name: "LASTSAVE",
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    since: "1.0.0",
    summary: "Returns when the server started, in seconds since 1970, as nothing is ever saved",
    action: Action::Run(lastsave),
    ..ROLE
};

pub(super) const WAIT: Command = Command {
    name: "WAIT",
    arity: 3,
    flags: &[Flag::NoScript],
    group: Group::Generic,
    categories: &[Category::Connection],
    since: "3.0.0",
    summary: "Returns how many replicas of the level below have what was written",
    action: Action::Run(wait),
    ..ROLE
};

fn role(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.integer(0);
    ctx.reply.array(0);
    Ok(Flow::Continue)
}

fn lastsave(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.integer((ctx.shared.started_ms / 1000) as i64);
    Ok(Flow::Continue)
}

fn wait(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    parse_integer(&args[1]).ok_or(Failure::NOT_AN_INTEGER)?;
    let timeout = parse_integer(&args[2]).ok_or(Failure::new(
        "ERR timeout is not an integer or out of range",
    ))?;
    if timeout < 0 {
        return Err(Failure::new("ERR timeout is negative"));
    }
    if timeout.checked_add_unsigned(ctx.now).is_none() {
        return Err(Failure::new("ERR timeout is out of range"));
    }
    if !ctx.is_part && awaits_replicas(ctx) {
        return Ok(Flow::Fetch);
    }
    let replicas = replicas_reached(ctx);
    ctx.reply.integer(replicas.into());
    Ok(Flow::Continue)
}
