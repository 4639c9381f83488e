//! The commands that requests are made of.

/// What stands for an argument.
#[derive(Clone, Copy)]
pub(super) enum Arg {
    Key,
    Keys,
    Pairs,
    Value,
    Integer,
    /// A key that holds fractions, and fractions whose sums take few bits: Redis adds `long
    /// double`s, which larger ones would tell from Larder's decimals (see `stated`).
    FractionKey,
    Fraction,
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
    SetOptions,
    GetexOptions,
    ExpireOptions,
    ScanOptions,
    /// What BITFIELD is to do.
    Fields,
    OneOf(&'static [&'static str]),
}

use Arg::*;

/// Every command, with how often it comes.
pub(super) const COMMANDS: &[(usize, &str, &[Arg])] = &[
    (6, "SET", &[Key, Value]),
    (9, "SET", &[Key, Value, SetOptions]),
    (2, "SET", &[FractionKey, Fraction]),
    (6, "GET", &[Key]),
    (1, "GET", &[FractionKey]),
    (3, "GETEX", &[Key, GetexOptions]),
    (2, "GETDEL", &[Key]),
    (2, "GETSET", &[Key, Value]),
    (2, "SETNX", &[Key, Value]),
    (2, "SETEX", &[Key, Seconds, Value]),
    (2, "PSETEX", &[Key, Milliseconds, Value]),
    (2, "MGET", &[Keys]),
    (2, "MSET", &[Pairs]),
    (3, "APPEND", &[Key, Value]),
    (2, "STRLEN", &[Key]),
    (2, "INCR", &[Key]),
    (2, "DECR", &[Key]),
    (3, "INCRBY", &[Key, Integer]),
    (3, "DECRBY", &[Key, Integer]),
    (4, "INCRBYFLOAT", &[FractionKey, Fraction]),
    (2, "DEL", &[Keys]),
    (1, "UNLINK", &[Keys]),
    (2, "EXISTS", &[Keys]),
    (2, "TYPE", &[Key]),
    (3, "EXPIRE", &[Key, Seconds, ExpireOptions]),
    (3, "PEXPIRE", &[Key, Milliseconds, ExpireOptions]),
    (3, "EXPIREAT", &[Key, UnixSeconds, ExpireOptions]),
    (3, "PEXPIREAT", &[Key, UnixMilliseconds, ExpireOptions]),
    (3, "TTL", &[Key]),
    (3, "PTTL", &[Key]),
    (2, "EXPIRETIME", &[Key]),
    (2, "PEXPIRETIME", &[Key]),
    (2, "PERSIST", &[Key]),
    (2, "SCAN", &[OneOf(&["0", "x", "-"]), ScanOptions]),
    (1, "DBSIZE", &[]),
    (1, "FLUSHDB", &[OneOf(&["", "ASYNC", "sync", "now"])]),
    (1, "FLUSHALL", &[OneOf(&["", "ASYNC", "now", "now"])]),
    (2, "SELECT", &[OneOf(&["0", "1", "15", "16", "-1", "abc"])]),
    (1, "PING", &[]),
    (1, "PING", &[Value]),
    (1, "ECHO", &[Value]),
    (1, "TIME", &[]),
    (1, "INFO", &[OneOf(&["server", "nothing", "keyspace"])]),
    (1, "HELLO", &[OneOf(&["2", "3", "3", "4", "abc"])]),
    (
        1,
        "HELLO",
        &[
            OneOf(&["2", "3"]),
            OneOf(&["SETNAME"]),
            OneOf(&["me", "a b"]),
        ],
    ),
    (
        1,
        "CLIENT",
        &[
            OneOf(&["SETNAME"]),
            OneOf(&["me", "a b", "", "new\nline", "\u{7f}"]),
        ],
    ),
    (1, "CLIENT", &[OneOf(&["GETNAME", "ID", "getname", "NONE"])]),
    (
        1,
        "CLIENT",
        &[
            OneOf(&["SETINFO"]),
            OneOf(&["LIB-NAME", "LIB-VER", "LIB"]),
            OneOf(&["x"]),
        ],
    ),
    (
        1,
        "CONFIG",
        &[
            OneOf(&["SET"]),
            OneOf(&["timeout", "TIMEOUT", "none"]),
            OneOf(&["0", "x", "-1", "2147483648"]),
        ],
    ),
    (1, "SLOWLOG", &[OneOf(&["GET"]), OneOf(&["0", "-2", "x"])]),
    (1, "SLOWLOG", &[OneOf(&["RESET", "NONE"])]),
    (
        1,
        "LATENCY",
        &[OneOf(&["LATEST", "RESET", "NONE", "HISTORY"])],
    ),
    (
        1,
        "LATENCY",
        &[OneOf(&["HISTORY", "RESET"]), OneOf(&["command", "none"])],
    ),
    (
        1,
        "CONFIG",
        &[
            OneOf(&["GET"]),
            OneOf(&["databases", "APPENDONLY", "save", "none"]),
        ],
    ),
    (1, "COMMAND", &[OneOf(&["COUNT", "NONE"])]),
    (
        1,
        "COMMAND",
        &[
            OneOf(&["GETKEYS"]),
            OneOf(&[
                "MGET", "none", "DEL", "MSET", "ping", "BITOP", "LCS", "OBJECT", "COPY",
            ]),
            Keys,
        ],
    ),
    (
        1,
        "COMMAND",
        &[OneOf(&["INFO", "DOCS", "LIST"]), OneOf(&["nothing"])],
    ),
    (3, "GETRANGE", &[Key, INDEX, INDEX]),
    (1, "SUBSTR", &[Key, INDEX, INDEX]),
    (3, "SETRANGE", &[Key, OFFSET, Value]),
    (2, "MSETNX", &[Pairs]),
    (2, "LCS", &[Key, Key, LCS, LCS]),
    (
        1,
        "LCS",
        &[Key, Key, OneOf(&["MINMATCHLEN"]), INDEX, LCS, LCS],
    ),
    (
        2,
        "SETBIT",
        &[Key, BIT, OneOf(&["0", "1", "1", "2", "abc"])],
    ),
    (2, "GETBIT", &[Key, BIT]),
    (1, "BITCOUNT", &[Key]),
    (3, "BITCOUNT", &[Key, INDEX, INDEX, UNIT]),
    (1, "BITPOS", &[Key, WANTED_BIT]),
    (1, "BITPOS", &[Key, WANTED_BIT, INDEX]),
    (3, "BITPOS", &[Key, WANTED_BIT, INDEX, INDEX, UNIT]),
    (
        2,
        "BITOP",
        &[OneOf(&["AND", "or", "XOR", "nor"]), Key, Keys],
    ),
    (1, "BITOP", &[OneOf(&["NOT"]), Key, Key]),
    (4, "BITFIELD", &[Key, Fields]),
    (2, "BITFIELD_RO", &[Key, Fields]),
    (1, "KEYS", &[PATTERN]),
    (1, "RANDOMKEY", &[]),
    (1, "TOUCH", &[Keys]),
    (2, "RENAME", &[Key, Key]),
    (2, "RENAMENX", &[Key, Key]),
    (2, "COPY", &[Key, Key, OneOf(&["", "REPLACE", "none"])]),
    (2, "COPY", &[Key, Key, OneOf(&["DB"]), DATABASE]),
    (2, "MOVE", &[Key, DATABASE]),
    (
        3,
        "OBJECT",
        &[
            OneOf(&["ENCODING", "FREQ", "IDLETIME", "refcount", "NONE"]),
            Key,
        ],
    ),
    (1, "MEMORY", &[OneOf(&["USAGE", "NONE"]), Key]),
    (
        1,
        "MEMORY",
        &[OneOf(&["USAGE"]), Key, OneOf(&["SAMPLES"]), INDEX],
    ),
    (2, "DUMP", &[Key]),
    (
        2,
        "RESTORE",
        &[
            Key,
            OneOf(&["0", "100000", "-1", "abc"]),
            Value,
            OneOf(&["", "REPLACE", "ABSTTL", "none"]),
        ],
    ),
    (
        1,
        "RESTORE",
        &[
            Key,
            OneOf(&["0"]),
            Value,
            OneOf(&["IDLETIME", "FREQ"]),
            INDEX,
        ],
    ),
    (1, "LASTSAVE", &[]),
    (1, "ROLE", &[]),
    (1, "LOLWUT", &[OneOf(&["", "nothing"])]),
    (1, "LOLWUT", &[OneOf(&["version"]), OneOf(&["7", "abc"])]),
    (
        1,
        "WAIT",
        &[OneOf(&["0", "-1", "abc"]), OneOf(&["1", "-1", "abc"])],
    ),
    (1, "READONLY", &[]),
    (1, "READWRITE", &[]),
    (
        1,
        "SWAPDB",
        &[
            OneOf(&["0", "1", "15", "-1", "abc", "4294967296"]),
            OneOf(&["0", "1", "15", "99", "abc"]),
        ],
    ),
    (
        1,
        "CLUSTER",
        &[OneOf(&[
            "INFO",
            "KEYSLOT",
            "MYID",
            "nodes",
            "SLOTS",
            "SHARDS",
            "NONE",
            "LINKS",
            "HELP",
            "BUMPEPOCH",
            "SAVECONFIG",
            "FLUSHSLOTS",
            "REPLICAS",
            "MEET",
            "RESET",
            "FAILOVER",
        ])],
    ),
    (1, "MODULE", &[OneOf(&["LIST", "NONE"])]),
    (
        1,
        "FUNCTION",
        &[
            OneOf(&["LIST", "FLUSH"]),
            OneOf(&["", "WITHCODE", "LIBRARYNAME", "ASYNC", "none"]),
        ],
    ),
    (1, "NONSENSE", &[Keys]),
];

const INDEX: Arg = OneOf(&[
    "0",
    "1",
    "-1",
    "2",
    "-3",
    "30",
    "100",
    "-100",
    "abc",
    "9223372036854775807",
    "-9223372036854775808",
]);
/// The last is the first that no string of Redis reaches.
const OFFSET: Arg = OneOf(&["0", "1", "5", "40", "-1", "abc", "536870912"]);
const BIT: Arg = OneOf(&["0", "7", "8", "100", "1000", "-1", "abc", "4294967296"]);
const WANTED_BIT: Arg = OneOf(&["0", "1", "0", "1", "2", "abc"]);
const UNIT: Arg = OneOf(&["", "BIT", "byte", "none"]);
const LCS: Arg = OneOf(&["", "", "LEN", "IDX", "WITHMATCHLEN", "none"]);
const DATABASE: Arg = OneOf(&["0", "1", "15", "16", "-1", "abc"]);
const PATTERN: Arg = OneOf(&[
    "*", "key*", "key:?", "[a-b]", "[^a]*", "\\*\\[?]", "none", "*b*a*",
]);
