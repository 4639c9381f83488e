//! The form of values that stay in memory, where all but the value is open: sealed as they are, or compressed.

use std::sync::atomic::Ordering;

use larder_engine::tier::TierKey;

use super::header::{Header, Packing};
use super::packer::{Method, Packed};
use super::record::{Written, begin};
use super::sniff::sniff;
use super::{Codec, Damage, Refusal, sealer};

/// What header, nonce and tag take at most.
const SEAL_BYTES: usize = 56;
/// What compressing has to save, as a part of the value.
const SAVED_PART: usize = 4;

impl Codec {
    /// The sealed record of a value. What [`super::Settings::encrypt`] says concerns what leaves the memory alone.
    ///
    /// # Errors
    /// When it is too long, or cannot be sealed.
    pub fn seal(&self, key: TierKey<'_>, value: &[u8]) -> Result<Vec<u8>, Refusal> {
        let bytes_max = self.settings.content_bytes_max.min(u32::MAX as usize);
        if value.len() > bytes_max {
            return Err(Refusal::TooLarge(value.len(), bytes_max));
        }
        let cipher = self.sealer.active_cipher(key.tenant);
        let (id, cipher) = cipher.ok_or(Refusal::NoKey)?;
        let mut out = Vec::with_capacity(SEAL_BYTES + value.len());
        let header = Header::of_value(value.len() as u32, Packing::Plain, Some(id));
        let written = Written {
            content_start: begin(&header, &mut out),
            dictionary: None,
        };
        out.extend_from_slice(value);
        sealer::seal(&cipher, key, &mut out, 0, &written)?;
        self.counters.sealed.fetch_add(1, Ordering::Relaxed);
        Ok(out)
    }

    /// The compressed record of a value, where that saves a quarter: with LZ4, as each read unpacks it. The same value
    /// gives the same record.
    pub fn compress(&self, value: &[u8]) -> Option<Vec<u8>> {
        let value_bytes = u32::try_from(value.len()).ok()?;
        if sniff(value) == "packed" {
            return None;
        }
        let mut out = Vec::new();
        let header = Header::of_value(value_bytes, Packing::Lz4, None);
        let head_bytes = begin(&header, &mut out);
        let bytes_max = (value.len() - value.len() / SAVED_PART).saturating_sub(head_bytes);
        let is_packed = self.packer.pack(Method::Lz4, value, &mut out, bytes_max);
        is_packed.then(|| {
            self.counters.packed.add(value.len(), out.len());
            out
        })
    }

    /// The value of such a record.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::seal`] made for this key, or [`Self::compress`]. It counts as absent then.
    pub fn open(&self, key: TierKey<'_>, record: &[u8]) -> Result<Vec<u8>, Damage> {
        let unpacked = match Header::read(record) {
            Ok((header, packed)) if header.sealed_under.is_none() => {
                let bytes = header.value_bytes as usize;
                self.packer.unpack(Packed::Lz4, packed.into(), bytes)
            }
            _ => return self.decode(key, record).map(|stored| stored.value.into()),
        };
        unpacked.ok_or_else(|| self.damaged(Damage::Unpackable))
    }
}
