//! LOLWUT.

use larder_resp::{Args, parse_integer};

use super::{Action, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "LOLWUT",
    arity: -1,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "5.0.0",
    summary: "Tells the version of Larder",
    action: Action::Run(run),
};

/// Pictures are left to Redis.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if let (Some(option), Some(version)) = (args.get(1), args.get(2))
        && option.eq_ignore_ascii_case(b"VERSION")
    {
        parse_integer(version).ok_or(Failure::NOT_AN_INTEGER)?;
    }
    ctx.reply
        .verbatim(concat!("Larder ver. ", env!("CARGO_PKG_VERSION"), "\n"));
    Ok(Flow::Continue)
}
