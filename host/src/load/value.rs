//! What load generators store: bytes that follow from the key and the length alone.
//!
//! Every byte depends on both, so a value that belongs to another key, was cut, grew, or has a
//! flipped bit is told from the right one without knowing what was written last.

use super::Key;
use crate::trace::mix;

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const WORD_BYTES: usize = size_of::<u64>();

/// Appends the value of `len` bytes that belongs to `key`.
pub(super) fn append(out: &mut Vec<u8>, key: &Key, len: usize) {
    let start = out.len();
    out.resize(start + len, 0);
    let mut word = seed(key, len);
    let mut chunks = out[start..].chunks_exact_mut(WORD_BYTES);
    for chunk in &mut chunks {
        word = word.wrapping_add(STEP);
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    let rest = chunks.into_remainder();
    let last = word.wrapping_add(STEP).to_le_bytes();
    rest.copy_from_slice(&last[..rest.len()]);
}

/// Whether `value` is the one that [`append`] makes for `key` and this length.
pub(super) fn matches(key: &Key, value: &[u8]) -> bool {
    let mut word = seed(key, value.len());
    let mut chunks = value.chunks_exact(WORD_BYTES);
    // Differences are collected rather than returned at the first: the loop stays free of branches.
    let mut difference = 0;
    for chunk in &mut chunks {
        word = word.wrapping_add(STEP);
        let mut found = [0; WORD_BYTES];
        found.copy_from_slice(chunk);
        difference |= word ^ u64::from_le_bytes(found);
    }
    let rest = chunks.remainder();
    let last = word.wrapping_add(STEP).to_le_bytes();
    difference == 0 && rest == &last[..rest.len()]
}

fn seed(key: &Key, len: usize) -> u64 {
    let key = u128::from_le_bytes(*key);
    mix(mix(key as u64).wrapping_add(mix((key >> 64) as u64 ^ STEP)) ^ len as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &Key = b"key:000000000001";

    fn value(len: usize) -> Vec<u8> {
        let mut out = b"before".to_vec();
        append(&mut out, KEY, len);
        out.split_off(6)
    }

    #[test]
    fn a_value_matches_its_key_at_every_length() {
        for len in 0..200 {
            assert_eq!(value(len).len(), len);
            assert!(matches(KEY, &value(len)), "length {len}");
        }
    }

    #[test]
    fn another_key_does_not_match() {
        for other in [b"key:000000000002", b"kez:000000000001"] {
            assert!(!matches(other, &value(8)));
            assert!(!matches(other, &value(100)));
        }
    }

    #[test]
    fn a_cut_or_grown_value_does_not_match() {
        let whole = value(100);
        for keep in 4..100 {
            assert!(!matches(KEY, &whole[..keep]), "cut to {keep}");
            assert!(!matches(KEY, &whole[100 - keep..]), "last {keep}");
        }
        assert!(!matches(KEY, &[whole, vec![0]].concat()));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_seen() {
        for len in [1, 7, 8, 100] {
            for bit in 0..len * 8 {
                let mut damaged = value(len);
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(!matches(KEY, &damaged), "bit {bit} of {len} bytes");
            }
        }
    }
}
