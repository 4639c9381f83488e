//! The memory keeps records of the codec in the place of some values.

use std::sync::Arc;

use larder_engine::tier::TierKey;
use larder_engine::{Error, Key, Vault};

use crate::codec::Codec;

/// Seals what is marked in the memory of one tenant, under the key that its records are sealed with elsewhere, and
/// compresses what is long.
pub struct Safe {
    codec: Arc<Codec>,
    tenant: Arc<str>,
    is_marked: fn(note: &[u8]) -> bool,
    pack_bytes_min: usize,
}

impl Safe {
    /// Of a tenant; `is_marked` tells by its note whether a value is to lie sealed. Of the others, those of
    /// `pack_bytes_min` or more are compressed, if that is said.
    pub fn new(
        codec: Arc<Codec>,
        tenant: &str,
        is_marked: fn(note: &[u8]) -> bool,
        pack_bytes_min: Option<usize>,
    ) -> Self {
        Self {
            codec,
            tenant: tenant.into(),
            is_marked,
            pack_bytes_min: pack_bytes_min.unwrap_or(usize::MAX),
        }
    }
}

impl Vault for Safe {
    fn shut(&self, key: Key<'_>, note: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if !(self.is_marked)(note) {
            let is_long = value.len() >= self.pack_bytes_min;
            return Ok(is_long.then(|| self.codec.compress(value)).flatten());
        }
        let sealed = self.codec.seal(TierKey::new(&self.tenant, key), value);
        sealed
            .map(Some)
            .map_err(|refusal| Error::NotSealed(refusal.to_string()))
    }

    fn open(&self, key: Key<'_>, shut: &[u8]) -> Option<Vec<u8>> {
        self.codec.open(TierKey::new(&self.tenant, key), shut).ok()
    }
}

#[cfg(test)]
mod tests;
