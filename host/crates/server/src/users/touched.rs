//! Which keys and channels a request touches, and how.

use larder_resp::Args;

use crate::commands::Command;

/// What is done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

impl Access {
    /// A look that tells nothing of the value.
    const NOTHING: Self = Self {
        reads: false,
        writes: false,
    };
    pub(super) const READ: Self = Self {
        reads: true,
        writes: false,
    };
    pub(super) const WRITE: Self = Self {
        reads: false,
        writes: true,
    };
    pub(super) const BOTH: Self = Self {
        reads: true,
        writes: true,
    };

    /// Either of two.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            reads: self.reads || other.reads,
            writes: self.writes || other.writes,
        }
    }

    /// Whether who may do this may do the `other`.
    pub(super) fn includes(self, other: Self) -> bool {
        self.reads >= other.reads && self.writes >= other.writes
    }
}

/// The keys of a request, each with what is done to it.
pub(super) fn keys<'a>(
    command: &'static Command,
    args: Args<'a>,
) -> impl Iterator<Item = (&'a [u8], Access)> {
    let positions = command.key_positions(args.len());
    positions.enumerate().filter_map(move |(nth, at)| {
        let key = args.get(at)?;
        Some((key, access(command, args, nth)))
    })
}

/// As Redis has it in its key specifications.
fn access(command: &Command, args: Args<'_>, nth: usize) -> Access {
    let is_first = nth == 0;
    match command.name {
        "EXISTS" | "TYPE" | "STRLEN" | "TOUCH" | "WATCH" => Access::NOTHING,
        // Subcommands of OBJECT and MEMORY.
        "ENCODING" | "FREQ" | "IDLETIME" | "REFCOUNT" | "USAGE" => Access::NOTHING,
        "INCR" | "DECR" | "INCRBY" | "DECRBY" | "INCRBYFLOAT" => Access::BOTH,
        "GETDEL" | "GETEX" | "GETSET" | "SETBIT" | "BITFIELD" | "MOVE" => Access::BOTH,
        "RENAME" | "RENAMENX" if is_first => Access::BOTH,
        "COPY" if is_first => Access::READ,
        "BITOP" if !is_first => Access::READ,
        "SET" | "CACHE.SET" if has_get(args) => Access::BOTH,
        _ if command.is_read_only() => Access::READ,
        _ => Access::WRITE,
    }
}

fn has_get(args: Args<'_>) -> bool {
    args.iter()
        .skip(3)
        .any(|option| option.eq_ignore_ascii_case(b"GET"))
}

/// The channels of a request, and whether they are patterns.
pub(super) fn channels<'a>(
    command: &Command,
    args: Args<'a>,
) -> (impl Iterator<Item = &'a [u8]>, bool) {
    let count = match command.name {
        "PUBLISH" | "SPUBLISH" => 1,
        "SUBSCRIBE" | "SSUBSCRIBE" | "PSUBSCRIBE" => args.len(),
        _ => 0,
    };
    let channels = args.iter().skip(1).take(count);
    (channels, command.name == "PSUBSCRIBE")
}
