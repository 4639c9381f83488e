//! KEYS. The connection does the work in steps and replies.

use larder_engine::glob;
use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "KEYS",
    arity: 2,
    flags: &[Flag::ReadOnly],
    keys: Keys::NONE,
    group: Group::Generic,
    categories: &[Category::Keyspace, Category::Dangerous],
    since: "1.0.0",
    summary: "Returns all keys of the selected database that match a pattern",
    action: Action::Run(run),
};

fn run(_ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let pattern = &args[1];
    if pattern.len() > glob::PATTERN_BYTES_MAX {
        return Err(Failure::PATTERN_TOO_LONG);
    }
    Ok(Flow::Keys(pattern.to_vec()))
}
