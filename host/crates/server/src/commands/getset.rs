//! GETSET.

use std::borrow::Cow;

use larder_engine::{Access, Edit, Expiry};
use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "GETSET",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.0",
    summary: "Sets the value of a key and returns the one before",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let value = &args[2];
    let tenant = &ctx.session.tenant;
    let old = tenant.update(key, ctx.now, Access::Read, value.len(), |entry| {
        let old = entry.map(|entry| entry.value().to_vec());
        (
            Edit::Put {
                value: Cow::Borrowed(value),
                expiry: Expiry::Never,
            },
            old,
        )
    })?;
    ctx.reply_bulk_or_null(old.as_deref());
    Ok(Flow::Continue)
}
