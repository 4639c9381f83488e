//! FUNCTION: there are none.

use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command::container(
    "FUNCTION",
    Group::Scripting,
    "7.0.0",
    "Commands about functions, of which there are none",
    &[FLUSH, HELP_SUBCOMMAND, LIST],
);

const LIST: Command = Command {
    name: "LIST",
    arity: -2,
    flags: &[Flag::NoScript],
    keys: Keys::NONE,
    group: Group::Scripting,
    categories: &[Category::Scripting],
    since: "7.0.0",
    summary: "Lists the libraries of functions",
    action: Action::Run(list),
};

const FLUSH: Command = Command {
    name: "FLUSH",
    flags: &[Flag::Write, Flag::NoScript],
    summary: "Removes all libraries of functions",
    action: Action::Run(flush),
    ..LIST
};

const HELP_SUBCOMMAND: Command = Command::help(
    Group::Scripting,
    "7.0.0",
    &[Category::Scripting],
    |ctx, _| reply_help(ctx, "FUNCTION", &HELP),
);

const HELP: [&str; 4] = [
    "FLUSH [ASYNC|SYNC]",
    "    Do nothing, as there is no library.",
    "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
    "    Return an empty list.",
];

fn flush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_known = match (args.get(2), args.len()) {
        (None, _) => true,
        (Some(mode), 3) => [&b"SYNC"[..], b"ASYNC"]
            .iter()
            .any(|known| mode.eq_ignore_ascii_case(known)),
        _ => {
            let name = String::from_utf8_lossy(&args[1]);
            return Err(Failure::from(format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try FUNCTION HELP."
            )));
        }
    };
    if !is_known {
        return Err(Failure::new(
            "ERR FUNCTION FLUSH only supports SYNC|ASYNC option",
        ));
    }
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// Each option may be given once, as in Redis.
fn list(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut has_code, mut has_name) = (false, false);
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        if !has_code && option.eq_ignore_ascii_case(b"WITHCODE") {
            has_code = true;
        } else if !has_name && option.eq_ignore_ascii_case(b"LIBRARYNAME") {
            has_name = rest.next().is_some();
            if !has_name {
                return Err(Failure::new("ERR library name argument was not given"));
            }
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(Failure::from(format!("ERR Unknown argument {option}")));
        }
    }
    ctx.reply.array(0);
    Ok(Flow::Continue)
}
