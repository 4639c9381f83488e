//! Automation of this repository, in Rust so that it runs where Rust does: `cargo xtask help`.

mod bench;
mod fuzz;
mod policies;
mod process;
mod serve;
mod smoke;
mod steps;
#[cfg(test)]
mod tidy;
mod tools;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Automation of this repository"
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the server with optimisations and runs it: `larder serve ARGS…`
    ///
    /// Arguments (`--help` included) and environment go to the server, which takes this process
    /// over and so gets its signals.
    #[command(disable_help_flag = true)]
    Serve {
        /// What `larder serve` takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Checks all that CI checks, stopping at the first failure
    Test {
        /// Only these steps, in their usual order
        #[arg(value_name = "STEP", value_parser = steps::names())]
        only: Vec<String>,
    },
    /// Builds every policy for WebAssembly: target/policies/NAME.wasm
    Policies,
    /// Builds with optimisations and runs the benchmarks, or the one named
    #[command(disable_help_flag = true)]
    Bench {
        /// Name of a file in benches/src/bin (all when left out), then what it takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Runs the tests whole that CI runs a part of: ten thousand deployments under load, a million vectors of the cipher
    Soak,
    /// Runs the fuzz targets in turn, or the one named (needs the nightly toolchain and cargo-fuzz)
    Fuzz {
        /// Name of a file in tests/fuzz/fuzz_targets
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Serve { args } => serve::run(&args),
        Task::Test { only } => steps::run(&only),
        Task::Policies => policies::run(),
        Task::Bench { args } => bench::run(&args),
        Task::Soak => soak(),
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn soak() -> Result<()> {
    let mut command = process::cargo(["test", "--package", "e2e", "--test", "e2e", "--"]);
    command.args(["soak", "killed_processes", "--nocapture"]);
    command.env("E2E_SOAK_DROPS", "10000");
    command.env("E2E_SOAK_KILLS", "100");
    process::run(&mut command)?;
    let mut command = process::cargo(["test", "--package", "larder-tiers", "--lib", "xaes"]);
    command.env("XAES_MILLION", "1");
    process::run(&mut command)
}
