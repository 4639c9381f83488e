//! The file of a key ring.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustix::fs::OFlags;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{KEYS_MAX, KeyRing, Problem, RingError, RingKey};
use crate::codec::xaes::KEY_BYTES;

const BEGINNING: &str = "larder key ring ";
const VERSION: u32 = 1;
const NOTICE: &str =
    "# Whoever has this file can read what was sealed with it. Keep a copy in a safe place.\n";
/// More than the longest ring there is, with room for remarks.
const FILE_BYTES_MAX: usize = 64 * 1024;
const SECRET_CHARS: usize = KEY_BYTES.div_ceil(3) * 4;
/// Anything that is allowed to the group or to others.
const OTHERS: u32 = 0o077;

impl KeyRing {
    /// The ring in a file that belongs to this process' user, and that nobody else may read.
    ///
    /// # Errors
    /// When the file is not there, not private or no ring: one sentence that says what to do.
    pub fn load(path: &Path) -> Result<Self, RingError> {
        let of = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => RingError::Missing { path: path.into() },
            _ => io_error(path, "read", error),
        };
        let mut options = File::options();
        // A pipe would have this wait for somebody who writes to it.
        options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = options.open(path).map_err(of)?;
        let found = file.metadata().map_err(of)?;
        let own = rustix::process::geteuid().as_raw();
        if let Some(why) = exposure(found.is_file(), found.uid(), found.mode(), own) {
            return Err(RingError::NotPrivate {
                path: path.into(),
                why,
            });
        }
        // Large enough from the start, so that no copy stays behind as it grows.
        let mut text = Zeroizing::new(Vec::with_capacity(2 * FILE_BYTES_MAX));
        let mut bounded = file.take(FILE_BYTES_MAX as u64);
        bounded.read_to_end(&mut text).map_err(of)?;
        parse(&text).map_err(|problem| RingError::Unusable {
            path: path.into(),
            problem,
        })
    }

    /// Writes a new file, for this user alone; it is there whole or not at all.
    ///
    /// # Errors
    /// When there is one already, or it cannot be written.
    pub fn create(&self, path: &Path) -> Result<(), RingError> {
        self.unfinished(path)
            .and_then(|file| file.persist_noclobber(path).map_err(|error| error.error))
            .and_then(|_| sync_folder_of(path))
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => RingError::Exists { path: path.into() },
                _ => io_error(path, "written", error),
            })
    }

    /// Writes it in the place of the file that is there; what is there is the one or the other at any time.
    ///
    /// # Errors
    /// When it cannot be written; the file is as before then.
    pub fn replace(&self, path: &Path) -> Result<(), RingError> {
        self.unfinished(path)
            .and_then(|file| file.persist(path).map_err(|error| error.error))
            .and_then(|_| sync_folder_of(path))
            .map_err(|error| io_error(path, "written", error))
    }

    /// The file under another name in the same folder, on disk. Temporary files are for their user alone.
    fn unfinished(&self, path: &Path) -> io::Result<NamedTempFile> {
        let mut file = NamedTempFile::new_in(folder_of(path))?;
        file.write_all(self.text().as_bytes())?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    fn text(&self) -> Zeroizing<String> {
        let line_bytes = SECRET_CHARS + 64;
        let head = format!("{BEGINNING}{VERSION}\n{NOTICE}");
        // Large enough from the start, so that no copy stays behind as it grows.
        let mut text = Zeroizing::new(String::with_capacity(
            head.len() + self.keys.len() * line_bytes,
        ));
        text.push_str(&head);
        for (at, key) in self.keys.iter().enumerate() {
            let mut secret = Zeroizing::new([0; SECRET_CHARS]);
            // The buffer is as long as what 32 bytes become, and base64 is ASCII.
            let _ = BASE64_STANDARD.encode_slice(*key.secret, &mut *secret);
            let secret_text = std::str::from_utf8(&*secret).unwrap_or_default();
            let active = if at == self.active { " active" } else { "" };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "key {} {} {secret_text}{active}",
                key.id, key.created_seconds
            );
        }
        text
    }
}

/// Why a file is not fit to keep secrets, if so.
fn exposure(is_file: bool, owner: u32, mode: u32, own: u32) -> Option<String> {
    if !is_file {
        return Some("the key ring is no file".to_owned());
    }
    if owner != own {
        return Some(format!(
            "the key ring belongs to the user {owner} and not to {own}, as whom this runs: chown it"
        ));
    }
    (mode & OTHERS != 0).then(|| {
        format!(
            "others may read the key ring or write to it (mode {:03o}): `chmod 600` it, and rotate if they may have read it",
            mode & 0o777
        )
    })
}

fn parse(text: &[u8]) -> Result<KeyRing, Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    let text = std::str::from_utf8(text).map_err(|_| Problem::NoRing)?;
    let mut lines = (1..).zip(text.lines());
    let version = lines
        .next()
        .and_then(|(_, line)| line.strip_prefix(BEGINNING));
    match version.map(str::trim_end).map(str::parse::<u32>) {
        Some(Ok(VERSION)) => {}
        Some(Ok(newer)) if newer > VERSION => return Err(Problem::Newer(newer)),
        _ => return Err(Problem::NoRing),
    }
    let (mut keys, mut active) = (Vec::<RingKey>::with_capacity(KEYS_MAX), Vec::new());
    let mut last = 1;
    for (number, line) in lines {
        last = number;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, is_active) = parse_key(line, number)?;
        if keys.iter().any(|other| other.id == key.id) {
            return Err(Problem::Twice(key.id));
        }
        if keys.len() == KEYS_MAX {
            return Err(Problem::TooMany);
        }
        if is_active {
            active.push(keys.len());
        }
        keys.push(key);
    }
    match active[..] {
        _ if keys.is_empty() => Err(Problem::Short(last)),
        [active] => Ok(KeyRing { keys, active }),
        _ => Err(Problem::Active(active.len())),
    }
}

fn parse_key(line: &str, number: usize) -> Result<(RingKey, bool), Problem> {
    let mut words = line.split_ascii_whitespace();
    let garbage = Problem::Garbage(number);
    if words.next() != Some("key") {
        return Err(garbage);
    }
    let (Some(id), Some(created), Some(secret)) = (words.next(), words.next(), words.next()) else {
        return Err(Problem::Short(number));
    };
    let (Ok(id), Ok(created_seconds)) = (id.parse(), created.parse()) else {
        return Err(garbage);
    };
    let is_active = match (words.next(), words.next()) {
        (None, None) => false,
        (Some("active"), None) => true,
        _ => return Err(garbage),
    };
    if secret.len() < SECRET_CHARS {
        return Err(Problem::Short(number));
    }
    // What the decoder may write to before it finds that the length is wrong.
    let mut decoded = Zeroizing::new([0; KEY_BYTES + 1]);
    let length = BASE64_STANDARD.decode_slice(secret, &mut *decoded);
    if length != Ok(KEY_BYTES) {
        return Err(garbage);
    }
    let mut key = RingKey {
        id,
        created_seconds,
        secret: Zeroizing::new([0; KEY_BYTES]),
    };
    key.secret.copy_from_slice(&decoded[..KEY_BYTES]);
    Ok((key, is_active))
}

fn io_error(path: &Path, what: &'static str, error: io::Error) -> RingError {
    RingError::Io {
        path: path.into(),
        what,
        error,
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
