//! ACL: the users, for administrators; and what anybody may know of themselves.

mod getuser;
mod log;
mod setuser;
mod stand;

use larder_resp::Args;

use super::{Action, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::users::DEFAULT;
use crate::{Context, Flow, User};

pub(super) const COMMAND: Command = Command::container(
    "ACL",
    Group::Server,
    "6.0.0",
    "Commands about users and what they may do",
    &[
        CAT,
        DELUSER,
        DRYRUN,
        GENPASS,
        GETUSER,
        HELP_SUBCOMMAND,
        LIST,
        LOAD,
        LOG,
        SAVE,
        SETUSER,
        USERS,
        WHOAMI,
    ],
);

const LIST: Command = Command {
    name: "LIST",
    arity: 2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "6.0.0",
    summary: "Lists the users with their rules",
    action: Action::Run(list),
};

const DELUSER: Command = Command {
    name: "DELUSER",
    arity: -3,
    summary: "Removes users",
    action: Action::Run(deluser),
    ..LIST
};

const DRYRUN: Command = Command {
    name: "DRYRUN",
    arity: -4,
    since: "7.0.0",
    summary: "Tells whether a user may do something",
    action: Action::Run(stand::dryrun),
    ..LIST
};

const GETUSER: Command = Command {
    name: "GETUSER",
    arity: 3,
    summary: "Tells all there is to know of a user",
    action: Action::Run(getuser::run),
    ..LIST
};

const LOAD: Command = Command {
    name: "LOAD",
    summary: "Is refused: users stand in the configuration",
    action: Action::Run(|_, _| Err(NO_FILE)),
    ..LIST
};

const LOG: Command = Command {
    name: "LOG",
    arity: -2,
    summary: "Lists what was denied of late",
    action: Action::Run(log::run),
    ..LIST
};

const SAVE: Command = Command {
    name: "SAVE",
    summary: "Is refused: users stand in the configuration",
    action: Action::Run(|_, _| Err(NO_FILE)),
    ..LIST
};

const SETUSER: Command = Command {
    name: "SETUSER",
    arity: -3,
    summary: "Makes or changes a user",
    action: Action::Run(setuser::run),
    ..LIST
};

const USERS: Command = Command {
    name: "USERS",
    summary: "Lists the names of the users",
    action: Action::Run(users),
    ..LIST
};

const WHOAMI: Command = Command {
    name: "WHOAMI",
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    summary: "Returns the name of this connection's user",
    action: Action::Run(whoami),
    ..LIST
};

const CAT: Command = Command {
    name: "CAT",
    arity: -2,
    summary: "Lists the categories of commands, or the commands of one",
    action: Action::Run(stand::cat),
    ..WHOAMI
};

const GENPASS: Command = Command {
    name: "GENPASS",
    arity: -2,
    summary: "Makes a password that nobody can guess",
    action: Action::Run(stand::genpass),
    ..WHOAMI
};

const HELP_SUBCOMMAND: Command = Command::help(Group::Server, "6.0.0", &[], |ctx, _| {
    reply_help(ctx, "ACL", &HELP)
});

const NO_FILE: Failure = Failure::new(
    "ERR This server is not configured to use an ACL file: users stand in its configuration, and \
     what ACL SETUSER changes lasts until it ends",
);

const HELP: [&str; 26] = [
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Is refused: there is no ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Is refused: there is no ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
];

/// Too many arguments, in the words of Redis.
fn wrong_number(args: Args<'_>) -> Failure {
    let name = String::from_utf8_lossy(&args[1]);
    Failure::from(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try ACL HELP."
    ))
}

fn list(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let users = ctx.shared.users.all();
    ctx.reply.array(users.len());
    for user in &users {
        ctx.reply.bulk(user.printed().as_bytes());
    }
    Ok(Flow::Continue)
}

fn users(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let users = ctx.shared.users.all();
    ctx.reply.array(users.len());
    for user in &users {
        ctx.reply.bulk(user.name().as_bytes());
    }
    Ok(Flow::Continue)
}

fn whoami(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.bulk(ctx.session.login.user().name().as_bytes());
    Ok(Flow::Continue)
}

/// Connections of a removed user end at once.
fn deluser(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let names = args.iter().skip(2);
    if names.clone().any(|name| name == DEFAULT.as_bytes()) {
        return Err(Failure::new("ERR The 'default' user cannot be removed"));
    }
    let names = names.filter_map(|name| std::str::from_utf8(name).ok());
    let removed: Vec<_> = names
        .filter_map(|name| ctx.shared.users.remove(name))
        .collect();
    ctx.reply.integer(removed.len() as i64);
    // Their connections end now; the own one once this is answered.
    let is_removed = |user: &User| removed.iter().any(|gone| gone.is(user));
    for client in ctx.shared.clients.all() {
        if client.id() != ctx.session.id && is_removed(&client.user()) {
            client.kill();
        }
    }
    Ok(match is_removed(ctx.session.login.user()) {
        true => Flow::Close,
        false => Flow::Continue,
    })
}
