//! PING: is anybody there?

use larder_resp::{Args, Version};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "PING",
    arity: -1,
    flags: &[Flag::Fast],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "1.0.0",
    summary: "Answers PONG, or the argument given",
    action: Action::Run(run),
};

/// One that listens in RESP2 is answered like a message.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if ctx.session.version == Version::V2 && ctx.session.is_subscribed() && args.len() <= 2 {
        ctx.reply.array(2);
        ctx.reply.bulk(b"pong");
        ctx.reply.bulk(args.get(1).unwrap_or_default());
        return Ok(Flow::Continue);
    }
    match args.len() {
        1 => ctx.reply.simple("PONG"),
        2 => ctx.reply.bulk(&args[1]),
        _ => return Err(Failure::arity("ping")),
    }
    Ok(Flow::Continue)
}
