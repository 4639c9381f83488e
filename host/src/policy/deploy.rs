//! `larder policy deploy`: a policy and its side-car into the folder, both at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;

use super::{check_name, side_car, stem};

/// Check a policy, and put it with its side-car into the folder that a server watches
#[derive(Debug, Args)]
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
        larder_policy_runtime::check(&self.file)
            .with_context(|| format!("{} would be refused", self.file.display()))?;
        // Both are there before either shows, so that the server sees them settle together.
        let car = side_car(&self.file);
        let car = match car.is_file() {
            true => Some(stage(&car, &self.policies, &format!("{name}.toml"))?),
            false => None,
        };
        let module = stage(&self.file, &self.policies, &format!("{name}.wasm"))?;
        car.map_or(Ok(()), show)?;
        show(module)?;
        println!(
            "deployed {}/{name}.wasm; see what became of it: larder policy info {name}",
            self.policies.display()
        );
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
