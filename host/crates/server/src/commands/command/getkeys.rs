//! COMMAND GETKEYS and GETKEYSANDFLAGS.

use larder_resp::{Args, ArgsBuf, parse_integer};

use super::super::metadata::{Command, Flag};
use super::super::{Failure, KeyUse, table};
use super::Outcome;
use crate::{Context, Flow};

pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (_, keys) = find_keys(args)?;
    ctx.reply.array(keys.len());
    keys.iter().for_each(|at| ctx.reply.bulk(&args[*at]));
    Ok(Flow::Continue)
}

pub(super) fn run_with_flags(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (command, keys) = find_keys(args)?;
    let request: ArgsBuf = args.iter().skip(2).collect();
    ctx.reply.array(keys.len());
    for (nth, at) in keys.into_iter().enumerate() {
        ctx.reply.array(2);
        ctx.reply.bulk(&args[at]);
        let names = KeyUse::of(command, request.args(), nth).names();
        let names: Vec<_> = names.collect();
        ctx.reply.set(names.len());
        names.iter().for_each(|name| ctx.reply.simple(name));
    }
    Ok(Flow::Continue)
}

/// The command of the request asked about, which begins at the third argument, and where its keys are.
fn find_keys(args: Args<'_>) -> Result<(&'static Command, Vec<usize>), Failure> {
    let len = args.len() - 2;
    let command = find(args).ok_or(Failure::new("ERR Invalid command specified"))?;
    let is_script = command.flags.contains(&Flag::MovableKeys);
    if command.keys.first == 0 && !is_script {
        return Err(Failure::new("ERR The command has no key arguments"));
    }
    if !command.accepts(len) {
        return Err(Failure::new(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let keys = match is_script {
        true => script_keys(args),
        false => command.key_positions(len).map(|at| at + 2).collect(),
    };
    Ok((command, keys))
}

/// Where the keys of a script are: its request says how many there are. None where it says it wrongly, as in
/// Redis.
fn script_keys(args: Args<'_>) -> Vec<usize> {
    let count = args.get(4).and_then(parse_integer);
    let count = count.and_then(|count| usize::try_from(count).ok());
    let rest = args.len().saturating_sub(5);
    let count = count.filter(|count| *count <= rest).unwrap_or(0);
    (5..5 + count).collect()
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
