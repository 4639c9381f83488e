//! The command line.

mod overrides;

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::config::{self, Loaded, Problems, Sources};
use crate::load::{BenchArgs, ReplayArgs};
use crate::policy::PolicyArgs;
use crate::record::RecordArgs;
use crate::serve;
use crate::simulate::SimulateArgs;
use crate::traces::TraceArgs;
use overrides::Overrides;

/// The server could not start, or its configuration is wrong. Clap uses the same for a wrong
/// command line.
const EXIT_REFUSED: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  larder serve                                        serve on 127.0.0.1:6379 with 256 MiB
  larder serve --memory 1GiB --listen 127.0.0.1:7000
  larder serve --config larder.toml                   settings from a file
  larder check-config --config larder.toml            is the file right?
  larder print-config --config larder.toml            what would be in force, and why
  larder bench --clients 50 --duration 10s            load a running server
  larder replay trace.oracleGeneral.zst               replay a recorded trace
  larder record --out monday.larder --for 10m         record what clients do
  larder simulate trace.oracleGeneral.zst --policy lru --policy s3-fifo
  larder trace info trace.oracleGeneral.zst           what is in a trace
  larder policy new my-ttl --kind ttl                 begin a policy of your own

Exit codes: 0 done; 1 failed, or clients were cut off when the server stopped; 2 wrong
configuration, or the server could not start.";

const SETTINGS_HELP: &str = "\
Each setting can also be a variable of the environment (--limits-clients-max is
LARDER_LIMITS_CLIENTS_MAX) or a key of the file (clients_max in [limits]). A flag beats the
environment, which beats the file. LARDER_CONFIG names the file; LARDER_LOG sets the log by
module (larder_server=debug,warn) in place of the level. Tenants are listed in the file.";

/// A cache server that speaks the Redis protocol.
#[derive(Debug, Parser)]
#[command(name = "larder", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    #[command(after_help = SETTINGS_HELP)]
    Serve(Said),
    /// Say everything that is wrong with a configuration, or that it is right
    #[command(after_help = SETTINGS_HELP)]
    CheckConfig(Said),
    /// Print the effective settings as TOML, each with where it came from
    #[command(after_help = SETTINGS_HELP)]
    PrintConfig(Said),
    Bench(BenchArgs),
    Replay(ReplayArgs),
    Record(RecordArgs),
    Simulate(SimulateArgs),
    Trace(TraceArgs),
    Policy(PolicyArgs),
}

/// What the command line says about the configuration.
#[derive(Debug, Args)]
struct Said {
    /// The configuration file, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Runs the program on the arguments of the process.
pub fn run() -> ExitCode {
    let (done, refused) = match Cli::parse().command {
        Command::Serve(said) => (said.serve(), EXIT_REFUSED),
        Command::CheckConfig(said) => (said.check(), EXIT_REFUSED),
        Command::PrintConfig(said) => (said.print(), EXIT_REFUSED),
        Command::Bench(bench) => (bench.run(), 1),
        Command::Replay(replay) => (replay.run(), 1),
        Command::Record(record) => (record.run(), 1),
        Command::Simulate(simulate) => (simulate.run(), 1),
        Command::Trace(trace) => (trace.run(), 1),
        Command::Policy(policy) => (policy.run(), 1),
    };
    done.unwrap_or_else(|error| {
        match error.downcast_ref::<Problems>() {
            Some(Problems(problems)) => problems.iter().for_each(|each| eprintln!("error: {each}")),
            None => eprintln!("error: {error:#}"),
        }
        ExitCode::from(refused)
    })
}

impl Said {
    fn serve(self) -> anyhow::Result<ExitCode> {
        let (loaded, unknown_variables) = self.load()?;
        serve::run(&loaded, &unknown_variables)
    }

    fn check(self) -> anyhow::Result<ExitCode> {
        let (_, unknown_variables) = self.load()?;
        warn_of(&unknown_variables);
        say("the configuration is right\n")
    }

    fn print(self) -> anyhow::Result<ExitCode> {
        let (loaded, unknown_variables) = self.load()?;
        warn_of(&unknown_variables);
        say(&config::print(&loaded))
    }

    /// The configuration, and the names of variables that are none of it. These are warned of at
    /// once when there are problems, since one of them may be why.
    fn load(self) -> Result<(Loaded, Vec<String>), Problems> {
        let environment: Vec<_> = env::vars_os().collect();
        let unknown_variables = config::unknown_variables(&environment);
        let sources = Sources {
            file: self.config,
            environment,
            flags: self.overrides.0,
        };
        match config::load(sources) {
            Ok(loaded) => Ok((loaded, unknown_variables)),
            Err(problems) => {
                warn_of(&unknown_variables);
                Err(problems)
            }
        }
    }
}

fn warn_of(unknown_variables: &[String]) {
    for variable in unknown_variables {
        eprintln!("warning: {variable}: unknown variable in the environment, without effect");
    }
}

/// Writes to standard output; unlike `print!`, a reader that went away is an error and no panic.
fn say(text: &str) -> anyhow::Result<ExitCode> {
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn flags(line: &str) -> Vec<(String, String)> {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        match cli.command {
            Command::Serve(said) => said.overrides.0.into_iter().collect(),
            _ => panic!("{line} is not serve"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed_and_every_setting_is_a_flag() {
        let mut command = Cli::command();
        command.build();
        let serve = command.find_subcommand_mut("serve").unwrap();
        let help = serve.render_long_help().to_string();
        for setting in config::defaults() {
            let flag = format!("--{}", config::flag_name(setting.key));
            assert!(help.contains(&flag), "{flag} is missing in:\n{help}");
        }
    }

    #[test]
    fn flags_go_by_the_key_of_their_setting() {
        let said = flags("larder serve --memory 1GiB --insecure --limits-clients-max=5");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            said,
            [
                pair("insecure", "true"),
                pair("limits.clients_max", "5"),
                pair("memory", "1GiB")
            ]
        );
        assert_eq!(
            flags("larder serve --insecure=false"),
            [pair("insecure", "false")]
        );
        assert_eq!(flags("larder serve"), []);
    }
}
