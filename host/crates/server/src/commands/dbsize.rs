//! DBSIZE.

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "DBSIZE",
    arity: 1,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Keyspace],
    since: "1.0.0",
    summary: "Counts the keys of the selected database",
    action: Action::Run(run),
};

/// Entries that have expired and were not removed yet count, as in Redis.
fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let keys = ctx.store.len(ctx.session.db);
    ctx.reply.integer(keys as i64);
    Ok(Flow::Continue)
}
