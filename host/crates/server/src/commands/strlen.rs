//! STRLEN.

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "STRLEN",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "2.2.0",
    summary: "Returns the length of the value of a key",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let length = ctx.read(key, |entry| entry.value().len());
    ctx.reply.integer(length.unwrap_or(0) as i64);
    Ok(Flow::Continue)
}
