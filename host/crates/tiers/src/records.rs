//! Tiers keep records of the codec.

use std::sync::Arc;

use larder_engine::tier::{Stored, TierKey};

use crate::codec::{Codec, Form, Handling, Heat, Named};
use crate::encoding::Encoding;

/// The records of a [`Codec`] as the form in which entries lie in a tier.
pub struct Records {
    codec: Arc<Codec>,
    is_marked: fn(note: &[u8]) -> bool,
    is_portable: bool,
}

impl Records {
    /// Of this codec; `is_marked` tells by its note whether an entry may leave the process only sealed.
    pub fn new(codec: Arc<Codec>, is_marked: fn(note: &[u8]) -> bool) -> Self {
        Self {
            codec,
            is_marked,
            is_portable: false,
        }
    }

    /// Without the dictionaries that are kept here: for a tier that others read as well, or that outlasts them.
    pub fn portable(self) -> Self {
        Self {
            is_portable: true,
            ..self
        }
    }
}

impl Encoding for Records {
    fn name(&self) -> &'static str {
        "records 1"
    }

    fn encode(
        &self,
        key: TierKey<'_>,
        stored: &Stored,
        heat: Heat,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let handling = Handling {
            is_marked: (self.is_marked)(&stored.note),
            heat,
            is_portable: self.is_portable,
        };
        let encoded = self.codec.encode(key, stored, handling, out);
        encoded.map_err(|refusal| refusal.to_string())
    }

    fn decode(&self, key: TierKey<'_>, bytes: &[u8]) -> Result<Stored, String> {
        let decoded = self.codec.decode(key, bytes);
        decoded.map_err(|damage| damage.to_string())
    }

    fn form(&self, bytes: &[u8]) -> Form {
        self.codec.form(bytes)
    }

    fn named(&self, bytes: &[u8]) -> Named {
        Named::by(bytes).unwrap_or_default()
    }

    fn entry_bytes(&self, bytes: &[u8]) -> u64 {
        Codec::content_bytes(bytes)
    }

    fn memory_bytes(&self) -> u64 {
        self.codec.memory_bytes() as u64
    }
}
