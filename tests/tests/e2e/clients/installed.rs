//! Client libraries from their registries: installed once, in the versions that a list beside the tests
//! pins, and kept with what cargo has built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use e2e::harness::{PATIENCE, announce, run, target, tool};

/// How long a registry may take.
const INSTALL_MAX: Duration = Duration::from_secs(300);

/// The folder of this file's own: scripts, and lists of what they need.
pub(super) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients")
}

/// An interpreter that has the packages of `python/requirements.txt`; `None` where there is none, see
/// [`tool`].
pub(super) fn python() -> Option<PathBuf> {
    let system = tool("python3", "client libraries of Python")?;
    let requirements = sources().join("python/requirements.txt");
    let folder = kept("e2e-python", &requirements, |folder| {
        let python = folder.join("bin/python");
        let mut venv = Command::new(&system);
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "-q", "-r"]);
        make(venv.args(["-m", "venv", "--clear"]).arg(folder)) && make(pip.arg(&requirements))
    })?;
    Some(folder.join("bin/python"))
}

/// A folder with the packages of `node/package-lock.json`, and the scripts beside them, where they find
/// them; `None` where there is no Node. Filled once: another test may be reading a script by then.
pub(super) fn node() -> Option<PathBuf> {
    static FILLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    FILLED.get_or_init(fill_node).clone()
}

fn fill_node() -> Option<PathBuf> {
    let npm = tool("npm", "client libraries of Node")?;
    tool("node", "client libraries of Node")?;
    let own = sources().join("node");
    let folder = kept("e2e-node", &own.join("package-lock.json"), |folder| {
        let list = |name: &str| fs::copy(own.join(name), folder.join(name)).is_ok();
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).is_ok()
            && list("package.json")
            && list("package-lock.json")
            && make(
                Command::new(&npm)
                    .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                    .current_dir(folder),
            )
    })?;
    let scripts = fs::read_dir(&own)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for script in scripts.filter(|path| path.extension().is_some_and(|it| it == "mjs")) {
        fs::copy(&script, folder.join(script.file_name().unwrap())).unwrap();
    }
    Some(folder)
}

/// The folder of that name, installed according to that list, unless it is there already.
fn kept(name: &str, list: &Path, install: impl FnOnce(&Path) -> bool) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = target().join(name);
    let wanted = fs::read(list).unwrap();
    // Written last: what an interrupted run has left is made anew.
    let made = folder.join("made-of");
    if fs::read(&made).is_ok_and(|found| found == wanted) {
        return Some(folder);
    }
    (install(&folder) && fs::write(&made, wanted).is_ok()).then_some(folder)
}

/// Runs one step; when it fails, the test is skipped, but not in CI.
fn make(command: &mut Command) -> bool {
    let finished = run(command.stdin(Stdio::null()), INSTALL_MAX);
    let ok = finished.status.success();
    if !ok {
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!ci, "{command:?}: {finished:?}");
        announce(&format!("SKIPPED client libraries: {command:?} failed"));
    }
    ok
}

/// Runs a script, which ends with exit code 0 after a line for each of these checks.
#[track_caller]
pub(super) fn passes(script: &mut Command, checks: usize) {
    let finished = run(script.stdin(Stdio::null()), PATIENCE * 2);
    assert!(
        finished.status.success(),
        "{script:?}\n{}\n{}",
        finished.stdout,
        finished.stderr
    );
    let told = finished
        .stdout
        .lines()
        .filter(|line| line.starts_with("ok "));
    assert_eq!(told.count(), checks, "{finished:?}");
}

/// The command that runs one of the scripts of Python.
pub(super) fn python_script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(sources().join("python").join(name));
    command
}
