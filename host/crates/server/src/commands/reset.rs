//! RESET: the connection is as it was when it began.

use larder_resp::{Args, Version};

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "RESET",
    arity: 1,
    flags: &[
        Flag::NoScript,
        Flag::Loading,
        Flag::Stale,
        Flag::Fast,
        Flag::NoAuth,
        Flag::AllowBusy,
    ],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "6.2.0",
    summary: "Makes the connection as it was when it began",
    action: Action::Run(run),
};

/// The name of the client library stays, as in Redis.
fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let session = &mut *ctx.session;
    session.transaction = None;
    session.db = 0;
    session.name = Vec::new();
    session.version = Version::V2;
    ctx.reply.set_version(Version::V2);
    ctx.reply.simple("RESET");
    Ok(Flow::Continue)
}
