//! GET.

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "GET",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.0",
    summary: "Returns the value of a key",
    action: Action::Run(run),
};

/// Copies the value into the reply under the shard's lock: it is never copied twice, nor allocated.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let reply = &mut ctx.reply;
    let found = ctx
        .store
        .get(key, ctx.now, |entry| reply.bulk(entry.value()));
    if found.is_none() {
        reply.null();
        ctx.notify_missing(key, true);
    }
    Ok(Flow::Continue)
}
