use super::*;
use larder_tiers::codec::Encrypt;

#[test]
fn values_are_compressed_in_memory_from_a_size_on_or_never() {
    let memory = |text: &str| in_file(text).config.codec.memory;
    assert_eq!(memory(""), None);
    assert_eq!(memory("compression.memory = 'off'"), None);
    let size = memory("compression.memory = '4KiB'");
    assert_eq!(size.map(|size| size.bytes()), Some(4096));
    refused(
        &layers("compression.memory = '1'", &[], &[]),
        r#"l.toml:1: compression.memory: found "1"; allowed: a size from 1KiB to 64MiB, such as 256MiB, 300MB or a number of bytes, or "off""#,
    );
}

#[test]
fn what_is_sealed_depends_on_the_key_ring() {
    let encrypt = |text: &str| in_file(text).config.codec.encrypt;
    assert_eq!(encrypt(""), Encrypt::None);
    assert_eq!(encrypt("encryption.encrypt = 'none'"), Encrypt::None);
    let ring = "[encryption]\nkey_ring = 'r'\n";
    assert_eq!(encrypt(ring), Encrypt::All);
    for (word, expected) in [
        ("auto", Encrypt::All),
        ("all", Encrypt::All),
        ("marked", Encrypt::Marked),
        ("none", Encrypt::None),
    ] {
        assert_eq!(encrypt(&format!("{ring}encrypt = '{word}'")), expected);
    }
    refused(
        &layers("encryption.encrypt = 'marked'", &[], &[]),
        r#"l.toml:1: encryption.encrypt: found "marked"; allowed: "auto" or "none", because encryption.key_ring names no key ring; `larder keys new` makes one"#,
    );
}
