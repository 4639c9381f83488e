//! COMMAND GETKEYS.

use larder_resp::Args;

use super::super::Failure;
use super::super::metadata::Command;
use super::super::table;
use super::Outcome;
use crate::{Context, Flow};

/// The request asked about begins at the third argument.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let len = args.len() - 2;
    let command = find(args).ok_or(Failure::new("ERR Invalid command specified"))?;
    if command.keys.first == 0 {
        return Err(Failure::new("ERR The command has no key arguments"));
    }
    if !command.accepts(len) {
        return Err(Failure::new(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let keys = command.key_positions(len);
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
