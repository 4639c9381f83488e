//! DEL and UNLINK, which are the same here: removing an entry never takes long.

use larder_engine::Key;
use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const DEL: Command = Command {
    name: "DEL",
    arity: -2,
    flags: &[Flag::Write],
    keys: Keys::ALL,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "1.0.0",
    summary: "Removes keys and counts those that were there",
    action: Action::Run(run),
};

pub(super) const UNLINK: Command = Command {
    name: "UNLINK",
    flags: &[Flag::Write, Flag::Fast],
    since: "4.0.0",
    summary: "Removes keys and counts those that were there, like DEL",
    ..DEL
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.session.db;
    let keys = args.iter().skip(1).map(|bytes| Key::new(db, bytes));
    let removed = keys.filter(|&key| ctx.forget(key)).count();
    ctx.reply.integer(removed as i64);
    Ok(Flow::Continue)
}
