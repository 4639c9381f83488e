//! ECHO: says what it was told.

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "ECHO",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "1.0.0",
    summary: "Answers the argument given",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.reply.bulk(&args[1]);
    Ok(Flow::Continue)
}
