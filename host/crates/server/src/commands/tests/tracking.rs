//! CLIENT TRACKING and its kin.

use larder_engine::KEY_BYTES_MAX;
use larder_resp::Version;

use super::Bed;
use crate::testing::session_of;
use crate::{Flow, Session};

const INVALIDATE: &str = ">2\r\n$10\r\ninvalidate\r\n";

impl Bed {
    /// Executes a request as another connection's.
    fn by(&mut self, session: &mut Session, line: &str) -> String {
        std::mem::swap(&mut self.session, session);
        let (reply, _) = self.line(line);
        std::mem::swap(&mut self.session, session);
        reply
    }
}

fn mail(session: &Session) -> String {
    let mut out = Vec::new();
    session.mailbox().expect("there is one").take(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The keys that are told as changed, each by itself.
#[track_caller]
fn expect_told(session: &Session, keys: &[&str]) {
    let told = keys
        .iter()
        .map(|key| format!("{INVALIDATE}*1\r\n${}\r\n{key}\r\n", key.len()));
    assert_eq!(mail(session), told.collect::<String>());
}

fn bed() -> (Bed, Session) {
    let bed = Bed::new(Version::V3);
    let other = session_of(&bed.shared, 43, Version::V3);
    (bed, other)
}

#[test]
fn what_was_read_is_told_once_when_it_changes() {
    let (mut bed, mut other) = bed();
    bed.check("CLIENT TRACKING ON", "+OK\r\n");
    for (read, write) in [
        ("GET k", "SET k 1"),
        ("GET k", "SET k 2 EX 10"),
        ("MGET a k", "APPEND k x"),
        ("STRLEN k", "EXPIRE k 100"),
        ("TTL k", "PERSIST k"),
        ("EXISTS k", "RENAME k l"),
        ("TYPE l", "MOVE l 3"),
        ("OBJECT ENCODING k", "SETRANGE k 1 x"),
        ("BITCOUNT k", "GETDEL k"),
        (
            "EVAL_RO \"return redis.call('get', KEYS[1])\" 1 k",
            "INCR k",
        ),
        (
            "EVAL \"return redis.call('get', KEYS[1])\" 1 k",
            "SETBIT k 1 1",
        ),
    ] {
        bed.line(read);
        bed.by(&mut other, write);
        let key = if read.contains('l') && read.starts_with("TYPE") {
            "l"
        } else {
            "k"
        };
        expect_told(&bed.session, &[key]);
        bed.by(&mut other, write);
        expect_told(&bed.session, &[]);
    }
    // What writes reads nothing that is kept, and what changes nothing tells nothing.
    for (line, write) in [
        ("GETSET k 1", "SET k 2"),
        ("GET k", "SET k 3 NX"),
        ("GET k", "GET k"),
    ] {
        bed.line(line);
        mail(&bed.session);
        bed.by(&mut other, write);
        expect_told(&bed.session, &[]);
    }
    // Other databases are no others: as in Redis, a key is told by its name.
    bed.line("GET k");
    bed.by(&mut other, "SELECT 3");
    bed.by(&mut other, "SET k 1");
    expect_told(&bed.session, &["k"]);
    bed.line("GET k");
    bed.by(&mut other, "FLUSHDB");
    bed.session
        .tenant
        .flush(Some(3), larder_engine::FlushCursor::default());
    bed.check("CLIENT TRACKING OFF", "+OK\r\n");
    bed.line("GET k");
    bed.by(&mut other, "SET k 1");
    mail(&bed.session);
    assert!(!bed.session.tenant.changes().is_wanted());
}

#[test]
fn what_a_client_waited_for_is_told_when_it_changes() {
    let (mut bed, mut other) = bed();
    bed.check("CLIENT TRACKING ON OPTIN", "+OK\r\n");
    bed.by(&mut other, "CACHE.GET k LEASE 1000");
    bed.check("CLIENT CACHING YES", "+OK\r\n");
    assert_eq!(bed.line("CACHE.GET k LEASE 1000").1, Flow::Fetch);
    bed.by(&mut other, "SET k 1");
    // It was remembered before it was looked for.
    expect_told(&bed.session, &["k"]);
    bed.check("CACHE.GET k LEASE 1000", "*3\r\n$1\r\n1\r\n_\r\n_\r\n");
    bed.by(&mut other, "SET k 2");
    expect_told(&bed.session, &["k"]);
}

#[test]
fn expiry_eviction_and_flush_are_told() {
    let (mut bed, mut other) = bed();
    bed.line("CLIENT TRACKING ON NOLOOP");
    bed.line("SET k 1 PX 10");
    bed.line("GET k");
    bed.now += 10;
    bed.by(&mut other, "EXISTS k");
    expect_told(&bed.session, &["k"]);
    bed.line("SET k 1");
    bed.line("GET k");
    let value = vec![0; 1 << 20];
    for n in 0..200 {
        bed.execute_args(&[b"SET", n.to_string().as_bytes(), &value]);
    }
    expect_told(&bed.session, &["k"]);
    bed.line("GET k");
    bed.line("MULTI");
    bed.line("FLUSHALL");
    bed.line("EXEC");
    assert_eq!(mail(&bed.session), format!("{INVALIDATE}_\r\n"));
    bed.by(&mut other, "SET k 1");
    expect_told(&bed.session, &[]);
}

#[test]
fn own_writes_are_told_unless_they_are_not_to_be() {
    let (mut bed, mut other) = bed();
    bed.line("CLIENT TRACKING ON");
    bed.line("GET k");
    bed.line("SET k 1");
    expect_told(&bed.session, &["k"]);
    bed.line("CLIENT TRACKING ON NOLOOP");
    bed.line("GET k");
    for line in [
        "SET k 2",
        "MULTI",
        "SET k 3",
        "EXEC",
        "EVAL \"redis.call('del', 'k')\" 1 k",
    ] {
        bed.line(line);
    }
    expect_told(&bed.session, &[]);
    // It may keep what it wrote, so it is told when somebody else writes.
    bed.by(&mut other, "SET k 4");
    expect_told(&bed.session, &["k"]);
    bed.line("CLIENT TRACKING OFF");
    bed.line("CLIENT TRACKING ON BCAST NOLOOP");
    bed.line("SET k 5");
    bed.by(&mut other, "SET l 5");
    expect_told(&bed.session, &["l"]);
}

#[test]
fn broadcasts_tell_of_beginnings_whether_read_or_not() {
    let (mut bed, mut other) = bed();
    bed.line("CLIENT TRACKING ON BCAST PREFIX a: PREFIX bb");
    for key in ["a:1", "b", "bb", "c", "a"] {
        bed.line(&format!("GET {key}"));
        bed.by(&mut other, &format!("SET {key} 1"));
    }
    expect_told(&bed.session, &["a:1", "bb"]);
    bed.line("CLIENT TRACKING ON BCAST PREFIX c");
    bed.by(&mut other, "SET c 2");
    expect_told(&bed.session, &["c"]);
    let (info, _) = bed.line("CLIENT TRACKINGINFO");
    assert!(
        info.ends_with("prefixes\r\n*3\r\n$2\r\na:\r\n$2\r\nbb\r\n$1\r\nc\r\n"),
        "{info}"
    );
    assert!(bed.session.held_bytes() > 0);
    bed.line("RESET");
    assert_eq!(bed.session.held_bytes(), 0);
    bed.by(&mut other, "SET c 3");
    expect_told(&bed.session, &[]);
}

#[test]
fn only_what_was_chosen_is_remembered() {
    let (mut bed, mut other) = bed();
    bed.line("CLIENT TRACKING ON OPTIN");
    bed.line("GET a");
    bed.check("CLIENT CACHING YES", "+OK\r\n");
    bed.line("GET b");
    bed.line("GET c");
    bed.line("CLIENT CACHING YES");
    for line in ["MULTI", "GET d", "GET e", "EXEC", "GET f"] {
        bed.line(line);
    }
    bed.line("CLIENT CACHING YES");
    bed.line("NOSUCH");
    bed.line("GET g");
    for key in ["a", "b", "c", "d", "e", "f", "g"] {
        bed.by(&mut other, &format!("SET {key} 1"));
    }
    expect_told(&bed.session, &["b", "d", "e"]);
    bed.line("CLIENT TRACKING OFF");
    bed.line("CLIENT TRACKING ON OPTOUT");
    bed.line("GET a");
    bed.line("CLIENT CACHING NO");
    let (info, _) = bed.line("CLIENT TRACKINGINFO");
    assert!(
        info.contains("optout") && info.contains("caching-no"),
        "{info}"
    );
    bed.line("GET b");
    bed.line("GET c");
    for key in ["a", "b", "c"] {
        bed.by(&mut other, &format!("SET {key} 1"));
    }
    expect_told(&bed.session, &["a", "c"]);
}

#[test]
fn another_connection_is_told_in_its_place() {
    for version in [Version::V2, Version::V3] {
        let mut bed = Bed::new(version);
        let mut other = session_of(&bed.shared, 43, Version::V2);
        bed.check("CLIENT TRACKING ON REDIRECT 43", "+OK\r\n");
        bed.check("CLIENT GETREDIR", ":43\r\n");
        bed.line("GET k");
        bed.line("SET k 1");
        assert_eq!(mail(&other), "", "it listens to nothing");
        bed.by(&mut other, "SUBSCRIBE __redis__:invalidate");
        bed.line("GET k");
        bed.line("SET k 1");
        let message = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n";
        assert_eq!(mail(&other), message);
        bed.by(&mut other, "UNSUBSCRIBE");
        bed.by(&mut other, "HELLO 3");
        bed.line("GET k");
        bed.line("SET k 1");
        expect_told(&other, &["k"]);
        bed.line("GET k");
        bed.shared.clients.remove(43);
        drop(other);
        bed.line("SET k 1");
        let broken = ">2\r\n$21\r\ntracking-redir-broken\r\n:43\r\n";
        let expected = if version == Version::V3 { broken } else { "" };
        assert_eq!(mail(&bed.session), expected);
        let (info, _) = bed.line("CLIENT TRACKINGINFO");
        assert!(info.contains("broken_redirect"), "{info}");
        bed.session.publish(bed.now, None);
        let (list, _) = bed.line("CLIENT LIST ID 42");
        assert!(
            list.contains(" flags=tR ") && list.contains(" redir=43 "),
            "{list}"
        );
    }
}

#[test]
fn a_name_that_no_key_can_have_is_not_remembered() {
    let (mut bed, _) = bed();
    bed.line("CLIENT TRACKING ON");
    for (bytes, keys) in [(KEY_BYTES_MAX + 1, 0), (KEY_BYTES_MAX, 1)] {
        bed.execute_args(&[b"GET", &vec![b'k'; bytes]]);
        let figures = bed.shared.onlookers[0].tracking_figures();
        assert_eq!(figures.keys, keys, "{bytes}");
    }
}

#[test]
fn a_full_table_tells_what_it_forgets() {
    let config = crate::ServerConfig {
        client_buffers_bytes_max: 4 * 4096,
        ..crate::testing::config()
    };
    let mut bed = Bed::with(config, Version::V3);
    bed.line("CLIENT TRACKING ON");
    for n in 0..100 {
        bed.line(&format!("GET {n}"));
    }
    let told = mail(&bed.session);
    let figures = bed.shared.onlookers[0].tracking_figures();
    assert!(
        told.starts_with(&format!("{INVALIDATE}*1\r\n$1\r\n0\r\n")),
        "{told}"
    );
    assert_eq!(
        told.matches("invalidate").count() as u64 + figures.keys,
        100
    );
    assert!((5..50).contains(&figures.keys), "{figures:?}");
}

#[test]
fn tenants_hear_of_their_own_alone() {
    let user = |name: &str, tenant: &str| crate::UserConfig {
        name: name.into(),
        tenant: tenant.into(),
        is_admin: false,
        password_hashes: Vec::new(),
        rules: None,
    };
    let config = crate::ServerConfig {
        users: vec![user("default", "default"), user("them", "other")],
        ..crate::testing::config()
    };
    let parts = crate::testing::parts_of(&["default", "other"]);
    let mut bed = Bed::made_of(config, parts, Version::V3);
    let [mut stranger, mut other] = [43, 44].map(|id| session_of(&bed.shared, id, Version::V3));
    assert_eq!(bed.by(&mut stranger, "AUTH them x"), "+OK\r\n");
    bed.by(&mut stranger, "CLIENT TRACKING ON BCAST");
    bed.line("CLIENT TRACKING ON");
    bed.line("GET k");
    bed.line("SET k 1");
    expect_told(&bed.session, &["k"]);
    expect_told(&stranger, &[]);
    bed.by(&mut stranger, "SET k 2");
    expect_told(&bed.session, &[]);
    expect_told(&stranger, &["k"]);
    let (reply, _) = bed.line("CLIENT TRACKING ON REDIRECT 43");
    assert!(reply.contains("does not exist"), "{reply}");
    // One that goes over to another tenant hears of nothing any more, nor follows what it did.
    bed.line("CLIENT TRACKING ON REDIRECT 44");
    bed.by(&mut other, "CLIENT TRACKING ON");
    bed.by(&mut other, "GET k");
    bed.line("GET k");
    bed.by(&mut other, "AUTH them x");
    bed.line("SET k 3");
    expect_told(&other, &[]);
    assert_eq!(bed.by(&mut other, "CLIENT GETREDIR"), ":-1\r\n");
}
