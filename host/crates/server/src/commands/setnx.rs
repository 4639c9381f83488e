//! SETNX.

use larder_engine::{Access, Edit, Expiry};
use larder_resp::Args;

use super::offer::Offer;
use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "SETNX",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.0",
    summary: "Sets the value of a key unless it exists",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let offer = Offer::plain(ctx.key(&args[1]), &args[2], Expiry::Never);
    let kept = ctx.decide_kept(&offer);
    let put = offer.edit(kept);
    let set = ctx.store.update(
        offer.key,
        ctx.now,
        Access::Write,
        offer.bytes(kept),
        |entry| match entry {
            Some(_) => (Edit::Keep, false),
            None => (put.clone(), true),
        },
    )?;
    if set {
        let expiry = kept.map(|kept| kept.expiry);
        ctx.onlookers().notify_kept(&offer, expiry, false);
    }
    ctx.reply.integer(set.into());
    Ok(Flow::Continue)
}
