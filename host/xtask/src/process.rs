//! Other programs: how they are started, shown, waited for and found.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a child that has a deadline is looked at.
const POLL: Duration = Duration::from_millis(20);

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        // As cargo says now: folders of several clones may share what was compiled.
        let now = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let package = now.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        package.ancestors().nth(2).unwrap_or(&package).to_owned()
    })
}

/// Cargo's target folder: this program lies in it, wherever settings or environment put it.
pub(crate) fn target() -> Result<PathBuf> {
    let own = env::current_exe().context("where xtask lies is unknown")?;
    let folder = own
        .ancestors()
        .nth(2)
        .context("xtask lies outside of a target folder")?;
    Ok(folder.to_path_buf())
}

/// The cargo that runs this program, to be started in the folder of the workspace.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root());
    command
}

/// A cargo command on every package but this one, whose program runs and so cannot be replaced
/// everywhere.
pub(crate) fn cargo_members(command: &str) -> Command {
    cargo([command, "--workspace", "--exclude", "xtask"])
}

/// Builds what the tests run. All targets, as cargo then settles on the features that the tests
/// ask for: each dependency is compiled once.
pub(crate) fn test_build() -> Command {
    let mut command = cargo_members("build");
    command.arg("--all-targets");
    command
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or does not succeed; the text says how to repeat it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("{status}; to repeat it: {}", shown(command));
    }
    Ok(())
}

/// Whether a command starts and succeeds, its output thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// A command as one would type it in the folder of the workspace.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!(
                "{}={}",
                name.to_string_lossy(),
                quoted(&value.to_string_lossy())
            ));
        }
    }
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    words.push(program.to_string_lossy().into_owned());
    words.extend(command.get_args().map(|arg| quoted(&arg.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Waits for the end of `child`, at most for `limit`: then it is killed, and the answer is `None`.
///
/// # Errors
/// When the operating system refuses.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Names of the programs that cargo would find in `folder` of the workspace, sorted:
/// `NAME.rs` and `NAME/main.rs`. A folder that is not there has none.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn programs(folder: &str) -> Result<Vec<String>> {
    let path = root().join(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in path
        .read_dir()
        .with_context(|| format!("cannot read {folder}"))?
    {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "rs")
            || file.join("main.rs").is_file()
        {
            names.extend(
                file.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_they_are_typed() {
        let mut command = Command::new("/opt/toolchain/cargo");
        command
            .args(["doc", "--message", "it's"])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            shown(&command),
            r"RUSTDOCFLAGS='-D warnings' cargo doc --message 'it'\''s'"
        );
    }

    #[test]
    fn a_child_that_outlives_its_limit_is_killed() -> io::Result<()> {
        let mut child = Command::new("sleep").arg("600").spawn()?;
        assert_eq!(wait(&mut child, Duration::from_millis(1))?, None);
        assert!(child.try_wait()?.is_some());
        Ok(())
    }

    #[test]
    fn a_failure_says_how_to_repeat_it() {
        let error = run(Command::new("sh").args(["-c", "exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("3; to repeat it: sh -c 'exit 3'"),
            "{error}"
        );
    }

    #[test]
    fn programs_are_found_by_their_source() -> Result<()> {
        assert_eq!(programs("host/xtask/src/nowhere")?, Vec::<String>::new());
        assert!(programs("host/xtask/src")?.contains(&"serve".to_owned()));
        assert!(programs("host/xtask")?.contains(&"src".to_owned()));
        Ok(())
    }
}
