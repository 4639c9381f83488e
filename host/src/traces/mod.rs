//! `larder trace`: what is in a trace, traces in another form, traces made up.

mod convert;
mod generate;
mod info;
mod options;
mod output;
mod watched;

use std::process::ExitCode;

use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  larder trace info *.oracleGeneral.zst                      sizes, times, skew, side by side
  larder trace convert cdn.csv cdn.oracleGeneral.zst         with the next accesses found out
  larder trace convert long.zst short.zst --sample 1%        all requests of a hundredth of the objects
  larder trace generate made.zst --scan 20% --drift 100      a trace made up
  larder simulate made.zst --policy s3-fifo --policy belady  what policies make of it

Exit codes: 0 done; 1 a trace could not be read to its end, or nothing could be written; 2 wrong
command line.";

/// Look into traces, convert them, make them up
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TraceArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Info(info::InfoArgs),
    Convert(convert::ConvertArgs),
    Generate(Box<generate::GenerateArgs>),
}

impl TraceArgs {
    /// Does what was asked for, and says so on standard output.
    ///
    /// # Errors
    /// When a trace cannot be written, or the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Info(args) => args.run(),
            Action::Convert(args) => args.run(),
            Action::Generate(args) => args.run(),
        }
    }
}
