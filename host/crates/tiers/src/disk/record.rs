//! One record of the log:
//!
//! ```text
//! head   u32 check of the head, u8 kind, u24 bytes of the key, u32 bytes of the payload,
//!        u32 space, u64 hash, u64 expiry in Unix milliseconds (0: never)
//! key, payload, up to 7 zero bytes
//! tail   u64 check of all that, never 0
//! ```
//!
//! All little-endian. Both checks are XXH3, seeded with where the record lies, so that none is taken for
//! another. A write that was cut off leaves zeros where the tail belongs; damage leaves a wrong tail.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::place::UNIT_BYTES;

pub(super) const HEAD_BYTES: usize = 32;
pub(super) const TAIL_BYTES: usize = 8;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// This is under the key.
    Put = 1,
    /// Nothing is under the key.
    Delete = 2,
    /// The segment has no more records.
    End = 3,
}

impl Kind {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Put, Self::Delete, Self::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A record but for key and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) key_bytes: u32,
    pub(super) payload_bytes: u32,
    /// The number of tenant and database.
    pub(super) space: u32,
    pub(super) hash: u64,
    /// Unix milliseconds, 0: never.
    pub(super) expires_at: u64,
}

impl Head {
    /// A record without key and payload.
    pub(super) fn bare(kind: Kind, space: u32, hash: u64) -> Self {
        Self {
            kind,
            key_bytes: 0,
            payload_bytes: 0,
            space,
            hash,
            expires_at: 0,
        }
    }

    /// Bytes of the whole record.
    pub(super) fn record_bytes(&self) -> u64 {
        let body = u64::from(self.key_bytes) + u64::from(self.payload_bytes);
        (HEAD_BYTES as u64 + body).next_multiple_of(UNIT_BYTES) + TAIL_BYTES as u64
    }

    fn to_bytes(self, seed: u64) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[4..8].copy_from_slice(&(self.key_bytes << 8 | self.kind as u32).to_le_bytes());
        bytes[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.space.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.hash.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.expires_at.to_le_bytes());
        let check = xxh3_64_with_seed(&bytes[4..], seed) as u32;
        bytes[..4].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The head at the beginning of `bytes`, unless it is damaged.
    pub(super) fn read(bytes: &[u8], seed: u64) -> Option<Self> {
        let bytes: &[u8; HEAD_BYTES] = bytes.first_chunk()?;
        if xxh3_64_with_seed(&bytes[4..], seed) as u32 != u32_at(bytes, 0) {
            return None;
        }
        Some(Self {
            kind: Kind::from_byte(bytes[4])?,
            key_bytes: u32_at(bytes, 4) >> 8,
            payload_bytes: u32_at(bytes, 8),
            space: u32_at(bytes, 12),
            hash: u64_at(bytes, 16),
            expires_at: u64_at(bytes, 24),
        })
    }
}

/// The number at an offset; 0 where there is none.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |number| u32::from_le_bytes(*number))
}

/// The number at an offset; 0 where there is none.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |number| u64::from_le_bytes(*number))
}

/// Completes a record: `record` is room for the head, then key and payload.
pub(super) fn finish(record: &mut Vec<u8>, start: usize, head: &Head, seed: u64) {
    record[start..start + HEAD_BYTES].copy_from_slice(&head.to_bytes(seed));
    record.resize(start + head.record_bytes() as usize - TAIL_BYTES, 0);
    let tail = tail(&record[start..], seed);
    record.extend_from_slice(&tail.to_le_bytes());
}

/// Appends a record without key and payload.
pub(super) fn append_bare(out: &mut Vec<u8>, head: &Head, seed: u64) {
    let start = out.len();
    out.resize(start + HEAD_BYTES, 0);
    finish(out, start, head, seed);
}

/// Whether a whole record is what was written.
pub(super) fn is_intact(record: &[u8], seed: u64) -> bool {
    record
        .split_last_chunk()
        .is_some_and(|(body, found)| u64::from_le_bytes(*found) == tail(body, seed))
}

fn tail(body: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(body, seed).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, Head) {
        let head = Head {
            key_bytes: 3,
            payload_bytes: 9,
            expires_at: 1 << 41,
            ..Head::bare(Kind::Put, 7, u64::MAX - 1)
        };
        let mut record = vec![0; HEAD_BYTES];
        record.extend_from_slice(b"keyninebytes");
        finish(&mut record, 0, &head, 5);
        (record, head)
    }

    #[test]
    fn a_record_is_read_back_where_it_was_written_alone() {
        let (record, head) = sample();
        assert_eq!(record.len() as u64, head.record_bytes());
        assert_eq!(Head::read(&record, 5), Some(head));
        assert!(is_intact(&record, 5));
        assert_eq!(Head::read(&record, 6), None);
        assert!(!is_intact(&record, 6));
        assert_eq!(Head::read(&record[..31], 5), None);
        assert!(!is_intact(&record[..7], 5));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (record, _) = sample();
        for bit in 0..record.len() * 8 {
            let mut wrong = record.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_intact(&wrong, 5), "bit {bit}");
            assert!(
                bit / 8 >= HEAD_BYTES || Head::read(&wrong, 5).is_none(),
                "bit {bit} of the head"
            );
        }
    }
}
