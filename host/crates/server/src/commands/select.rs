//! SELECT: which of the sixteen databases the connection works on.

use larder_engine::DATABASES;
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "SELECT",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "1.0.0",
    summary: "Selects the database of this connection",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.db = database(&args[1])?;
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// The database that an argument names.
pub(crate) fn database(text: &[u8]) -> Result<u8, Failure> {
    let number = parse_integer(text).ok_or(Failure::NOT_AN_INTEGER)?;
    let database = u8::try_from(number).ok().filter(|&db| db < DATABASES);
    database.ok_or(Failure::new("ERR DB index is out of range"))
}
