//! CLIENT: the connections of a tenant, and what one of them says of itself.

mod list;
mod own;

use super::{Action, Category, Command, Flag, Group, Keys, reply_help};

pub(super) use own::checked_name;

pub(super) const COMMAND: Command = Command::container(
    "CLIENT",
    Group::Connection,
    "2.4.0",
    "Commands about connections",
    &[GETNAME, HELP_SUBCOMMAND, ID, INFO, LIST, SETINFO, SETNAME],
);

const GETNAME: Command = Command {
    name: "GETNAME",
    arity: 2,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "2.6.9",
    summary: "Returns the name of this connection",
    action: Action::Run(own::getname),
};

const HELP_SUBCOMMAND: Command = Command {
    name: "HELP",
    flags: &[Flag::Loading, Flag::Stale],
    since: "5.0.0",
    summary: "Lists the subcommands",
    action: Action::Run(|ctx, _| reply_help(ctx, "CLIENT", &HELP)),
    ..GETNAME
};

const ID: Command = Command {
    name: "ID",
    since: "5.0.0",
    summary: "Returns the number of this connection",
    action: Action::Run(own::id),
    ..GETNAME
};

const INFO: Command = Command {
    name: "INFO",
    since: "6.2.0",
    summary: "Describes this connection",
    action: Action::Run(list::info),
    ..GETNAME
};

const LIST: Command = Command {
    name: "LIST",
    arity: -2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    since: "2.4.0",
    summary: "Describes the connections of the tenant",
    action: Action::Run(list::list),
    ..GETNAME
};

const SETINFO: Command = Command {
    name: "SETINFO",
    arity: 4,
    since: "7.2.0",
    summary: "Tells the name or version of the client library",
    action: Action::Run(own::setinfo),
    ..GETNAME
};

const SETNAME: Command = Command {
    name: "SETNAME",
    arity: 3,
    since: "2.6.9",
    summary: "Names this connection",
    action: Action::Run(own::setname),
    ..GETNAME
};

const HELP: [&str; 16] = [
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Describe the current connection.",
    "LIST [options ...]",
    "    Describe the connections of the tenant. Options are:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Describe those of that type only.",
    "    * ID id [id ...]",
    "      Describe those with these IDs only.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are LIB-NAME and LIB-VER.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
];
