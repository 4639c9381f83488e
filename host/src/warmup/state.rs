//! How far a warm-up came, in a file.
//!
//! ```text
//! larder-warmup 1
//! of HASH
//! done N
//! ```
//!
//! HASH is the XXH3-64 of server, database and names in 16 hexadecimal digits: a list that changed meanwhile has other keys
//! at its beginning. The first N names were seen to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use xxhash_rust::xxh3::Xxh3Default;

use super::names::Name;

const HEAD: &str = "larder-warmup 1";

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    of: u64,
    done: usize,
}

impl State {
    /// Reads the file, if there is one, or begins.
    ///
    /// # Errors
    /// When it is none, cannot be read or written, or is of other keys or another server.
    pub(super) fn open(path: &Path, server: &str, db: u8, names: &[Name]) -> anyhow::Result<Self> {
        let of = digest(server, db, names);
        let shown = path.display();
        let done = match fs::read_to_string(path) {
            Ok(text) => {
                let (told, done) = read(&text).with_context(|| {
                    format!("{shown} is no state of a warm-up; name another file, or remove it")
                })?;
                ensure!(
                    told == of && done <= names.len(),
                    "{shown} is of other keys, or of another server or database; remove it to begin anew"
                );
                done
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        };
        let state = Self {
            path: path.to_owned(),
            of,
            done,
        };
        // Whoever counts on it hears now that it cannot be written.
        let unfinished = state.unfinished();
        fs::write(&unfinished, "")
            .and_then(|()| fs::remove_file(&unfinished))
            .with_context(|| {
                format!("cannot write {shown}; --resume takes a file in a folder that is there and may be written to")
            })?;
        Ok(state)
    }

    /// Names that were seen to.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Writes down that so many were.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(&mut self, done: usize) -> anyhow::Result<()> {
        self.done = done;
        let text = format!("{HEAD}\nof {:016x}\ndone {done}\n", self.of);
        let unfinished = self.unfinished();
        let written = fs::write(&unfinished, text);
        written
            .and_then(|()| fs::rename(&unfinished, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// What is written before it takes the file's place.
    fn unfinished(&self) -> PathBuf {
        let mut unfinished = self.path.clone().into_os_string();
        unfinished.push(".new");
        unfinished.into()
    }

    /// All were: the file goes.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

fn digest(server: &str, db: u8, names: &[Name]) -> u64 {
    let mut hasher = Xxh3Default::new();
    let mut add = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    add(server.as_bytes());
    add(&[db]);
    names.iter().for_each(|name| add(name));
    hasher.digest()
}

/// What it is of, and how many were seen to.
fn read(text: &str) -> Option<(u64, usize)> {
    let mut lines = text.lines();
    let head = lines.next()?;
    let of = lines.next()?.strip_prefix("of ")?;
    let done = lines.next()?.strip_prefix("done ")?;
    let of = u64::from_str_radix(of, 16)
        .ok()
        .filter(|_| of.len() == 16)?;
    (head == HEAD && lines.next().is_none()).then_some((of, done.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| name.as_bytes().into()).collect()
    }

    #[test]
    fn a_state_goes_on_where_it_was_and_only_with_what_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let some = names(&["ab", "c", "d"]);
        let open = |server: &str, db, names: &[Name]| State::open(&path, server, db, names);
        let mut state = open("a:1", 0, &some).unwrap();
        assert_eq!(state.done(), 0);
        assert!(!path.exists());
        state.save(2).unwrap();
        assert_eq!(open("a:1", 0, &some).unwrap().done(), 2);
        let other = names(&["a", "bc", "d"]);
        for (server, db, names) in [("b:1", 0, &some), ("a:1", 1, &some), ("a:1", 0, &other)] {
            let error = open(server, db, names).unwrap_err().to_string();
            assert!(error.contains("is of other keys"), "{error}");
        }
        for wrong in [
            "",
            "larder-warmup 2\nof 0000000000000000\ndone 1\n",
            "larder-warmup 1\nof 0\ndone 1\n",
            "larder-warmup 1\nof 0000000000000000\n",
            "larder-warmup 1\nof 0000000000000000\ndone 1\nmore\n",
        ] {
            fs::write(&path, wrong).unwrap();
            let error = open("a:1", 0, &some).unwrap_err().to_string();
            assert!(
                error.contains("is no state of a warm-up"),
                "{wrong}: {error}"
            );
        }
        state.save(3).unwrap();
        state.finish().unwrap();
        state.finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let nowhere = folder.path().join("none/state");
        let error = State::open(&nowhere, "a:1", 0, &some).unwrap_err();
        let why = format!(
            "cannot write {}; --resume takes a file in a folder that is there",
            nowhere.display()
        );
        assert!(error.to_string().starts_with(&why), "{error}");
    }
}
