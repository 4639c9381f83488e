//! SWAPDB, which is refused.

use larder_resp::{Args, parse_integer};

use super::select::database;
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "SWAPDB",
    arity: 3,
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Keyspace, Category::Dangerous],
    since: "4.0.0",
    summary: "Refuses to exchange two databases",
    action: Action::Run(run),
};

/// Each entry is found by the number of its database, so that two databases could only be exchanged
/// entry by entry, and everybody would see them half exchanged.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    for (at, text) in [
        (1, "ERR invalid first DB index"),
        (2, "ERR invalid second DB index"),
    ] {
        let number = parse_integer(&args[at]).and_then(|number| i32::try_from(number).ok());
        number.ok_or(Failure::new(text))?;
    }
    if database(&args[1])? != database(&args[2])? {
        return Err(Failure::new(
            "ERR SWAPDB is not supported: entries are kept by the number of their database, so two \
             databases cannot change places at one moment",
        ));
    }
    ctx.reply.ok();
    Ok(Flow::Continue)
}
