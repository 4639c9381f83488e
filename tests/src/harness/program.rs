//! The program under test: where it lies, and that it is the one the sources describe.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;
use std::{env, fs};

/// A command that runs `larder`, in an environment without variables of Larder: the settings of
/// whoever runs the tests are not what is tested.
///
/// # Panics
/// When the program cannot be built.
#[track_caller]
pub fn larder(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PROGRAM.get_or_init(program));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("LARDER_") {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Cargo's target folder, where this run may keep what is worth keeping for the next one.
///
/// # Panics
/// When the tests were not built by cargo.
pub fn target() -> PathBuf {
    let folder = profile_folder();
    folder
        .parent()
        .expect("the folder of a profile lies in the target folder")
        .to_owned()
}

/// `target/debug`, or what it is called for the profile that the tests were built with: they lie
/// in `deps` of it.
fn profile_folder() -> PathBuf {
    let own = env::current_exe().expect("the system tells where the tests lie");
    let folder = own
        .ancestors()
        .nth(2)
        .expect("cargo builds tests in a folder of the target folder");
    folder.to_owned()
}

/// Cargo has built the program already when it tests the whole workspace, but not when it tests
/// this package alone.
fn program() -> PathBuf {
    let program = profile_folder().join("larder");
    if !is_current(&program).unwrap_or(false) {
        build();
        assert!(
            program.is_file(),
            "cargo did not build {}",
            program.display()
        );
    }
    program
}

/// Whether the program is there, and was made from the sources of this workspace as they are now:
/// cargo has noted which. (A path with a blank is cut in two here and not found, which costs a
/// build with nothing to do.)
fn is_current(program: &Path) -> Option<bool> {
    let built = modified(program)?;
    let list = fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = list.trim_end().split_once(": ")?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let is_unchanged = |source: &Path| {
        source.starts_with(workspace) && modified(source).is_some_and(|at| at <= built)
    };
    Some(sources.split(' ').map(Path::new).all(is_unchanged))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn build() {
    let folder = profile_folder();
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--package",
        "larder",
        "--profile",
        profile,
        "--target-dir",
    ]);
    command
        .arg(target())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    let output = command.output().expect("cargo can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
}
