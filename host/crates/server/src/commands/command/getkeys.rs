//! COMMAND GETKEYS.

use larder_resp::Args;

use super::super::Failure;
use super::super::metadata::Keys;
use super::super::table;
use super::Outcome;
use crate::{Context, Flow};

/// The request asked about begins at the third argument. No subcommand has keys.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let len = args.len() - 2;
    let command = table::find(&args[2]).ok_or(Failure::new("ERR Invalid command specified"))?;
    let Keys { first, last, step } = command.keys;
    if first == 0 {
        return Err(Failure::new("ERR The command has no key arguments"));
    }
    if !command.accepts(len) {
        return Err(Failure::new(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let (first, step) = (first.unsigned_abs() as usize, step.unsigned_abs() as usize);
    let last = last.unsigned_abs() as usize;
    let end = if command.keys.last < 0 {
        len + 1 - last
    } else {
        last + 1
    };
    let keys = (first..end).step_by(step);
    ctx.reply.array(keys.len());
    keys.for_each(|at| ctx.reply.bulk(&args[at + 2]));
    Ok(Flow::Continue)
}
