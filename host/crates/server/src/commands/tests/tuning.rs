//! CONFIG SET and RESETSTAT, SLOWLOG, LATENCY, MEMORY.

use std::sync::atomic::Ordering;

use larder_resp::Version;

use super::{Bed, check};
use crate::latency::Event;
use crate::slowlog;

/// The value of one setting, as CONFIG GET tells it.
fn setting(bed: &mut Bed, name: &str) -> String {
    let (reply, _) = bed.line(&format!("CONFIG GET {name}"));
    let mut lines = reply.lines().skip(4);
    lines
        .next()
        .unwrap_or_else(|| panic!("no {name}: {reply}"))
        .to_owned()
}

#[test]
fn settings_are_changed_all_or_none() {
    let mut bed = Bed::new(Version::V2);
    bed.check(
        "CONFIG SET maxclients 7 TIMEOUT 60 slowlog-log-slower-than -1 request-timeout 5",
        "+OK\r\n",
    );
    for (name, value) in [
        ("maxclients", "7"),
        ("timeout", "60"),
        ("slowlog-log-slower-than", "-1"),
        ("request-timeout", "5"),
    ] {
        assert_eq!(setting(&mut bed, name), value, "{name}");
    }
    let tuning = &bed.shared.tuning;
    assert_eq!(bed.shared.clients_max(), 7);
    assert_eq!(
        (tuning.slow_ns(), tuning.slowlog_ns()),
        (u64::MAX, u64::MAX)
    );
    assert_eq!(tuning.idle_timeout().map(|time| time.as_secs()), Some(60));
}

#[test]
fn one_wrong_setting_and_none_is_changed() {
    let mut bed = Bed::new(Version::V2);
    let failed = |name: &str, why: &str| {
        format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {why}\r\n")
    };
    let integer = "argument couldn't be parsed into an integer";
    for (line, reply) in [
        ("maxclients 9 timeout x", failed("timeout", integer)),
        (
            "maxclients 9 timeout -1",
            failed(
                "timeout",
                "argument must be between 0 and 2147483647 inclusive",
            ),
        ),
        (
            "maxclients 9 MaxClients 10",
            failed("maxclients", "duplicate parameter"),
        ),
        (
            "maxclients 9 foo 1",
            "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n".to_owned(),
        ),
        ("maxclients 9 timeout", "-ERR syntax error\r\n".to_owned()),
        (
            "maxclients 9 log.level loud",
            failed("log.level", "no level"),
        ),
        (
            "maxclients 9 loglevel loud",
            failed(
                "loglevel",
                "argument(s) must be one of the following: debug, verbose, notice, warning",
            ),
        ),
    ] {
        bed.check(&format!("CONFIG SET {line}"), &reply);
        assert_eq!(setting(&mut bed, "maxclients"), "10000", "{line}");
    }
    for name in ["databases", "maxmemory-policy", "save"] {
        let (reply, _) = bed.line(&format!("CONFIG SET {name} 1"));
        let head = format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - ");
        assert!(
            reply.starts_with(&head) && reply.len() > head.len() + 20,
            "{reply}"
        );
    }
    bed.check("CONFIG SET loglevel warning", "+OK\r\n");
    assert_eq!(setting(&mut bed, "loglevel"), "notice");
    assert!(
        bed.line("CONFIG REWRITE")
            .0
            .starts_with("-ERR CONFIG REWRITE is not")
    );
}

#[test]
fn figures_begin_anew() {
    let mut bed = Bed::new(Version::V2);
    for line in [
        "SET a 1",
        "GET a",
        "GET b",
        "INCR",
        "CONFIG RESETSTAT",
        "GET a",
    ] {
        bed.line(line);
    }
    let (info, _) = bed.line("INFO all");
    for line in ["keyspace_hits:1", "keyspace_misses:0", "keyspace_inserts:0"] {
        assert!(info.contains(&format!("\r\n{line}\r\n")), "{line}: {info}");
    }
    assert!(info.contains("cmdstat_get:calls=1,"), "{info}");
    assert!(!info.contains("cmdstat_incr"), "{info}");
    assert!(info.contains("db0:keys=1,"), "{info}");
}

#[test]
fn the_slow_log_is_told_latest_first() {
    let mut bed = Bed::new(Version::V2);
    bed.session.client.set_name(b"me");
    for (took_us, key) in [(11_000, "a"), (12_000, "b")] {
        let args = vec![b"GET".to_vec(), key.as_bytes().to_vec()];
        slowlog::add(&bed.shared, &bed.session, 1_700_000_000_999, took_us, args);
    }
    let entry = |id, us, key| {
        format!(
            "*6\r\n:{id}\r\n:1700000000\r\n:{us}\r\n*2\r\n$3\r\nGET\r\n$1\r\n{key}\r\n\
             $12\r\n127.0.0.1:42\r\n$2\r\nme\r\n"
        )
    };
    let (first, second) = (entry(0, 11_000, "a"), entry(1, 12_000, "b"));
    bed.check("SLOWLOG LEN", ":2\r\n");
    bed.check("SLOWLOG GET", &format!("*2\r\n{second}{first}"));
    bed.check("SLOWLOG GET -1", &format!("*2\r\n{second}{first}"));
    bed.check("SLOWLOG GET 1", &format!("*1\r\n{second}"));
    bed.check("SLOWLOG GET 99999999999", &format!("*2\r\n{second}{first}"));
    bed.check("SLOWLOG GET 0", "*0\r\n");
    let range = "-ERR count should be greater than or equal to -1\r\n";
    bed.check("SLOWLOG GET -2", range);
    bed.check("SLOWLOG GET x", range);
    bed.check("SLOWLOG RESET", "+OK\r\n");
    bed.check("SLOWLOG LEN", ":0\r\n");
}

#[test]
fn latency_tells_events_and_histograms() {
    let mut bed = Bed::new(Version::V2);
    assert!(bed.line("LATENCY DOCTOR").0.contains("Nothing is watched"));
    bed.check("CONFIG SET latency-monitor-threshold 5", "+OK\r\n");
    assert!(bed.line("LATENCY DOCTOR").0.contains("Nothing took 5 ms"));
    bed.check("LATENCY LATEST", "*0\r\n");
    let latency = &bed.shared.latency;
    latency.add(Event::Command, 7_000, 9_000_000);
    latency.add(Event::Command, 8_000, 6_000_000);
    bed.check(
        "LATENCY LATEST",
        "*1\r\n*4\r\n$7\r\ncommand\r\n:8\r\n:6\r\n:9\r\n",
    );
    bed.check(
        "LATENCY HISTORY command",
        "*2\r\n*2\r\n:7\r\n:9\r\n*2\r\n:8\r\n:6\r\n",
    );
    bed.check("LATENCY HISTORY fork", "*0\r\n");
    bed.check(
        "LATENCY GRAPH fork",
        "-ERR No samples available for event 'fork'\r\n",
    );
    let (graph, _) = bed.line("LATENCY GRAPH command");
    assert!(
        graph.contains("command - high 9 ms, low 6 ms (all time high 9 ms)"),
        "{graph}"
    );
    assert!(
        bed.line("LATENCY DOCTOR")
            .0
            .contains("command: in 2 seconds")
    );
    bed.check("LATENCY RESET fork maintenance", ":0\r\n");
    bed.check("LATENCY RESET", ":1\r\n");
    bed.line("GET a");
    bed.line("GET a");
    let get = "*4\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n*2\r\n:2\r\n:2\r\n";
    bed.check(
        "LATENCY HISTOGRAM get none",
        &format!("*2\r\n$3\r\nget\r\n{get}"),
    );
    assert!(
        bed.line("LATENCY HISTOGRAM config")
            .0
            .contains("config|set")
    );
}

#[test]
fn memory_is_told_in_figures_and_in_words() {
    check(&[("MEMORY PURGE", "+OK\r\n"), ("SET k v", "+OK\r\n")]);
    let mut bed = Bed::new(Version::V2);
    bed.line("SET k v");
    let (stats, _) = bed.line("MEMORY STATS");
    assert!(stats.contains("keys.count\r\n:1\r\n"), "{stats}");
    assert!(stats.contains("dataset.bytes\r\n:2\r\n"), "{stats}");
    assert!(bed.line("MEMORY DOCTOR").0.contains("No problem of memory"));
}

#[test]
fn the_slow_log_s_length_can_be_changed() {
    let mut bed = Bed::new(Version::V2);
    bed.check("CONFIG SET slowlog-max-len 2", "+OK\r\n");
    for took_us in 0..5 {
        slowlog::add(&bed.shared, &bed.session, 1, took_us, Vec::new());
    }
    bed.check("SLOWLOG LEN", ":2\r\n");
    assert_eq!(bed.shared.tuning.slowlog_len_max.load(Ordering::Relaxed), 2);
}

#[test]
fn a_tenant_can_be_given_less_memory() {
    let mut bed = Bed::new(Version::V2);
    let all = setting(&mut bed, "maxmemory");
    assert_eq!(all, (64 << 20).to_string());
    for (text, bytes) in [
        ("20mb", 20 << 20),
        ("20M", 20_000_000),
        ("16777216", 16 << 20),
    ] {
        bed.check(&format!("CONFIG SET maxmemory {text}"), "+OK\r\n");
        assert_eq!(setting(&mut bed, "maxmemory"), bytes.to_string());
        assert_eq!(bed.session.tenant.stats().budget_bytes, bytes);
    }
    for (text, why) in [
        (
            "0",
            "argument must be between 16777216 and 67108864 inclusive: ",
        ),
        (
            "65mb",
            "argument must be between 16777216 and 67108864 inclusive: ",
        ),
        ("-1", "argument must be a memory value"),
        ("20tb", "argument must be a memory value"),
        ("99999999999gb", "argument must be a memory value"),
        ("mb", "argument must be a memory value"),
    ] {
        let (reply, _) = bed.line(&format!("CONFIG SET maxmemory {text}"));
        let head = "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - ";
        assert!(
            reply.starts_with(&format!("{head}{why}")),
            "{text}: {reply}"
        );
    }
    bed.check(&format!("CONFIG SET maxmemory {all}"), "+OK\r\n");
}
