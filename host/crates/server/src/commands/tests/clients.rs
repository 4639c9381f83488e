//! CLIENT: what connections see of each other.

use std::time::Duration;

use larder_resp::{ArgsBuf, Version};

use super::Bed;
use crate::clients::pauses::By;
use crate::testing::session_of;
use crate::{Flow, Health};

/// The numbers of the clients that a reply describes.
fn listed(bed: &mut Bed, line: &str) -> Vec<String> {
    let (reply, _) = bed.line(line);
    let ids = reply.split("id=").skip(1);
    let ids = ids.filter_map(|rest| rest.split_once(" addr="));
    ids.map(|(id, _)| id.to_owned()).collect()
}

#[test]
fn clients_are_listed_by_number_and_type() {
    let mut bed = Bed::new(Version::V2);
    let mut other = session_of(&bed.shared, 7, Version::V2);
    session_of(&bed.shared, 9, Version::V3);
    assert_eq!(listed(&mut bed, "CLIENT LIST"), ["7", "9", "42"]);
    assert_eq!(
        listed(&mut bed, "CLIENT LIST ID 9 8 42 9"),
        ["9", "42", "9"]
    );
    assert_eq!(listed(&mut bed, "CLIENT INFO"), ["42"]);
    std::mem::swap(&mut bed.session, &mut other);
    bed.line("SUBSCRIBE a b");
    bed.session.publish(bed.now, None);
    std::mem::swap(&mut bed.session, &mut other);
    assert_eq!(listed(&mut bed, "CLIENT LIST TYPE PubSub"), ["7"]);
    assert_eq!(listed(&mut bed, "CLIENT LIST TYPE normal"), ["9", "42"]);
    assert!(listed(&mut bed, "CLIENT LIST TYPE replica").is_empty());
    let (reply, _) = bed.line("CLIENT LIST ID 7");
    assert!(
        reply.contains(" flags=P db=0 sub=2 psub=0 ssub=0 "),
        "{reply}"
    );
    for (line, expected) in [
        ("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\r\n"),
        ("CLIENT LIST ID x", "-ERR Invalid client ID\r\n"),
        ("CLIENT LIST ID", "-ERR syntax error\r\n"),
        ("CLIENT LIST TYPE normal x", "-ERR syntax error\r\n"),
    ] {
        bed.check(line, expected);
    }
}

#[test]
fn a_client_sees_itself_as_it_is_now() {
    let mut bed = Bed::new(Version::V3);
    bed.line("SELECT 5");
    bed.line("WATCH a b");
    let (reply, _) = bed.line("CLIENT INFO");
    assert!(reply.starts_with('='), "a text of RESP3: {reply}");
    for field in [
        " db=5 ",
        " watch=2 ",
        " cmd=client|info ",
        " resp=3 ",
        " user=default ",
    ] {
        assert!(reply.contains(field), "{field}: {reply}");
    }
}

#[test]
fn whoever_is_described_is_killed() {
    let cases = [
        ("ID 7", vec![7]),
        ("ID 8", vec![]),
        ("ADDR 127.0.0.1:9", vec![9]),
        ("LADDR 127.0.0.1:6379 TYPE normal", vec![7, 9]),
        ("LADDR 127.0.0.1:1", vec![]),
        ("TYPE pubsub", vec![]),
        ("USER default ID 7", vec![7]),
        ("MAXAGE 5", vec![7, 9]),
        ("MAXAGE 6", vec![]),
        ("ID 42", vec![]),
    ];
    for (filter, killed) in cases {
        let mut bed = Bed::new(Version::V2);
        let others = [7, 9].map(|id| session_of(&bed.shared, id, Version::V2));
        bed.now += 5_999;
        bed.check(
            &format!("CLIENT KILL {filter}"),
            &format!(":{}\r\n", killed.len()),
        );
        let ended = others.iter().filter(|other| other.client.is_killed());
        assert_eq!(
            ended.map(|other| other.id).collect::<Vec<_>>(),
            killed,
            "{filter}"
        );
    }
}

#[test]
fn who_kills_itself_is_answered_first() {
    let close = |reply: &str| (reply.to_owned(), Flow::Close);
    let mut bed = Bed::new(Version::V2);
    assert_eq!(bed.line("CLIENT KILL 127.0.0.1:42"), close("+OK\r\n"));
    assert_eq!(bed.line("CLIENT KILL SKIPME no"), close(":1\r\n"));
    bed.check("CLIENT KILL SKIPME yes", ":0\r\n");
    assert!(!bed.session.client.is_killed());
}

#[test]
fn orders_about_clients_that_make_no_sense_are_refused() {
    super::check(&[
        ("CLIENT KILL 127.0.0.1:1", "-ERR No such client\r\n"),
        (
            "CLIENT KILL ID 0",
            "-ERR client-id should be greater than 0\r\n",
        ),
        (
            "CLIENT KILL ID x",
            "-ERR client-id should be greater than 0\r\n",
        ),
        ("CLIENT KILL TYPE x", "-ERR Unknown client type 'x'\r\n"),
        ("CLIENT KILL USER x", "-ERR No such user 'x'\r\n"),
        (
            "CLIENT KILL MAXAGE x",
            "-ERR maxage is not an integer or out of range\r\n",
        ),
        (
            "CLIENT KILL MAXAGE 0",
            "-ERR maxage should be greater than 0\r\n",
        ),
        ("CLIENT KILL SKIPME x", "-ERR syntax error\r\n"),
        ("CLIENT KILL ID 1 x", "-ERR syntax error\r\n"),
        ("CLIENT NO-EVICT x", "-ERR syntax error\r\n"),
        ("CLIENT NO-TOUCH x", "-ERR syntax error\r\n"),
        ("CLIENT REPLY x", "-ERR syntax error\r\n"),
        ("CLIENT UNBLOCK 7", ":0\r\n"),
        ("CLIENT UNBLOCK 7 error", ":0\r\n"),
        (
            "CLIENT UNBLOCK x",
            "-ERR value is not an integer or out of range\r\n",
        ),
        (
            "CLIENT UNBLOCK 7 x",
            "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n",
        ),
        (
            "CLIENT UNBLOCK 7 error x",
            "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.\r\n",
        ),
        // What came after Redis 7.2, and libraries try all the same.
        (
            "CLIENT MAINT_NOTIFICATIONS ON",
            "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n",
        ),
        (
            "CLIENT CAPA redirect",
            "-ERR unknown subcommand 'CAPA'. Try CLIENT HELP.\r\n",
        ),
    ]);
}

#[test]
fn what_is_chosen_for_a_connection_shows_until_it_is_reset() {
    let mut bed = Bed::new(Version::V2);
    bed.check("CLIENT NO-EVICT on", "+OK\r\n");
    bed.check("CLIENT NO-TOUCH on", "+OK\r\n");
    assert!(bed.line("CLIENT INFO").0.contains(" flags=eT "));
    bed.check("RESET", "+RESET\r\n");
    assert!(bed.line("CLIENT INFO").0.contains(" flags=N "));
}

/// Whether a request waits while there is a pause, for writes or for all.
fn waits(bed: &Bed, words: &str, is_for_writes: bool) -> bool {
    let pauses = &bed.shared.pauses;
    pauses.end(By::Tenant, [0]);
    pauses.begin(By::Tenant, [0], Duration::from_secs(600), is_for_writes);
    let request: ArgsBuf = words.split(' ').map(str::as_bytes).collect();
    let pause = bed.shared.pause_of(&bed.session).expect("it has begun");
    pause.holds(&bed.session, request.args())
}

#[test]
fn what_may_change_something_waits_and_what_ends_a_pause_does_not() {
    let mut bed = Bed::new(Version::V2);
    for (all, expected) in [
        (
            "SET a 1|DEL a|FLUSHALL|PUBLISH c m|EVAL x 0|CACHE.SET a 1",
            (true, true),
        ),
        (
            "GET a|PING|MULTI|EXEC|INFO|EVAL_RO x 0|SUBSCRIBE c",
            (false, true),
        ),
        (
            "CLIENT UNPAUSE|CLIENT LIST|AUTH x|HELLO|RESET|QUIT|NONE|GET",
            (false, false),
        ),
    ] {
        for words in all.split('|') {
            let found = (waits(&bed, words, true), waits(&bed, words, false));
            assert_eq!(found, expected, "{words}");
        }
    }
    bed.line("MULTI");
    bed.line("GET a");
    assert!(!waits(&bed, "EXEC", true));
    bed.line("SET a 1");
    assert!(waits(&bed, "EXEC", true) && !waits(&bed, "DISCARD", true));
}

#[test]
fn clients_are_paused_for_a_while_that_has_a_bound() {
    let paused = |bed: &Bed| bed.shared.pause_of(&bed.session).is_some();
    let mut bed = Bed::new(Version::V2);
    bed.check("CLIENT PAUSE 600000", "+OK\r\n");
    assert!(paused(&bed));
    bed.check("CLIENT UNPAUSE", "+OK\r\n");
    assert!(!paused(&bed));
    bed.check("CLIENT PAUSE 600000 write", "+OK\r\n");
    assert!(paused(&bed));
    bed.shared.set_health(Health::Draining);
    assert!(!paused(&bed), "one that ends waits for nobody");
    super::check(&[
        ("CLIENT PAUSE 0", "+OK\r\n"),
        (
            "CLIENT PAUSE x",
            "-ERR timeout is not an integer or out of range\r\n",
        ),
        ("CLIENT PAUSE -1", "-ERR timeout is negative\r\n"),
        (
            "CLIENT PAUSE 3600001",
            "-ERR timeout is out of range: a pause may last 3600000 ms\r\n",
        ),
        (
            "CLIENT PAUSE x y",
            "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n",
        ),
        (
            "CLIENT PAUSE 1 all x",
            "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.\r\n",
        ),
    ]);
}

#[test]
fn reads_that_leave_no_trace_are_counted_nowhere() {
    let mut bed = Bed::new(Version::V2);
    let counted = |bed: &mut Bed| {
        let stats = bed.session.tenant.stats();
        let (idle, _) = bed.line("OBJECT IDLETIME k");
        (stats.hits, stats.misses, idle)
    };
    bed.line("SET k v");
    bed.line("CLIENT NO-TOUCH on");
    bed.now += 60_000;
    for line in [
        "GET k",
        "GET none",
        "MGET k none",
        "STRLEN k",
        "GETRANGE k 0 1",
        "GETEX k",
        "LCS k k",
        "EVAL \"return redis.call('get', 'k')\" 1 k",
        "MULTI",
        "GET k",
        "EXEC",
    ] {
        bed.line(line);
        if !bed.session.is_queuing() {
            assert_eq!(counted(&mut bed), (0, 0, ":60\r\n".to_owned()), "{line}");
        }
    }
    // TOUCH is what counts all the same, in a transaction too and only itself.
    bed.check("TOUCH k", ":1\r\n");
    assert_eq!(counted(&mut bed), (1, 0, ":0\r\n".to_owned()));
    for line in ["MULTI", "TOUCH k", "GET k", "EXEC"] {
        bed.line(line);
    }
    assert_eq!(counted(&mut bed).0, 2);
    bed.line("CLIENT NO-TOUCH off");
    bed.line("GET k");
    assert_eq!(counted(&mut bed).0, 3);
}
