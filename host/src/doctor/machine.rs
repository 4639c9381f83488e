//! What the kernel tells of a machine, as files.

use std::io;
use std::path::{Path, PathBuf};

/// The files of `/proc` and `/sys`, below the root of the file system or below another folder.
pub(super) struct Machine {
    root: PathBuf,
}

/// A file that cannot be read, or tells something unknown: what it would have said is not known.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub(super) struct Unreadable {
    path: String,
    why: String,
}

impl Unreadable {
    pub(super) fn new(path: &Path, why: impl ToString) -> Self {
        Self {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }
}

impl Machine {
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The text of a file, its path below the root, without blanks around it; `None` where the system
    /// has no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(&self, path: &str) -> Result<Option<String>, Unreadable> {
        match std::fs::read_to_string(self.root.join(path)) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Unreadable::new(&Path::new("/").join(path), error)),
        }
    }

    /// The text of a file that every Linux has.
    ///
    /// # Errors
    /// When it cannot be read, or is not there.
    pub(super) fn expect(&self, path: &str) -> Result<String, Unreadable> {
        self.read(path)?
            .ok_or_else(|| Self::unknown(path, "there is none; only Linux is known to this check"))
    }

    /// The whole number that a file holds; `None` where there is no such file.
    ///
    /// # Errors
    /// When it cannot be read or is no number.
    pub(super) fn number(&self, path: &str) -> Result<Option<u64>, Unreadable> {
        let Some(text) = self.read(path)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Self::unknown(path, format!("{text:?} is no number"))),
        }
    }

    /// The error of a file that tells something unknown.
    pub(super) fn unknown(path: &str, why: impl ToString) -> Unreadable {
        Unreadable::new(&Path::new("/").join(path), why)
    }
}
