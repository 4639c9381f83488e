//! SCRIPT: the scripts that are known, and the one that runs.

use larder_lua::Kill;
use larder_resp::Args;

use super::eval::{by_code, scripts};
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command::container(
    "SCRIPT",
    Group::Scripting,
    "2.6.0",
    "Commands about Lua scripts",
    &[DEBUG, EXISTS, FLUSH, HELP_SUBCOMMAND, KILL, LOAD],
);

const LOAD: Command = Command {
    name: "LOAD",
    arity: 3,
    flags: &[Flag::NoScript, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Scripting,
    categories: &[Category::Scripting],
    since: "2.6.0",
    summary: "Lets a script be called by its SHA-1",
    action: Action::Run(|ctx, args| {
        let known = by_code(ctx, &args[2])?;
        ctx.reply.bulk(known.script.sha().as_bytes());
        Ok(Flow::Continue)
    }),
};

const EXISTS: Command = Command {
    name: "EXISTS",
    arity: -3,
    flags: &[Flag::NoScript],
    summary: "Tells which scripts are known",
    action: Action::Run(|ctx, args| {
        ctx.reply.array(args.len() - 2);
        for name in args.iter().skip(2) {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let is_known = scripts(ctx).find(&name).is_some();
            ctx.reply.integer(is_known.into());
        }
        Ok(Flow::Continue)
    }),
    ..LOAD
};

const FLUSH: Command = Command {
    name: "FLUSH",
    arity: -2,
    flags: &[Flag::NoScript],
    summary: "Forgets all scripts",
    action: Action::Run(flush),
    ..LOAD
};

const KILL: Command = Command {
    name: "KILL",
    arity: 2,
    flags: &[Flag::NoScript, Flag::AllowBusy],
    summary: "Ends the script that runs, unless it has written",
    action: Action::Run(kill),
    ..LOAD
};

const DEBUG: Command = Command {
    name: "DEBUG",
    arity: 3,
    flags: &[Flag::NoScript],
    since: "3.2.0",
    summary: "Refuses to debug scripts",
    action: Action::Run(|_, _| {
        Err(Failure::new(
            "ERR scripts cannot be debugged here: SCRIPT DEBUG is not supported",
        ))
    }),
    ..LOAD
};

const HELP_SUBCOMMAND: Command = Command::help(
    Group::Scripting,
    "5.0.0",
    &[Category::Scripting],
    |ctx, _| reply_help(ctx, "SCRIPT", &HELP),
);

const HELP: [&str; 8] = [
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache.",
    "KILL",
    "    Kill the currently executing Lua script.",
    "LOAD <script>",
    "    Load a script into the scripts cache without executing it.",
];

fn flush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_mode = |mode: &[u8]| {
        [&b"SYNC"[..], b"ASYNC"]
            .iter()
            .any(|known| mode.eq_ignore_ascii_case(known))
    };
    if args.len() > 3 || args.get(2).is_some_and(|mode| !is_mode(mode)) {
        return Err(Failure::new(
            "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
        ));
    }
    scripts(ctx).forget_all();
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn kill(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    match scripts(ctx).kill() {
        Kill::Done => {
            ctx.reply.ok();
            Ok(Flow::Continue)
        }
        Kill::NotBusy => Err(Failure::new("NOTBUSY No scripts in execution right now.")),
        Kill::Unkillable => Err(Failure::new(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
             either wait the script termination or kill the server in a hard way using the SHUTDOWN \
             NOSAVE command.",
        )),
    }
}
