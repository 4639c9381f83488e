//! GETSET.

use larder_engine::{Access, Expiry};
use larder_resp::Args;

use super::offer::Offer;
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
    let offer = Offer::plain(ctx.key(&args[1]), &args[2], Expiry::Never);
    let kept = ctx.decide_kept(&offer);
    let put = offer.edit(kept);
    let old = ctx.store.update(
        offer.key,
        ctx.now,
        Access::Read,
        offer.bytes(kept),
        |entry| {
            let old = entry.map(|entry| entry.value().to_vec());
            (put.clone(), old)
        },
    )?;
    ctx.notify_missing(offer.key, old.is_none());
    let expiry = kept.map(|kept| kept.expiry);
    ctx.onlookers().notify_kept(&offer, expiry, old.is_some());
    ctx.reply_bulk_or_null(old.as_deref());
    Ok(Flow::Continue)
}
