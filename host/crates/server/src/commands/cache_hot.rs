//! CACHE.HOT: the hottest keys. The connection does the work in steps and replies.

use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

/// As with KEYS no key is named, so rights to keys do not bound it.
pub(super) const COMMAND: Command = Command {
    name: "CACHE.HOT",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::NoScript, Flag::NoMulti],
    keys: Keys::NONE,
    group: Group::Generic,
    categories: &[Category::Keyspace, Category::Dangerous],
    since: "7.2.0",
    summary: "Returns the hottest keys of the selected database, the hottest first",
    action: Action::Run(run),
};

/// Keys of one reply.
const COUNT_MAX: usize = 100_000;

const NO_COUNT: Failure = Failure::new("ERR count has to be from 1 to 100000");

fn run(_ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = parse_integer(&args[1]).ok_or(Failure::NOT_AN_INTEGER)?;
    let count = usize::try_from(count).ok();
    let count = count.filter(|count| (1..=COUNT_MAX).contains(count));
    Ok(Flow::Hot(count.ok_or(NO_COUNT)?))
}
