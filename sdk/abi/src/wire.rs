//! Numbers in records: little-endian, and zero where a record ends before them.
//!
//! Offsets come from the other side, and guests count in 32 bits, so no sum of them may overflow.

/// Bytes of a part's offset and length.
pub(crate) const PART_BYTES: usize = 8;

fn field<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    at.checked_add(N)
        .and_then(|end| record.get(at..end))
        .and_then(|bytes| bytes.try_into().ok())
        .unwrap_or([0; N])
}

#[inline]
pub(crate) fn u8_at(record: &[u8], at: usize) -> u8 {
    record.get(at).copied().unwrap_or(0)
}

#[inline]
pub(crate) fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(field(record, at))
}

#[inline]
pub(crate) fn u64_at(record: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(field(record, at))
}

/// Two numbers that follow each other: the offset and the length, or count, of something.
#[inline]
pub(crate) fn pair_at(record: &[u8], at: usize) -> (u32, u32) {
    (u32_at(record, at), u32_at(record, at.saturating_add(4)))
}

/// Part of a buffer; empty where that does not have it.
#[inline]
pub(crate) fn part(buffer: &[u8], at: u32, len: u32) -> &[u8] {
    let (at, len) = (at as usize, len as usize);
    at.checked_add(len)
        .and_then(|end| buffer.get(at..end))
        .unwrap_or(&[])
}
