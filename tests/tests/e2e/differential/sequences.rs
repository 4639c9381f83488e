//! Sequences that chance would hardly meet, on one connection to each server: replies have to be the same.

use e2e::harness::{Redis, Server};

use super::Pair;

/// A line is a request.
const TRANSACTIONS: &str = "
    EXEC
    DISCARD
    UNWATCH
    MULTI
    SET k 1
    INCR k
    APPEND k x
    INCR k
    GET k
    MULTI
    WATCH k
    EXEC
    MULTI
    SET k
    SET k 2
    EXEC
    GET k
    MULTI
    NOSUCH
    DISCARD
    MULTI
    CLIENT NOSUCH
    CLIENT ID 1
    PING
    EXEC
    MULTI
    PING
    PING a b c
    ECHO x
    EXEC
    WATCH
    WATCH k none
    SET k 3
    MULTI
    SET k 4
    EXEC
    GET k
    WATCH none
    DEL none
    EXPIRE none 10
    MULTI
    SET none 1
    EXEC
    WATCH k
    EXPIRE k 100
    MULTI
    EXEC
    WATCH k
    UNWATCH
    SET k 5
    MULTI
    GET k
    UNWATCH
    SELECT 2
    SET k other
    SELECT 99
    DBSIZE
    KEYS *
    FLUSHDB
    SWAPDB 2 2
    MOVE k 3
    COPY k l DB 4
    EXEC
    GET k
    SELECT 0
    GET k
    MULTI
    MSET a 1 b 2
    MGET a b c
    MSETNX a 1 d 2
    RENAME a c
    RENAME a c
    BITOP AND e b c
    LCS b c
    OBJECT ENCODING b
    EXISTS a b c d e
    DEL a b c d e
    EXPIRE k 100
    GETDEL k
    EXEC
    MULTI
    SET k 1
    RESET
    EXEC
    GET k
    MULTI x
    EXEC x
    DISCARD x
    UNWATCH x
    RESET x
    MULTI
    EXEC x
    EXEC
    COMMAND GETKEYS WATCH a b
    COMMAND GETKEYS EVAL return 2 a b c
    COMMAND GETKEYS EVALSHA 00 0 a
    COMMAND GETKEYS EVAL_RO return 3 a b
    COMMAND GETKEYS EVALSHA_RO 00 -1 a b
    COMMAND GETKEYS EVAL return x a b
    COMMAND GETKEYS EVAL return
";

/// A line is a request.
const EXCHANGES: &str = "
    SET a 0
    SET t 0 EX 10000
    SELECT 1
    MSET a 1 b 1
    SELECT 0
    SWAPDB 0 1
    GET a
    GET b
    EXISTS t
    DBSIZE
    SELECT 1
    GET a
    PERSIST t
    DBSIZE
    KEYS t
    SCAN 0 MATCH t COUNT 1000
    SWAPDB 2 1
    RANDOMKEY
    SELECT 2
    MOVE t 1
    COPY a c DB 0
    RENAME a d
    SWAPDB 1 0
    GET t
    SELECT 0
    GET t
    SELECT 1
    WATCH b
    SWAPDB 1 2
    MULTI
    SET b 2
    EXEC
    GET b
    GET d
    WATCH d
    SWAPDB 5 6
    SWAPDB 1 1
    MULTI
    GET d
    SET d 3
    SWAPDB 1 2
    GET b
    SET b 3
    SWAPDB 2 1
    GET b
    GET d
    SELECT 2
    GET b
    SWAPDB 2 16
    DBSIZE
    EXEC
    EVAL return{redis.call('swapdb',1,2),redis.call('get',KEYS[1]),redis.call('select',1),redis.call('get',KEYS[1])} 1 b
    GET b
    FLUSHDB
    SELECT 1
    GET b
    DBSIZE
    SWAPDB 1
    SWAPDB 1 2 3
";

/// What is done to keys; each of it is a request.
const USES: [&str; 44] = [
    "APPEND k v",
    "BITCOUNT k",
    "BITFIELD k get u8 0",
    "BITFIELD k overflow sat get u8 0",
    "BITFIELD k get u8",
    "BITFIELD k set u8 0 1",
    "BITFIELD_RO k get u8 0",
    "BITOP and d a b",
    "COPY a b",
    "DEL a b",
    "DUMP k",
    "EVAL x 1 k",
    "EVALSHA_RO x 1 k",
    "EXISTS a b",
    "EXPIRE k 1",
    "EXPIRETIME k",
    "GET k",
    "GETDEL k",
    "GETEX k",
    "GETSET k v",
    "INCR k",
    "INCRBYFLOAT k 1",
    "LCS a b",
    "MEMORY usage k",
    "MOVE k 1",
    "MSET a 1 b 2",
    "MSETNX a 1 b 2",
    "OBJECT freq k",
    "PERSIST k",
    "PSETEX k 1 v",
    "RENAME a b",
    "RENAMENX a b",
    "RESTORE k 0 v",
    "SET k v",
    "SET k v get",
    "SETBIT k 0 1",
    "SETNX k v",
    "SETRANGE k 0 v",
    "STRLEN k",
    "TOUCH k",
    "TTL k",
    "TYPE k",
    "WATCH a b",
    "NOSUCH k",
];

#[test]
fn what_is_done_to_keys_is_told_as_in_redis() {
    let Some(redis) = Redis::start("flags of keys as in redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let mut pair = Pair::new(&redis, &larder, 0);
    for line in USES {
        let line = format!("COMMAND GETKEYSANDFLAGS {line}");
        let words = line.split_whitespace();
        let request = words.map(|word| word.as_bytes().to_vec()).collect();
        pair.exchange(&[request]);
    }
    pair.expect_no_mismatch();
}

#[test]
fn transactions_are_those_of_redis() {
    let Some(redis) = Redis::start("transactions as in redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let mut pair = Pair::new(&redis, &larder, 0);
    for line in [TRANSACTIONS, "FLUSHALL", EXCHANGES]
        .map(str::lines)
        .into_iter()
        .flatten()
        .filter(|line| !line.trim().is_empty())
    {
        let words = line.split_whitespace();
        let request = words.map(|word| word.as_bytes().to_vec()).collect();
        pair.exchange(&[request]);
    }
    pair.expect_no_mismatch();
}
