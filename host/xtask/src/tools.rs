//! Programs from outside: those that the tests start, and cargo-deny.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::process::{self, cargo};
use crate::steps::Outcome;

/// A command that succeeds where the program is there, and Debian's package of it.
const PROGRAMS: [(&[&str], &str); 9] = [
    (&["redis-server", "--version"], "redis-server"),
    (&["redis-cli", "--version"], "redis-tools"),
    (&["python3", "--version"], "python3"),
    (&["chromium", "--version"], "chromium"),
    (&["clang", "--version"], "clang"),
    (&["wasm-ld", "--version"], "lld"),
    (&["python3", "-c", "import ensurepip, venv"], "python3-venv"),
    (&["node", "--version"], "nodejs"),
    (&["npm", "--version"], "npm"),
];
const DENY_MISSING: &str = "cargo-deny is missing: cargo install --locked cargo-deny";
/// How long the advisory database may take to arrive.
const FETCH: Duration = Duration::from_secs(60);

/// Fails when a program is missing that the end-to-end tests start.
///
/// # Errors
/// Names what is missing and how to install it.
pub(crate) fn check() -> Result<Outcome> {
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(command, _)| !process::succeeds(Command::new(command[0]).args(&command[1..])))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        bail!(
            "programs are missing; on Debian: apt-get install {}",
            missing.join(" ")
        );
    }
    Ok(Outcome::Passed)
}

/// Judges licences, bans and sources of what the workspace depends on. Only CI insists on cargo-deny.
///
/// # Errors
/// When a dependency breaks a rule of `.deny.toml`, or cargo-deny is missing in CI.
pub(crate) fn deny() -> Result<Outcome> {
    if !process::succeeds(&mut cargo(["deny", "--version"])) {
        if std::env::var_os("CI").is_some() {
            bail!(DENY_MISSING);
        }
        return Ok(Outcome::Skipped(DENY_MISSING));
    }
    let what = ["bans", "licenses", "sources"];
    process::run(cargo(["deny", "--config", ".deny.toml", "check"]).args(what))?;
    Ok(Outcome::Passed)
}

/// Looks dependencies up among the known vulnerabilities, where the database of those can be reached.
///
/// # Errors
/// When a dependency is vulnerable, unsound, unmaintained or withdrawn.
pub(crate) fn advisories() -> Result<Outcome> {
    let mut fetch = cargo(["deny", "--config", ".deny.toml", "fetch", "db"]);
    fetch.env("GIT_TERMINAL_PROMPT", "0");
    fetch
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let fetched = process::wait(&mut fetch.spawn()?, FETCH)?;
    if !fetched.is_some_and(|status| status.success()) {
        return Ok(Outcome::Skipped("the advisory database cannot be fetched"));
    }
    process::run(&mut cargo([
        "deny",
        "--config",
        ".deny.toml",
        "check",
        "advisories",
    ]))?;
    Ok(Outcome::Passed)
}
