//! TOUCH.

use larder_engine::Key;
use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "TOUCH",
    arity: -2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::ALL,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "3.2.1",
    summary: "Counts the keys that exist, as reads of them",
    action: Action::Run(run),
};

/// It counts also where a connection's reads leave no trace.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.store.set_quiet(false);
    let db = ctx.session.db;
    let keys = args.iter().skip(1).map(|bytes| Key::new(db, bytes));
    let found = keys.filter(|&key| ctx.read(key, |_| ()).is_some()).count();
    ctx.store.set_quiet(ctx.session.no_touch);
    ctx.reply.integer(found as i64);
    Ok(Flow::Continue)
}
