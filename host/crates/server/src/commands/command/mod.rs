//! COMMAND: what there is to know of the commands, for clients that ask.

mod docs;
mod getkeys;
mod info;
mod list;

use larder_resp::Args;

use super::table::{self, TABLE};
use super::{Action, Category, Command, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "COMMAND",
    arity: -1,
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Connection],
    since: "2.8.13",
    summary: "Describes all commands",
    action: Action::Container {
        alone: Some(info::run),
        subcommands: &[
            COUNT,
            DOCS,
            GETKEYS,
            GETKEYSANDFLAGS,
            HELP_SUBCOMMAND,
            INFO,
            LIST,
        ],
    },
};

const COUNT: Command = Command {
    name: "COUNT",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Connection],
    since: "2.8.13",
    summary: "Counts the commands",
    action: Action::Run(count),
};

const DOCS: Command = Command {
    name: "DOCS",
    arity: -2,
    since: "7.0.0",
    summary: "Documents the commands named, or all",
    action: Action::Run(docs::run),
    ..COUNT
};

const GETKEYS: Command = Command {
    name: "GETKEYS",
    arity: -3,
    summary: "Returns the keys of a request",
    action: Action::Run(getkeys::run),
    ..COUNT
};

const GETKEYSANDFLAGS: Command = Command {
    name: "GETKEYSANDFLAGS",
    since: "7.0.0",
    summary: "Returns the keys of a request, and what it does to each",
    action: Action::Run(getkeys::run_with_flags),
    ..GETKEYS
};

const HELP_SUBCOMMAND: Command =
    Command::help(Group::Server, "5.0.0", &[Category::Connection], |ctx, _| {
        reply_help(ctx, "COMMAND", &HELP)
    });

const INFO: Command = Command {
    name: "INFO",
    arity: -2,
    summary: "Describes the commands named, or all",
    action: Action::Run(info::run),
    ..COUNT
};

const LIST: Command = Command {
    name: "LIST",
    arity: -2,
    since: "7.0.0",
    summary: "Lists the names of the commands",
    action: Action::Run(list::run),
    ..COUNT
};

const HELP: [&str; 14] = [
    "(no subcommand)",
    "    Return details about all commands.",
    "COUNT",
    "    Return the total number of commands in this server.",
    "LIST [FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]",
    "    Return a list of all commands in this server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple commands, or all.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple commands, or all.",
    "GETKEYS <full-command>",
    "    Return the keys from a full command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full command.",
];

/// As in Redis, subcommands do not count.
fn count(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.integer(TABLE.len() as i64);
    Ok(Flow::Continue)
}

pub(crate) use info::categories;

/// A command and its full name.
pub(crate) struct Named {
    pub(crate) command: &'static Command,
    pub(crate) name: String,
}

impl Named {
    pub(crate) fn of_table(command: &'static Command) -> Self {
        Self {
            command,
            name: command.lowercase_name(),
        }
    }

    /// The command of a name as COMMAND takes it: `get`, `client|setname`.
    pub(crate) fn find(name: &[u8]) -> Option<Self> {
        let bar = name.iter().position(|&byte| byte == b'|');
        let Some(bar) = bar else {
            return table::find(name).map(Self::of_table);
        };
        let container = Self::of_table(table::find(&name[..bar])?);
        let wanted = &name[bar + 1..];
        container
            .subcommands()
            .find(|sub| sub.command.name.as_bytes().eq_ignore_ascii_case(wanted))
    }

    pub(crate) fn subcommands(&self) -> impl ExactSizeIterator<Item = Self> + use<> {
        let container = self.command;
        let name = move |command: &'static Command| command.full_name(container);
        container.subcommands().iter().map(move |command| Self {
            command,
            name: name(command),
        })
    }
}
