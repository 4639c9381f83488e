//! CACHE.GET with its options, and CACHE.SET by a lease.

use larder_resp::Version;

use super::Bed;
use crate::Flow;
use crate::testing::session_of;

const OK: &str = "+OK\r\n";
const MISS: &str = "*3\r\n$-1\r\n$-1\r\n$-1\r\n";
const NO_LEASE: &str =
    "-NOLEASE the lease is over: the key was written or removed since, or its time is up\r\n";

fn bed() -> Bed {
    Bed::new(Version::V2)
}

/// The token in a reply that begins like that.
#[track_caller]
fn token(reply: &str, before: &str) -> String {
    let rest = reply
        .strip_prefix(before)
        .unwrap_or_else(|| panic!("{reply:?}"));
    let (token, _) = rest.split_once("\r\n").unwrap();
    assert_eq!(token.len(), 16, "{reply:?}");
    token.to_owned()
}

#[track_caller]
fn win(bed: &mut Bed, line: &str) -> String {
    let (reply, flow) = bed.line(line);
    assert_eq!(flow, Flow::Continue);
    token(&reply, "*3\r\n$-1\r\n$16\r\n")
}

#[test]
fn without_options_it_is_get_and_with_them_it_says_what_the_value_is() {
    let mut bed = bed();
    bed.check("CACHE.GET a", "$-1\r\n");
    bed.check("SET a v", OK);
    bed.check("CACHE.GET a", "$1\r\nv\r\n");
    bed.check("CACHE.GET a LEASE 100", "*3\r\n$1\r\nv\r\n$-1\r\n$-1\r\n");
    bed.check("CACHE.GET a stale 0", "*3\r\n$1\r\nv\r\n$-1\r\n$-1\r\n");
    bed.check("CACHE.GET b STALE 5", MISS);
    let mut third = Bed::new(Version::V3);
    third.check("CACHE.GET b STALE 5", "*3\r\n_\r\n_\r\n_\r\n");
}

#[test]
fn one_wins_and_the_others_wait_until_the_value_comes() {
    let mut bed = bed();
    let token = win(&mut bed, "CACHE.GET a LEASE 1000");
    let other = session_of(&bed.shared, 43, Version::V2);
    let winner = std::mem::replace(&mut bed.session, other);
    assert_eq!(
        bed.line("CACHE.GET a LEASE 600000"),
        (String::new(), Flow::Fetch)
    );
    assert!(
        bed.session
            .waiting
            .as_mut()
            .and_then(|waiting| waiting.take())
            .is_some()
    );
    // Still nothing.
    assert_eq!(
        bed.line("CACHE.GET a LEASE 600000"),
        (String::new(), Flow::Fetch)
    );
    let other = std::mem::replace(&mut bed.session, winner);
    bed.check(&format!("CACHE.SET a made LEASE {token} EX 10"), OK);
    bed.check(&format!("CACHE.SET a twice LEASE {token}"), NO_LEASE);
    bed.session = other;
    bed.check(
        "CACHE.GET a LEASE 600000",
        "*3\r\n$4\r\nmade\r\n$-1\r\n$-1\r\n",
    );
    assert!(bed.session.waiting.is_none());
    let stats = bed.session.tenant.stats();
    assert_eq!((stats.hits, stats.misses), (0, 2), "who waits missed, once");
}

#[test]
fn a_write_by_a_lease_is_refused_when_something_came_in_between() {
    for between in [
        "DEL a",
        "SET a v",
        "FLUSHALL",
        "SETNX a v",
        "CACHE.SET a v",
        "SWAPDB 0 1",
    ] {
        let mut bed = bed();
        let token = win(&mut bed, "CACHE.GET a LEASE 1000");
        let (_, flow) = bed.line(between);
        if let Flow::Flush(db) = flow {
            larder_engine::Store::open(&bed.session.tenant, false).flush(db);
        }
        bed.check(&format!("CACHE.SET a made LEASE {token}"), NO_LEASE);
        let (found, _) = bed.line("GET a");
        assert!(!found.contains("made"), "{between}: {found}");
    }
    let mut bed = bed();
    let token = win(&mut bed, "CACHE.GET a LEASE 1000");
    bed.now += 1000;
    bed.check(&format!("CACHE.SET a made LEASE {token}"), NO_LEASE);
    bed.check("GET a", "$-1\r\n");
}

#[test]
fn conditions_and_leases_both_have_to_hold() {
    let mut bed = bed();
    let token = win(&mut bed, "CACHE.GET a LEASE 1000");
    bed.check(&format!("CACHE.SET a made XX LEASE {token}"), "$-1\r\n");
    bed.check(&format!("CACHE.SET a made LEASE {token} NX"), OK);
}

#[test]
fn a_stale_value_is_for_who_asks_for_it() {
    let mut bed = bed();
    bed.check("CACHE.SET a old PX 100 STALE 1000", OK);
    bed.now += 150;
    bed.check("GET a", "$-1\r\n");
    bed.check("EXISTS a", ":0\r\n");
    bed.check("TTL a", ":-2\r\n");
    bed.check("CACHE.GET a STALE 49", MISS);
    bed.check("CACHE.GET a STALE 50", "*3\r\n$3\r\nold\r\n$-1\r\n:50\r\n");
    // Who wins the lease is told of it, too; others do with it instead of waiting.
    let (reply, _) = bed.line("CACHE.GET a LEASE 500 STALE 1000");
    let token = token(&reply, "*3\r\n$3\r\nold\r\n$16\r\n");
    assert!(reply.ends_with(":50\r\n"), "{reply}");
    bed.check(
        "CACHE.GET a LEASE 500 STALE 1000",
        "*3\r\n$3\r\nold\r\n$-1\r\n:50\r\n",
    );
    assert_eq!(bed.line("CACHE.GET a LEASE 500 STALE 9").1, Flow::Fetch);
    bed.session.waiting = None;
    bed.check(&format!("CACHE.SET a new LEASE {token}"), OK);
    bed.check(
        "CACHE.GET a STALE 1000",
        "*3\r\n$3\r\nnew\r\n$-1\r\n$-1\r\n",
    );
    bed.check("CACHE.SET a old PX 100 STALE 1000", OK);
    bed.now += 1100;
    bed.check("CACHE.GET a STALE 100000", MISS);
}

#[test]
fn it_goes_along_when_a_key_is_renamed_or_copied() {
    let mut bed = bed();
    bed.check("CACHE.SET a v PX 100 STALE 1000", OK);
    bed.check("COPY a b", ":1\r\n");
    bed.check("RENAME b c", OK);
    bed.now += 200;
    bed.check("CACHE.GET c STALE 1000", "*3\r\n$1\r\nv\r\n$-1\r\n:100\r\n");
    bed.check("CACHE.GET b STALE 1000", MISS);
    bed.check("RENAME c d", "-ERR no such key\r\n");
    bed.check("DEL c", ":0\r\n");
    bed.check("CACHE.GET c STALE 1000", MISS);
}

#[test]
fn within_transactions_and_scripts_nobody_gets_a_lease_or_waits() {
    let mut bed = bed();
    bed.check("MULTI", OK);
    bed.check("CACHE.GET a LEASE 1000", "+QUEUED\r\n");
    bed.check("CACHE.GET a", "+QUEUED\r\n");
    bed.check("EXEC", &format!("*2\r\n{MISS}$-1\r\n"));
    let token = win(&mut bed, "CACHE.GET a LEASE 1000");
    bed.check("MULTI", OK);
    bed.check("CACHE.GET a LEASE 1000", "+QUEUED\r\n");
    bed.check(&format!("CACHE.SET a v LEASE {token}"), "+QUEUED\r\n");
    bed.check("EXEC", &format!("*2\r\n{MISS}{OK}"));
    let (reply, _) = bed.execute_args(&[
        b"EVAL",
        b"return #redis.call('CACHE.GET', KEYS[1], 'LEASE', '9')",
        b"1",
        b"b",
    ]);
    assert_eq!(String::from_utf8_lossy(&reply), ":3\r\n");
    win(&mut bed, "CACHE.GET b LEASE 1000");
}

#[test]
fn what_is_wrong_with_the_options_is_said() {
    let mut bed = bed();
    for (line, error) in [
        ("CACHE.GET a LEASE", "ERR syntax error"),
        ("CACHE.GET a FOO 1", "ERR syntax error"),
        ("CACHE.GET a LEASE 1 LEASE 1", "ERR syntax error"),
        (
            "CACHE.GET a LEASE x",
            "ERR value is not an integer or out of range",
        ),
        (
            "CACHE.GET a STALE -1",
            "ERR value is not an integer or out of range",
        ),
        (
            "CACHE.GET a LEASE 0",
            "ERR LEASE takes 1 to 600000 milliseconds",
        ),
        (
            "CACHE.GET a LEASE 600001",
            "ERR LEASE takes 1 to 600000 milliseconds",
        ),
        (
            "CACHE.SET a v STALE 5",
            "ERR STALE is beyond an expiry: say that, too, with EX or PX",
        ),
        (
            "CACHE.SET a v PX 5 STALE 0",
            "ERR STALE takes 1 to 4294967295 milliseconds",
        ),
        (
            "CACHE.SET a v PX 5 STALE 4294967296",
            "ERR STALE takes 1 to 4294967295 milliseconds",
        ),
        (
            "CACHE.SET a v LEASE 12",
            "ERR the token of a lease has 16 hexadecimal digits",
        ),
    ] {
        bed.check(line, &format!("-{error}\r\n"));
    }
}
