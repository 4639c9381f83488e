//! The head of a record: all that it takes to read the rest. Little-endian, 4 to 23 bytes:
//!
//! | bytes | what | there if |
//! |---|---|---|
//! | 1 | form: `0x10` plain, `0x11` sealed; another upper half is another version | always |
//! | 1 | flags | always |
//! | 2 or 4 | bytes of the value | always; 4 where 2 do not hold it |
//! | 6 | expiry, Unix milliseconds | it expires |
//! | 1 | priority | it is not 0 |
//! | 2 | bytes of the note | there is a note |
//! | 4 | the dictionary's id | compressed with one |
//! | 4 | the key's id | sealed |

use larder_engine::Millis;
use larder_engine::tier::Stored;

use super::{Damage, DictionaryId, KeyId};

const PLAIN: u8 = 0x10;
const SEALED: u8 = 0x11;
const VERSION_MASK: u8 = 0xf0;

/// The lowest two bits say how it is compressed.
const ALGORITHM_MASK: u8 = 0b11;
/// The form says so, too: no one byte that changes makes a plain record of a sealed one.
const IS_SEALED: u8 = 1 << 2;
const IS_MARKED: u8 = 1 << 3;
const HAS_EXPIRY: u8 = 1 << 4;
const HAS_PRIORITY: u8 = 1 << 5;
const HAS_NOTE: u8 = 1 << 6;
const IS_WIDE: u8 = 1 << 7;

const EXPIRY_MAX: Millis = (1 << 48) - 1;

/// How the value and its note are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// As they are.
    Plain,
    /// A frame of zstd.
    Zstd,
    /// A frame of zstd without its head, made with a dictionary.
    Dictionary(DictionaryId),
    /// A block of LZ4.
    Lz4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) packing: Packing,
    pub(super) sealed_under: Option<KeyId>,
    pub(super) is_marked: bool,
    pub(super) expires_at: Option<Millis>,
    pub(super) priority: u8,
    pub(super) value_bytes: u32,
    pub(super) note_bytes: u16,
}

impl Header {
    /// Of an entry whose lengths are within bounds.
    pub(super) fn of(stored: &Stored, is_marked: bool, sealed_under: Option<KeyId>) -> Self {
        Self {
            packing: Packing::Plain,
            sealed_under,
            is_marked,
            expires_at: stored.expires_at.map(|expiry| expiry.min(EXPIRY_MAX)),
            priority: stored.priority,
            value_bytes: stored.value.len() as u32,
            note_bytes: stored.note.len() as u16,
        }
    }

    /// Of a value alone, which is sealed if it is marked.
    pub(super) fn of_value(
        value_bytes: u32,
        packing: Packing,
        sealed_under: Option<KeyId>,
    ) -> Self {
        Self {
            packing,
            sealed_under,
            is_marked: sealed_under.is_some(),
            expires_at: None,
            priority: 0,
            value_bytes,
            note_bytes: 0,
        }
    }

    /// Bytes of value and note.
    pub(super) fn content_bytes(&self) -> u64 {
        u64::from(self.value_bytes) + u64::from(self.note_bytes)
    }

    fn flags(&self) -> u8 {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let algorithm = match self.packing {
            Packing::Plain => 0,
            Packing::Zstd => 1,
            Packing::Dictionary(_) => 2,
            Packing::Lz4 => 3,
        };
        algorithm
            | flag(self.sealed_under.is_some(), IS_SEALED)
            | flag(self.is_marked, IS_MARKED)
            | flag(self.expires_at.is_some(), HAS_EXPIRY)
            | flag(self.priority != 0, HAS_PRIORITY)
            | flag(self.note_bytes != 0, HAS_NOTE)
            | flag(self.value_bytes > u32::from(u16::MAX), IS_WIDE)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let flags = self.flags();
        let form = if self.sealed_under.is_some() {
            SEALED
        } else {
            PLAIN
        };
        out.extend_from_slice(&[form, flags]);
        let length_bytes = if flags & IS_WIDE == 0 { 2 } else { 4 };
        out.extend_from_slice(&self.value_bytes.to_le_bytes()[..length_bytes]);
        if let Some(expiry) = self.expires_at {
            out.extend_from_slice(&expiry.to_le_bytes()[..6]);
        }
        if self.priority != 0 {
            out.push(self.priority);
        }
        if self.note_bytes != 0 {
            out.extend_from_slice(&self.note_bytes.to_le_bytes());
        }
        if let Packing::Dictionary(id) = self.packing {
            out.extend_from_slice(&id.0.to_le_bytes());
        }
        if let Some(id) = self.sealed_under {
            out.extend_from_slice(&id.0.to_le_bytes());
        }
    }

    /// The header, and what comes behind it.
    ///
    /// # Errors
    /// When it is none that [`Self::write`] wrote.
    pub(super) fn read(record: &[u8]) -> Result<(Self, &[u8]), Damage> {
        let mut rest = record;
        let [form, flags] = take(&mut rest)?;
        if form & VERSION_MASK > PLAIN {
            return Err(Damage::Newer(form));
        }
        let is_sealed = match form {
            PLAIN => false,
            SEALED => true,
            _ => return Err(Damage::Malformed),
        };
        let value_bytes = if flags & IS_WIDE == 0 {
            u32::from(u16::from_le_bytes(take(&mut rest)?))
        } else {
            u32::from_le_bytes(take(&mut rest)?)
        };
        let expires_at = match flags & HAS_EXPIRY {
            0 => None,
            _ => {
                let [a, b, c, d, e, f] = take(&mut rest)?;
                Some(Millis::from_le_bytes([a, b, c, d, e, f, 0, 0]))
            }
        };
        let priority = match flags & HAS_PRIORITY {
            0 => 0,
            _ => u8::from_le_bytes(take(&mut rest)?),
        };
        let note_bytes = match flags & HAS_NOTE {
            0 => 0,
            _ => u16::from_le_bytes(take(&mut rest)?),
        };
        let packing = match flags & ALGORITHM_MASK {
            0 => Packing::Plain,
            1 => Packing::Zstd,
            2 => Packing::Dictionary(DictionaryId(u32::from_le_bytes(take(&mut rest)?))),
            _ => Packing::Lz4,
        };
        let sealed_under = match is_sealed {
            false => None,
            true => Some(KeyId(u32::from_le_bytes(take(&mut rest)?))),
        };
        let header = Self {
            packing,
            sealed_under,
            is_marked: flags & IS_MARKED != 0,
            expires_at,
            priority,
            value_bytes,
            note_bytes,
        };
        // One entry has one header: whatever is said twice or needlessly was not written here.
        match header.flags() == flags {
            true => Ok((header, rest)),
            false => Err(Damage::Malformed),
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Damage> {
    let (taken, behind) = rest.split_first_chunk().ok_or(Damage::Malformed)?;
    *rest = behind;
    Ok(*taken)
}

#[cfg(test)]
mod tests;
