//! `larder policy check`: everything that a server would check.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use larder_policy_runtime::{Checked, CheckedParameter};

use super::{side_car, stem};

const EXAMPLES: &str = "\
Examples:
  larder policy check my-ttl.wasm     with my-ttl.toml, if that lies beside it";

/// Check a policy as a server would before it takes it, with the side-car beside it if there is one
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    /// The file, NAME.wasm
    file: PathBuf,
}

impl CheckArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        stem(&self.file)?;
        let checked = larder_policy_runtime::check(&self.file, &side_car(&self.file))
            .with_context(|| format!("{} would be refused", self.file.display()))?;
        print!("{}", shown(&self.file.display().to_string(), &checked));
        Ok(ExitCode::SUCCESS)
    }
}

fn shown(file: &str, checked: &Checked) -> String {
    let kinds: Vec<_> = checked.kinds.iter().map(|kind| kind.name()).collect();
    let mut text = format!(
        "{file} is right: {} {}, {}\n",
        checked.name,
        checked.version,
        kinds.join(", ")
    );
    for CheckedParameter { name, value, about } in &checked.parameters {
        text += &format!("  {name} = {value}    {about}\n");
    }
    text + &format!("  sha256 {}\n", checked.digest)
}
