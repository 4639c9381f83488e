use std::collections::BTreeMap;

use larder_resp::{Limits, Value, Version, decode};

use super::super::table::TABLE;
use super::{Bed, check};
use crate::ServerConfig;
use crate::testing::config;

/// The reply to a line, decoded.
#[track_caller]
fn ask(bed: &mut Bed, line: &str) -> Value {
    let (out, _) = bed.line(line);
    match decode(out.as_bytes(), &Limits::default()) {
        Ok(Some((value, consumed))) if consumed == out.len() => value,
        other => panic!("{line}: {other:?} of {out}"),
    }
}

fn text(value: &Value) -> &str {
    let bytes = match value {
        Value::Bulk(Some(bytes)) => bytes.as_slice(),
        Value::Simple(text) | Value::Verbatim(text) => text.as_bytes(),
        other => panic!("no text: {other:?}"),
    };
    str::from_utf8(bytes).expect("UTF-8")
}

/// The pairs of a map, by name.
fn pairs(value: Value) -> BTreeMap<String, Value> {
    let Value::Map(pairs) = value else {
        panic!("no map: {value:?}")
    };
    pairs
        .into_iter()
        .map(|(name, value)| (text(&name).to_owned(), value))
        .collect()
}

const CONTAINERS: [&str; 16] = [
    "acl",
    "cache.invalidate",
    "cache.predict",
    "client",
    "cluster",
    "command",
    "config",
    "function",
    "latency",
    "memory",
    "module",
    "object",
    "policy",
    "pubsub",
    "script",
    "slowlog",
];

#[test]
fn info_has_the_sections_asked_for() {
    let mut bed = Bed::new(Version::V3);
    let mut titles = |line| {
        let info = ask(&mut bed, line);
        let titles = text(&info)
            .lines()
            .filter_map(|line| line.strip_prefix("# "));
        titles.collect::<Vec<_>>().join(" ")
    };
    let by_default = "Server Clients Memory Persistence Stats Replication CPU Modules \
        Errorstats Cluster Keyspace";
    for line in ["INFO", "INFO DEFAULT", "INFO foo default"] {
        assert_eq!(titles(line), by_default, "{line}");
    }
    let all = "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats \
        Errorstats Latencystats Cluster Keyspace Tiers Prediction Policies Tenants";
    for line in ["INFO all", "INFO everything", "INFO foo all default"] {
        assert_eq!(titles(line), all, "{line}");
    }
    assert_eq!(titles("INFO stats"), "Stats");
    assert_eq!(
        titles("INFO Keyspace memory stats MEMORY"),
        "Memory Stats Keyspace"
    );
    assert_eq!(titles("INFO foo"), "");
}

#[test]
fn info_tells_what_is() {
    let mut bed = Bed::new(Version::V2);
    for line in [
        "MSET a 1 b 2",
        "SET c 3 EX 9",
        "GET a",
        "GET x",
        "SELECT 12",
        "SET k v",
    ] {
        bed.line(line);
    }
    bed.now += 90_061_000;
    let info = ask(&mut bed, "INFO");
    let info = text(&info);
    assert!(
        info.starts_with("# Server\r\nredis_version:7.2.4\r\n"),
        "{info}"
    );
    assert!(info.contains("\r\n\r\n# Clients\r\n"), "{info}");
    for line in [
        "server_name:larder",
        "uptime_in_seconds:90061",
        "uptime_in_days:1",
        "maxmemory:67108864",
        "maxmemory_human:64.00M",
        "maxmemory_policy:allkeys-s3-fifo",
        "maxclients:10000",
        "keyspace_hits:1",
        "keyspace_misses:1",
        "keyspace_inserts:4",
        "evicted_keys:0",
        "role:master",
        "db0:keys=3,expires=1,avg_ttl=0",
        "db12:keys=1,expires=0,avg_ttl=0",
    ] {
        assert!(
            info.contains(&format!("\r\n{line}\r\n")),
            "{line} is not in {info}"
        );
    }
    assert!(!info.contains("db1:"), "{info}");
}

#[test]
fn info_tells_of_commands_errors_policies_and_the_tenant() {
    let mut bed = Bed::new(Version::V2);
    for line in [
        "SET a 1",
        "GET a",
        "GET a",
        "INCR",
        "SET a b",
        "INCR a",
        "CONFIG GET save",
    ] {
        bed.line(line);
    }
    let info = ask(
        &mut bed,
        "INFO commandstats errorstats latencystats tenants",
    );
    let info = text(&info);
    for line in [
        "cmdstat_get:calls=2,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0",
        "cmdstat_incr:calls=1,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=1",
        "cmdstat_config|get:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0",
        "latency_percentiles_usec_get:p50=0.000,p99=0.000,p99.9=0.000",
    ] {
        assert!(
            info.contains(&format!("\r\n{line}\r\n")),
            "{line} is not in {info}"
        );
    }
    assert!(
        info.contains("tenant_default:memory=67108864,used="),
        "{info}"
    );
    assert!(!info.contains("cmdstat_ping"), "{info}");
}

#[test]
fn config_get_answers_what_patterns_match() {
    let config = ServerConfig {
        print_config: vec![
            ("memory".into(), "64MiB".into()),
            ("databases".into(), "shadowed".into()),
        ],
        ..config()
    };
    let mut bed = Bed::with(config, Version::V3);
    let mut get = |patterns: &str| {
        let reply = pairs(ask(&mut bed, &format!("CONFIG GET {patterns}")));
        let settings = reply
            .iter()
            .map(|(name, value)| format!("{name}={}", text(value)));
        settings.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(get("nothing"), "");
    assert_eq!(get("save"), "save=");
    assert_eq!(get("APPEND*"), "appendonly=no");
    assert_eq!(
        get("maxmemory* m?xmemory databases"),
        "databases=16 maxmemory=67108864 maxmemory-policy=allkeys-s3-fifo maxmemory-samples=5"
    );
    assert_eq!(
        get("memory timeout maxclients"),
        "maxclients=10000 memory=64MiB timeout=0"
    );
    assert_eq!(get("proto-max-bulk-len"), "proto-max-bulk-len=67108864");
    assert_eq!(get("*").matches('=').count(), 28);
}

#[test]
fn settings_are_a_flat_list_in_resp2() {
    let mut bed = Bed::new(Version::V2);
    bed.check("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    bed.check("CONFIG GET nothing", "*0\r\n");
}

#[test]
fn command_describes_every_command() {
    let mut bed = Bed::new(Version::V3);
    bed.check("COMMAND COUNT", &format!(":{}\r\n", TABLE.len()));
    let all = ask(&mut bed, "COMMAND");
    assert_eq!(ask(&mut bed, "COMMAND INFO"), all);
    let Value::Array(all) = all else {
        panic!("{all:?}")
    };
    let names = all.iter().map(|command| match command {
        Value::Array(elements) if elements.len() == 10 => text(&elements[0]),
        other => panic!("{other:?}"),
    });
    assert!(names.eq(TABLE.iter().map(|command| command.lowercase_name())));
    let docs = pairs(ask(&mut bed, "COMMAND DOCS"));
    assert_eq!(docs.len(), TABLE.len());
    for (name, doc) in docs {
        let doc = pairs(doc);
        assert!(
            !text(&doc["summary"]).is_empty() && doc.contains_key("group"),
            "{name}"
        );
        assert_eq!(
            doc.contains_key("subcommands"),
            CONTAINERS.contains(&&*name)
        );
    }
}

#[test]
fn command_info_in_both_versions() {
    let mget = "*1\r\n*10\r\n$4\r\nmget\r\n:-2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:-1\r\n:1\r\n\
        ~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n\
        ~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n\
        $12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n\
        $9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:-1\r\n\
        $7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n\
        *0\r\n";
    Bed::new(Version::V3).check("COMMAND INFO mget", mget);
    let flat = mget
        .replace('~', "*")
        .replace("%3", "*6")
        .replace("%2", "*4")
        .replace("%1", "*2");
    Bed::new(Version::V2).check("COMMAND INFO mget", &flat);
    Bed::new(Version::V2).check("COMMAND INFO foo client|foo", "*2\r\n$-1\r\n$-1\r\n");
    let rename = Bed::new(Version::V3).line("COMMAND INFO rename").0;
    let keys = "~2\r\n%3\r\n$5\r\nflags\r\n~3\r\n+RW\r\n+access\r\n+delete\r\n";
    assert!(rename.contains(keys), "{rename}");
    assert!(
        rename.contains("flags\r\n~2\r\n+OW\r\n+update\r\n"),
        "{rename}"
    );
    let setname = "*1\r\n*10\r\n$14\r\nclient|setname\r\n:3\r\n";
    assert!(
        Bed::new(Version::V2)
            .line("COMMAND INFO Client|SetName")
            .0
            .starts_with(setname)
    );
}

#[test]
fn command_docs_leaves_out_what_there_is_not() {
    let doc = "$3\r\nget\r\n%3\r\n$7\r\nsummary\r\n$26\r\nReturns the value of a key\r\n\
        $5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n";
    let mut bed = Bed::new(Version::V3);
    bed.check("COMMAND DOCS get foo GET", &format!("%1\r\n{doc}"));
    bed.check("COMMAND DOCS foo", "%0\r\n");
}

#[test]
fn command_list_filters() {
    let mut bed = Bed::new(Version::V2);
    let mut list = |line: &str| {
        let Value::Array(names) = ask(&mut bed, line) else {
            panic!("{line}")
        };
        names.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    assert!(list("COMMAND LIST").contains("client|getname client|getredir client|help"));
    assert_eq!(
        list("COMMAND LIST FILTERBY PATTERN *GET"),
        "cache.get cluster|forget config|get get mget slowlog|get"
    );
    let admin = list("COMMAND LIST FILTERBY ACLCAT admin");
    assert!(
        admin.contains(
            " cache.record client|kill client|list client|no-evict client|pause client|unblock client|unpause cluster|addslots cluster|addslotsrange"
        ),
        "{admin}"
    );
    assert!(
        admin.contains(
            " cluster|setslot cluster|slaves config|get config|resetstat config|rewrite config|set lastsave"
        ),
        "{admin}"
    );
    assert_eq!(list("COMMAND LIST FILTERBY MODULE json"), "");
    bed.check("COMMAND LIST FILTERBY", "-ERR syntax error\r\n");
    bed.check("COMMAND LIST FILTERBY FOO bar", "-ERR syntax error\r\n");
}

#[test]
fn command_getkeys() {
    check(&[
        ("COMMAND GETKEYS GET a", "*1\r\n$1\r\na\r\n"),
        ("COMMAND GETKEYS SET a b EX 10", "*1\r\n$1\r\na\r\n"),
        ("COMMAND GETKEYS MGET a b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        (
            "COMMAND GETKEYS MSET a 1 b 2",
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        ),
        (
            "COMMAND GETKEYS BITOP AND d a b",
            "*3\r\n$1\r\nd\r\n$1\r\na\r\n$1\r\nb\r\n",
        ),
        (
            "COMMAND GETKEYS EVAL code 2 a b c",
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        ),
        ("COMMAND GETKEYS EVALSHA_RO sha 2 a", "*0\r\n"),
        ("COMMAND GETKEYS OBJECT freq a", "*1\r\n$1\r\na\r\n"),
        (
            "COMMAND GETKEYS OBJECT a",
            "-ERR Invalid command specified\r\n",
        ),
        (
            "COMMAND GETKEYS OBJECT",
            "-ERR The command has no key arguments\r\n",
        ),
        (
            "COMMAND GETKEYS PING",
            "-ERR The command has no key arguments\r\n",
        ),
        (
            "COMMAND GETKEYS GET",
            "-ERR Invalid number of arguments specified for command\r\n",
        ),
        ("COMMAND GETKEYS FOO", "-ERR Invalid command specified\r\n"),
    ]);
    let mut bed = Bed::new(Version::V3);
    bed.check(
        "COMMAND GETKEYSANDFLAGS COPY a b",
        "*2\r\n*2\r\n$1\r\na\r\n~2\r\n+RO\r\n+access\r\n*2\r\n$1\r\nb\r\n~2\r\n+OW\r\n+update\r\n",
    );
    bed.check(
        "COMMAND GETKEYSANDFLAGS PING x",
        "-ERR The command has no key arguments\r\n",
    );
}

#[test]
fn containers_help() {
    let mut bed = Bed::new(Version::V2);
    for (container, sample) in [
        ("CLIENT", "SETNAME <name>"),
        ("CONFIG", "GET <pattern>"),
        ("COMMAND", "COUNT"),
        ("FUNCTION", "FLUSH [ASYNC|SYNC]"),
        ("MEMORY", "USAGE <key> [SAMPLES <count>]"),
        ("MODULE", "LIST"),
        ("OBJECT", "REFCOUNT <key>"),
        ("SLOWLOG", "GET [<count>]"),
    ] {
        let Value::Array(lines) = ask(&mut bed, &format!("{container} HELP")) else {
            panic!("{container}");
        };
        let lines: Vec<_> = lines.iter().map(text).collect();
        let head = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        assert_eq!(lines[0], head);
        assert!(lines.contains(&sample), "{lines:?}");
        assert_eq!(lines[lines.len() - 2..], ["HELP", "    Print this help."]);
    }
}

#[test]
fn what_a_server_says_that_stands_alone() {
    let alone = "-ERR This instance has cluster support disabled\r\n";
    check(&[
        ("CLUSTER INFO", alone),
        ("CLUSTER KEYSLOT k", alone),
        ("CLUSTER COUNTKEYSINSLOT 0", alone),
        ("CLUSTER MEET 127.0.0.1 1", alone),
        (
            "CLUSTER MEET",
            "-ERR wrong number of arguments for 'cluster|meet' command\r\n",
        ),
        ("READONLY", alone),
        ("READWRITE", alone),
        ("ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
        ("LASTSAVE", ":1700000000\r\n"),
        ("WAIT 3 0", ":0\r\n"),
        ("WAIT 0 -1", "-ERR timeout is negative\r\n"),
        (
            "WAIT 0 9223372036854775807",
            "-ERR timeout is out of range\r\n",
        ),
        ("MODULE LIST", "*0\r\n"),
        ("FUNCTION LIST LIBRARYNAME a WITHCODE", "*0\r\n"),
        ("FUNCTION LIST a", "-ERR Unknown argument a\r\n"),
        ("FUNCTION FLUSH SYNC", "+OK\r\n"),
        ("SWAPDB 3 3", "+OK\r\n"),
        ("SWAPDB x 3", "-ERR invalid first DB index\r\n"),
        ("SWAPDB 3 16", "-ERR DB index is out of range\r\n"),
    ]);
    let mut bed = Bed::new(Version::V2);
    assert!(bed.line("LOLWUT VERSION 5").0.contains("Larder ver. "));
}
