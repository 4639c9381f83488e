//! CACHE.WARM: keys are brought into memory from what lies below. The connection does the work and replies.

use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "CACHE.WARM",
    arity: -2,
    flags: &[Flag::ReadOnly, Flag::NoScript, Flag::NoMulti],
    keys: Keys::ALL,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "7.2.0",
    summary: "Brings keys into memory from slower tiers and loaders",
    action: Action::Run(run),
};

/// Keys of one request.
const KEYS_MAX: usize = 1_000;

const TOO_MANY: Failure = Failure::new("ERR too many keys: 1000 are warmed at once");

fn run(_ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > KEYS_MAX + 1 {
        return Err(TOO_MANY);
    }
    Ok(Flow::Warm(args.iter().skip(1).collect()))
}
