//! What a user may do: commands, keys and channels.

use std::collections::HashMap;
use std::sync::LazyLock;

use larder_engine::glob::Pattern;
use larder_resp::Args;

use super::touched::{self, Access};
use crate::commands::{Command, Named, TABLE};

/// Which commands there are, subcommands included: the number and full name of each.
static COMMANDS: LazyLock<HashMap<usize, (usize, String)>> = LazyLock::new(|| {
    let all = TABLE.iter().map(Named::of_table);
    let all = all.flat_map(|named| named.subcommands().chain([named]).collect::<Vec<_>>());
    all.enumerate()
        .map(|(number, named)| (address(named.command), (number, named.name)))
        .collect()
});

/// The full name of a command of the table: `get`, `client|setname`.
pub(super) fn full_name(command: &'static Command) -> &'static str {
    COMMANDS
        .get(&address(command))
        .map_or(command.name, |(_, name)| name)
}

/// The table is static, so a command goes by where it stands.
fn address(command: &'static Command) -> usize {
    std::ptr::from_ref(command).addr()
}

/// One set of rights: a user has one, and one more for each selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rights {
    /// By number, whether the command may be carried out.
    commands: Vec<bool>,
    /// Whether commands are allowed unless the rules say otherwise.
    pub(super) allows_by_default: bool,
    /// The rules for commands behind that, each with its sign, as they are printed.
    pub(super) command_rules: Vec<String>,
    /// `None`: every key.
    pub(super) keys: Option<Vec<KeyPattern>>,
    /// `None`: every channel.
    pub(super) channels: Option<Vec<Matcher>>,
}

/// A pattern as it was given, and prepared.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    pub(super) text: Vec<u8>,
    pattern: Pattern,
}

impl Matcher {
    pub(super) fn new(text: &[u8]) -> Self {
        Self {
            text: text.to_vec(),
            pattern: Pattern::new(text),
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Matcher {}

/// Keys that may be read, written or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPattern {
    pub(super) matcher: Matcher,
    pub(super) access: Access,
}

/// What is not allowed. The later one is the nearer to being allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denied {
    /// The command.
    Command,
    /// To use this key in this way.
    Key(Vec<u8>),
    /// This channel.
    Channel(Vec<u8>),
}

impl Rights {
    pub(super) fn nothing() -> Self {
        Self {
            commands: vec![false; COMMANDS.len()],
            allows_by_default: false,
            command_rules: Vec::new(),
            keys: Some(Vec::new()),
            channels: Some(Vec::new()),
        }
    }

    pub(super) fn everything() -> Self {
        Self {
            commands: vec![true; COMMANDS.len()],
            allows_by_default: true,
            keys: None,
            channels: None,
            ..Self::nothing()
        }
    }

    pub(super) fn is_everything(&self) -> bool {
        self.keys.is_none() && self.channels.is_none() && self.commands.iter().all(|may| *may)
    }

    /// Allows or forbids all commands there are and will be.
    pub(super) fn set_all_commands(&mut self, may: bool) {
        self.commands.fill(may);
        self.allows_by_default = may;
        self.command_rules.clear();
    }

    /// Allows or forbids a command, not its subcommands.
    pub(super) fn set_command(&mut self, command: &'static Command, may: bool) {
        if let Some((number, _)) = COMMANDS.get(&address(command)) {
            self.commands[*number] = may;
        }
    }

    /// Writes down a rule, in the place of those that it makes void: for the same command or category,
    /// or a subcommand of it.
    pub(super) fn note_rule(&mut self, name: &str, may: bool) {
        self.command_rules.retain(|rule| {
            let rest = rule[1..].strip_prefix(name);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        let sign = if may { '+' } else { '-' };
        self.command_rules.push(format!("{sign}{name}"));
    }

    pub(super) fn allows_command(&self, command: &'static Command) -> bool {
        COMMANDS
            .get(&address(command))
            .is_some_and(|(number, _)| self.commands[*number])
    }

    pub(super) fn check(&self, command: &'static Command, args: Args<'_>) -> Result<(), Denied> {
        if !self.allows_command(command) {
            return Err(Denied::Command);
        }
        if let Some(patterns) = &self.keys {
            let is_allowed = |key: &[u8], access: Access| {
                patterns
                    .iter()
                    .any(|own| own.access.includes(access) && own.matcher.pattern.matches(key))
            };
            for (key, access) in touched::keys(command, args) {
                if !is_allowed(key, access) {
                    return Err(Denied::Key(key.to_vec()));
                }
            }
        }
        if self.channels.is_some() {
            let (mut channels, are_patterns) = touched::channels(command, args);
            let denied = channels.find(|channel| !self.allows_channel(channel, are_patterns));
            return denied.map_or(Ok(()), |channel| Err(Denied::Channel(channel.to_vec())));
        }
        Ok(())
    }

    /// Whether a channel, or a pattern of channels, may be listened to.
    pub(super) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        // What a pattern may match cannot be told, so only the same pattern will do.
        let is_allowed = |own: &Matcher| match is_pattern {
            true => own.text == channel || own.text == b"*",
            false => own.pattern.matches(channel),
        };
        let patterns = self.channels.as_ref();
        patterns.is_none_or(|patterns| patterns.iter().any(is_allowed))
    }
}
