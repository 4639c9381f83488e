//! `larder policy new`: a crate to begin with.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use super::check_name;
use crate::config::Eviction;

/// What the new crate depends on, which cannot be its own name.
const SDK: &str = "larder-sdk";

const EXAMPLES: &str = "\
Examples:
  larder policy new my-ttl --kind ttl
  larder policy new my-eviction --kind eviction --path crates/my-eviction";

/// Make a crate that builds, passes its own test, and can be deployed as it is
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArgs {
    /// Its name: 1 to 64 of a-z, 0-9, _ and -
    name: String,
    /// What it decides
    #[arg(long, value_enum)]
    kind: Kind,
    /// The folder to make; NAME in the current one if not given
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Which entries go when room is needed
    Eviction,
    /// Whether a value is kept at all
    ShouldCache,
    /// For how long a value is kept
    Ttl,
    /// What a value is worth
    Priority,
    /// Whether a value is a secret
    Security,
}

impl Kind {
    fn source(self) -> &'static str {
        match self {
            Self::Eviction => include_str!("../../../sdk/template/src/eviction.rs"),
            Self::ShouldCache => include_str!("../../../sdk/template/src/should-cache.rs"),
            Self::Ttl => include_str!("../../../sdk/template/src/ttl.rs"),
            Self::Priority => include_str!("../../../sdk/template/src/priority.rs"),
            Self::Security => include_str!("../../../sdk/template/src/security.rs"),
        }
    }
}

const MANIFEST: &str = include_str!("../../../sdk/template/Cargo.toml");
const CARGO_CONFIG: &str = include_str!("../../../sdk/template/.cargo/config.toml");
const GITIGNORE: &str = include_str!("../../../sdk/template/.gitignore");

impl NewArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        check_name(&self.name)?;
        ensure!(
            self.name.as_bytes()[0].is_ascii_lowercase(),
            "'{}' cannot name a crate; let it begin with a letter, and number the file when it is \
             deployed (10-{0}.wasm)",
            self.name
        );
        let is_taken = Eviction::named(&self.name).is_some();
        ensure!(
            !is_taken && self.name != SDK,
            "'{}' is part of Larder already; choose another name",
            self.name
        );
        let folder = self.path.unwrap_or_else(|| PathBuf::from(&self.name));
        ensure!(
            !folder.exists(),
            "{} exists already; choose another name or --path",
            folder.display()
        );
        let current = env::current_dir().context("there is no current folder")?;
        let sdk = sdk(&current.join(&folder));
        let fill = |text: &str| {
            text.replace("{{name}}", &self.name)
                .replace("{{Name}}", &type_name(&self.name))
                .replace("{{sdk}}", &sdk)
        };
        let files = [
            ("Cargo.toml", MANIFEST),
            (".cargo/config.toml", CARGO_CONFIG),
            (".gitignore", GITIGNORE),
            ("src/lib.rs", self.kind.source()),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(&folder);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, fill(text)))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let shown = folder.display();
        println!(
            "made {shown}: the policy is {shown}/src/lib.rs\n\
             next: (cd {shown} && cargo test) && larder policy build {shown}"
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// `my-ttl` as the name of a type: `MyTtl`.
fn type_name(name: &str) -> String {
    name.split(['-', '_'])
        .filter_map(|word| {
            let (first, rest) = word.split_at_checked(1)?;
            Some(first.to_ascii_uppercase() + rest)
        })
        .collect()
}

/// How the crate names the SDK: by path where one of the folders above it or above this program has
/// the SDK's source, or the folder that this program was built in; else by version.
fn sdk(folder: &Path) -> String {
    let program = env::current_exe().unwrap_or_default();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    let above = folder.ancestors().chain(program.ancestors());
    let above = above.chain(built_in.ancestors().skip(1).take(1));
    let found = above
        .map(|folder| folder.join("sdk"))
        .find(|sdk| is_sdk(&sdk.join("Cargo.toml")));
    match found.and_then(|sdk| sdk.canonicalize().ok()) {
        Some(sdk) => format!("path = {:?}", sdk.display().to_string()),
        None => format!("version = {:?}", env!("CARGO_PKG_VERSION")),
    }
}

fn is_sdk(manifest: &Path) -> bool {
    fs::read_to_string(manifest).is_ok_and(|text| text.contains(&format!("name = {SDK:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_the_name_of_a_type() {
        assert_eq!(type_name("my-ttl_2"), "MyTtl2");
        assert_eq!(type_name("lru"), "Lru");
    }

    #[test]
    fn the_sdk_is_named_by_path_where_it_is_found() {
        let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/new");
        assert!(sdk(&inside).starts_with("path = \""), "{}", sdk(&inside));
    }

    #[test]
    fn templates_have_no_place_left_to_fill() {
        for kind in Kind::value_variants() {
            let filled = (kind.source().to_owned() + MANIFEST)
                .replace("{{name}}", "a")
                .replace("{{Name}}", "A")
                .replace("{{sdk}}", "version = \"1\"");
            assert!(!filled.contains("{{"), "{filled}");
        }
    }
}
