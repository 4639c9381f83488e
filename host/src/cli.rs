//! The command line.

mod examples;
mod overrides;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{self, Loaded, Problems, Sources};
use crate::hash_password::HashPasswordArgs;
use crate::health::HealthArgs;
use crate::keys::{KeysArgs, RingFile};
use crate::load::{BenchArgs, ReplayArgs};
use crate::policy::PolicyArgs;
use crate::predict::PredictArgs;
use crate::record::RecordArgs;
use crate::simulate::SimulateArgs;
use crate::traces::TraceArgs;
use crate::warmup::WarmupArgs;
use crate::{doctor, output, serve};
use examples::with_settings;
use overrides::Overrides;

/// The server could not start, or its configuration is wrong. Clap uses the same for a wrong
/// command line.
const EXIT_REFUSED: u8 = 2;

/// A cache server that speaks the Redis protocol.
#[derive(Debug, Parser)]
#[command(name = "larder", version, after_help = examples::LARDER, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    #[command(after_help = with_settings(examples::SERVE))]
    Serve(Said),
    /// Say everything that is wrong with a configuration, or that it is right
    #[command(after_help = with_settings(examples::CHECK_CONFIG))]
    CheckConfig(Said),
    /// Print the effective settings as TOML, each with where it came from
    #[command(after_help = with_settings(examples::PRINT_CONFIG))]
    PrintConfig(Said),
    /// Say what of this machine is in a server's way, and the command that mends it
    #[command(after_help = with_settings(examples::DOCTOR))]
    Doctor(DoctorArgs),
    Health(HealthArgs),
    HashPassword(HashPasswordArgs),
    Keys(KeysArgs),
    Bench(BenchArgs),
    Replay(ReplayArgs),
    Record(RecordArgs),
    Warmup(Box<WarmupArgs>),
    Simulate(SimulateArgs),
    Trace(TraceArgs),
    Policy(PolicyArgs),
    Predict(PredictArgs),
    /// Print a script that completes this command line in a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
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

#[derive(Debug, Args)]
struct DoctorArgs {
    /// How it is told
    #[arg(long, value_enum, default_value_t = doctor::Format::Text)]
    format: doctor::Format,
    #[command(flatten)]
    said: Said,
}

/// Runs the program on the arguments of the process.
pub fn run() -> ExitCode {
    let (done, refused) = match Cli::parse().command {
        Command::Serve(said) => (said.serve(), EXIT_REFUSED),
        Command::CheckConfig(said) => (said.check(), EXIT_REFUSED),
        Command::PrintConfig(said) => (said.print(), EXIT_REFUSED),
        Command::HashPassword(hash_password) => (hash_password.run(), 1),
        Command::Keys(keys) => (keys.run(), 1),
        Command::Bench(bench) => (bench.run(), 1),
        Command::Replay(replay) => (replay.run(), 1),
        Command::Record(record) => (record.run(), 1),
        Command::Warmup(warmup) => (warmup.run(), 1),
        Command::Simulate(simulate) => (simulate.run(), 1),
        Command::Trace(trace) => (trace.run(), 1),
        Command::Policy(policy) => (policy.run(), 1),
        Command::Predict(predict) => (predict.run(), 1),
        Command::Doctor(DoctorArgs { format, said }) => (said.examine(format), EXIT_REFUSED),
        Command::Health(health) => (health.run(), EXIT_REFUSED),
        Command::Completions { shell } => (complete(shell), 1),
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
        let (loaded, unknown_variables) = self.load()?;
        warn_of(&unknown_variables);
        if let Some(path) = &loaded.config.codec.key_ring {
            RingFile::open(path)?;
        }
        say("the configuration is right\n")
    }

    fn print(self) -> anyhow::Result<ExitCode> {
        let (loaded, unknown_variables) = self.load()?;
        warn_of(&unknown_variables);
        say(&config::print(&loaded))
    }

    fn examine(self, format: doctor::Format) -> anyhow::Result<ExitCode> {
        let (loaded, unknown_variables) = self.load()?;
        warn_of(&unknown_variables);
        let report = doctor::examine(&loaded.config);
        say(&report.shown(format)?)?;
        Ok(report.exit_code())
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

fn complete(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "larder", &mut script);
    say(&String::from_utf8_lossy(&script))
}

fn warn_of(unknown_variables: &[String]) {
    for variable in unknown_variables {
        eprintln!("warning: {variable}: unknown variable in the environment, without effect");
    }
}

fn say(text: &str) -> anyhow::Result<ExitCode> {
    output::say(text)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
