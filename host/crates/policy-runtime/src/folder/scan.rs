//! One look at the folder: which policies lie there, by their files' marks, nothing read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Policies in the folder; more are refused.
pub(super) const POLICIES_MAX: usize = 256;
/// Names in the folder, of whatever kind; a folder with more is not looked through.
const NAMES_MAX: usize = 10_000;
/// Names stand in metrics, commands and paths.
const STEM_BYTES_MAX: usize = 64;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// When its content changed, in nanoseconds.
    pub(crate) modified_ns: i128,
    /// When anything about it changed, its permissions included, in nanoseconds.
    pub(crate) changed_ns: i128,
    /// Its number in the file system.
    pub(crate) inode: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            bytes: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Whether `other` was written anew, whatever its content.
    pub(crate) fn is_rewritten(&self, other: &Self) -> bool {
        (self.modified_ns, self.inode) != (other.modified_ns, other.inode)
    }
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A file that may be read.
    File(Stamp),
    /// Something that will not do, and why.
    Fault(String),
}

/// A policy in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its identity: the file's name without `.wasm`.
    pub(crate) stem: String,
    /// The module's name in the folder.
    pub(crate) file: String,
    /// The module.
    pub(crate) module: Found,
    /// The side-car, where there is one.
    pub(crate) side_car: Option<Found>,
}

impl Seen {
    /// Whether `other`, or its side-car, was written anew.
    pub(crate) fn is_rewritten(&self, other: &Self) -> bool {
        let differ = |one: Option<&Found>, other: Option<&Found>| match (one, other) {
            (Some(Found::File(one)), Some(Found::File(other))) => one.is_rewritten(other),
            (one, other) => one != other,
        };
        differ(Some(&self.module), Some(&other.module))
            || differ(self.side_car.as_ref(), other.side_car.as_ref())
    }
}

/// Looks through the folder: policies in the order of their stems, then side-cars without one. What
/// begins with a dot, or ends in anything but `.wasm` and `.toml`, is none of ours: `x.wasm~`,
/// `x.wasm.tmp`, `x.wasm.swp`, `x.wasm.part`.
///
/// # Errors
/// When it cannot be listed, or holds more than [`NAMES_MAX`] names.
pub(super) fn scan(folder: &Path, module_bytes_max: usize) -> io::Result<Vec<Seen>> {
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    let mut side_cars: BTreeSet<String> = BTreeSet::new();
    for (number, entry) in fs::read_dir(folder)?.enumerate() {
        if number >= NAMES_MAX {
            let message =
                format!("it holds more than {NAMES_MAX} names; keep other files elsewhere");
            return Err(io::Error::other(message));
        }
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if let Some(stem) = name.strip_suffix(".wasm") {
            modules.insert(stem.to_owned(), name);
        } else if let Some(stem) = name.strip_suffix(".toml") {
            side_cars.insert(stem.to_owned());
        }
    }
    let side_car_bytes_max = super::read::SIDE_CAR_BYTES_MAX;
    let alone = side_cars.iter().filter(|stem| !modules.contains_key(*stem));
    let alone: Vec<_> = alone.take(POLICIES_MAX).map(|stem| orphan(stem)).collect();
    // One beyond the bound is listed, to say so.
    let listed = modules.into_iter().take(POLICIES_MAX + 1);
    let seen = listed.enumerate().map(|(number, (stem, file))| {
        let module = if number >= POLICIES_MAX {
            Found::Fault(format!(
                "the folder holds more than {POLICIES_MAX} policies: this one and those after it in \
                 file order are not taken"
            ))
        } else if !is_name(&stem) {
            Found::Fault(format!(
                "a policy's file is named with 1 to {STEM_BYTES_MAX} of a-z, A-Z, 0-9, _ and -, and .wasm"
            ))
        } else {
            look_at(&folder.join(&file), module_bytes_max)
        };
        let has_side_car = side_cars.contains(&stem);
        let side_car =
            has_side_car.then(|| look_at(&folder.join(format!("{stem}.toml")), side_car_bytes_max));
        Seen {
            stem,
            file,
            module,
            side_car,
        }
    });
    Ok(seen.chain(alone).collect())
}

/// A side-car without a module, which is a mistake in a name more often than not. It goes by the whole
/// name of its file: the policy of its stem, if there was one, is gone.
fn orphan(stem: &str) -> Seen {
    let file = format!("{stem}.toml");
    Seen {
        stem: file.clone(),
        file,
        module: Found::Fault(format!("there is no {stem}.wasm that it could be for")),
        side_car: None,
    }
}

fn is_name(stem: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=STEM_BYTES_MAX).contains(&stem.len()) && stem.bytes().all(is_allowed)
}

/// Symbolic links are followed.
fn look_at(path: &Path, bytes_max: usize) -> Found {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
            Found::Fault("it is a dangling link: what it points to is not there".to_owned())
        }
        Err(error) => Found::Fault(format!("it cannot be looked at: {error}")),
        Ok(metadata) if metadata.is_dir() => Found::Fault("it is a folder, no file".to_owned()),
        Ok(metadata) if !metadata.is_file() => Found::Fault("it is no ordinary file".to_owned()),
        Ok(metadata) if metadata.len() > bytes_max as u64 => Found::Fault(format!(
            "it has {} bytes; {bytes_max} are allowed",
            metadata.len()
        )),
        Ok(metadata) => Found::File(Stamp::of(&metadata)),
    }
}
