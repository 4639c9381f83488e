//! MSET.

use std::borrow::Cow;

use larder_engine::{Access, Edit, Expiry};
use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "MSET",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::PAIRS,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.1",
    summary: "Sets the values of several keys, all at one moment",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(Failure::arity("mset"));
    }
    let pair = |at: usize| (ctx.key(&args[at]), &args[at + 1]);
    let pairs = || (1..args.len()).step_by(2).map(pair);
    let values_bytes = pairs().map(|(_, value)| value.len()).sum();
    let tenant = &ctx.session.tenant;
    let mut locked = tenant.lock(pairs().map(|(key, _)| key), values_bytes, ctx.now)?;
    let mut put = |(key, value)| {
        locked.update(key, ctx.now, Access::Write, |_| {
            (
                Edit::Put {
                    value: Cow::Borrowed(value),
                    expiry: Expiry::Never,
                },
                (),
            )
        })
    };
    // Where a pair comes near the bound of an entry, the largest goes first: if that one is not
    // refused for its size then none is, and what is refused has changed nothing.
    let largest = pairs().max_by_key(|(key, value)| key.bytes.len() + value.len());
    let is_near = |bytes: usize| bytes > tenant.entry_bytes_max() / 2;
    if let Some(pair) = largest.filter(|(key, value)| is_near(key.bytes.len() + value.len())) {
        put(pair)?;
    }
    pairs().try_for_each(put)?;
    drop(locked);
    ctx.reply.ok();
    Ok(Flow::Continue)
}
