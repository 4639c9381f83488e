//! A number for every command and every subcommand, by which they are counted: first those of the table,
//! then the subcommands of each container.

use std::sync::LazyLock;

use super::metadata::{Action, Command, Flag, Group};
use super::table::{TABLE, row};
use crate::meter::Operation;

const TABLE_LEN: usize = TABLE.len();

/// How many there are.
pub(crate) const COMMANDS: usize = first_subcommand(TABLE_LEN) as usize;

/// The number of the first subcommand of each command.
static FIRST_SUBCOMMAND: [u16; TABLE_LEN] = {
    let mut first = [0; TABLE_LEN];
    let mut row = 0;
    while row < TABLE_LEN {
        first[row] = first_subcommand(row);
        row += 1;
    }
    first
};

/// Whether a command takes about constant time if its arguments are few and short.
static BRIEF: [bool; COMMANDS] = {
    let mut brief = [false; COMMANDS];
    let mut row = 0;
    while row < TABLE_LEN {
        brief[row] = takes_constant_time(&TABLE[row]);
        row += 1;
    }
    brief
};

const fn first_subcommand(row: usize) -> u16 {
    let mut number = TABLE_LEN;
    let mut before = 0;
    while before < row {
        if let Action::Container { subcommands, .. } = TABLE[before].action {
            number += subcommands.len();
        }
        before += 1;
    }
    number as u16
}

/// What Redis calls fast, and what reads or writes one value, or forgets some.
const fn takes_constant_time(command: &Command) -> bool {
    let mut at = 0;
    while at < command.flags.len() {
        if matches!(command.flags[at], Flag::Fast) {
            return true;
        }
        at += 1;
    }
    let is_plain = matches!(command.group, Group::String | Group::Generic);
    is_plain && command.keys.first == 1 && command.keys.last != 2
}

/// See [`BRIEF`].
#[inline]
pub(crate) fn is_brief(number: u16) -> bool {
    BRIEF[number as usize]
}

/// Whether the slow log keeps it.
pub(crate) fn is_logged(number: u16) -> bool {
    let command = TABLE.get(usize::from(number));
    !command.is_some_and(|command| command.flags.contains(&Flag::SkipSlowlog))
}

/// The full name of the command of that number, in small letters.
pub(crate) fn name_of(number: u16) -> Option<&'static str> {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| all().map(|(name, _)| name).collect());
    NAMES.get(usize::from(number)).map(String::as_str)
}

/// The number of the command called `name`, in any case.
pub(crate) fn number_of(name: &[u8]) -> Option<u16> {
    row(name).map(|row| row as u16)
}

/// The number of the subcommand that is at `at` within those of the command at `row` of the table.
#[inline]
pub(crate) fn subcommand_number(row: usize, at: usize) -> u16 {
    FIRST_SUBCOMMAND[row] + at as u16
}

/// Every command and subcommand in the order of their numbers, with its full name in small letters.
pub(crate) fn all() -> impl Iterator<Item = (String, &'static Command)> {
    let own = TABLE
        .iter()
        .map(|command| (command.lowercase_name(), command));
    let subcommands = TABLE.iter().flat_map(|container| {
        let subcommands = container.subcommands().iter();
        subcommands.map(move |command| (command.full_name(container), command))
    });
    own.chain(subcommands)
}

/// What it is summed up by.
pub(crate) fn operation_of(command: &Command) -> Operation {
    match command.name {
        _ if command.keys.first == 0 => Operation::Other,
        "GET" | "MGET" | "CACHE.GET" => Operation::Get,
        "SET" | "SETEX" | "PSETEX" | "SETNX" | "GETSET" | "MSET" | "MSETNX" | "CACHE.SET" => {
            Operation::Set
        }
        "DEL" | "DELEX" | "UNLINK" | "GETDEL" => Operation::Del,
        _ if command.flags.contains(&Flag::Write) => Operation::Write,
        _ => Operation::Read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_order() {
        let names: Vec<_> = all().map(|(name, _)| name).collect();
        assert_eq!(names.len(), COMMANDS);
        for (row, command) in TABLE.iter().enumerate() {
            assert_eq!(names[row], command.lowercase_name());
            for (at, subcommand) in command.subcommands().iter().enumerate() {
                let number = subcommand_number(row, at) as usize;
                assert_eq!(names[number], subcommand.full_name(command));
            }
        }
    }

    #[test]
    fn what_takes_long_is_not_brief() {
        for (number, (name, _)) in all().enumerate() {
            let expected = match &*name {
                "get" | "set" | "mget" | "mset" | "del" | "exists" | "incr" | "expire" | "ping" => {
                    true
                }
                "keys" | "scan" | "lcs" | "flushall" | "flushdb" | "bitcount" | "bitop"
                | "copy" | "config|get" | "info" | "policy|reload" => false,
                _ => continue,
            };
            assert_eq!(is_brief(number as u16), expected, "{name}");
        }
    }
}
