//! Dictionaries that records may name, in memory and as files.
//!
//! A file `ID.dictionary` is, little-endian: `LARDERDI`, the version 1 in four bytes, the XXH3-64 of all that comes
//! behind it, and then which of its kind's dictionaries it is in four bytes, tenant and kind (each its length in
//! two bytes and its text), and the dictionary.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use tempfile::NamedTempFile;
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

use super::{DICTIONARY_BYTES_MAX, Dictionary, Origin};
use crate::codec::DictionaryId;

/// Dictionaries that there may be, older versions included; no others are trained then. A tenant may have its equal share, but one
/// at least.
const DICTIONARIES_MAX: usize = 32;
const BEGINNING: &[u8; 12] = b"LARDERDI\x01\0\0\0";
const ENDING: &str = "dictionary";
const FILE_BYTES_MAX: usize = DICTIONARY_BYTES_MAX + 2 * (u16::MAX as usize) + 64;

/// The dictionaries of a tier. Those on disk come back with the next start; without a folder all go with the process.
#[derive(Default)]
pub struct Dictionaries {
    folder: Option<PathBuf>,
    known: RwLock<HashMap<DictionaryId, Arc<Dictionary>>>,
}

impl Dictionaries {
    /// Those in a folder, which is made if need be. A file that is none is told in the log and passed over: values
    /// that name it count as absent.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let mut known = HashMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            match read(&path) {
                Ok(dictionary) if known.len() < DICTIONARIES_MAX => {
                    known.insert(dictionary.id(), Arc::new(dictionary));
                }
                Ok(_) => {
                    warn!(file = %path.display(), "there are too many dictionaries; this one is passed over")
                }
                Err(why) => {
                    warn!(file = %path.display(), why, "a dictionary cannot be used; what was compressed with it counts as absent")
                }
            }
        }
        Ok(Self {
            folder: Some(folder),
            known: RwLock::new(known),
        })
    }

    /// The one that a record names.
    pub(in crate::codec) fn get(&self, id: DictionaryId) -> Option<Arc<Dictionary>> {
        self.known.read().get(&id).cloned()
    }

    /// The newest for values of a kind.
    pub(in crate::codec) fn newest(
        &self,
        tenant: &str,
        data_type: &str,
    ) -> Option<Arc<Dictionary>> {
        let known = self.known.read();
        let of_kind = known.values().filter(|dictionary| {
            let origin = dictionary.origin();
            *origin.tenant == *tenant && *origin.data_type == *data_type
        });
        of_kind
            .max_by_key(|dictionary| (dictionary.origin().version, dictionary.id()))
            .cloned()
    }

    /// Whether another one may be trained, for one of so many tenants.
    pub(in crate::codec) fn has_room(&self, tenant: &str, tenants: usize) -> bool {
        let known = self.known.read();
        let is_own = |known: &&Arc<Dictionary>| *known.origin().tenant == *tenant;
        let share = (DICTIONARIES_MAX / tenants.max(1)).max(1);
        known.len() < DICTIONARIES_MAX && known.values().filter(is_own).count() < share
    }

    /// Keeps another one, on disk first: no record may name what a crash takes away.
    pub(in crate::codec) fn keep(&self, dictionary: Arc<Dictionary>) -> io::Result<()> {
        if let Some(folder) = &self.folder {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(&written(&dictionary))?;
            file.persist(path_of(folder, dictionary.id()))
                .map_err(|error| error.error)?;
        }
        self.known.write().insert(dictionary.id(), dictionary);
        Ok(())
    }

    /// Whether some are not the newest of their kind.
    pub(in crate::codec) fn has_old(&self) -> bool {
        let known = self.known.read();
        let kinds: HashSet<_> = known
            .values()
            .map(|dictionary| (&dictionary.origin().tenant, &dictionary.origin().data_type))
            .collect();
        kinds.len() < known.len()
    }

    /// Forgets those that nothing names, but for the newest of each kind. How many went.
    pub(in crate::codec) fn retire(&self, is_named: impl Fn(DictionaryId) -> bool) -> usize {
        let all: Vec<_> = self.known.read().values().cloned().collect();
        let goes = |dictionary: &&Arc<Dictionary>| {
            let Origin {
                tenant, data_type, ..
            } = dictionary.origin();
            let newest = self.newest(tenant, data_type);
            newest.is_some_and(|newest| newest.id() != dictionary.id())
                && !is_named(dictionary.id())
        };
        let old: Vec<_> = all.iter().filter(goes).collect();
        for dictionary in &old {
            self.known.write().remove(&dictionary.id());
            // One that stays is read at the next start, and goes some time after it.
            let path = self
                .folder
                .as_ref()
                .map(|folder| path_of(folder, dictionary.id()));
            if let Some(Err(error)) = path.map(fs::remove_file) {
                warn!(dictionary = %dictionary.id(), %error, "an old dictionary cannot be removed");
            }
        }
        old.len()
    }

    /// How many there are, and the bytes of memory that they take.
    pub(in crate::codec) fn figures(&self) -> (usize, usize) {
        let known = self.known.read();
        (
            known.len(),
            known.values().map(|each| each.memory_bytes()).sum(),
        )
    }
}

fn path_of(folder: &Path, id: DictionaryId) -> PathBuf {
    folder.join(format!("{id}.{ENDING}"))
}

fn written(dictionary: &Dictionary) -> Vec<u8> {
    let Origin {
        tenant,
        data_type,
        version,
    } = dictionary.origin();
    let mut rest = version.to_le_bytes().to_vec();
    for text in [tenant, data_type] {
        rest.extend_from_slice(&(text.len() as u16).to_le_bytes());
        rest.extend_from_slice(text.as_bytes());
    }
    rest.extend_from_slice(&dictionary.bytes);
    [BEGINNING, &xxh3_64(&rest).to_le_bytes()[..], &rest].concat()
}

fn read(path: &Path) -> Result<Dictionary, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX as u64).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    let dictionary = parse(&bytes).ok_or("it is damaged, or of another version")?;
    let name = path.file_stem().and_then(|stem| stem.to_str());
    if name != Some(&dictionary.id().to_string()) {
        return Err("it goes by another name".to_owned());
    }
    Ok(dictionary)
}

fn parse(bytes: &[u8]) -> Option<Dictionary> {
    let (checksum, rest) = bytes.strip_prefix(BEGINNING)?.split_first_chunk()?;
    if xxh3_64(rest) != u64::from_le_bytes(*checksum) {
        return None;
    }
    let (version, rest) = rest.split_first_chunk()?;
    let (tenant, rest) = text(rest)?;
    let (data_type, rest) = text(rest)?;
    let origin = Origin {
        tenant,
        data_type,
        version: u32::from_le_bytes(*version),
    };
    Dictionary::new(origin, rest.to_vec())
}

fn text(bytes: &[u8]) -> Option<(Box<str>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    Some((std::str::from_utf8(text).ok()?.into(), rest))
}

#[cfg(test)]
mod tests;
