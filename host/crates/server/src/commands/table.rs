//! The table of commands, and the search in it.

use super::metadata::Command;
use super::{
    append, cache_explain, cache_record, cache_set, client, command, config, dbsize, del, echo,
    exists, expire, flush, get, getdel, getex, getset, hello, incr, info, mget, mset, persist,
    ping, policy, quit, scan, select, set, setex, setnx, strlen, time, ttl, type_of,
};

/// All commands.
pub(crate) static TABLE: [Command; 48] = [
    append::COMMAND,
    cache_explain::COMMAND,
    cache_record::COMMAND,
    cache_set::COMMAND,
    client::COMMAND,
    command::COMMAND,
    config::COMMAND,
    dbsize::COMMAND,
    incr::DECR,
    incr::DECRBY,
    del::DEL,
    echo::COMMAND,
    exists::COMMAND,
    expire::EXPIRE,
    expire::EXPIREAT,
    ttl::EXPIRETIME,
    flush::FLUSHALL,
    flush::FLUSHDB,
    get::COMMAND,
    getdel::COMMAND,
    getex::COMMAND,
    getset::COMMAND,
    hello::COMMAND,
    incr::INCR,
    incr::INCRBY,
    incr::INCRBYFLOAT,
    info::COMMAND,
    mget::COMMAND,
    mset::COMMAND,
    persist::COMMAND,
    expire::PEXPIRE,
    expire::PEXPIREAT,
    ttl::PEXPIRETIME,
    ping::COMMAND,
    policy::COMMAND,
    setex::PSETEX,
    ttl::PTTL,
    quit::COMMAND,
    scan::COMMAND,
    select::COMMAND,
    set::COMMAND,
    setex::SETEX,
    setnx::COMMAND,
    strlen::COMMAND,
    time::COMMAND,
    ttl::TTL,
    type_of::COMMAND,
    del::UNLINK,
];

/// The command called `name`, in any case.
#[inline]
pub(crate) fn find(name: &[u8]) -> Option<&'static Command> {
    let packed = Packed::new(name)?;
    let mut slot = packed.first_slot();
    loop {
        let at = INDEX[slot];
        if at == FREE {
            return None;
        }
        let command = &TABLE[at as usize];
        // Beside letters a name may have a dot, which `CAPITALS` does not tell from another byte.
        if PACKED[at as usize] == packed && (!packed.has_dot() || is_name(name, command)) {
            return Some(command);
        }
        slot = (slot + 1) % INDEX.len();
    }
}

#[cold]
fn is_name(name: &[u8], command: &Command) -> bool {
    name.eq_ignore_ascii_case(command.name.as_bytes())
}

/// Slot of [`INDEX`] that holds no command.
const FREE: u8 = u8::MAX;

const TABLE_LEN: usize = TABLE.len();
const _: () = assert!(TABLE_LEN < 128, "a fuller index makes searches long");

/// The names of [`TABLE`], ready to be compared.
static PACKED: [Packed; TABLE_LEN] = pack_all();

/// Open-addressing hash table over [`TABLE`], filled at compile time.
static INDEX: [u8; 256] = index_all();

/// A name as three numbers that are equal only for equal names: its beginning and its end, which
/// overlap unless it has 16 bytes, and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Packed {
    head: u64,
    tail: u64,
    len: usize,
}

impl Packed {
    /// `None` for a name that is empty or longer than any command's.
    #[inline]
    const fn new(name: &[u8]) -> Option<Self> {
        let len = name.len();
        let (head, tail) = if let (Some(head), Some(tail)) = (name.first_chunk(), name.last_chunk())
        {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = (name.first_chunk(), name.last_chunk()) {
            (
                u32::from_le_bytes(*head) as u64,
                u32::from_le_bytes(*tail) as u64,
            )
        } else if let (Some(first), Some(last)) = (name.first(), name.last()) {
            (*first as u64 | (name[len / 2] as u64) << 8, *last as u64)
        } else {
            return None;
        };
        if len > 16 {
            return None;
        }
        Some(Self {
            head: head & CAPITALS,
            tail: tail & CAPITALS,
            len,
        })
    }

    /// Whether it may be one of Larder's own, `CACHE.…`; no command of Redis begins like that.
    #[inline]
    const fn has_dot(self) -> bool {
        self.head as u8 == b'C' && (self.head >> 40) as u8 == b'.' & !0x20
    }

    #[inline]
    const fn first_slot(self) -> usize {
        let mixed = self.head ^ self.tail.rotate_left(29) ^ self.len as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
    }
}

/// Clears the bit that tells small letters from capitals. Of other bytes none becomes a letter so,
/// and names of commands have letters only, or a dot.
const CAPITALS: u64 = u64::from_le_bytes([!0x20; 8]);

const fn pack_all() -> [Packed; TABLE_LEN] {
    let mut all = [Packed {
        head: 0,
        tail: 0,
        len: 0,
    }; TABLE_LEN];
    let mut at = 0;
    while at < TABLE_LEN {
        let mut rest = TABLE[at].name.as_bytes();
        while let [letter, behind @ ..] = rest {
            assert!(
                letter.is_ascii_uppercase() || *letter == b'.',
                "the name of a command has capitals and dots only"
            );
            rest = behind;
        }
        all[at] = match Packed::new(TABLE[at].name.as_bytes()) {
            Some(packed) => packed,
            None => panic!("the name of a command has 16 bytes at most"),
        };
        at += 1;
    }
    all
}

const fn index_all() -> [u8; 256] {
    let all = pack_all();
    let mut index = [FREE; 256];
    let mut at = 0;
    while at < TABLE_LEN {
        let mut slot = all[at].first_slot();
        while index[slot] != FREE {
            slot = (slot + 1) % index.len();
        }
        index[slot] = at as u8;
        at += 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::super::metadata::{Category, Flag, Keys};
    use super::*;

    #[test]
    fn every_command_is_found_in_any_case_and_once() {
        for command in &TABLE {
            assert_eq!(command.name, command.name.to_ascii_uppercase());
            for name in [command.name.to_owned(), command.lowercase_name()] {
                let found = find(name.as_bytes()).expect("in the table");
                assert!(std::ptr::eq(found, command), "{name} is there twice");
            }
        }
    }

    #[test]
    fn what_is_no_command_is_not_found() {
        let long = [b'G'; 300];
        let names: [&[u8]; 11] = [
            b"CACHE\x0eSET",
            b"",
            b"G",
            b"GE",
            b"GETT",
            b"GET\0",
            b"GXT",
            b"MGGET",
            b"\x07ET",
            b"PEXPIRETIMETIME",
            &long,
        ];
        for name in names {
            assert!(find(name).is_none(), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn every_command_is_sane_and_documented() {
        let all = TABLE.iter().flat_map(|command| {
            command
                .subcommands()
                .iter()
                .map(|sub| (sub, 2))
                .chain([(command, 1)])
        });
        for (command, words) in all {
            let name = command.name;
            assert!(command.arity.unsigned_abs() >= words, "{name}");
            assert!(
                command.summary.len() > 10 && !command.summary.ends_with('.'),
                "{name}"
            );
            assert_eq!(command.since.split('.').count(), 3, "{name}");
            let Keys { first, last, step } = command.keys;
            assert_eq!(first == 0, last == 0 && step == 0, "{name}");
            assert!(
                first <= command.arity.abs() && first >= 0 && step >= 0,
                "{name}"
            );
            let touches = |flag| command.flags.contains(&flag);
            assert!(!(touches(Flag::Write) && touches(Flag::ReadOnly)), "{name}");
            let needs_flag = first > 0 || command.categories.contains(&Category::Keyspace);
            let has_flag = touches(Flag::Write) || touches(Flag::ReadOnly);
            assert_eq!(needs_flag, has_flag, "{name}");
        }
    }
}
