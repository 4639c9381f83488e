//! Keyspace notifications: what each command tells.

use larder_engine::Engine;
use larder_resp::Version;

use super::Bed;

/// A connection that listens to all notifications of its tenant.
fn bed(letters: &str) -> Bed {
    let mut bed = Bed::new(Version::V3);
    bed.check(
        &format!("CONFIG SET notify-keyspace-events {letters}"),
        "+OK\r\n",
    );
    bed.line("PSUBSCRIBE __key*__:*");
    bed
}

/// The messages that came, as `channel message`.
fn told(bed: &Bed) -> Vec<String> {
    let mut out = Vec::new();
    bed.session.mailbox().expect("it listens").take(&mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    let lines: Vec<&str> = text
        .split("\r\n")
        .filter(|line| !line.starts_with('$'))
        .collect();
    let messages = lines
        .split(|line| *line == ">4")
        .filter(|message| message.len() >= 4);
    messages.map(|message| message[2..4].join(" ")).collect()
}

#[track_caller]
fn check(bed: &mut Bed, line: &str, expected: &str) {
    bed.line(line);
    let told: Vec<_> = told(bed)
        .iter()
        .map(|told| told.trim_start_matches("__keyevent@").replace("__:", " "))
        .collect();
    assert_eq!(told.join(", "), expected, "{line}");
}

#[test]
fn each_command_tells_what_it_did() {
    let mut bed = bed("AEnm");
    for (line, expected) in [
        ("SET a 1", "0 new a, 0 set a"),
        ("SET a 1 EX 100", "0 set a, 0 expire a"),
        ("SET a 1 NX", ""),
        ("SET a 1 KEEPTTL", "0 set a"),
        ("SET none 1 XX GET", "0 keymiss none"),
        ("SETEX a 100 1", "0 set a, 0 expire a"),
        ("SETNX a 1", ""),
        ("SETNX b 1", "0 new b, 0 set b"),
        ("GETSET c 1", "0 keymiss c, 0 new c, 0 set c"),
        ("MSET d 1 a 2", "0 new d, 0 set d, 0 set a"),
        ("MSETNX d 1 e 2", ""),
        ("MSETNX e 1 f 2", "0 new e, 0 set e, 0 new f, 0 set f"),
        ("APPEND e x", "0 append e"),
        ("SETRANGE g 2 x", "0 new g, 0 setrange g"),
        ("SETRANGE g 2 ''", ""),
        ("INCR h", "0 new h, 0 incrby h"),
        ("DECRBY h 2", "0 incrby h"),
        ("INCRBYFLOAT h 1.5", "0 incrbyfloat h"),
        ("INCR h", ""),
        ("SETBIT i 1 1", "0 new i, 0 setbit i"),
        ("SETBIT i 1 1", ""),
        ("BITFIELD i SET u8 0 64", ""),
        ("BITFIELD i SET u8 0 65", "0 setbit i"),
        ("BITOP NOT j i", "0 new j, 0 set j"),
        ("BITOP AND j none", "0 keymiss none, 0 del j"),
        ("PERSIST h", ""),
        ("EXPIRE h 100", "0 expire h"),
        ("GETEX h PERSIST", "0 persist h"),
        ("GETEX h PERSIST", ""),
        ("GETEX h EX 10", "0 expire h"),
        ("PERSIST h", "0 persist h"),
        ("EXPIRE h -1", "0 del h"),
        ("GETDEL g", "0 del g"),
        ("DEL f none f", "0 del f"),
        ("RENAME e k", "0 new k, 0 rename_from e, 0 rename_to k"),
        ("COPY k l", "0 new l, 0 copy_to l"),
        ("COPY k l REPLACE", "0 new l, 0 copy_to l"),
        ("COPY k l", ""),
        ("MOVE k 3", "3 new k, 0 move_from k, 3 move_to k"),
        ("CACHE.SET m 1 EX 10", "0 new m, 0 set m, 0 expire m"),
        ("CACHE.SET m 1 NX", ""),
        ("DELEX m", "0 del m"),
        ("SET a 1 EXAT 1", "0 del a"),
        ("MGET a l none", "0 keymiss a, 0 keymiss none"),
        ("EXISTS none", "0 keymiss none"),
        ("OBJECT ENCODING none", ""),
        ("SELECT 3", ""),
        ("SET k 2", "3 set k"),
    ] {
        check(&mut bed, line, expected);
    }
    let (payload, _) = bed.execute_args(&[b"DUMP", b"k"]);
    let at = payload
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a bulk")
        + 1;
    let payload = payload[at..payload.len() - 2].to_vec();
    bed.execute_args(&[b"RESTORE", b"k", b"0", &payload, b"REPLACE"]);
    assert_eq!(
        told(&bed),
        ["__keyevent@3__:new k", "__keyevent@3__:restore k"]
    );
}

#[test]
fn what_goes_of_itself_is_told_as_it_goes() {
    let mut bed = bed("KEA");
    bed.line("SET a 1 PX 10");
    told(&bed);
    bed.now += 10;
    bed.line("GET a");
    let expired = ["__keyspace@0__:a expired", "__keyevent@0__:expired a"];
    assert_eq!(told(&bed), expired);
    bed.line("CONFIG SET notify-keyspace-events Ee");
    let value = vec![0; 1 << 20];
    for n in 0..100 {
        bed.execute_args(&[b"SET", n.to_string().as_bytes(), &value]);
    }
    let told = told(&bed);
    assert!(told.len() > 30, "{}", told.len());
    assert!(
        told.iter()
            .all(|told| told.starts_with("__keyevent@0__:evicted "))
    );
}

#[test]
fn only_what_is_asked_for_is_told_and_only_to_the_own_tenant() {
    let mut bed = bed("K$");
    bed.line("SET a 1 EX 10");
    bed.line("DEL a");
    assert_eq!(told(&bed), ["__keyspace@0__:a set"]);
    bed.check(
        "CONFIG GET notify-keyspace-events",
        "%1\r\n$22\r\nnotify-keyspace-events\r\n$2\r\n$K\r\n",
    );
    let (reply, _) = bed.line("CONFIG SET notify-keyspace-events q");
    assert!(reply.contains("Invalid event class character"), "{reply}");
    bed.line("CONFIG SET notify-keyspace-events ''");
    bed.line("SET a 1 PX 10");
    bed.now += 10;
    bed.line("GET a");
    assert!(told(&bed).is_empty());
    assert!(heard(&bed.shared.engine).iter().all(|is_heard| !is_heard));
}

/// Of each tenant, whether anybody wants to hear of what goes of itself.
fn heard(engine: &Engine) -> Vec<bool> {
    let tenants = engine.tenants().iter();
    tenants.map(|tenant| tenant.changes().is_wanted()).collect()
}

#[test]
fn what_maintenance_removes_is_told_behind_its_locks_a_bounded_part_at_a_time() {
    let mut bed = bed("AE");
    for key in ["a", "b", "c"] {
        bed.line(&format!("SET {key} v PX 5"));
    }
    told(&bed);
    let (engine, now) = (&bed.shared.engine, bed.now + 10);
    let maintain = || {
        crate::onlookers::defer_events();
        while engine.maintain(now) {}
    };
    std::thread::scope(|scope| scope.spawn(maintain).join()).expect("it ends");
    assert_eq!(told(&bed), Vec::<String>::new());
    // What others do meanwhile is told behind it, so that an event is not overtaken by a later one.
    bed.line("SET a new");
    assert_eq!(told(&bed), Vec::<String>::new());
    bed.shared.onlookers[0].tell_late(&mut 1);
    let mut all = told(&bed);
    assert_eq!(all.len(), 1);
    bed.shared.onlookers[0].tell_late(&mut 10_000);
    all.extend(told(&bed));
    assert_eq!(all.pop().as_deref(), Some("__keyevent@0__:set a"));
    all.sort_unstable();
    let expired = ["a", "b", "c"].map(|key| format!("__keyevent@0__:expired {key}"));
    assert_eq!(all, expired);
    check(&mut bed, "SET a newer", "0 set a");
}
