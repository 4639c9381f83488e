//! Putting a manifest together while compiling, for [`export!`](crate::export).

use larder_abi::MANIFEST_BYTES_MAX;

/// Bytes of all `parts`.
pub const fn length(parts: &[&str]) -> usize {
    let mut length = 0;
    let mut part = 0;
    while part < parts.len() {
        length += parts[part].len();
        part += 1;
    }
    assert!(length <= MANIFEST_BYTES_MAX, "the manifest is too long");
    length
}

/// The bytes of all `parts`, one after the other.
pub const fn join<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut bytes = [0; N];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let text = parts[part].as_bytes();
        let mut i = 0;
        while i < text.len() {
            bytes[at] = text[i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    bytes
}

/// Joined texts as one.
pub const fn text(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("texts make a text"),
    }
}
