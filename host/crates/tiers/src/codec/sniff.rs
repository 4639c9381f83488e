//! What kind of data a value is, for those whose client did not say.

/// Bytes that are looked at.
const LOOKED_AT_BYTES: usize = 256;

/// How what is compressed already begins: gzip, zstd, zip, xz, bzip2, LZ4, PNG, JPEG, GIF, Ogg, Matroska, FLAC, MP3
/// with a tag, WOFF2; of RIFF (WebP) and MPEG-4 the name comes later.
const PACKED: [&[u8]; 15] = [
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"\xfd7zXZ",
    b"BZh",
    b"\x04\x22\x4d\x18",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"OggS",
    b"\x1a\x45\xdf\xa3",
    b"fLaC",
    b"ID3",
    b"wOF2",
    b"RIFF",
];

/// A name for what a value looks like: `json`, `text`, `packed` or `binary`.
pub(super) fn sniff(value: &[u8]) -> &'static str {
    let looked_at = &value[..value.len().min(LOOKED_AT_BYTES)];
    let is_mpeg4 = looked_at.get(4..8) == Some(b"ftyp");
    if is_mpeg4 || PACKED.iter().any(|magic| looked_at.starts_with(magic)) {
        return "packed";
    }
    let is_text = match std::str::from_utf8(looked_at) {
        Ok(_) => true,
        // A character that goes on behind what was looked at.
        Err(error) => error.error_len().is_none() && value.len() > looked_at.len(),
    } && !looked_at
        .iter()
        .any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace());
    match looked_at.trim_ascii_start().first() {
        Some(b'{' | b'[') if is_text => "json",
        _ if is_text => "text",
        _ => "binary",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_how_values_begin() {
        let long = "ö".repeat(LOOKED_AT_BYTES);
        let check = |value: &[u8], expected| assert_eq!(sniff(value), expected, "{value:?}");
        check(b"  {\"id\": 1}", "json");
        check(b"[1]", "json");
        check(b"Dear all,\n\tthanks", "text");
        check(b"", "text");
        // The bound falls within a character.
        check(&[b"a", long.as_bytes()].concat(), "text");
        check(b"[\x00\x01", "binary");
        check(b"\xff\xfe\x00", "binary");
        check(b"\x1f\x8b\x08\x00", "packed");
        check(b"\x00\x00\x00\x20ftypisom", "packed");
    }
}
