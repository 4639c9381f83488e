use super::*;
use larder_tiers::codec::Encrypt;

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
