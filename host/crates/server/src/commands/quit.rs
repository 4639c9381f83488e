//! QUIT: the connection is closed once its replies are written.

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "QUIT",
    arity: -1,
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
    since: "1.0.0",
    summary: "Closes the connection",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.ok();
    Ok(Flow::Close)
}
