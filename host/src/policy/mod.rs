//! `larder policy`: what the author of a policy does, from nothing until it rules.

mod build;
mod check;
mod deploy;
mod outcome;
mod remote;
mod scaffold;

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::server::ServerArgs;

const EXAMPLES: &str = "\
Examples:
  larder policy new my-ttl --kind ttl          a crate that builds and passes its own test
  larder policy build my-ttl                   compile it: target/policies/my-ttl.wasm in it
  larder policy check my-ttl.wasm              everything that a server would check
  larder policy deploy my-ttl.wasm             put it into the folder that a server watches, and
                                               ask that server what became of it
  larder policy list                           what decides in a running server
  larder policy rollback my-ttl                the version before; once more: the newer one again";

/// Write, build, check and deploy policies; ask a running server about them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PolicyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    New(scaffold::NewArgs),
    Build(build::BuildArgs),
    Check(check::CheckArgs),
    Deploy(deploy::DeployArgs),
    /// List the policies of a running server, and the files that it refused
    #[command(
        after_help = "Examples:\n  larder policy list --addr unix:/run/larder/larder.sock\n  \
        larder policy list --addr cache.local:6380 --tls-ca ca.pem --user root --password-file root.txt"
    )]
    List(ServerArgs),
    /// Tell all there is to know of one policy of a running server
    #[command(after_help = "Examples:\n  larder policy info 20-my-ttl")]
    Info(NamedArgs),
    /// Put the version before the present one in force; a second time goes back to the newer one
    #[command(after_help = "Examples:\n  larder policy rollback 20-my-ttl")]
    Rollback(NamedArgs),
    /// Put a policy in force that was disabled or quarantined
    #[command(after_help = "Examples:\n  larder policy enable 20-my-ttl")]
    Enable(NamedArgs),
    /// Take a policy out of force; its file stays
    #[command(after_help = "Examples:\n  larder policy disable 20-my-ttl --addr 127.0.0.1:7000")]
    Disable(NamedArgs),
}

#[derive(Debug, Args)]
struct NamedArgs {
    /// The policy's name: its file without .wasm
    #[arg(value_parser = named)]
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

impl NamedArgs {
    fn order(&self, order: &str) -> anyhow::Result<ExitCode> {
        remote::order(&self.server.server()?, order, &self.name)
    }
}

impl PolicyArgs {
    /// Does what was asked for, and says so on standard output.
    ///
    /// # Errors
    /// In one sentence for people.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::New(args) => args.run(),
            Action::Build(args) => args.run(),
            Action::Check(args) => args.run(),
            Action::Deploy(args) => args.run(),
            Action::List(server) => remote::list(&server.server()?),
            Action::Info(NamedArgs { name, server }) => remote::info(&server.server()?, &name),
            Action::Rollback(named) => named.order("ROLLBACK"),
            Action::Enable(named) => named.order("ENABLE"),
            Action::Disable(named) => named.order("DISABLE"),
        }
    }
}

/// Names of policies are names of files: letters, digits, `_` and `-`.
fn check_name(name: &str) -> anyhow::Result<()> {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let fits = (1..=64).contains(&name.len()) && name.bytes().all(is_allowed);
    anyhow::ensure!(
        fits,
        "'{name}' cannot be a policy's name; allowed: 1 to 64 of a-z, 0-9, _ and -"
    );
    Ok(())
}

/// The name that the folder knows a file by.
fn stem(file: &std::path::Path) -> anyhow::Result<String> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let is_wasm = file
        .extension()
        .is_some_and(|extension| extension == "wasm");
    match stem.filter(|_| is_wasm) {
        Some(stem) => Ok(stem.to_owned()),
        None => anyhow::bail!(
            "{} is not called NAME.wasm; give the .wasm that `larder policy build` made",
            file.display()
        ),
    }
}

/// The name of a policy that is named by itself or by its file.
fn named(text: &str) -> Result<String, Infallible> {
    Ok(stem(text.as_ref()).unwrap_or_else(|_| text.to_owned()))
}

/// The side-car of a policy's file.
fn side_car(file: &std::path::Path) -> PathBuf {
    file.with_extension("toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_named_by_itself_or_by_its_file() {
        for text in ["10-a", "10-a.wasm", "target/policies/10-a.wasm"] {
            assert_eq!(named(text).as_deref(), Ok("10-a"), "{text}");
        }
    }
}
