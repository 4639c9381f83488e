//! `larder policy build`: cargo, with what a policy needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::Value;

const TARGET: &str = "wasm32-unknown-unknown";
/// Each instance has a stack of its own, and a server has many: 64 KiB instead of a mebibyte.
const FLAGS: &str = "-C link-arg=-zstack-size=65536";

/// Compile a policy's crate to a .wasm file that can be deployed
#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The crate's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl BuildArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(
            self.dir.join("Cargo.toml").is_file(),
            "{} has no Cargo.toml; name the folder of a policy's crate",
            self.dir.display()
        );
        let built = build(&self.dir)?;
        let name = built.file_stem().and_then(|stem| stem.to_str());
        let name = name.context("cargo named no file")?.replace('_', "-");
        let folder = self.dir.join("target/policies");
        let wasm = folder.join(format!("{name}.wasm"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::copy(&built, &wasm))
            .with_context(|| format!("cannot write {}", wasm.display()))?;
        println!(
            "built {0}\nnext: larder policy check {0} && larder policy deploy {0}",
            wasm.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs cargo, and returns the file that it made.
fn build(dir: &Path) -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS)
        .current_dir(dir)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo; is Rust installed (https://rustup.rs)?")?;
    if !output.status.success() {
        bail!(
            "cargo could not build the policy; if it misses `core` or `std`, run: rustup target add {TARGET}"
        );
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let files = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    // The crate itself is compiled last.
    let wasm = files
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .rfind(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        });
    wasm.context("cargo made no .wasm file: Cargo.toml needs crate-type = [\"cdylib\", \"rlib\"]")
}
