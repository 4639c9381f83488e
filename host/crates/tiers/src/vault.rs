//! The memory keeps records of the codec in the place of values that are marked.

use std::sync::Arc;

use larder_engine::tier::TierKey;
use larder_engine::{Error, Key, Vault};

use crate::codec::Codec;

/// Seals what is marked in the memory of one tenant, under the key that its records are sealed with elsewhere.
pub struct Safe {
    codec: Arc<Codec>,
    tenant: Arc<str>,
    is_marked: fn(note: &[u8]) -> bool,
}

impl Safe {
    /// Of a tenant; `is_marked` tells by its note whether a value is to lie sealed.
    pub fn new(codec: Arc<Codec>, tenant: &str, is_marked: fn(note: &[u8]) -> bool) -> Self {
        Self {
            codec,
            tenant: tenant.into(),
            is_marked,
        }
    }
}

impl Vault for Safe {
    fn shut(&self, key: Key<'_>, note: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if !(self.is_marked)(note) {
            return Ok(None);
        }
        let sealed = self.codec.seal(TierKey::new(&self.tenant, key), value);
        sealed
            .map(Some)
            .map_err(|refusal| Error::NotSealed(refusal.to_string()))
    }

    fn open(&self, key: Key<'_>, shut: &[u8]) -> Option<Vec<u8>> {
        let stored = self.codec.decode(TierKey::new(&self.tenant, key), shut);
        stored.ok().map(|stored| stored.value.into_vec())
    }
}

#[cfg(test)]
mod tests;
