//! redis-py, with its parser in C and without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::harness::{Finished, PATIENCE, Server, announce, run, target, tool};

/// How long the package index may take.
const INSTALL_MAX: Duration = Duration::from_secs(180);

const PACKAGES: [&str; 2] = ["redis", "hiredis"];

/// An interpreter that has redis-py; `None` where there is none, see [`tool`]. Its folder is made
/// once and kept beside what cargo has built.
fn python() -> Option<PathBuf> {
    let system = tool("python3", "redis-py")?;
    let folder = target().join("e2e-redis-py");
    let python = folder.join("bin/python");
    let is_made = folder.join("made");
    if is_made.exists() {
        return Some(python);
    }
    // What an interrupted run has left is made anew.
    let made = make(
        Command::new(&system)
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    ) && make(
        Command::new(&python)
            .args(["-m", "pip", "install", "-q"])
            .args(PACKAGES),
    ) && fs::write(&is_made, "").is_ok();
    made.then_some(python)
}

/// Runs one step; when it fails, the test is skipped, but not in CI.
fn make(command: &mut Command) -> bool {
    let finished: Finished = run(command.stdin(Stdio::null()), INSTALL_MAX);
    let ok = finished.status.success();
    if !ok {
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!ci, "{command:?}: {finished:?}");
        announce(&format!("SKIPPED redis-py: {command:?} failed"));
    }
    ok
}

#[test]
fn redis_py_works_in_both_versions_of_the_protocol() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket").display().to_string();
    let flags = [
        "--unix-socket",
        &socket,
        "--memory",
        "64MiB",
        "--threads",
        "2",
    ];
    let server = Server::start(&flags);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/redis_py.py");
    let (ip, port) = (
        server.addr().ip().to_string(),
        server.addr().port().to_string(),
    );
    for parser in ["hiredis", "python"] {
        let mut command = Command::new(&python);
        command.arg(&script).args([&ip, &port, &socket, parser]);
        let finished = run(command.stdin(Stdio::null()), PATIENCE * 2);
        assert!(
            finished.status.success(),
            "{}\n{}",
            finished.stdout,
            finished.stderr
        );
        assert_eq!(
            finished.stdout.lines().last(),
            Some("redis-py: all right"),
            "{finished:?}"
        );
    }
}
