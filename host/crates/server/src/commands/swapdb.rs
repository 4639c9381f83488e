//! SWAPDB: two databases change places, for everybody at one moment.

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
    summary: "Exchanges two databases",
    action: Action::Run(run),
};

/// Others may share a tier, and it outlasts the server: they would find the one database in the other's place.
const HAS_TIERS: Failure = Failure::new(
    "ERR SWAPDB is not supported where a slower tier keeps entries: they are kept there by the number of their database",
);

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    for (at, text) in [
        (1, "ERR invalid first DB index"),
        (2, "ERR invalid second DB index"),
    ] {
        let number = parse_integer(&args[at]).and_then(|number| i32::try_from(number).ok());
        number.ok_or(Failure::new(text))?;
    }
    let (one, other) = (database(&args[1])?, database(&args[2])?);
    if one != other {
        if ctx.store.tenant().below().is_some() {
            return Err(HAS_TIERS);
        }
        ctx.store.exchange(one, other);
    }
    ctx.reply.ok();
    Ok(Flow::Continue)
}
