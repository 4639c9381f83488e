//! `larder policy deploy`: a policy and its side-car into the folder, both at once, and what a server
//! makes of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;

use super::outcome::Deployed;
use super::{check_name, side_car, stem};
use crate::server::ServerArgs;

const EXAMPLES: &str = "\
Examples:
  larder policy deploy my-ttl.wasm
  larder policy deploy my-ttl.wasm --as 20-my-ttl --policies policies.d --addr 127.0.0.1:7000";

/// Check a policy, put it with its side-car into the folder that a server watches, and tell what that
/// made of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DeployArgs {
    /// The file, NAME.wasm
    file: PathBuf,
    /// The folder that the server watches
    #[arg(
        long,
        value_name = "DIR",
        env = "LARDER_POLICIES",
        default_value = "larder-data/policies.d"
    )]
    policies: PathBuf,
    /// The name to go by there; policies that decide over values are asked in the order of their names
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

impl DeployArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let name = match self.name {
            Some(name) => name,
            None => stem(&self.file)?,
        };
        check_name(&name)?;
        ensure!(
            self.policies.is_dir(),
            "{} is no folder; name the one that the server watches with --policies",
            self.policies.display()
        );
        let brought = side_car(&self.file);
        let there = self.policies.join(format!("{name}.toml"));
        let is_brought = brought.is_file();
        let (car, what_of_it) = match (is_brought, there.is_file()) {
            (true, true) => (&brought, "; its side-car was replaced"),
            (true, false) => (&brought, "; its side-car goes along"),
            (false, true) => (&there, "; the side-car that lies there stays"),
            (false, false) => (&brought, ""),
        };
        let checked = larder_policy_runtime::check(&self.file, car)
            .with_context(|| format!("{} would be refused", self.file.display()))?;
        // Both are there before either shows, so that the server sees them settle together.
        let car = match is_brought {
            true => Some(stage(&brought, &self.policies, &format!("{name}.toml"))?),
            false => None,
        };
        let module = stage(&self.file, &self.policies, &format!("{name}.wasm"))?;
        car.map_or(Ok(()), show)?;
        show(module)?;
        println!(
            "put {name}.wasm into {}{what_of_it}",
            self.policies.display()
        );
        let deployed = Deployed {
            name: &name,
            digest: &checked.digest,
            folder: &self.policies,
            server: &self.server.server()?,
        };
        println!("{}", deployed.outcome()?);
        Ok(ExitCode::SUCCESS)
    }
}

/// A copy under a name that the server ignores.
struct Staged {
    hidden: PathBuf,
    place: PathBuf,
}

/// Copies a file next to its place in the folder.
fn stage(file: &Path, folder: &Path, name: &str) -> anyhow::Result<Staged> {
    let hidden = folder.join(format!(".{name}.part"));
    fs::copy(file, &hidden)
        .and_then(|_| fs::File::open(&hidden)?.sync_all())
        .with_context(|| format!("cannot write {}", hidden.display()))?;
    Ok(Staged {
        hidden,
        place: folder.join(name),
    })
}

/// Moves a copy to its place, so that the server never sees half of it.
fn show(Staged { hidden, place }: Staged) -> anyhow::Result<()> {
    fs::rename(&hidden, &place).with_context(|| format!("cannot write {}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_replaces_what_was_there_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new");
        fs::write(&file, "second").unwrap();
        let watched = folder.path().join("watched");
        fs::create_dir(&watched).unwrap();
        fs::write(watched.join("a.wasm"), "first").unwrap();
        let staged = stage(&file, &watched, "a.wasm").unwrap();
        assert_eq!(fs::read(watched.join("a.wasm")).unwrap(), b"first");
        show(staged).unwrap();
        assert_eq!(fs::read(watched.join("a.wasm")).unwrap(), b"second");
        assert_eq!(fs::read_dir(&watched).unwrap().count(), 1);
    }
}
