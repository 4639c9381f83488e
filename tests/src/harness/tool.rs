//! Tools that the tests use where they are installed.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

/// The program called `name`. When it is missing, the test that needs it is skipped, which is
/// announced.
///
/// # Panics
/// When it is missing and the variable `CI` is set: there nothing may be skipped in silence.
#[track_caller]
pub fn tool(name: &str, test: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        let ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!ci, "{name} is not installed, and CI skips nothing: {test}");
        announce(&format!("SKIPPED {test}: {name} is not installed"));
    }
    found
}

/// Prints a line that shows also when the test passes, past the capture of the test runner.
pub fn announce(line: &str) {
    // In one write, so that lines of tests that run side by side stay whole. Whether anybody
    // reads it is no concern of the test.
    let _ = io::stderr().write_all(format!("\n{line}\n").as_bytes());
}
