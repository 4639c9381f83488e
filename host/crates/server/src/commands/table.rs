//! The table of commands, and the search in it.

use super::metadata::Command;
use super::{
    acl, append, auth, bit, bitcount, bitfield, bitop, cache_explain, cache_get, cache_hot,
    cache_invalidate, cache_predict, cache_record, cache_set, cache_warm, client, cluster, command,
    condition, config, dbsize, del, dump, echo, eval, exists, expire, flush, function, get, getdel,
    getex, getset, hello, incr, info, keys, latency, lcs, lolwut, memory, mget, module, monitor,
    mset, multi, object, persist, ping, policy, pubsub, quit, randomkey, range, relocate,
    replication, reset, scan, script, select, set, setex, setnx, slowlog, strlen, swapdb, time,
    touch, ttl, type_of,
};

/// All commands.
pub(crate) static TABLE: [Command; 112] = [
    acl::COMMAND,
    append::COMMAND,
    auth::COMMAND,
    bitcount::BITCOUNT,
    bitfield::BITFIELD,
    bitfield::BITFIELD_RO,
    bitop::COMMAND,
    bitcount::BITPOS,
    cache_explain::COMMAND,
    cache_get::COMMAND,
    cache_hot::COMMAND,
    cache_invalidate::COMMAND,
    cache_predict::COMMAND,
    cache_record::COMMAND,
    cache_set::COMMAND,
    cache_warm::COMMAND,
    client::COMMAND,
    cluster::COMMAND,
    command::COMMAND,
    config::COMMAND,
    relocate::COPY,
    dbsize::COMMAND,
    incr::DECR,
    incr::DECRBY,
    del::DEL,
    condition::DELEX,
    multi::DISCARD,
    dump::DUMP,
    echo::COMMAND,
    eval::EVAL,
    eval::EVALSHA,
    eval::EVALSHA_RO,
    eval::EVAL_RO,
    multi::EXEC,
    exists::COMMAND,
    expire::EXPIRE,
    expire::EXPIREAT,
    ttl::EXPIRETIME,
    flush::FLUSHALL,
    flush::FLUSHDB,
    function::COMMAND,
    get::COMMAND,
    bit::GETBIT,
    getdel::COMMAND,
    getex::COMMAND,
    range::GETRANGE,
    getset::COMMAND,
    hello::COMMAND,
    incr::INCR,
    incr::INCRBY,
    incr::INCRBYFLOAT,
    info::COMMAND,
    keys::COMMAND,
    replication::LASTSAVE,
    latency::COMMAND,
    lcs::COMMAND,
    lolwut::COMMAND,
    memory::COMMAND,
    mget::COMMAND,
    module::COMMAND,
    monitor::COMMAND,
    relocate::MOVE,
    mset::MSET,
    mset::MSETNX,
    multi::MULTI,
    object::COMMAND,
    persist::COMMAND,
    expire::PEXPIRE,
    expire::PEXPIREAT,
    ttl::PEXPIRETIME,
    ping::COMMAND,
    policy::COMMAND,
    setex::PSETEX,
    pubsub::PSUBSCRIBE,
    ttl::PTTL,
    pubsub::PUBLISH,
    pubsub::PUBSUB,
    pubsub::PUNSUBSCRIBE,
    quit::COMMAND,
    randomkey::COMMAND,
    cluster::READONLY,
    cluster::READWRITE,
    relocate::RENAME,
    relocate::RENAMENX,
    reset::COMMAND,
    dump::RESTORE,
    replication::ROLE,
    scan::COMMAND,
    script::COMMAND,
    select::COMMAND,
    set::COMMAND,
    bit::SETBIT,
    setex::SETEX,
    setnx::COMMAND,
    range::SETRANGE,
    slowlog::COMMAND,
    pubsub::SPUBLISH,
    pubsub::SSUBSCRIBE,
    strlen::COMMAND,
    pubsub::SUBSCRIBE,
    range::SUBSTR,
    pubsub::SUNSUBSCRIBE,
    swapdb::COMMAND,
    time::COMMAND,
    touch::COMMAND,
    ttl::TTL,
    type_of::COMMAND,
    del::UNLINK,
    pubsub::UNSUBSCRIBE,
    multi::UNWATCH,
    replication::WAIT,
    multi::WATCH,
];

/// The command called `name`, in any case.
#[inline]
pub(crate) fn find(name: &[u8]) -> Option<&'static Command> {
    row(name).map(|row| &TABLE[row])
}

/// Where in [`TABLE`] the command called `name` is, in any case.
#[inline]
pub(crate) fn row(name: &[u8]) -> Option<usize> {
    let packed = Packed::new(name)?;
    let mut slot = packed.first_slot();
    loop {
        let at = INDEX[slot];
        if at == FREE {
            return None;
        }
        let command = &TABLE[at as usize];
        // Beside letters a name may have a dot or an underscore, which `CAPITALS` does not tell from
        // another byte.
        if PACKED[at as usize] == packed && (!packed.has_mark() || is_name(name, command)) {
            return Some(at as usize);
        }
        slot = (slot + 1) % INDEX.len();
    }
}

#[cold]
fn is_name(name: &[u8], command: &Command) -> bool {
    name.eq_ignore_ascii_case(command.name.as_bytes())
}

/// [`INDEX`] is never more than half full.
const INDEX_BITS: u32 = 9;

/// Slot of [`INDEX`] that holds no command.
const FREE: u8 = u8::MAX;

const TABLE_LEN: usize = TABLE.len();
const _: () = assert!(
    TABLE_LEN < FREE as usize,
    "a place in the table is a byte, and a fuller index makes searches long"
);

/// The names of [`TABLE`], ready to be compared.
static PACKED: [Packed; TABLE_LEN] = pack_all();

/// Open-addressing hash table over [`TABLE`], filled at compile time.
static INDEX: [u8; 1 << INDEX_BITS] = index_all();

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

    /// Whether it may be one of Larder's own, `CACHE.…`, or end with `_RO`; no other command has
    /// anything but letters.
    #[inline]
    const fn has_mark(self) -> bool {
        let is_own = self.head as u8 == b'C' && (self.head >> 40) as u8 == b'.' & !0x20;
        is_own || (self.tail >> 40) as u8 == b'_'
    }

    #[inline]
    const fn first_slot(self) -> usize {
        let mixed = self.head ^ self.tail.rotate_left(29) ^ self.len as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - INDEX_BITS)) as usize
    }
}

/// Clears the bit that tells small letters from capitals. Of other bytes none becomes a letter so,
/// and names of commands have letters only, or a mark (see [`Packed::has_mark`]).
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
                letter.is_ascii_uppercase() || matches!(letter, b'.' | b'_'),
                "the name of a command has capitals, dots and underscores only"
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

const fn index_all() -> [u8; 1 << INDEX_BITS] {
    let all = pack_all();
    let mut index = [FREE; 1 << INDEX_BITS];
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
    use super::super::metadata::{Flag, Keys};
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
        let names: [&[u8]; 12] = [
            b"CACHE\x0eSET",
            b"BITFIELD\x7fRO",
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
            assert!(
                first == 0 || touches(Flag::Write) || touches(Flag::ReadOnly) || name == "WATCH",
                "{name}"
            );
        }
    }
}
