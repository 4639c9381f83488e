//! CACHE.INVALIDATE.

use larder_resp::Version;

use super::*;

const OK: &str = "+OK\r\n";
const NONE: &str = "$-1\r\n";

#[test]
fn what_has_a_tag_goes_with_it_and_nothing_else() {
    let mut bed = Bed::new(Version::V2);
    for line in [
        "CACHE.SET a v TYPE json TAGS 2 red blue COST 9",
        "CACHE.SET b v ATTR 1 red blue TAGS 1 blue",
        "CACHE.SET c v TYPE blue ATTR 1 blue blue",
        "SET d blue",
        "COPY a copy",
        "RENAME b renamed",
        "SELECT 3",
        "CACHE.SET a v TAGS 1 blue",
        "SELECT 0",
    ] {
        let reply = bed.line(line).0;
        assert!(reply == OK || reply == ":1\r\n", "{line}: {reply}");
    }
    bed.check("CACHE.INVALIDATE TAG none", OK);
    bed.check("EXISTS a renamed c d copy", ":5\r\n");
    bed.check("cache.invalidate tag other blue", OK);
    bed.check("EXISTS a renamed copy", ":0\r\n");
    bed.check("EXISTS c d", ":2\r\n");
    bed.check("SELECT 3", OK);
    bed.check("GET a", NONE);
    bed.check("SELECT 0", OK);
    bed.check("CACHE.SET a new TAGS 1 blue", OK);
    bed.check("GET a", "$3\r\nnew\r\n");
    let said = bed.line("CACHE.EXPLAIN a").0;
    assert!(said.contains("*1\r\n$8\r\ntag=blue\r\n"), "{said}");
    let stats = bed.line("INFO stats").0;
    for field in [
        "invalidated_keys:4\r\n",
        "invalidations_by_tag:2\r\n",
        "invalidations_by_tenant:0\r\n",
        "invalidated_tags_known:3\r\n",
        "invalidated_tags_forgotten:0\r\n",
    ] {
        assert!(stats.contains(field), "{field} in {stats}");
    }
    bed.check("CONFIG RESETSTAT", OK);
    let stats = bed.line("INFO stats").0;
    assert!(stats.contains("invalidations_by_tag:0\r\n"), "{stats}");
    assert!(stats.contains("invalidated_tags_known:3\r\n"), "{stats}");
}

#[test]
fn what_changes_a_value_leaves_it_its_tags_and_their_age() {
    let mut bed = Bed::new(Version::V2);
    for change in ["APPEND a w", "INCR a", "EXPIRE a 100", "GETEX a PERSIST"] {
        bed.check("CACHE.SET a 1 EX 9 TAGS 1 red", OK);
        bed.check("CACHE.INVALIDATE TAG blue", OK);
        assert!(!bed.line(change).0.starts_with('-'), "{change}");
        bed.check("EXISTS a", ":1\r\n");
        bed.check("CACHE.INVALIDATE TAG red", OK);
        bed.check("EXISTS a", ":0\r\n");
    }
    bed.check("CACHE.SET a 1 TAGS 1 red", OK);
    bed.check("SET a 1", OK);
    bed.check("CACHE.INVALIDATE TAG red", OK);
    bed.check("GET a", "$1\r\n1\r\n");
}

#[test]
fn what_is_restored_is_as_new_as_what_is_written() {
    let mut bed = Bed::new(Version::V2);
    bed.check("CACHE.SET a v TAGS 1 red", OK);
    let dump = bed.execute_args(&[b"DUMP", b"a"]).0;
    let start = 2 + dump.windows(2).position(|pair| pair == b"\r\n").unwrap();
    let payload = dump[start..dump.len() - 2].to_vec();
    bed.check("CACHE.INVALIDATE TAG red", OK);
    let restored = bed.execute_args(&[b"RESTORE", b"b", b"0", &payload]).0;
    assert_eq!(restored, OK.as_bytes());
    bed.check("EXISTS a b", ":1\r\n");
    bed.check("CACHE.INVALIDATE TAG red", OK);
    bed.check("EXISTS a b", ":0\r\n");
}

#[test]
fn a_lease_is_as_old_as_when_it_was_given() {
    let mut bed = Bed::new(Version::V2);
    let token = |bed: &mut Bed| {
        let (reply, _) = bed.line("CACHE.GET a LEASE 1000");
        reply.split("\r\n").nth(3).expect("a token").to_owned()
    };
    let early = token(&mut bed);
    bed.check("CACHE.INVALIDATE TAG red", OK);
    bed.check(&format!("CACHE.SET a v LEASE {early} TAGS 1 red"), OK);
    bed.check("GET a", NONE);
    let late = token(&mut bed);
    bed.check(&format!("CACHE.SET a v LEASE {late} TAGS 1 red"), OK);
    bed.check("GET a", "$1\r\nv\r\n");
    // What is void is not stale either.
    bed.check("CACHE.SET a v PX 5 STALE 1000 TAGS 1 red", OK);
    bed.check("CACHE.INVALIDATE TAG red", OK);
    bed.now += 10;
    bed.check("CACHE.GET a STALE 1000", "*3\r\n$-1\r\n$-1\r\n$-1\r\n");
}

#[test]
fn it_is_a_part_of_transactions_and_scripts() {
    let mut bed = Bed::new(Version::V2);
    bed.check("CACHE.SET a v TAGS 1 red", OK);
    bed.check("WATCH a", OK);
    bed.check("CACHE.INVALIDATE TAG red", OK);
    bed.check("MULTI", OK);
    bed.check("PING", "+QUEUED\r\n");
    bed.check("EXEC", "*-1\r\n");
    bed.check("MULTI", OK);
    for line in [
        "CACHE.SET a v TAGS 1 red",
        "GET a",
        "CACHE.INVALIDATE TAG red",
        "GET a",
        "SET b v",
        "CACHE.INVALIDATE TENANT",
        "GET b",
    ] {
        bed.check(line, "+QUEUED\r\n");
    }
    let expected = "*7\r\n+OK\r\n$1\r\nv\r\n+OK\r\n$-1\r\n+OK\r\n+OK\r\n$-1\r\n";
    bed.check("EXEC", expected);
    bed.check("CACHE.SET a v TAGS 1 red", OK);
    let script = b"redis.call('CACHE.INVALIDATE', 'TAG', 'red') return redis.call('EXISTS', 'a')";
    let reply = bed.execute_args(&[b"EVAL", script, b"1", b"a"]).0;
    assert_eq!(reply, b":0\r\n");
}

#[test]
fn all_of_a_tenant_goes_as_with_flushall() {
    let mut bed = Bed::new(Version::V2);
    let flow = bed.line("CACHE.INVALIDATE tenant");
    assert_eq!(flow, (String::new(), Flow::Flush(None)));
    let stats = bed.line("INFO stats").0;
    assert!(stats.contains("invalidations_by_tenant:1\r\n"), "{stats}");
}

#[test]
fn what_begins_alike_is_left_to_the_connection() {
    let mut bed = Bed::new(Version::V2);
    bed.session.db = 3;
    let prefix = Flow::FlushPrefix(b"a:".to_vec());
    assert_eq!(
        bed.line("CACHE.INVALIDATE PREFIX a:"),
        (String::new(), prefix)
    );
    // Every key begins with nothing.
    let all = bed.execute_args(&[b"CACHE.INVALIDATE", b"PREFIX", b""]);
    assert_eq!(all, (Vec::new(), Flow::Flush(Some(3))));
    let long = [b'a'; 1025];
    let (reply, _) = bed.execute_args(&[b"CACHE.INVALIDATE", b"PREFIX", &long]);
    assert_eq!(reply, b"-ERR prefix too long: 1024 bytes are allowed\r\n");
    let script = b"return redis.pcall('CACHE.INVALIDATE', 'PREFIX', 'a')";
    let (reply, _) = bed.execute_args(&[b"EVAL", script, b"0"]);
    let reply = String::from_utf8_lossy(&reply).into_owned();
    assert!(reply.contains("not allowed from script"), "{reply}");
    bed.check("MULTI", OK);
    let (reply, _) = bed.line("CACHE.INVALIDATE PREFIX a:");
    assert!(
        reply.contains("not allowed inside a transaction"),
        "{reply}"
    );
}

#[test]
fn what_is_no_order_is_refused() {
    check(&[
        (
            "CACHE.INVALIDATE",
            "-ERR wrong number of arguments for 'cache.invalidate' command\r\n",
        ),
        (
            "CACHE.INVALIDATE TAG",
            "-ERR wrong number of arguments for 'cache.invalidate|tag' command\r\n",
        ),
        (
            "CACHE.INVALIDATE TENANT a",
            "-ERR wrong number of arguments for 'cache.invalidate|tenant' command\r\n",
        ),
        (
            "CACHE.INVALIDATE KEY a",
            "-ERR unknown subcommand 'KEY'. Try CACHE.INVALIDATE HELP.\r\n",
        ),
    ]);
}
