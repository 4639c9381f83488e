//! What policies decide, and what is told of them.

use std::sync::Arc;

use larder_engine::decision::{Decider, Kinds, QuestionParts};
use larder_engine::{Policies, PolicyFigures, PolicyRow, PolicyRuntime, PolicyState, Verdict};

use super::*;
use crate::Order;
use larder_resp::{Value, decode};
use larder_sdk::Kind;

/// Keeps what has the tag `keep` or no tags, and is not `drop`, for the milliseconds of the attribute `ttl`, with the cost
/// as priority; finds secrets in keys that begin with `secret`; and writes down what it was asked.
struct Scripted(Arc<parking_lot::Mutex<Vec<String>>>);

impl Decider for Scripted {
    fn has_a_say(&self, tenant: usize) -> bool {
        tenant == 0
    }

    fn decide(&mut self, _: usize, question: &QuestionParts<'_>, kinds: Kinds) -> Verdict {
        self.0.lock().push(format!(
            "{} db={} bytes={} ttl={:?} type={}{}",
            question.key.escape_ascii(),
            question.db,
            question.value_bytes,
            question.ttl_ms,
            question.data_type.escape_ascii(),
            if question.value.is_empty() {
                " unseen"
            } else {
                ""
            },
        ));
        let is_named = |name: &[u8]| question.attributes.iter().find(|(n, _)| *n == name);
        let ttl = is_named(b"ttl").and_then(|(_, ttl)| std::str::from_utf8(ttl).ok()?.parse().ok());
        Verdict {
            keep: !kinds.has(Kind::ShouldCache)
                || question.tags.is_empty() && question.value != b"drop"
                || question.tags.contains(&&b"keep"[..]),
            ttl_ms: ttl.or(question.ttl_ms),
            priority: question.cost_ms.unwrap_or(0) as u8,
            is_secret: question.key.starts_with(b"secret"),
        }
    }
}

fn scripted() -> (Bed, Arc<parking_lot::Mutex<Vec<String>>>) {
    let asked = Arc::default();
    let mut bed = Bed::new(Version::V3);
    bed.decider = Box::new(Scripted(Arc::clone(&asked)));
    (bed, asked)
}

/// The digests are those that XXH3 gives, in the form of Redis 8.4.
#[test]
fn writes_depend_on_what_is_there_or_on_its_digest() {
    let digest = |value: &[u8]| format!("{:016x}", crate::commands::digest(value));
    let (one, two) = (digest(b"1"), digest(b"2"));
    check(&[
        ("CACHE.SET k 1 XX", "NIL"),
        ("CACHE.SET k 1 IFEQ 1", "NIL"),
        (&format!("CACHE.SET k 1 IFDEQ {one}"), "NIL"),
        ("CACHE.SET k 1 NX TYPE t", "+OK\r\n"),
        ("CACHE.SET k 2 NX", "NIL"),
        ("CACHE.SET k 2 IFNE 1", "NIL"),
        (&format!("CACHE.SET k 2 IFDEQ {two}"), "NIL"),
        (&format!("CACHE.SET k 2 IFDNE {one}"), "NIL"),
        ("GET k", "$1\r\n1\r\n"),
        (&format!("CACHE.SET k 2 PX 10 ifdeq {one}"), "+OK\r\n"),
        ("PTTL k", ":10\r\n"),
        ("DELEX k IFEQ 1", ":0\r\n"),
        (&format!("DELEX k IFDEQ {one}"), ":0\r\n"),
        (&format!("DELEX k IFDNE {one}"), ":1\r\n"),
        ("DELEX k IFNE 1", ":0\r\n"),
        ("SET k 1", "+OK\r\n"),
        ("DELEX k", ":1\r\n"),
        ("CACHE.SET k 1 NX XX", "NIL"),
        ("CACHE.SET k 1 NX IFNE 1 IFNE 2", "-ERR syntax error\r\n"),
        ("CACHE.SET k 1 IFEQ", "-ERR syntax error\r\n"),
        (
            "CACHE.SET k 1 IFDEQ 1",
            "-ERR a digest has 16 hexadecimal digits\r\n",
        ),
        ("DELEX k NX", "-ERR syntax error\r\n"),
        ("DELEX k IFEQ 1 2", "-ERR syntax error\r\n"),
    ]);
}

/// Clients go by the reply, as by a lock: what it says was written is there. Policies say all else of it.
#[test]
fn what_a_reply_says_was_written_is_kept_whatever_policies_refuse() {
    let (mut bed, asked) = scripted();
    for (line, reply) in [
        ("SET a drop NX", "+OK\r\n"),
        ("SET a drop NX", "_\r\n"),
        ("SET a drop XX EX 10", "+OK\r\n"),
        ("SET b drop GET", "_\r\n"),
        ("SETNX c drop", ":1\r\n"),
        ("GETSET d drop", "_\r\n"),
        ("MSETNX e v f drop", ":1\r\n"),
        ("CACHE.SET g 1 NX TAGS 1 go", "+OK\r\n"),
        (
            "CACHE.SET g drop IFEQ 1 TAGS 1 go ATTR 1 ttl 777 COST 9",
            "+OK\r\n",
        ),
    ] {
        bed.check(line, reply);
    }
    for key in ["a", "b", "c", "d", "f", "g"] {
        bed.check(&format!("GET {key}"), "$4\r\ndrop\r\n");
    }
    assert_eq!(asked.lock().len(), 10);
    bed.check("PTTL g", ":777\r\n");
    assert!(bed.line("CACHE.EXPLAIN g").0.contains("priority\r\n:9\r\n"));
    // What is only taken is not.
    bed.check("MSET a drop b drop", "+OK\r\n");
    bed.check("CACHE.SET g drop", "+OK\r\n");
    bed.check("EXISTS a b g", ":0\r\n");
}

#[test]
fn secrets_need_a_seal_and_are_shown_to_no_policy() {
    let mut bed = Bed::new(Version::V3);
    let (refused, _) = bed.line("CACHE.SET k v SECURITY high");
    assert!(
        refused.starts_with("-ERR SECURITY high needs a key ring"),
        "{refused}"
    );
    let (mut bed, asked) = scripted();
    bed.shared.config.seals = true;
    bed.check("CACHE.SET k v SECURITY", "-ERR syntax error\r\n");
    bed.check(
        "CACHE.SET k v SECURITY low",
        "-ERR SECURITY is high, or is left out\r\n",
    );
    bed.check(
        "CACHE.SET k v SECURITY high security HIGH",
        "-ERR syntax error\r\n",
    );
    bed.check("CACHE.SET k v TYPE t SECURITY high", "+OK\r\n");
    bed.check("CACHE.SET k v TYPE t", "+OK\r\n");
    let expected = [
        "k db=0 bytes=1 ttl=None type=t unseen",
        "k db=0 bytes=1 ttl=None type=t",
    ];
    assert_eq!(*asked.lock(), expected);
}

/// What the label of an entry says of its value: whether it is secret, and its type.
fn told(bed: &mut Bed, key: &str) -> (bool, Option<Vec<u8>>) {
    let tenant = bed.shared.engine.default_tenant();
    let read = |entry: larder_engine::Entry<'_>| {
        let note = entry.label().note;
        let data_type = crate::data_type(note).map(<[u8]>::to_vec);
        (crate::is_secret(note), data_type)
    };
    let now = bed.shared.now();
    tenant
        .peek(larder_engine::Key::new(0, key.as_bytes()), now, read)
        .unwrap()
}

#[test]
fn what_a_policy_finds_to_be_a_secret_is_marked_whoever_writes_it() {
    let (mut bed, _) = scripted();
    bed.shared.config.seals = true;
    for line in [
        "SET secret1 v",
        "SET secret1 v EX 5 XX",
        "SETEX secret1 5 v",
        "SETNX secret2 v",
        "GETSET secret3 v",
        "MSET other v secret4 v",
        "MSETNX secret5 v other2 v",
        "CACHE.SET secret6 v IFNE w",
    ] {
        let (reply, _) = bed.line(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    for number in 1..=6 {
        assert_eq!(told(&mut bed, &format!("secret{number}")), (true, None));
    }
    assert_eq!(told(&mut bed, "other"), (false, None));
    bed.check("CACHE.SET secret7 v TYPE t", "+OK\r\n");
    let is_typed = (true, Some(b"t".to_vec()));
    assert_eq!(told(&mut bed, "secret7"), is_typed);
    bed.check("CACHE.SET secret7 v TYPE t SECURITY high", "+OK\r\n");
    assert_eq!(told(&mut bed, "secret7"), is_typed);
    bed.check("APPEND secret7 w", ":2\r\n");
    assert_eq!(told(&mut bed, "secret7"), is_typed);
    assert_eq!(bed.shared.unsealed_secrets(), 0);
}

#[test]
fn without_a_key_ring_what_a_policy_finds_to_be_a_secret_is_kept_and_counted() {
    let (mut bed, _) = scripted();
    bed.check("SET secret v", "+OK\r\n");
    bed.check("SET other v", "+OK\r\n");
    assert_eq!(told(&mut bed, "secret"), (false, None));
    assert_eq!(bed.shared.unsealed_secrets(), 1);
}

#[test]
fn policies_are_asked_of_whole_values_and_of_nothing_else() {
    let (mut bed, asked) = scripted();
    for line in [
        "SET a v",
        "SET b v EX 10",
        "SETEX c 10 v",
        "PSETEX d 10 v",
        "SETNX e v",
        "GETSET f v",
        "MSET g v h vv",
        "MSETNX l v m v",
        "SET i v NX GET",
        "CACHE.SET j v TYPE json PX 5",
    ] {
        bed.line(line);
    }
    assert_eq!(
        *asked.lock(),
        [
            "a db=0 bytes=1 ttl=None type=",
            "b db=0 bytes=1 ttl=Some(10000) type=",
            "c db=0 bytes=1 ttl=Some(10000) type=",
            "d db=0 bytes=1 ttl=Some(10) type=",
            "e db=0 bytes=1 ttl=None type=",
            "f db=0 bytes=1 ttl=None type=",
            "g db=0 bytes=1 ttl=None type=",
            "h db=0 bytes=2 ttl=None type=",
            "l db=0 bytes=1 ttl=None type=",
            "m db=0 bytes=1 ttl=None type=",
            "i db=0 bytes=1 ttl=None type=",
            "j db=0 bytes=1 ttl=Some(5) type=json",
        ]
    );
    asked.lock().clear();
    for line in [
        "INCR n",
        "APPEND a x",
        "EXPIRE a 10",
        "PERSIST a",
        "SET a w KEEPTTL",
        "SET a v PXAT 1",
        "GETEX b EX 5",
        "GETDEL b",
        "SETRANGE new 3 x",
        "SETBIT new 3 1",
        "BITFIELD other SET u8 0 1",
        "BITOP NOT new other",
        "RENAME other third",
        "COPY third fourth",
        "MOVE third 1",
    ] {
        bed.line(line);
    }
    assert_eq!(*asked.lock(), [""; 0]);
}

#[test]
fn a_refused_value_takes_the_old_one_with_it_and_the_client_is_not_told() {
    let (mut bed, _) = scripted();
    bed.check("SET k old", "+OK\r\n");
    bed.check("CACHE.SET k new TAGS 1 go", "+OK\r\n");
    bed.check("GET k", "_\r\n");
    bed.check("CACHE.SET k new TAGS 2 go keep", "+OK\r\n");
    bed.check("GET k", "$3\r\nnew\r\n");
}

#[test]
fn ttl_and_priority_are_what_the_policy_says() {
    let (mut bed, _) = scripted();
    bed.check("CACHE.SET k v ATTR 1 ttl 777 COST 9 PX 100000", "+OK\r\n");
    bed.check("PTTL k", ":777\r\n");
    let (told, _) = bed.line("CACHE.EXPLAIN k");
    for part in [
        "$8\r\npriority\r\n:9\r\n",
        "$7\r\nttl=777\r\n",
        "$9\r\ncost_ms=9\r\n",
    ] {
        assert!(told.contains(part), "{part:?} in {told:?}");
    }
    bed.check("SET k w KEEPTTL", "+OK\r\n");
    assert!(bed.line("CACHE.EXPLAIN k").0.contains("priority\r\n:9\r\n"));
    bed.check("SET k w", "+OK\r\n");
    assert!(bed.line("CACHE.EXPLAIN k").0.contains("priority\r\n:0\r\n"));
}

#[test]
fn cache_set_says_what_is_wrong_with_its_options() {
    let mut bed = Bed::new(Version::V2);
    for line in [
        "CACHE.SET k v FOO",
        "CACHE.SET k v TYPE",
        "CACHE.SET k v COST",
        "CACHE.SET k v TYPE a TYPE b",
        "CACHE.SET k v TAGS 2 a",
        "CACHE.SET k v ATTR 1 a",
        "CACHE.SET k v EX 5 PX 5",
    ] {
        bed.check(line, "-ERR syntax error\r\n");
    }
    for line in [
        "CACHE.SET k v COST x",
        "CACHE.SET k v COST -1",
        "CACHE.SET k v TAGS x",
        "CACHE.SET k v TAGS -1",
        "CACHE.SET k v ATTR 9223372036854775807 a b",
        "CACHE.SET k v EX x",
    ] {
        let (reply, _) = bed.line(line);
        assert!(reply.starts_with('-'), "{line}: {reply}");
    }
    bed.check(
        "CACHE.SET k v EX 0",
        "-ERR invalid expire time in 'cache.set' command\r\n",
    );
    bed.check("EXISTS k", ":0\r\n");
    bed.check(
        "CACHE.EXPLAIN k",
        "*8\r\n$8\r\nresident\r\n$2\r\nno\r\n$6\r\ntenant\r\n\
        $7\r\ndefault\r\n$15\r\neviction_policy\r\n$7\r\ns3-fifo\r\n$9\r\ndecisions\r\n*0\r\n",
    );
}

struct One;

impl Policies for One {
    fn list(&self) -> Vec<PolicyRow> {
        let gate = PolicyRow {
            name: "10-gate".into(),
            file: "10-gate.wasm".into(),
            runtime: PolicyRuntime::Wasm,
            kinds: Kinds::NONE.with(Kind::ShouldCache).with(Kind::Ttl),
            tenant: "*".into(),
            keys: "user:*".into(),
            state: PolicyState::Active,
            why: "in the chain".into(),
            version: "0.1.0".into(),
            digest: "ab".into(),
            loaded_ms: 5,
            parameters: vec![("max".into(), "1".into())],
            has_previous: false,
            figures: PolicyFigures {
                calls: 4,
                call_ns: 100,
                ..PolicyFigures::default()
            },
        };
        let native = PolicyRow {
            runtime: PolicyRuntime::Native,
            keys: "*".into(),
            ..gate.clone()
        };
        vec![native, gate]
    }
    fn enable(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn disable(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn rollback(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn reload(&self) -> Result<(), String> {
        Ok(())
    }
    fn decisions(&self, tenant: &str, db: u8, key: &[u8]) -> Vec<String> {
        vec![format!("{tenant} {db} {}", key.escape_ascii())]
    }
}

#[test]
fn policies_are_listed_told_of_and_ordered_about() {
    let mut parts = parts();
    parts.policies = Arc::new(One);
    let mut bed = Bed::made_of(config(), parts, Version::V3);
    let list = "%7\r\n$4\r\nname\r\n$7\r\n10-gate\r\n$4\r\nfile\r\n$12\r\n10-gate.wasm\r\n\
        $7\r\nruntime\r\n$4\r\nwasm\r\n$5\r\nkinds\r\n$16\r\nshould_cache,ttl\r\n\
        $6\r\ntenant\r\n$1\r\n*\r\n$5\r\nstate\r\n$6\r\nactive\r\n$3\r\nwhy\r\n$12\r\nin the chain\r\n";
    let native = list.replace("$4\r\nwasm", "$6\r\nnative");
    bed.check("POLICY LIST", &format!("*2\r\n{native}{list}"));
    // The one of the folder, though a native one of that name comes first.
    let (info, _) = bed.line("POLICY INFO 10-gate");
    for part in [
        "$12\r\nmean_call_ns\r\n$2\r\n25\r\n",
        "$4\r\nkeys\r\n$6\r\nuser:*\r\n",
    ] {
        assert!(info.contains(part), "{part:?} in {info:?}");
    }
    bed.check(
        "POLICY INFO other",
        "-ERR no policy of that name; see POLICY LIST\r\n",
    );
    for (line, order) in [
        ("POLICY ENABLE a", Order::Enable("a".into())),
        ("POLICY DISABLE a", Order::Disable("a".into())),
        ("POLICY ROLLBACK a", Order::Rollback("a".into())),
        ("POLICY RELOAD", Order::Reload),
    ] {
        assert_eq!(bed.line(line), (String::new(), Flow::Order(order)));
    }
    assert!(
        bed.line("CACHE.EXPLAIN k")
            .0
            .ends_with("*1\r\n$11\r\ndefault 0 k\r\n")
    );
}

#[test]
fn a_value_that_is_restored_is_decided_over_with_what_was_said_of_it() {
    let (mut bed, asked) = scripted();
    bed.check("CACHE.SET a v TYPE json TAGS 1 keep COST 9", "+OK\r\n");
    let (dump, _) = bed.execute_args(&[b"DUMP", b"a"]);
    let Ok(Some((Value::Bulk(Some(payload)), _))) = decode(&dump, &Limits::default()) else {
        panic!("{}", dump.escape_ascii());
    };
    asked.lock().clear();
    for ends in [&b""[..], b"REPLACE"] {
        let request = [&b"RESTORE"[..], b"b", b"50", &payload, ends];
        let len = request.len() - usize::from(ends.is_empty());
        let (reply, _) = bed.execute_args(&request[..len]);
        assert_eq!(reply, b"+OK\r\n");
    }
    assert_eq!(*asked.lock(), ["b db=0 bytes=1 ttl=Some(50) type=json"; 2]);
    assert!(bed.line("CACHE.EXPLAIN b").0.contains("priority\r\n:9\r\n"));
}
