//! What is true of the whole folder, in a small file that is replaced as a whole.
//!
//! ```text
//! larder-disk 1
//! {"form":"records 1","hash_key":[…],"salt":…,"newest":…,"next_space":…,"spaces":[["tenant",db,number],…],"prefixes":[…]}
//! XXH3-64 of the lines above in 16 hexadecimal digits
//! ```
//!
//! Version 2 has prefixes; without them it is version 1.

use std::io;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::prefixes::Prefixes;
use super::spaces::Spaces;
use super::volume::Volume;

/// The file's name.
pub(super) const NAME: &str = "manifest";
/// The form of everything in the folder, where there are prefixes.
pub(super) const VERSION: u32 = 2;
/// Where there are none.
const VERSION_BEFORE: u32 = 1;
const MAGIC: &str = "larder-disk";

/// But for spaces and prefixes, which readers share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The form of values, [`crate::Encoding::name`]. Those who came before it was noted had others.
    #[serde(default)]
    pub(super) form: String,
    /// The secret under which keys are hashed.
    pub(super) hash_key: [u64; 2],
    /// What checks are seeded with, so that another folder's records are none of ours.
    pub(super) salt: u64,
    /// The number of the newest segment, 0 before there was one.
    pub(super) newest: u64,
    /// The number that the next space gets.
    pub(super) next_space: u32,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    #[serde(flatten)]
    manifest: Manifest,
    spaces: Vec<(String, u8, u32)>,
    #[serde(default, skip_serializing_if = "Prefixes::is_empty")]
    prefixes: Prefixes,
}

/// Why there is no manifest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Written by a program that knows a later form.
    Newer(u32),
    /// Not what was written.
    Damaged,
}

impl Manifest {
    pub(super) fn new(form: &str, secrets: [u64; 3]) -> Self {
        let [first, second, salt] = secrets;
        Self {
            form: form.to_owned(),
            hash_key: [first, second],
            salt,
            newest: 0,
            next_space: 1,
        }
    }

    pub(super) fn save(
        &self,
        spaces: &Spaces,
        prefixes: &Prefixes,
        volume: &dyn Volume,
        is_synced: bool,
    ) -> io::Result<()> {
        let contents = Contents {
            manifest: self.clone(),
            spaces: spaces
                .iter()
                .map(|(tenant, db, number)| (tenant.into(), db, number))
                .collect(),
            prefixes: prefixes.clone(),
        };
        let version = match prefixes.is_empty() {
            true => VERSION_BEFORE,
            false => VERSION,
        };
        let json = serde_json::to_string(&contents)?;
        let lines = format!("{MAGIC} {version}\n{json}\n");
        let text = format!("{lines}{:016x}\n", xxh3_64(lines.as_bytes()));
        volume.replace(NAME, text.as_bytes(), is_synced)
    }

    /// Reads what was saved.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, Spaces, Prefixes), Fault> {
        let text = str::from_utf8(bytes).map_err(|_| Fault::Damaged)?;
        let version = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(MAGIC));
        match version.and_then(|version| version.trim().parse().ok()) {
            Some(VERSION_BEFORE | VERSION) => {}
            Some(version) => return Err(Fault::Newer(version)),
            None => return Err(Fault::Damaged),
        }
        Self::contents(text).ok_or(Fault::Damaged)
    }

    fn contents(text: &str) -> Option<(Self, Spaces, Prefixes)> {
        let check_at = text.len().checked_sub(17)?;
        let (lines, check) = text.split_at_checked(check_at)?;
        let check = u64::from_str_radix(check.strip_suffix('\n')?, 16).ok()?;
        if check != xxh3_64(lines.as_bytes()) {
            return None;
        }
        let contents: Contents = serde_json::from_str(lines.split_once('\n')?.1).ok()?;
        let mut spaces = Spaces::default();
        for (tenant, db, number) in contents.spaces {
            spaces.set(&tenant.into(), db, number);
        }
        Some((contents.manifest, spaces, contents.prefixes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::prefixes::Mark;
    use super::*;
    use crate::disk::volume::Folder;

    fn saved(prefixes: &Prefixes) -> (Manifest, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let volume = Folder::open(folder.path()).unwrap();
        let mut spaces = Spaces::default();
        spaces.set(&"ten\"ant".into(), 15, 3);
        let manifest = Manifest {
            newest: 77,
            next_space: 4,
            ..Manifest::new("plain 1", [u64::MAX, 2, 3])
        };
        manifest.save(&spaces, prefixes, &volume, true).unwrap();
        (manifest, volume.read(NAME).unwrap())
    }

    #[test]
    fn what_was_saved_is_read_and_nothing_else() {
        let (_, bytes) = saved(&Prefixes::default());
        assert!(bytes.starts_with(b"larder-disk 1\n"));
        assert!(Manifest::parse(&bytes).unwrap().2.is_empty());
        let mut prefixes = Prefixes::default();
        let (segment, offset) = (7, u64::MAX);
        assert!(prefixes.add(3, b"a:\xff", Mark { segment, offset }));
        let (manifest, bytes) = saved(&prefixes);
        assert!(bytes.starts_with(b"larder-disk 2\n"));
        let (read, spaces, cleared) = Manifest::parse(&bytes).unwrap();
        assert_eq!((read, cleared), (manifest.clone(), prefixes));
        assert_eq!(spaces.number("ten\"ant", 15), Some(3));
        assert_eq!(spaces.number("ten\"ant", 14), None);
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            // The check's own digits may change case.
            assert!(
                Manifest::parse(&wrong).map_or(true, |(read, ..)| read == manifest),
                "bit {bit}"
            );
        }
        for len in 0..bytes.len() {
            assert!(Manifest::parse(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_later_form_is_told_from_damage() {
        let (_, bytes) = saved(&Prefixes::default());
        let later = String::from_utf8(bytes)
            .unwrap()
            .replacen("disk 1", "disk 12", 1);
        assert_eq!(Manifest::parse(later.as_bytes()), Err(Fault::Newer(12)));
    }
}
