//! One request of a trace, and its form in an oracleGeneral file.

use std::io::{self, Write};

/// Length of a record in an oracleGeneral file.
pub const RECORD_BYTES: usize = 24;
/// Where the id and the next access stand in it.
pub(super) const ID_AT: usize = 4;
pub(super) const NEXT_ACCESS_AT: usize = 16;

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When it was made, in seconds; where zero lies is the trace's own affair.
    pub time_seconds: u32,
    /// What was asked for.
    pub id: u64,
    /// Size of what was asked for, in bytes; 1 where a trace knows no sizes.
    pub size_bytes: u32,
    /// Index of the next request for the same object, counted from 0 at the start of the trace;
    /// `None` when there is none.
    pub next_access: Option<u64>,
    /// How long it lives once written, in seconds; 0 for as long as there is room. No part of an
    /// oracleGeneral file.
    pub ttl_seconds: u32,
}

impl Record {
    /// The record as it stands in a file: little-endian u32 time, u64 id, u32 size, i64 next
    /// access (-1: none).
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..4].copy_from_slice(&self.time_seconds.to_le_bytes());
        bytes[ID_AT..12].copy_from_slice(&self.id.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.size_bytes.to_le_bytes());
        bytes[NEXT_ACCESS_AT..].copy_from_slice(&next_access_bytes(self.next_access));
        bytes
    }
}

/// A next access as it stands in a file.
pub(super) fn next_access_bytes(next_access: Option<u64>) -> [u8; 8] {
    let next = next_access.map_or(-1, |index| index.cast_signed());
    next.to_le_bytes()
}

/// Writes `records` to `out` as a plain oracleGeneral file.
///
/// # Errors
/// Those of `out`.
pub fn write(records: &[Record], out: &mut impl Write) -> io::Result<()> {
    records
        .iter()
        .try_for_each(|record| out.write_all(&record.to_bytes()))
}
