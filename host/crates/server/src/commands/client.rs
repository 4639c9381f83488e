//! CLIENT: what a connection says of itself.

use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "CLIENT",
    arity: -2,
    flags: &[],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[],
    since: "2.4.0",
    summary: "Commands about this connection",
    action: Action::Container {
        alone: None,
        subcommands: &[GETNAME, HELP_SUBCOMMAND, ID, SETINFO, SETNAME],
    },
};

const GETNAME: Command = Command {
    name: "GETNAME",
    arity: 2,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "2.6.9",
    summary: "Returns the name of this connection",
    action: Action::Run(getname),
};

const HELP_SUBCOMMAND: Command = Command {
    name: "HELP",
    flags: &[Flag::Loading, Flag::Stale],
    since: "5.0.0",
    summary: "Lists the subcommands",
    action: Action::Run(help),
    ..GETNAME
};

const ID: Command = Command {
    name: "ID",
    since: "5.0.0",
    summary: "Returns the number of this connection",
    action: Action::Run(id),
    ..GETNAME
};

const SETINFO: Command = Command {
    name: "SETINFO",
    arity: 4,
    since: "7.2.0",
    summary: "Tells the name or version of the client library",
    action: Action::Run(setinfo),
    ..GETNAME
};

const SETNAME: Command = Command {
    name: "SETNAME",
    arity: 3,
    since: "2.6.9",
    summary: "Names this connection",
    action: Action::Run(setname),
    ..GETNAME
};

const HELP: [&str; 8] = [
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are LIB-NAME and LIB-VER.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
];

/// Bytes that a name may have: ten thousand connections keep theirs.
const NAME_BYTES_MAX: usize = 1024;

fn help(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    reply_help(ctx, "CLIENT", &HELP)
}

fn getname(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    match ctx.session.name.as_slice() {
        b"" => ctx.reply.null(),
        name => ctx.reply.bulk(name),
    }
    Ok(Flow::Continue)
}

fn id(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.integer(ctx.session.id as i64);
    Ok(Flow::Continue)
}

fn setname(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.name = checked_name(&args[2])?.to_vec();
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn setinfo(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (option, value) = (&args[2], &args[3]);
    let (attribute, shown) = if option.eq_ignore_ascii_case(b"LIB-NAME") {
        (&mut ctx.session.library_name, "lib-name")
    } else if option.eq_ignore_ascii_case(b"LIB-VER") {
        (&mut ctx.session.library_version, "lib-ver")
    } else {
        let option = String::from_utf8_lossy(option);
        return Err(Failure::from(format!("ERR Unrecognized option '{option}'")));
    };
    if !is_printable(value) {
        return Err(Failure::from(format!(
            "ERR {shown} cannot contain spaces, newlines or special characters."
        )));
    }
    check_length(value)?;
    *attribute = value.to_vec();
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// `name` if it may be the name of a connection; the empty one takes the name away.
pub(super) fn checked_name(name: &[u8]) -> Result<&[u8], Failure> {
    if !is_printable(name) {
        return Err(Failure::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    check_length(name)?;
    Ok(name)
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

fn check_length(text: &[u8]) -> Result<(), Failure> {
    if text.len() > NAME_BYTES_MAX {
        return Err(Failure::from(format!(
            "ERR names may have {NAME_BYTES_MAX} bytes at most"
        )));
    }
    Ok(())
}
