//! `cargo xtask policies`: every policy of the repository as a file that can be deployed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, cargo};

const TARGET: &str = "wasm32-unknown-unknown";
/// Each instance has a stack of its own, and a server has many: 64 KiB instead of a mebibyte.
const FLAGS: &str = "-C link-arg=-zstack-size=65536";

/// What `cargo xtask serve` puts into an empty folder: names there, policies, and side-cars.
const STARTERS: [(&str, &str, &str); 3] = [
    (
        "10-size-gate",
        "size-gate",
        "# Values beyond this are not kept; as it is, nothing that would fit into 256 MiB of memory.\n\
         [parameters]\nmax_bytes = \"32MiB\"\n",
    ),
    (
        "20-ttl-by-prefix",
        "ttl-by-prefix",
        "# How long keys with a prefix live at most; as it is, as long as their clients say.\n\
         [parameters]\n# rules = [\"session: 30m\", \"tmp: 60s\"]\n",
    ),
    ("30-s3-fifo", "s3-fifo", ""),
];

/// Side-cars for what the sample configurations are for, a folder each.
const USES: &str = "host/config/policies";

/// Builds all policies; each is at `target/policies/NAME.wasm` then, and those of a sample configuration
/// with their side-cars in `target/policies/USE`.
///
/// # Errors
/// When the target of WebAssembly cannot be had, or a policy does not build.
pub(crate) fn run() -> Result<()> {
    for file in build()? {
        println!("{}", file.display());
    }
    Ok(())
}

/// Builds all policies, and returns their files.
///
/// # Errors
/// As [`run`].
pub(crate) fn build() -> Result<Vec<PathBuf>> {
    add_target()?;
    let names = names()?;
    let mut command = cargo(["build", "--profile", "policy", "--target", TARGET]);
    for name in &names {
        command.args(["--package", &format!("larder-policy-{name}")]);
    }
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS);
    process::run(&mut command)?;
    let folder = process::target()?.join("policies");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let built = process::target()?.join(TARGET).join("policy");
    let place = |name: &String| {
        let from = built.join(format!("larder_policy_{}.wasm", name.replace('-', "_")));
        let to = folder.join(format!("{name}.wasm"));
        put(&from, &to)?;
        Ok(to)
    };
    let files = names.iter().map(place).collect::<Result<_>>()?;
    lay_out(&process::root().join(USES), &folder)?;
    Ok(files)
}

/// Puts the side-cars of each use and the modules they are for into a folder that a server can watch.
fn lay_out(uses: &Path, built: &Path) -> Result<()> {
    for folder in fs::read_dir(uses).with_context(|| format!("cannot read {}", uses.display()))? {
        let folder = folder?;
        let to = built.join(folder.file_name());
        fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
        for car in fs::read_dir(folder.path())? {
            let car = car?;
            let place = to.join(car.file_name());
            put(&car.path(), &place)?;
            // `10-size-gate` is size-gate, asked early.
            let stem = place.file_stem().unwrap_or_default().to_string_lossy();
            let policy = stem.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
            put(
                &built.join(format!("{policy}.wasm")),
                &place.with_extension("wasm"),
            )?;
        }
    }
    Ok(())
}

/// Copies so that nobody sees half of it.
fn put(from: &Path, to: &Path) -> Result<()> {
    let hidden = to.with_extension("part");
    fs::copy(from, &hidden)
        .and_then(|_| fs::rename(&hidden, to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Names of the folders of policies.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(process::root().join("policies"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn add_target() -> Result<()> {
    let installed = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = installed.context("cannot run rustc")?.stdout;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot).trim());
    if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    process::run(Command::new("rustup").args(["target", "add", TARGET]))
}

/// Puts policies to begin with into the folder that a server with these arguments watches, unless
/// there are some or a file of settings may name another folder. Says what it did.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn put_starters(
    args: &[OsString],
    env: &dyn Fn(&str) -> Option<OsString>,
    built: &Path,
) -> Result<String> {
    let Some(folder) = watched(args, env) else {
        return Ok("xtask: the settings name the folder of policies; nothing was put there".into());
    };
    let is_wasm = |path: &Path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    };
    let holds_any = fs::read_dir(&folder)
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|e| is_wasm(&e.path()))));
    let shown = folder.display();
    if holds_any {
        return Ok(format!("xtask: the policies in {shown} stay as they are"));
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {shown}"))?;
    for (name, policy, side_car) in STARTERS {
        if !side_car.is_empty() {
            fs::write(folder.join(format!("{name}.toml")), side_car)?;
        }
        let from = built.join(format!("{policy}.wasm"));
        put(&from, &folder.join(format!("{name}.wasm")))?;
    }
    let names = STARTERS.map(|(name, ..)| name).join(", ");
    Ok(format!("xtask: put policies into {shown}: {names}"))
}

/// The folder that a server with these arguments watches, unless a file of settings may say.
fn watched(args: &[OsString], env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let said = |flag: &str, variable: &str| {
        crate::serve::value(args, flag)
            .or_else(|| env(variable))
            .map(PathBuf::from)
    };
    if let Some(folder) = said("--policies", "LARDER_POLICIES") {
        return Some(folder);
    }
    if said("--config", "LARDER_CONFIG").is_some() {
        return None;
    }
    let data = said("--data", "LARDER_DATA").unwrap_or_else(|| "larder-data".into());
    Some(data.join("policies.d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starters_go_into_an_empty_folder_and_nowhere_else() {
        let folder = std::env::temp_dir().join(format!("larder-starters-{}", std::process::id()));
        let (built, data) = (folder.join("built"), folder.join("data"));
        fs::create_dir_all(&built).unwrap();
        for (_, policy, _) in STARTERS {
            fs::write(built.join(format!("{policy}.wasm")), policy).unwrap();
        }
        let args = [OsString::from("--data"), data.clone().into()];
        let said = put_starters(&args, &|_| None, &built).unwrap();
        assert!(said.contains("put policies into"), "{said}");
        let gate = data.join("policies.d/10-size-gate.wasm");
        assert_eq!(fs::read(&gate).unwrap(), b"size-gate");
        fs::write(&gate, "mine").unwrap();
        let said = put_starters(&args, &|_| None, &built).unwrap();
        assert!(said.contains("stay as they are"), "{said}");
        assert_eq!(fs::read(&gate).unwrap(), b"mine");
        let args = [OsString::from("--config=larder.toml")];
        let said = put_starters(&args, &|_| None, &built).unwrap();
        assert!(said.contains("the settings name"), "{said}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn modules_are_laid_beside_the_side_cars_that_are_for_them() {
        let folder = std::env::temp_dir().join(format!("larder-uses-{}", std::process::id()));
        let (uses, built) = (folder.join("uses"), folder.join("built"));
        fs::create_dir_all(uses.join("api")).unwrap();
        fs::create_dir_all(&built).unwrap();
        fs::write(uses.join("api/10-two-q.toml"), "car").unwrap();
        let missing = format!("{:#}", lay_out(&uses, &built).unwrap_err());
        assert!(missing.contains("two-q.wasm"), "{missing}");
        fs::write(built.join("two-q.wasm"), "module").unwrap();
        lay_out(&uses, &built).unwrap();
        assert_eq!(
            fs::read(built.join("api/10-two-q.wasm")).unwrap(),
            b"module"
        );
        assert_eq!(fs::read(built.join("api/10-two-q.toml")).unwrap(), b"car");
        fs::remove_dir_all(folder).unwrap();
    }
}
