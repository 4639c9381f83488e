//! The vectors of the specification.

use shake::Shake128;
use shake::digest::{ExtendableOutput, Update, XofReader};

use super::*;

const NONCE: &[u8; NONCE_BYTES] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sealed(xaes: &Xaes, nonce: &[u8; NONCE_BYTES], associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut buffer = plain.to_vec();
    let tag = xaes.seal(nonce, associated, &mut buffer).unwrap();
    let mut opened = buffer.clone();
    assert_eq!(xaes.open(nonce, associated, &mut opened, &tag), Ok(()));
    assert_eq!(opened, plain);
    buffer.extend_from_slice(&tag);
    buffer
}

#[test]
fn the_vectors_of_the_specification_come_out() {
    let first = Xaes::new(&[1; KEY_BYTES]);
    assert_eq!(
        hex(&first.subkey.to_be_bytes()),
        "e531954aca063d5b8d9c47a47d4cc6f0"
    );
    assert_eq!(
        hex(&sealed(&first, NONCE, b"", b"XAES-256-GCM")),
        "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"
    );
    // The block's highest bit is set, so the subkey is reduced.
    let second = Xaes::new(&[3; KEY_BYTES]);
    assert_eq!(
        hex(&second.subkey.to_be_bytes()),
        "23810ec50edb99f374409466ed1f4b7b"
    );
    assert_eq!(
        hex(&sealed(
            &second,
            NONCE,
            b"c2sp.org/XAES-256-GCM",
            b"XAES-256-GCM"
        )),
        "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"
    );
}

/// The digest of ten thousand random ones, and of a million, which take a minute or more: `cargo xtask soak` asks
/// for those.
#[test]
fn random_ones_come_out() {
    let (rounds, expected) = match std::env::var_os("XAES_MILLION") {
        None => (
            10_000,
            "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939",
        ),
        Some(_) => (
            1_000_000,
            "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15",
        ),
    };
    let mut random = Shake128::default().finalize_xof();
    let mut digest = Shake128::default();
    for _ in 0..rounds {
        let (mut key, mut nonce) = ([0; KEY_BYTES], [0; NONCE_BYTES]);
        random.read(&mut key);
        random.read(&mut nonce);
        let mut text = || {
            let mut length = [0];
            random.read(&mut length);
            let mut text = vec![0; length[0].into()];
            random.read(&mut text);
            text
        };
        let (plain, associated) = (text(), text());
        digest.update(&sealed(&Xaes::new(&key), &nonce, &associated, &plain));
    }
    let mut found = [0; 32];
    digest.finalize_xof().read(&mut found);
    assert_eq!(hex(&found), expected);
}
