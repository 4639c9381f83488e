//! PERSIST.

use larder_engine::{Access, Edit};
use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "PERSIST",
    arity: 2,
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "2.2.0",
    summary: "Takes the expiry off a key",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let changed = ctx.store.update(key, ctx.now, Access::Write, 0, |entry| {
        match entry.and_then(|entry| entry.expires_at()) {
            Some(_) => (Edit::Expire(None), true),
            None => (Edit::Keep, false),
        }
    })?;
    if changed {
        ctx.onlookers().notify(Event::PERSIST, key);
    }
    ctx.reply.integer(changed.into());
    Ok(Flow::Continue)
}
