//! One file of the log:
//!
//! ```text
//! head    "LARDSEG1", u64 number, u64 bytes of the file while it is written to, u64 check
//! records one after the other; the last one says that it is the last
//! footer  a line a record: u64 hash, u32 space, u32 kind (4 bits) and units of 8 bytes, u32 expiry in seconds
//! trailer u64 lines, u64 offset of the last record, "LARDFOOT", u64 check of footer and trailer
//! ```
//!
//! While it is written to, a segment has its full size, zeros behind the records, and no footer.

use std::io;
use std::sync::Arc;

use larder_engine::Millis;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::place::{Place, UNIT_BYTES};
use super::record::{self, HEAD_BYTES, Head, Kind, TAIL_BYTES, u32_at, u64_at};
use super::volume::VolumeFile;

/// Bytes of a segment's head.
pub(super) const START_BYTES: u64 = 32;
/// Bytes of a line in the footer.
pub(super) const ENTRY_BYTES: usize = 20;
const TRAILER_BYTES: usize = 32;
const START_MAGIC: u64 = u64::from_le_bytes(*b"LARDSEG1");
const TRAILER_MAGIC: u64 = u64::from_le_bytes(*b"LARDFOOT");

/// Bytes that a segment needs beside its records, of which there are so many.
pub(super) fn frame_bytes(records: usize) -> u64 {
    START_BYTES + (HEAD_BYTES + TAIL_BYTES + records * ENTRY_BYTES + TRAILER_BYTES) as u64
}

/// What a footer says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) space: u32,
    kind_and_units: u32,
    /// Rounded up; 0: never.
    expires_s: u32,
}

impl Entry {
    pub(super) fn new(head: &Head) -> Self {
        let units = (head.record_bytes() / UNIT_BYTES) as u32;
        Self {
            hash: head.hash,
            space: head.space,
            kind_and_units: (head.kind as u32) << 28 | units,
            expires_s: head.expires_at.div_ceil(1000).try_into().unwrap_or(0),
        }
    }

    /// The same record, but damaged: nothing is under the key.
    pub(super) fn lost(self) -> Self {
        Self {
            kind_and_units: (Kind::Delete as u32) << 28 | self.kind_and_units & 0xff_ffff,
            ..self
        }
    }

    pub(super) fn is_put(self) -> bool {
        self.kind_and_units >> 28 == Kind::Put as u32
    }

    pub(super) fn bytes(self) -> u64 {
        u64::from(self.kind_and_units & 0xff_ffff) * UNIT_BYTES
    }

    /// Whether it is past its time for certain.
    pub(super) fn is_expired(self, now: Millis) -> bool {
        self.expires_s != 0 && u64::from(self.expires_s) * 1000 <= now
    }

    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.hash.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.space.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.kind_and_units.to_le_bytes());
        bytes[16..].copy_from_slice(&self.expires_s.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            hash: u64_at(bytes, 0),
            space: u32_at(bytes, 8),
            kind_and_units: u32_at(bytes, 12),
            expires_s: u32_at(bytes, 16),
        }
    }
}

/// A segment, as readers need it.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) file: Arc<dyn VolumeFile>,
    seed: u64,
}

impl Segment {
    /// `salt` is the folder's.
    pub(super) fn new(number: u64, file: Arc<dyn VolumeFile>, salt: u64) -> Self {
        Self {
            number,
            file,
            seed: salt ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// The file's name.
    pub(super) fn name(number: u64) -> String {
        format!("{number:016x}.seg")
    }

    /// The number of a file, if it is a segment's.
    pub(super) fn number_of(name: &str) -> Option<u64> {
        let number = u64::from_str_radix(name.strip_suffix(".seg")?, 16).ok()?;
        (Self::name(number) == name).then_some(number)
    }

    /// What of its number stands in places.
    pub(super) fn short(&self) -> u16 {
        self.number as u16
    }

    /// What the checks of the record at an offset are seeded with.
    pub(super) fn seed(&self, offset: u64) -> u64 {
        self.seed.wrapping_add(offset)
    }

    pub(super) fn place(&self, offset: u64, entry: Entry) -> Place {
        Place::new(self.short(), offset, entry.bytes())
    }

    /// Writes the head of a file that has so many bytes.
    pub(super) fn start(&self, file_bytes: u64) -> io::Result<()> {
        let mut head = Vec::with_capacity(START_BYTES as usize);
        for number in [START_MAGIC, self.number, file_bytes] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        head.extend_from_slice(&xxh3_64_with_seed(&head, self.seed).to_le_bytes());
        self.file.write_at(&head, 0)
    }

    /// The bytes that the file has while it is written to; `None` where its head is damaged.
    pub(super) fn started_bytes(&self, head: &[u8]) -> Option<u64> {
        let (body, _) = head.split_at_checked(24)?;
        let is_ours = u64_at(head, 0) == START_MAGIC && u64_at(head, 8) == self.number;
        let is_whole = u64_at(head, 24) == xxh3_64_with_seed(body, self.seed);
        (is_ours && is_whole).then(|| u64_at(head, 16))
    }

    /// Writes the last record and the footer behind `end`, and gives back what the file has beyond. Returns the bytes
    /// that it has now.
    pub(super) fn seal(&self, entries: &[Entry], end: u64) -> io::Result<u64> {
        let mut bytes = Vec::with_capacity(frame_bytes(entries.len()) as usize);
        record::append_bare(&mut bytes, &Head::bare(Kind::End, 0, 0), self.seed(end));
        let footer = bytes.len();
        for entry in entries {
            bytes.extend_from_slice(&entry.to_bytes());
        }
        for number in [entries.len() as u64, end, TRAILER_MAGIC] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let check = xxh3_64_with_seed(&bytes[footer..], self.seed);
        bytes.extend_from_slice(&check.to_le_bytes());
        self.file.write_at(&bytes, end)?;
        let file_bytes = end + bytes.len() as u64;
        self.file.truncate(file_bytes)?;
        Ok(file_bytes)
    }

    /// The footer, unless there is none or it is damaged.
    pub(super) fn footer(&self) -> io::Result<Option<Vec<Entry>>> {
        let file_bytes = self.file.len()?;
        let Some(trailer_at) = file_bytes.checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        let mut trailer = [0; TRAILER_BYTES];
        self.file.read_at(&mut trailer, trailer_at)?;
        let [lines, end] = [0, 8].map(|at| u64_at(&trailer, at));
        let footer_at = end.checked_add((HEAD_BYTES + TAIL_BYTES) as u64);
        let footer_bytes = footer_at.and_then(|at| trailer_at.checked_sub(at));
        let (Some(footer_at), Some(footer_bytes)) = (footer_at, footer_bytes) else {
            return Ok(None);
        };
        if u64_at(&trailer, 16) != TRAILER_MAGIC
            || lines.checked_mul(ENTRY_BYTES as u64) != Some(footer_bytes)
        {
            return Ok(None);
        }
        let mut footer = vec![0; footer_bytes as usize];
        self.file.read_at(&mut footer, footer_at)?;
        footer.extend_from_slice(&trailer[..24]);
        if u64_at(&trailer, 24) != xxh3_64_with_seed(&footer, self.seed) {
            return Ok(None);
        }
        footer.truncate(footer_bytes as usize);
        let entries: Vec<_> = footer
            .chunks_exact(ENTRY_BYTES)
            .map(Entry::from_bytes)
            .collect();
        let records_bytes: u64 = entries.iter().map(|entry| entry.bytes()).sum();
        Ok((START_BYTES + records_bytes == end).then_some(entries))
    }
}
