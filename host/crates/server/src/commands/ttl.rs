//! TTL, PTTL, EXPIRETIME and PEXPIRETIME.

use larder_engine::Millis;
use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const TTL: Command = Command {
    name: "TTL",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "1.0.0",
    summary: "Returns the time to live of a key in seconds",
    action: Action::Run(|ctx, args| run(ctx, args, |at, now| seconds(at.saturating_sub(now)))),
};

pub(super) const PTTL: Command = Command {
    name: "PTTL",
    since: "2.6.0",
    summary: "Returns the time to live of a key in milliseconds",
    action: Action::Run(|ctx, args| run(ctx, args, |at, now| at.saturating_sub(now))),
    ..TTL
};

pub(super) const EXPIRETIME: Command = Command {
    name: "EXPIRETIME",
    since: "7.0.0",
    summary: "Returns when a key expires, in seconds since 1970",
    action: Action::Run(|ctx, args| run(ctx, args, |at, _| seconds(at))),
    ..TTL
};

pub(super) const PEXPIRETIME: Command = Command {
    name: "PEXPIRETIME",
    since: "7.0.0",
    summary: "Returns when a key expires, in milliseconds since 1970",
    action: Action::Run(|ctx, args| run(ctx, args, |at, _| at)),
    ..TTL
};

/// Reports a key's expiry: -2 when there is no such key, -1 when it never expires.
fn run(
    ctx: &mut Context<'_>,
    args: Args<'_>,
    report: fn(expires_at: Millis, now: Millis) -> Millis,
) -> Outcome {
    let expiry = ctx.look(ctx.key(&args[1]), |entry| entry.expires_at());
    ctx.reply.integer(match expiry {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => report(at, ctx.now) as i64,
    });
    Ok(Flow::Continue)
}

/// Seconds are rounded to the nearest, as in Redis.
fn seconds(millis: Millis) -> Millis {
    (millis + 500) / 1000
}
