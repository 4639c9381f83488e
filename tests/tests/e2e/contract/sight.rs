//! What is seen from outside: the ready line, HTTP, metrics, INFO.

use std::collections::BTreeSet;
use std::fs;

use e2e::harness::{Process, Server, Signal, eventually, get};
use larder_resp::Value;

use crate::values::{NIL, bulk, ok};

#[test]
fn the_ready_line_is_all_there_is_on_standard_output() {
    let server = Server::start(&["--threads", "2"]);
    let (resp, http) = (server.addr(), server.http());
    assert!(resp.port() != 0 && http.port() != 0);
    server.client().call(&["PING"]);
    server.process().signal(Signal::INT);
    let finished = server.wait();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert_eq!(
        finished.stdout,
        format!("larder ready resp={resp} http={http} tls=none\n")
    );
}

#[test]
fn health_and_readiness_are_plain() {
    let server = Server::start(&[]);
    for (path, body) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let response = server.get(path);
        assert_eq!(
            (response.status, response.body.as_str()),
            (200, body),
            "{path}"
        );
    }
    let nothing = server.get("/secrets");
    assert_eq!(nothing.status, 404);
    assert!(
        nothing.head.contains("application/problem+json"),
        "{nothing:?}"
    );
    let head = server.get("/metrics").head.to_ascii_lowercase();
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
}

#[test]
fn http_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&mut Server::command(&["--http", "none"], folder.path()));
    let line = eventually("the ready line", || {
        let said = process.stdout();
        said.split_once('\n').map(|(line, _)| line.to_owned())
    });
    assert!(line.starts_with("larder ready resp=127.0.0.1:"), "{line}");
    assert!(line.ends_with(" http=none tls=none"), "{line}");
}

/// Dashboards and alerts are built on the names in `host/METRICS.md`.
#[test]
fn every_metric_is_there_with_help_and_type() {
    let listed = include_str!("../../../../host/METRICS.md").lines();
    let mut expected: BTreeSet<&str> = listed
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert!(expected.len() >= 50, "{expected:?}");
    // What policies of the folder do is told where there are some, and likewise of loaders, hooks and surveys.
    expected.retain(|name| *name == "larder_policy_info" || !name.starts_with("larder_policy_"));
    for some in ["larder_loader_", "larder_hook_", "larder_key_entries"] {
        expected.retain(|name| !name.starts_with(some));
    }
    let server = Server::start(&["--l2", "disk"]);
    let page = server.get("/metrics").body;
    let names = |mark: &str| -> BTreeSet<&str> {
        let marked = page.lines().filter_map(|line| line.strip_prefix(mark));
        marked.filter_map(|rest| rest.split(' ').next()).collect()
    };
    assert_eq!(names("# HELP "), expected);
    assert_eq!(names("# TYPE "), expected);
}

/// A tenant's figures stand beside the default's.
#[test]
fn metrics_tell_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.toml");
    let tenants = "memory = \"16MiB\"\n[[tenant]]\nname = \"sessions\"\nmemory = \"4MiB\"\n";
    fs::write(&path, tenants).unwrap();
    let server = Server::start(&["--config", &path.display().to_string()]);
    let mut client = server.client();
    assert_eq!(client.call(&["SET", "a", "1"]), ok());
    assert_eq!(client.call(&["SET", "a", "22"]), ok());
    assert_eq!(client.call(&["SET", "b", "1", "PX", "1"]), ok());
    assert_eq!(client.call(&["SET", "c", "1", "EX", "1000"]), ok());
    assert_eq!(client.call(&["GET", "a"]), bulk("22"));
    assert_eq!(client.call(&["GET", "none"]), NIL);
    let Value::Error(_) = client.call(&["NONE"]) else {
        panic!("NONE is no command")
    };
    eventually("b expires", || {
        (server.metric("larder_expired_total") == 1.0).then_some(())
    });
    for (name, value) in [
        ("larder_hits_total", 1.0),
        ("larder_misses_total", 1.0),
        ("larder_inserts_total", 3.0),
        ("larder_updates_total", 1.0),
        ("larder_entries", 2.0),
        ("larder_ttl_entries", 1.0),
        ("larder_data_bytes", 5.0),
        ("larder_commands_total", 7.0),
        ("larder_error_replies_total", 1.0),
        ("larder_connected_clients", 1.0),
        ("larder_clients_accepted_total", 1.0),
        ("larder_clients", 1.0),
        ("larder_memory_limit_bytes", f64::from(16 << 20)),
        ("larder_tenant_memory_bytes", f64::from(16 << 20)),
    ] {
        assert_eq!(server.metric(name), value, "{name}");
    }
    let resident = server.metric("larder_resident_bytes");
    let measured = server.process().resident_bytes() as f64;
    assert!(
        (0.5..3.0).contains(&(resident / measured)),
        "{resident} of {measured}"
    );
    let page = server.get("/metrics").body;
    let share = format!(
        "larder_tenant_memory_bytes{{tenant=\"sessions\"}} {}",
        4 << 20
    );
    assert!(page.contains(&share), "{page}");
}

/// The fields that client libraries and exporters read.
#[test]
fn info_has_the_fields_that_clients_parse() {
    let server = Server::start(&["--memory", "16MiB"]);
    let mut client = server.client();
    client.call(&["SET", "a", "1"]);
    client.call(&["SET", "b", "1", "EX", "1000"]);
    client.call(&["GET", "a"]);
    client.call(&["GET", "none"]);
    let fields = server.info();
    for (name, value) in [
        ("redis_mode", "standalone"),
        ("role", "master"),
        ("loading", "0"),
        ("connected_slaves", "0"),
        ("maxmemory", "16777216"),
        ("maxmemory_policy", "allkeys-s3-fifo"),
        ("connected_clients", "2"),
        ("keyspace_hits", "1"),
        ("keyspace_misses", "1"),
        ("evicted_keys", "0"),
        ("db0", "keys=2,expires=1,avg_ttl=0"),
    ] {
        assert_eq!(
            fields.get(name).map(String::as_str),
            Some(value),
            "{name} in {fields:#?}"
        );
    }
    assert_eq!(fields["tcp_port"], server.addr().port().to_string());
    assert_eq!(fields["process_id"], server.pid().to_string());
    assert_eq!(fields["run_id"].len(), 40);
    let version: Vec<u32> = fields["redis_version"]
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    assert_eq!(version.len(), 3);
    for name in [
        "used_memory",
        "used_memory_rss",
        "uptime_in_seconds",
        "total_commands_processed",
    ] {
        fields[name]
            .parse::<u64>()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let parts = client.call(&["INFO", "keyspace", "replication"]);
    let Value::Bulk(Some(text)) = parts else {
        panic!("{parts:?}")
    };
    let text = String::from_utf8(text).unwrap();
    let titles: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(titles, ["# Replication", "# Keyspace"]);
}

#[test]
fn nobody_is_ready_once_the_server_has_ended() {
    let server = Server::start(&[]);
    let http = server.http();
    assert_eq!(server.stop().code(), Some(0));
    assert!(get(http, "/readyz").is_err());
}
