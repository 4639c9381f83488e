//! `larder policy build`: cargo, with what a policy needs.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::side_car;

const TARGET: &str = "wasm32-unknown-unknown";
/// Each instance has a stack of its own, and a server has many: 64 KiB instead of a mebibyte.
const FLAGS: &str = "-C link-arg=-zstack-size=65536";

const EXAMPLES: &str = "\
Examples:
  larder policy build            the crate in the current folder
  larder policy build my-ttl     my-ttl/target/policies/my-ttl.wasm";

/// Compile a policy's crate to a .wasm file that can be deployed, its side-car NAME.toml beside it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BuildArgs {
    /// The crate's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl BuildArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let dir = folder(&self.dir);
        let name = package(dir)?;
        let folder = dir.join("target/policies");
        let wasm = folder.join(format!("{name}.wasm"));
        // What cannot be built any more is not to be mistaken for what was built before.
        match fs::remove_file(&wasm) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", wasm.display()));
            }
            _ => {}
        }
        let built = build(dir)?;
        fs::create_dir_all(&folder)
            .and_then(|()| fs::copy(&built, &wasm))
            .with_context(|| format!("cannot write {}", wasm.display()))?;
        let car = bring_side_car(&dir.join(format!("{name}.toml")), &side_car(&wasm))?;
        let shown = wasm.strip_prefix(".").unwrap_or(&wasm).display();
        println!("built {shown}{car}");
        larder_policy_runtime::check(&wasm, &side_car(&wasm))
            .context("a server would refuse it")?;
        println!("next: larder policy check {shown} && larder policy deploy {shown}");
        Ok(ExitCode::SUCCESS)
    }
}

/// The folder of a crate that is named by it or by its manifest.
fn folder(named: &Path) -> &Path {
    if named.file_name() != Some(OsStr::new("Cargo.toml")) {
        return named;
    }
    let parent = named.parent().filter(|dir| !dir.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// The name of a crate's package.
fn package(dir: &Path) -> anyhow::Result<String> {
    let path = dir.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}; name the folder of a policy's crate",
            path.display()
        )
    })?;
    let manifest: toml::Table = text
        .parse()
        .with_context(|| format!("{} is not right", path.display()))?;
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name")?.as_str());
    match name {
        Some(name) => Ok(name.to_owned()),
        None => bail!(
            "{} is of no package; name the folder of a policy's crate",
            path.display()
        ),
    }
}

/// Copies the side-car from the crate's root to the module, and tells of it.
fn bring_side_car(own: &Path, place: &Path) -> anyhow::Result<String> {
    if own.is_file() {
        fs::copy(own, place).with_context(|| format!("cannot write {}", place.display()))?;
        let name = own.file_name().unwrap_or_default().display();
        return Ok(format!(", with its side-car {name}"));
    }
    Ok(match place.is_file() {
        true => ", beside the side-car that lies there".to_owned(),
        false => String::new(),
    })
}

/// Runs cargo, and returns the file that it made.
fn build(dir: &Path) -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS)
        // What helps a debugger is more than a server takes.
        .env("CARGO_PROFILE_RELEASE_STRIP", "true")
        .current_dir(dir)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo; is Rust installed (https://rustup.rs)?")?;
    if !output.status.success() {
        let hint = match has_target(dir) {
            true => "",
            false => "; Rust has no target for it, run: rustup target add wasm32-unknown-unknown",
        };
        bail!("cargo could not build the policy{hint}");
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

/// Whether the Rust that builds there has the libraries for WebAssembly.
fn has_target(dir: &Path) -> bool {
    let libraries = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(dir)
        .stderr(Stdio::null())
        .output();
    libraries.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_named_by_its_folder_or_its_manifest() {
        for (named, dir) in [
            (".", "."),
            ("a", "a"),
            ("a/Cargo.toml", "a"),
            ("Cargo.toml", "."),
            ("/", "/"),
        ] {
            assert_eq!(folder(Path::new(named)), Path::new(dir), "{named}");
        }
    }

    #[test]
    fn a_manifest_without_a_package_is_none_of_a_policy() {
        let dir = tempfile::tempdir().unwrap();
        let refused = || format!("{:#}", package(dir.path()).unwrap_err());
        assert!(refused().contains("name the folder of a policy's crate"));
        fs::write(dir.path().join("Cargo.toml"), "[workspace]").unwrap();
        assert!(refused().contains("is of no package"));
        fs::write(dir.path().join("Cargo.toml"), "[package]\nname = \"a_b\"").unwrap();
        assert_eq!(package(dir.path()).unwrap(), "a_b");
    }

    #[test]
    fn the_side_car_of_the_crate_is_brought_along() {
        let dir = tempfile::tempdir().unwrap();
        let (own, place) = (dir.path().join("a.toml"), dir.path().join("b.toml"));
        assert_eq!(bring_side_car(&own, &place).unwrap(), "");
        fs::write(&own, "new").unwrap();
        let said = bring_side_car(&own, &place).unwrap();
        assert_eq!(said, ", with its side-car a.toml");
        assert_eq!(fs::read(&place).unwrap(), b"new");
        fs::remove_file(&own).unwrap();
        let said = bring_side_car(&own, &place).unwrap();
        assert_eq!(said, ", beside the side-car that lies there");
    }
}
