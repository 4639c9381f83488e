use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    /// What is said of a file with that text, its path aside.
    fn said_of(&self, text: &[u8]) -> String {
        let path = self.path();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        said(&path, KeyRing::load(&path).unwrap_err())
    }
}

fn said(path: &Path, error: RingError) -> String {
    let text = error.to_string();
    let prefix = format!("{}: ", path.display());
    text.strip_prefix(&prefix)
        .unwrap_or(&text)
        .replace(&path.display().to_string(), "FILE")
}

fn secrets(ring: &KeyRing) -> Vec<[u8; KEY_BYTES]> {
    ring.keys()
        .map(|key| *ring.secret(key.id).unwrap())
        .collect()
}

#[test]
fn a_ring_comes_back_from_its_file_which_is_private() {
    let place = Place::new();
    let mut ring = KeyRing::generate(1_795_338_000_123).unwrap();
    ring.create(&place.path()).unwrap();
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = ring.active();
    let loaded = KeyRing::load(&place.path()).unwrap();
    let key = KeyEntry {
        id: first,
        created_seconds: 1_795_338_000,
        is_active: true,
    };
    assert_eq!(loaded.keys().collect::<Vec<_>>(), [key]);
    assert_eq!(secrets(&loaded), secrets(&ring));

    let second = ring.rotate(0).unwrap();
    ring.replace(&place.path()).unwrap();
    let loaded = KeyRing::load(&place.path()).unwrap();
    assert_eq!(
        (loaded.active(), secrets(&loaded)),
        (second, secrets(&ring))
    );
    assert_ne!(secrets(&ring)[0], secrets(&ring)[1]);
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let refused = said(&place.path(), ring.create(&place.path()).unwrap_err());
    assert_eq!(
        refused,
        "there is a key ring already; `larder keys rotate` gives it another key"
    );
    assert_eq!(KeyRing::load(&place.path()).unwrap().active(), second);
    // Nothing unfinished is left behind.
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);

    assert_eq!(
        ring.remove(second).unwrap_err().to_string(),
        format!(
            "the key {second} is the active one: give the ring another with `larder keys rotate` first"
        )
    );
    ring.remove(first).unwrap();
    assert_eq!(
        ring.remove(first).unwrap_err().to_string(),
        format!("the key ring has no key {first}")
    );
    assert_eq!((ring.active(), ring.keys().count()), (second, 1));
    while ring.keys().count() < KEYS_MAX {
        ring.rotate(0).unwrap();
    }
    let refused = ring.rotate(0).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the key ring has more than 64 keys: remove old ones with `larder keys remove`"
    );
    ring.replace(&place.path()).unwrap();
    assert_eq!(
        secrets(&KeyRing::load(&place.path()).unwrap()),
        secrets(&ring)
    );
}

#[test]
fn what_is_wrong_with_a_file_is_told_in_a_sentence() {
    let place = Place::new();
    let path = place.path();
    let missing = said(&path, KeyRing::load(&path).unwrap_err());
    assert_eq!(
        missing,
        "there is no key ring; `larder keys new FILE` makes one"
    );
    let nowhere = said(
        &path,
        KeyRing::generate(0)
            .unwrap()
            .create(&path.join("x"))
            .unwrap_err(),
    );
    assert!(
        nowhere.contains("the key ring cannot be written: "),
        "{nowhere}"
    );

    KeyRing::generate(0).unwrap().create(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(
            said(&path, KeyRing::load(&path).unwrap_err()),
            format!(
                "others may read the key ring or write to it (mode {mode:o}): `chmod 600` it, and rotate if they may have read it"
            )
        );
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    let link = place.0.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(KeyRing::load(&link).is_ok());
    // Only root may give files away.
    if chown(&path, Some(1), None).is_ok() {
        let foreign = said(&path, KeyRing::load(&path).unwrap_err());
        assert_eq!(
            foreign,
            format!(
                "the key ring belongs to the user 1 and not to {}, as whom this runs: chown it",
                rustix::process::geteuid().as_raw()
            )
        );
    }
    let pipe = place.0.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
    for path in [place.0.path(), &pipe] {
        assert_eq!(
            said(path, KeyRing::load(path).unwrap_err()),
            "the key ring is no file"
        );
    }
}

#[test]
fn what_is_no_ring_is_told_by_line_and_never_by_what_it_says() {
    let place = Place::new();
    let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let head = "larder key ring 1\n# a remark\n\n";
    let check =
        |text: &str, expected: &str| assert_eq!(place.said_of(text.as_bytes()), expected, "{text}");
    check(
        "",
        "the key ring is empty: restore it from a copy, or remove it and make one with `larder keys new`",
    );
    let none = "this is no key ring: it has to begin with `larder key ring 1`";
    check("garbage", none);
    check("larder key ring one\n", none);
    assert_eq!(place.said_of(b"\xff\xfe"), none);
    check(
        "larder key ring 2\n",
        "the key ring was made by a newer version of Larder (form 2); this one reads form 1",
    );
    check(
        head,
        "the key ring is cut short in line 3: restore it from a copy",
    );
    let short = "the key ring is cut short in line 4: restore it from a copy";
    check(&format!("{head}key 0000000a 1"), short);
    check(&format!("{head}key 0000000a 1 {}", &secret[..43]), short);
    let garbage = "the key ring cannot be understood in line 4, which should be `key ID SECONDS SECRET` and perhaps `active`";
    for line in [
        "lock".to_owned(),
        format!("key 0000000g 1 {secret}"),
        format!("key a 1 {secret}"),
        format!("key 0000000a x {secret}"),
        format!("key 0000000a 1 {secret}="),
        format!("key 0000000a 1 {}", secret.replace('A', "!")),
        format!("key 0000000a 1 {}", "A".repeat(44)),
        format!("key 0000000a 1 {secret} activ"),
        format!("key 0000000a 1 {secret} active now"),
    ] {
        check(&format!("{head}{line}\n"), garbage);
    }
    let key = |id: &str, more: &str| format!("key {id} 1 {secret}{more}\n");
    check(
        &[head, &key("0000000a", ""), &key("0000000a", " active")].concat(),
        "the key ring has the key 0000000a twice: restore it from a copy",
    );
    for (first, second, count) in [("", "", 0), (" active", " active", 2)] {
        check(
            &[head, &key("0000000a", first), &key("0000000b", second)].concat(),
            &format!(
                "the key ring has {count} active keys, and needs one: mark the newest as `active`, no other"
            ),
        );
    }
    let many: String = (0..=KEYS_MAX)
        .map(|id| key(&format!("{id:08x}"), ""))
        .collect();
    check(
        &[head, &many].concat(),
        "the key ring has more than 64 keys: remove old ones with `larder keys remove`",
    );
}

#[test]
fn a_file_that_is_cut_anywhere_is_no_ring_or_says_the_same() {
    let place = Place::new();
    let mut ring = KeyRing::generate(0).unwrap();
    ring.rotate(0).unwrap();
    ring.create(&place.path()).unwrap();
    let text = fs::read(place.path()).unwrap();
    let words = std::str::from_utf8(&text).unwrap().split_whitespace();
    let pieces: Vec<_> = words
        .filter(|word| word.len() == 44)
        .map(|word| &word[..12])
        .collect();
    assert_eq!(pieces.len(), 2);
    for length in 0..text.len() {
        fs::write(place.path(), &text[..length]).unwrap();
        match KeyRing::load(&place.path()) {
            Ok(cut) => assert_eq!((length, secrets(&cut)), (text.len() - 1, secrets(&ring))),
            Err(error) => {
                let said = format!("{error} {error:?}");
                assert!(!pieces.iter().any(|piece| said.contains(piece)), "{said}");
            }
        }
    }
}

#[test]
fn no_text_of_it_has_a_secret() {
    let ring = KeyRing::generate(5_000).unwrap();
    let id = ring.active();
    let expected = format!("[KeyEntry {{ id: {id}, created_seconds: 5, is_active: true }}]");
    assert_eq!(format!("{ring:?}"), expected);
}
