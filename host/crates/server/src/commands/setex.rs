//! SETEX and PSETEX.

use larder_engine::Expiry;
use larder_resp::Args;

use super::moment::Scale;
use super::offer::Offer;
use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const SETEX: Command = Command {
    name: "SETEX",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "2.0.0",
    summary: "Sets the value of a key and its time to live in seconds",
    action: Action::Run(|ctx, args| run(ctx, args, Scale::EX, "setex")),
};

pub(super) const PSETEX: Command = Command {
    name: "PSETEX",
    since: "2.6.0",
    summary: "Sets the value of a key and its time to live in milliseconds",
    action: Action::Run(|ctx, args| run(ctx, args, Scale::PX, "psetex")),
    ..SETEX
};

fn run(ctx: &mut Context<'_>, args: Args<'_>, scale: Scale, name: &str) -> Outcome {
    let expiry = Expiry::At(scale.deadline(&args[2], ctx.now, name)?);
    ctx.keep(&Offer::plain(ctx.key(&args[1]), &args[3], expiry))?;
    ctx.reply.ok();
    Ok(Flow::Continue)
}
