//! COMMAND GETKEYS.

use larder_resp::Args;

use super::super::Failure;
use super::super::metadata::{Command, Keys};
use super::super::table;
use super::Outcome;
use crate::{Context, Flow};

/// The request asked about begins at the third argument.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let len = args.len() - 2;
    let command = find(args).ok_or(Failure::new("ERR Invalid command specified"))?;
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

/// The command asked about, or its subcommand if it has some and one is named.
fn find(args: Args<'_>) -> Option<&'static Command> {
    let command = table::find(&args[2])?;
    let (subcommands, Some(name)) = (command.subcommands(), args.get(3)) else {
        return Some(command);
    };
    match subcommands {
        [] => Some(command),
        all => all
            .iter()
            .find(|sub| name.eq_ignore_ascii_case(sub.name.as_bytes())),
    }
}
