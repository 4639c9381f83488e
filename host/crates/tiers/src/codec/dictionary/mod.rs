//! Dictionaries: what values of one kind and tenant have in common, so that small ones compress well.

mod store;

use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zstd::zstd_safe::{CDict, DDict, train_from_buffer};

pub use store::Dictionaries;

use super::DictionaryId;

/// Bytes that a dictionary may have.
pub(super) const DICTIONARY_BYTES_MAX: usize = 16 * 1024;
/// Higher ones take several times as long and save next to nothing.
const LEVEL: i32 = 3;
/// Where a dictionary of zstd has an id of its own, which would be written into every frame: records have ours.
const OWN_ID: std::ops::Range<usize> = 4..8;

/// A dictionary, and which values it is for.
pub(super) struct Dictionary {
    id: DictionaryId,
    origin: Origin,
    bytes: Vec<u8>,
    /// Of the bytes: no two that anybody can make have the same.
    digest: [u8; 32],
    unpacks: DDict<'static>,
    /// Made when something is compressed with it, as only the newest of a kind is.
    packs: OnceLock<Option<CDict<'static>>>,
}

/// Which values a dictionary was trained for, and how many were before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) tenant: Box<str>,
    pub(super) data_type: Box<str>,
    pub(super) version: u32,
}

impl Dictionary {
    /// Prepares a dictionary; nothing where zstd cannot use it.
    pub(super) fn new(origin: Origin, bytes: Vec<u8>) -> Option<Self> {
        let mut digest = Xxh3::new();
        for part in [
            origin.tenant.as_bytes(),
            origin.data_type.as_bytes(),
            &bytes,
        ] {
            digest.update(&xxh3_64(part).to_le_bytes());
        }
        Some(Self {
            id: DictionaryId(digest.digest() as u32),
            digest: Sha256::digest(&bytes).into(),
            unpacks: DDict::try_create(&bytes)?,
            packs: OnceLock::new(),
            origin,
            bytes,
        })
    }

    pub(super) fn id(&self) -> DictionaryId {
        self.id
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Another one of the same id, as who can write to its file may make one.
    #[cfg(test)]
    pub(super) fn forged(&self) -> Self {
        let mut bytes = self.bytes.clone();
        let middle = bytes.len() / 2;
        bytes[middle..].iter_mut().for_each(|byte| *byte ^= 1);
        let id = self.id;
        Self {
            id,
            ..Self::new(self.origin.clone(), bytes).unwrap()
        }
    }

    pub(super) fn unpacks(&self) -> &DDict<'static> {
        &self.unpacks
    }

    pub(super) fn packs(&self) -> Option<&CDict<'static>> {
        let make = || CDict::try_create(&self.bytes, LEVEL);
        self.packs.get_or_init(make).as_ref()
    }

    /// Bytes of memory that it takes.
    fn memory_bytes(&self) -> usize {
        let packs = self.packs.get().and_then(Option::as_ref);
        self.bytes.len() + self.unpacks.sizeof() + packs.map_or(0, CDict::sizeof)
    }
}

/// What the samples have in common, in zstd's form; nothing where that is not enough. The same samples in the same
/// order give the same dictionary.
pub(super) fn train<'a>(samples: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let (mut all, mut lengths) = (Vec::new(), Vec::new());
    for sample in samples {
        all.extend_from_slice(sample);
        lengths.push(sample.len());
    }
    let mut dictionary = Vec::with_capacity(DICTIONARY_BYTES_MAX);
    train_from_buffer(&mut dictionary, &all, &lengths).ok()?;
    dictionary.get_mut(OWN_ID)?.fill(0);
    Some(dictionary)
}
