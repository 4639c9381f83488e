//! RANDOMKEY.

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "RANDOMKEY",
    arity: 1,
    flags: &[Flag::ReadOnly],
    keys: Keys::NONE,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "1.0.0",
    summary: "Returns a key of the selected database by chance",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let reply = &mut ctx.reply;
    let found = ctx
        .store
        .random(ctx.session.db, ctx.now, |key| reply.bulk(key));
    if found.is_none() {
        ctx.reply.null();
    }
    Ok(Flow::Continue)
}
