//! Which keys and channels a request touches, and how.

use larder_resp::Args;

use crate::commands::{Command, KeyUse};

/// What is done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

impl Access {
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

impl From<KeyUse> for Access {
    fn from(of_key: KeyUse) -> Self {
        Self {
            reads: of_key.reads(),
            writes: of_key.writes(),
        }
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
        Some((key, KeyUse::of(command, args, nth).into()))
    })
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
