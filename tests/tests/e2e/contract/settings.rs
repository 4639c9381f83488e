//! Settings: where they come from, what is said when they are wrong.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::harness::{Finished, PATIENCE, Server, larder, run};
use larder_resp::Value;

use crate::values::bulk;

fn file(folder: &Path, text: &str) -> String {
    let path = folder.join("larder.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn check(path: &str) -> Finished {
    run(&mut larder(["check-config", "--config", path]), PATIENCE)
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "memory = \"lots\"\nlisten = 5\n\n[limits]\nclients_max = 0\nspeed = 1\n[cache]\n\
         [[tenant]]\nname = \"A\"\n",
    );
    let mut serve = Server::command(&["--config", &path, "--l2", "tape"], folder.path());
    serve.env("LARDER_THREADS", "none");
    let finished = run(&mut serve, PATIENCE);
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    let said: Vec<&str> = finished.stderr.lines().collect();
    let places = [
        format!("error: {path}:1: memory: found \"lots\"; allowed: a size from 4MiB"),
        format!("error: {path}:2: listen: found 5; allowed: an IP address"),
        format!("error: {path}:5: limits.clients_max: found 0; allowed: a whole number from 1"),
        format!("error: {path}:6: limits.speed: unknown key; allowed in [limits]: clients_max,"),
        format!("error: {path}:7: [cache]: unknown table; allowed: [compression]"),
        format!("error: {path}:8: tenant.memory: missing; allowed:"),
        format!("error: {path}:9: tenant.name: found \"A\"; allowed:"),
        "error: LARDER_THREADS: threads: found \"none\"; allowed:".to_owned(),
        "error: --l2: l2: found \"tape\"; allowed: \"none\", \"disk\" or an address such as redis://127.0.0.1:6379, rediss://HOST:PORT or redis-cluster://HOST:PORT,HOST:PORT".to_owned(),
    ];
    for place in &places {
        assert!(
            said.iter().any(|line| line.starts_with(place)),
            "no {place} in {said:#?}"
        );
    }
    assert_eq!(said.len(), places.len(), "{said:#?}");
    let checked = check(&path);
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    assert!(
        checked.stderr.contains(&format!("{path}:7: ")),
        "{checked:?}"
    );
}

#[test]
fn what_is_not_toml_is_a_problem_with_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "threads = 1\nmemory = = 1\n");
    let checked = check(&path);
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    assert!(
        checked
            .stderr
            .starts_with(&format!("error: {path}:2: not TOML")),
        "{checked:?}"
    );
}

#[test]
fn the_samples_are_right_and_what_is_printed_can_be_read_back() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/config");
    let samples: Vec<PathBuf> = fs::read_dir(samples)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    assert!(!samples.is_empty());
    let print = |path: &str| {
        let printed = run(&mut larder(["print-config", "--config", path]), PATIENCE);
        assert!(printed.status.success(), "{path}: {printed:?}");
        printed.stdout
    };
    let folder = tempfile::tempdir().unwrap();
    for sample in samples {
        let sample = sample.display().to_string();
        let checked = check(&sample);
        assert!(checked.status.success(), "{sample}: {checked:?}");
        // What stood as a default in the first print stands in the file for the second.
        let once = print(&file(folder.path(), &print(&sample)));
        let twice = print(&file(folder.path(), &once));
        assert_eq!(once, twice, "{sample}");
    }
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "memory = \"16MiB\"\nthreads = 1\neviction = \"lru\"\n[limits]\nclients_max = 7\n",
    );
    let flags = ["--config", &path, "--limits-clients-max", "9"];
    let server = Server::start_with(&flags, |command| {
        command
            .env("LARDER_LIMITS_CLIENTS_MAX", "8")
            .env("LARDER_MEMORY", "32MiB");
    });
    let mut client = server.client();
    for (name, value) in [
        ("maxclients", "9"),
        ("limits.clients_max", "9"),
        ("maxmemory", "33554432"),
        ("maxmemory-policy", "allkeys-lru"),
        ("threads", "1"),
    ] {
        let reply = client.call(&["CONFIG", "GET", name]);
        assert_eq!(reply, Value::Array(vec![bulk(name), bulk(value)]));
    }
    assert_eq!(server.info()["worker_threads"], "1");
}

#[test]
fn an_unknown_variable_is_warned_of_and_nothing_more() {
    let server = Server::start_with(&[], |command| {
        command.env("LARDER_MEMROY", "1");
    });
    let said = server.process().said("LARDER_MEMROY");
    let warned = |line: &str| line.contains("WARN") && line.contains("LARDER_MEMROY");
    assert!(said.lines().any(warned), "{said}");
    assert_eq!(server.stop().code(), Some(0));
    let mut checked = larder(["check-config"]);
    let checked = run(checked.env("LARDER_MEMROY", "1"), PATIENCE);
    assert!(checked.status.success(), "{checked:?}");
    assert!(
        checked.stderr.starts_with("warning: LARDER_MEMROY: "),
        "{checked:?}"
    );
}
