//! `cargo xtask test`: all that CI checks, what fails soonest first.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;

use crate::process::{self, cargo};
use crate::{policies, smoke, tools};

/// How a step ended that did not fail.
pub(crate) enum Outcome {
    Passed,
    /// With the reason.
    Skipped(&'static str),
}

type Step = (&'static str, fn() -> Result<Outcome>);

const STEPS: [Step; 12] = [
    ("tools", tools::check),
    ("fmt", || done(cargo(["fmt", "--all", "--check"]))),
    ("tidy", || done(cargo(["test", "--package", "xtask"]))),
    ("deny", tools::deny),
    ("advisories", tools::advisories),
    ("clippy", clippy),
    ("docs", docs),
    ("policies", || policies::build().map(|_| Outcome::Passed)),
    ("build", || done(process::test_build())),
    ("smoke", smoke::run),
    ("examples", examples),
    ("tests", tests),
];

/// How long an example may run.
const EXAMPLE: Duration = Duration::from_secs(120);

/// What `cargo xtask test` takes as names.
pub(crate) fn names() -> PossibleValuesParser {
    STEPS.map(|(name, _)| name).into()
}

/// Runs all steps, or `only` those named, up to the first failure.
///
/// # Errors
/// When a step fails; the text names it and says how to repeat it.
pub(crate) fn run(only: &[String]) -> Result<()> {
    let start = Instant::now();
    let mut skipped = Vec::new();
    let chosen = |(name, _): &Step| only.is_empty() || only.iter().any(|wanted| wanted == name);
    for (name, run) in STEPS.into_iter().filter(chosen) {
        eprintln!("\n== {name}");
        let step_start = Instant::now();
        let outcome = run();
        let seconds = step_start.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Passed) => eprintln!("== {name}: passed in {seconds:.1} s"),
            Ok(Outcome::Skipped(reason)) => {
                eprintln!("== {name}: SKIPPED: {reason}");
                skipped.push(name);
            }
            Err(error) => bail!(
                "step {name} failed after {seconds:.1} s: {error:#}\n\
                 The step alone: cargo xtask test {name}"
            ),
        }
    }
    let seconds = start.elapsed().as_secs();
    eprintln!("\n== passed in {seconds} s; skipped: {skipped:?}");
    Ok(())
}

fn done(mut command: Command) -> Result<Outcome> {
    process::run(&mut command).map(|()| Outcome::Passed)
}

/// One run names everything that fails, not the first package that does.
fn tests() -> Result<Outcome> {
    let mut command = process::cargo_members("test");
    command.arg("--no-fail-fast");
    done(command)
}

fn clippy() -> Result<Outcome> {
    let mut command = cargo(["clippy", "--workspace", "--all-targets"]);
    command.args(["--", "-D", "warnings"]);
    done(command)
}

fn docs() -> Result<Outcome> {
    let mut command = cargo(["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    done(command)
}

fn examples() -> Result<Outcome> {
    let names = process::programs("host/examples")?;
    if names.is_empty() {
        return Ok(Outcome::Skipped("there are none"));
    }
    process::run(&mut process::test_build())?;
    for name in names {
        let again = format!("to repeat it: cargo run -p larder --example {name}");
        let program = process::target()?.join("debug/examples").join(&name);
        let mut example = Command::new(program).current_dir(process::root()).spawn()?;
        match process::wait(&mut example, EXAMPLE)? {
            Some(status) if status.success() => eprintln!("example {name}: passed"),
            Some(status) => bail!("example {name}: {status}; {again}"),
            None => bail!("example {name} has not ended in {EXAMPLE:?}; {again}"),
        }
    }
    Ok(Outcome::Passed)
}
