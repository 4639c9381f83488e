//! The table of commands, and the search in it.

use super::metadata::Command;
use super::{
    append, client, command, config, dbsize, del, echo, exists, expire, flush, get, getdel, getex,
    getset, hello, incr, info, mget, mset, persist, ping, quit, scan, select, set, setex, setnx,
    strlen, time, ttl, type_of,
};

/// All commands.
pub(crate) static TABLE: [Command; 44] = [
    append::COMMAND,
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
    let packed = pack(name)?;
    let mut slot = first_slot(packed);
    loop {
        let at = INDEX[slot];
        if at == FREE {
            return None;
        }
        if PACKED[at as usize] == packed {
            return Some(&TABLE[at as usize]);
        }
        slot = (slot + 1) % INDEX.len();
    }
}

/// Slot of [`INDEX`] that holds no command.
const FREE: u8 = u8::MAX;

/// The names of [`TABLE`], packed: one comparison a candidate.
static PACKED: [u128; TABLE_LEN] = pack_all();

/// Open-addressing hash table over [`TABLE`], filled at compile time.
static INDEX: [u8; 256] = index_all();

const TABLE_LEN: usize = TABLE.len();
const _: () = assert!(TABLE_LEN < 128, "a fuller index makes searches long");

/// A name of at most 15 bytes in capitals, its length in the last byte; so equal names, and only they,
/// are equal numbers.
#[inline]
const fn pack(name: &[u8]) -> Option<u128> {
    let mut bytes = [0; 16];
    if name.len() >= bytes.len() {
        return None;
    }
    bytes.split_at_mut(name.len()).0.copy_from_slice(name);
    bytes.make_ascii_uppercase();
    bytes[15] = name.len() as u8;
    Some(u128::from_le_bytes(bytes))
}

#[inline]
const fn first_slot(packed: u128) -> usize {
    let folded = packed as u64 ^ (packed >> 64) as u64;
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

const fn pack_all() -> [u128; TABLE_LEN] {
    let mut all = [0; TABLE_LEN];
    let mut at = 0;
    while at < TABLE_LEN {
        all[at] = match pack(TABLE[at].name.as_bytes()) {
            Some(packed) => packed,
            None => panic!("the name of a command has 15 bytes at most"),
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
        let mut slot = first_slot(all[at]);
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
        let names: [&[u8]; 8] = [
            b"",
            b"GE",
            b"GETT",
            b"GET\0",
            b"G\0T",
            b"GET ",
            b"EXPIRETIMEEXPIRE",
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
