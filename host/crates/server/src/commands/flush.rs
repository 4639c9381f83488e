//! FLUSHDB and FLUSHALL. The connection does the work in steps and replies.

use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const FLUSHDB: Command = Command {
    name: "FLUSHDB",
    arity: -1,
    flags: &[Flag::Write],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Keyspace, Category::Dangerous],
    since: "1.0.0",
    summary: "Removes all keys of the selected database",
    action: Action::Run(flushdb),
};

pub(super) const FLUSHALL: Command = Command {
    name: "FLUSHALL",
    summary: "Removes all keys of all databases",
    action: Action::Run(flushall),
    ..FLUSHDB
};

fn flushdb(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_mode(args)?;
    Ok(Flow::Flush(Some(ctx.session.db)))
}

fn flushall(_ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_mode(args)?;
    Ok(Flow::Flush(None))
}

/// SYNC and ASYNC mean the same here: others are served meanwhile, and the reply comes when it is
/// done.
fn check_mode(args: Args<'_>) -> Result<(), Failure> {
    let known =
        |mode: &[u8]| mode.eq_ignore_ascii_case(b"SYNC") || mode.eq_ignore_ascii_case(b"ASYNC");
    match args.len() {
        1 => Ok(()),
        2 if known(&args[1]) => Ok(()),
        _ => Err(Failure::SYNTAX),
    }
}
