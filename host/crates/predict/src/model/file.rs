//! The form of a model in a file: magic number, version and checksum, little-endian, then JSON.

use xxhash_rust::xxh3::xxh3_64;

use super::{Model, ModelError};

const MAGIC: [u8; 8] = *b"LARDERPM";
/// Raised with every change of the features or of what is stored.
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 20;

impl Model {
    /// As it stands in a file.
    ///
    /// # Errors
    /// When a number of it has no form there.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let content = serde_json::to_vec(self).map_err(unreadable)?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + content.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(xxh3_64(&content).to_le_bytes());
        bytes.extend(content);
        Ok(bytes)
    }

    /// Reads what [`Self::to_bytes`] made. The checksum tells damage, not malice: whoever can write the
    /// file has to be trusted.
    ///
    /// # Errors
    /// When it is something else, of another version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ModelError::Foreign)?;
        let (version, rest) = rest.split_first_chunk().ok_or(ModelError::Damaged)?;
        let found = u32::from_le_bytes(*version);
        if found != VERSION {
            return Err(ModelError::Version {
                found,
                known: VERSION,
            });
        }
        let (sum, content) = rest.split_first_chunk().ok_or(ModelError::Damaged)?;
        if u64::from_le_bytes(*sum) != xxh3_64(content) {
            return Err(ModelError::Damaged);
        }
        serde_json::from_slice(content).map_err(unreadable)
    }
}

fn unreadable(error: serde_json::Error) -> ModelError {
    ModelError::Content(error.to_string())
}
