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

#[test]
fn transactions_are_those_of_redis() {
    let Some(redis) = Redis::start("transactions as in redis-server") else {
        return;
    };
    let larder = Server::start(&[]);
    let mut pair = Pair::new(&redis, &larder, 0);
    for line in TRANSACTIONS.lines().filter(|line| !line.trim().is_empty()) {
        let words = line.split_whitespace();
        let request = words.map(|word| word.as_bytes().to_vec()).collect();
        pair.exchange(&[request]);
    }
    pair.expect_no_mismatch();
}
