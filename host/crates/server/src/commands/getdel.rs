//! GETDEL.

use larder_engine::{Access, Edit};
use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "GETDEL",
    arity: 2,
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "6.2.0",
    summary: "Returns the value of a key and removes it",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let value = ctx
        .store
        .update(key, ctx.now, Access::Read, 0, |entry| match entry {
            Some(entry) => (Edit::Remove, Some(entry.value().to_vec())),
            None => (Edit::Keep, None),
        })?;
    ctx.notify_missing(key, value.is_none());
    if value.is_some() {
        ctx.onlookers().notify(Event::DEL, key);
    }
    ctx.reply_bulk_or_null(value.as_deref());
    Ok(Flow::Continue)
}
