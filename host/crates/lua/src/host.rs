//! What a script asks of the server.

use larder_resp::{Args, Version};

/// The server, as a script sees it.
pub trait Host {
    /// Runs a command and appends its reply, in `version`, to `out`.
    fn call(&mut self, args: Args<'_>, version: Version, out: &mut Vec<u8>) -> Called;

    /// Writes a line to the log.
    fn log(&mut self, level: Level, text: &str);

    /// Whether the user may run a command; None where there is no such command.
    fn may(&mut self, args: Args<'_>) -> Option<bool>;
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// It was run or refused; the reply says which.
    Replied,
    /// It can only be run if the script begins anew: the script ends at once, whatever it would catch.
    Again,
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// Detail.
    Verbose,
    /// Of interest.
    Notice,
    /// Of concern.
    Warning,
}
