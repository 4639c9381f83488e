//! `cargo xtask fuzz`: coverage-guided fuzzing. What it finds of interest is kept in cargo's target
//! folder, so that the corpus in the repository, which the tests replay, changes by intent only.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process;

const FOLDER: &str = "tests/fuzz";

/// Fuzzes `target`, or each in turn, for `seconds` each.
///
/// # Errors
/// When the tools are missing, there is no such target, or a fault was found.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<()> {
    ensure!(
        process::succeeds(&mut nightly(&["--version"])),
        "fuzzing needs the nightly toolchain: rustup toolchain install nightly"
    );
    ensure!(
        process::succeeds(&mut nightly(&["fuzz", "--version"])),
        "fuzzing needs cargo-fuzz: cargo install --locked cargo-fuzz"
    );
    let mut targets = process::programs(&format!("{FOLDER}/fuzz_targets"))?;
    if let Some(target) = target {
        let known = targets.join(", ");
        targets.retain(|name| name == target);
        ensure!(
            !targets.is_empty(),
            "no fuzz target {target}: there are {known}"
        );
    }
    for name in targets {
        eprintln!("xtask: fuzz {name} for {seconds} s");
        fuzz(&name, seconds)?;
    }
    Ok(())
}

fn fuzz(name: &str, seconds: u32) -> Result<()> {
    let found = process::target()?.join("fuzz").join(name);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = nightly(&["fuzz", "run", "--fuzz-dir", FOLDER, name]);
    command.arg(found);
    let seeds = format!("{FOLDER}/corpus/{name}");
    if process::root().join(&seeds).is_dir() {
        command.arg(seeds);
    }
    // One input that takes 10 s is a fault too.
    command.args(["--", "-timeout=10", &format!("-max_total_time={seconds}")]);
    process::run(&mut command)
}

/// The nightly cargo, through rustup: the cargo that runs this program cannot switch toolchains.
fn nightly(args: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo"])
        .args(args)
        .current_dir(process::root());
    command
}
