//! What commands do to their keys, as Redis has it in its key specifications.

use larder_resp::Args;

use super::metadata::Command;

/// What a command does to one of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyUse(u8);

/// The names of the bits, in Redis' order.
const NAMES: [&str; 8] = [
    "RO", "RW", "OW", "RM", "access", "update", "insert", "delete",
];
const RO: u8 = 1;
const RW: u8 = 2;
const OW: u8 = 4;
const RM: u8 = 8;
const ACCESS: u8 = 16;
const UPDATE: u8 = 32;
const INSERT: u8 = 64;
const DELETE: u8 = 128;

/// It says nothing of the value.
const LOOK: KeyUse = KeyUse(RO);
const READ: KeyUse = KeyUse(RO | ACCESS);
/// The value counts, but is not told.
const CHANGE: KeyUse = KeyUse(RW | UPDATE);
const CHANGE_READ: KeyUse = KeyUse(RW | ACCESS | UPDATE);
const TAKE: KeyUse = KeyUse(RW | ACCESS | DELETE);
const OVERWRITE: KeyUse = KeyUse(OW | UPDATE);
const CREATE: KeyUse = KeyUse(OW | INSERT);
const REMOVE: KeyUse = KeyUse(RM | DELETE);

impl KeyUse {
    /// What a request does to the key that is the `nth` of its keys, from 0.
    pub(crate) fn of(command: &Command, args: Args<'_>, nth: usize) -> Self {
        match command.name {
            "BITFIELD" if gets_alone(args) => READ,
            "SET" | "CACHE.SET" if !has_get(args) => OVERWRITE,
            _ => Self::at_most(command, nth),
        }
    }

    /// What any request may do to the key that is the `nth` of its keys, from 0.
    pub(crate) fn at_most(command: &Command, nth: usize) -> Self {
        let is_first = nth == 0;
        match command.name {
            "EXISTS" | "TYPE" | "STRLEN" | "TOUCH" | "WATCH" => LOOK,
            // Subcommands of OBJECT and MEMORY.
            "ENCODING" | "FREQ" | "IDLETIME" | "REFCOUNT" | "USAGE" => LOOK,
            "INCR" | "DECR" | "INCRBY" | "DECRBY" | "INCRBYFLOAT" => CHANGE_READ,
            "GETEX" | "GETSET" | "SETBIT" | "MOVE" | "EVAL" | "EVALSHA" => CHANGE_READ,
            "EVAL_RO" | "EVALSHA_RO" => READ,
            "GETDEL" => TAKE,
            "RENAME" | "RENAMENX" if is_first => TAKE,
            "RENAMENX" | "SETNX" | "MSETNX" => CREATE,
            "COPY" if is_first => READ,
            "BITOP" if !is_first => READ,
            "BITFIELD" | "SET" | "CACHE.SET" => CHANGE_READ,
            "APPEND" => KeyUse(RW | INSERT),
            "SETRANGE" | "PERSIST" | "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" => CHANGE,
            "DEL" | "UNLINK" | "DELEX" => REMOVE,
            _ if command.is_read_only() => READ,
            _ => OVERWRITE,
        }
    }

    /// Whether what a request does hangs on its options.
    pub(crate) fn is_variable(command: &Command) -> bool {
        matches!(command.name, "BITFIELD" | "SET" | "CACHE.SET")
    }

    /// Whether it tells of the value.
    pub(crate) fn reads(self) -> bool {
        self.0 & ACCESS != 0
    }

    /// Whether it changes something.
    pub(crate) fn writes(self) -> bool {
        self.0 & (UPDATE | INSERT | DELETE) != 0
    }

    /// The names of what it does.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let bits = NAMES.into_iter().enumerate();
        bits.filter_map(move |(bit, name)| (self.0 & 1 << bit != 0).then_some(name))
    }
}

fn has_get(args: Args<'_>) -> bool {
    args.iter()
        .skip(3)
        .any(|option| option.eq_ignore_ascii_case(b"GET"))
}

/// Whether a BITFIELD changes nothing. What cannot be understood may.
fn gets_alone(args: Args<'_>) -> bool {
    let mut rest = args.iter().skip(2);
    while let Some(word) = rest.next() {
        let operands = match word {
            _ if word.eq_ignore_ascii_case(b"GET") => 2,
            _ if word.eq_ignore_ascii_case(b"OVERFLOW") => 1,
            _ => return false,
        };
        if rest.nth(operands - 1).is_none() {
            return false;
        }
    }
    true
}
