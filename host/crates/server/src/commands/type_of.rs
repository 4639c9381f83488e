//! TYPE.

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "TYPE",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "1.0.0",
    summary: "Returns the type of the value of a key",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let found = ctx.look(ctx.key(&args[1]), |_| ());
    ctx.reply
        .simple(if found.is_some() { "string" } else { "none" });
    Ok(Flow::Continue)
}
