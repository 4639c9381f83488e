//! The file of a tenant's hot set.
//!
//! ```text
//! larder-hot 1
//! keys (4) ‖ of each, the hottest first: database (1) ‖ length of its name (4) ‖ name
//! XXH3-64 of all that (8)
//! ```
//!
//! Numbers are little-endian. The file is replaced as a whole. Names stand in it in clear, as they do on the disk below.

use std::fmt;
use std::io;
use std::path::Path;

use larder_engine::{DATABASES, HotKey, KEY_BYTES_MAX};
use xxhash_rust::xxh3::xxh3_64;

use crate::private_file;

const MAGIC: &[u8] = b"larder-hot ";
const VERSION: u32 = 1;
/// Twice what a server writes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why a hot set is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// Another number than [`VERSION`].
    Newer(u32),
    Damaged,
    TooLong,
    Io(io::Error),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => write!(
                f,
                "has version {version} of the format, and this program knows version {VERSION}"
            ),
            Self::Damaged => f.write_str("is not what was written"),
            Self::TooLong => write!(f, "has more than {FILE_BYTES_MAX} bytes"),
            Self::Io(error) => write!(f, "cannot be read ({error})"),
        }
    }
}

/// The keys in a file, the hottest first; none where there is no file.
///
/// # Errors
/// When it cannot be read, is too long, damaged, or of a later version.
pub(super) fn read(path: &Path) -> Result<Vec<HotKey>, Unread> {
    match private_file::read(path, FILE_BYTES_MAX) {
        Ok(bytes) => decode(&bytes),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(Vec::new()),
            io::ErrorKind::FileTooLarge => Err(Unread::TooLong),
            _ => Err(Unread::Io(error)),
        },
    }
}

/// Replaces a file.
///
/// # Errors
/// When it cannot be written; the one before is there then.
pub(super) fn write(path: &Path, keys: &[HotKey]) -> io::Result<()> {
    private_file::replace(path, &encode(keys))
}

fn encode(keys: &[HotKey]) -> Vec<u8> {
    let mut bytes = [MAGIC, format!("{VERSION}\n").as_bytes()].concat();
    // Names have bounds, and so has what they take together.
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend(count(keys.len()));
    for HotKey { db, key } in keys {
        bytes.push(*db);
        bytes.extend(count(key.len()));
        bytes.extend_from_slice(key);
    }
    bytes.extend(xxh3_64(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<HotKey>, Unread> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Unread::Damaged)?;
    let end = rest.iter().take(16).position(|byte| *byte == b'\n');
    let end = end.ok_or(Unread::Damaged)?;
    let version = str::from_utf8(&rest[..end]).ok();
    match version.and_then(|version| version.parse().ok()) {
        Some(VERSION) => {}
        Some(version) => return Err(Unread::Newer(version)),
        None => return Err(Unread::Damaged),
    }
    let intact = bytes.split_last_chunk().filter(|(told, check)| {
        let check: &[u8; 8] = check;
        u64::from_le_bytes(*check) == xxh3_64(told)
    });
    let (told, _) = intact.ok_or(Unread::Damaged)?;
    let start = MAGIC.len() + end + 1;
    let keys = told.get(start..).and_then(keys);
    keys.ok_or(Unread::Damaged)
}

fn keys(mut rest: &[u8]) -> Option<Vec<HotKey>> {
    fn number(rest: &mut &[u8]) -> Option<usize> {
        let (number, behind) = rest.split_first_chunk()?;
        *rest = behind;
        usize::try_from(u32::from_le_bytes(*number)).ok()
    }
    let count = number(&mut rest)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let (db, behind) = rest.split_first()?;
        rest = behind;
        let len = number(&mut rest)?;
        let (key, behind) = rest.split_at_checked(len)?;
        rest = behind;
        if *db >= DATABASES || len > KEY_BYTES_MAX {
            return None;
        }
        keys.push(HotKey {
            db: *db,
            key: key.into(),
        });
    }
    rest.is_empty().then_some(keys)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn some() -> Vec<HotKey> {
        let key = |db, key: &[u8]| HotKey {
            db,
            key: key.into(),
        };
        vec![key(0, b"hot"), key(15, b""), key(3, b"\xff\0\n")]
    }

    #[test]
    fn what_was_written_is_read_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default");
        assert!(read(&path).unwrap().is_empty());
        for keys in [some(), Vec::new(), some()] {
            write(&path, &keys).unwrap();
            assert_eq!(read(&path).unwrap(), keys);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("none/none/default"), &some()).is_err());
        assert!(matches!(read(folder.path()), Err(Unread::Io(_))));
    }

    #[test]
    fn whatever_is_changed_is_found_and_no_later_version_is_read() {
        let whole = encode(&some());
        assert_eq!(decode(&whole).unwrap(), some());
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_err(), "byte {at}");
            assert!(decode(&whole[..at]).is_err(), "cut off at {at}");
        }
        assert!(decode(&[&whole[..], b"x"].concat()).is_err());
        let later = [MAGIC, b"2\nwhatever"].concat();
        assert!(matches!(decode(&later), Err(Unread::Newer(2))));
        // A sum that is right proves nothing of what it is the sum of.
        for wrong in [
            [1, 0, 0, 0, 16, 1, 0, 0, 0, b'a'].as_slice(),
            &[2, 0, 0, 0, 0, 1, 0, 0, 0, b'a'],
            &[1, 0, 0, 0, 0, 2, 0, 0, 0, b'a'],
            &[0, 0, 0, 0, 0],
            &[255, 255, 255, 255],
        ] {
            let mut bytes = [MAGIC, b"1\n", wrong].concat();
            bytes.extend(xxh3_64(&bytes).to_le_bytes());
            assert!(matches!(decode(&bytes), Err(Unread::Damaged)), "{wrong:?}");
        }
    }
}
