//! What stands under a name in Redis:
//!
//! ```text
//! version (8, big-endian) ‖ check (8, little-endian) ‖ record      an entry
//! version (8, big-endian)                                         what is left of a deletion, for a while
//! ```
//!
//! The check is over the record, seeded with the name: what another program wrote there, or copied from another name, is
//! no entry.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// What scripts put before the rest.
const VERSION_BYTES: usize = 8;
/// Beside its record, what an entry takes.
const CHECK_BYTES: usize = 8;

/// What was found under a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// The record of an entry.
    Record(&'a [u8]),
    /// Nothing any more.
    Deleted,
    /// What was not written here.
    Foreign,
}

/// Begins what a script is given to keep: the record is to be appended, and then [`finish`] called.
pub(super) fn begin() -> Vec<u8> {
    vec![0; CHECK_BYTES]
}

/// See [`begin`].
pub(super) fn finish(name: &[u8], body: &mut [u8]) {
    if let Some((place, record)) = body.split_first_chunk_mut() {
        *place = check(name, record);
    }
}

/// What a value is.
pub(super) fn read<'a>(name: &[u8], value: &'a [u8]) -> Found<'a> {
    let Some((_, body)) = value.split_at_checked(VERSION_BYTES) else {
        return Found::Foreign;
    };
    match body.split_first_chunk() {
        None if body.is_empty() => Found::Deleted,
        Some((found, record)) if *found == check(name, record) => Found::Record(record),
        _ => Found::Foreign,
    }
}

fn check(name: &[u8], record: &[u8]) -> [u8; CHECK_BYTES] {
    xxh3_64_with_seed(record, xxh3_64(name)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_under_their_name_alone_and_every_changed_bit_is_found() {
        let mut body = begin();
        body.extend_from_slice(b"record");
        finish(b"name", &mut body);
        let value = [&[1; VERSION_BYTES][..], &body].concat();
        assert_eq!(read(b"name", &value), Found::Record(b"record"));
        assert_eq!(read(b"other", &value), Found::Foreign);
        for bit in VERSION_BYTES * 8..value.len() * 8 {
            let mut wrong = value.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(b"name", &wrong), Found::Foreign, "bit {bit}");
        }
        for len in 0..value.len() {
            let expected = match len {
                VERSION_BYTES => Found::Deleted,
                _ => Found::Foreign,
            };
            assert_eq!(read(b"name", &value[..len]), expected, "{len} bytes");
        }
    }
}
