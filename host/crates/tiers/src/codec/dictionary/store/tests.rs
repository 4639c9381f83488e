use super::*;

fn origin(version: u32) -> Origin {
    Origin {
        tenant: "default".into(),
        data_type: "track".into(),
        version,
    }
}

/// Any bytes are a dictionary for zstd.
fn dictionary(version: u32, text: &str) -> Arc<Dictionary> {
    Arc::new(Dictionary::new(origin(version), text.as_bytes().to_vec()).unwrap())
}

#[test]
fn the_newest_of_a_kind_is_found_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Dictionaries::open(folder.path().join("new")).unwrap();
    let dictionaries = open();
    let versions = [dictionary(2, "second"), dictionary(1, "first")];
    for version in &versions {
        dictionaries.keep(Arc::clone(version)).unwrap();
    }
    let mode =
        std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder.path().join("new")).unwrap());
    assert_eq!(mode & 0o777, 0o700);
    for dictionaries in [dictionaries, open()] {
        assert_eq!(dictionaries.figures().0, 2);
        for version in &versions {
            let found = dictionaries.get(version.id()).unwrap();
            assert_eq!(
                (found.origin(), &found.bytes),
                (version.origin(), &version.bytes)
            );
        }
        assert_eq!(
            dictionaries.newest("default", "track").unwrap().id(),
            versions[0].id()
        );
        assert!(dictionaries.newest("default", "session").is_none());
        assert!(dictionaries.newest("other", "track").is_none());
    }
}

#[test]
fn a_file_that_is_damaged_is_passed_over_wherever_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let kept = dictionary(1, "words that come often");
    let dictionaries = Dictionaries::open(folder.path().into()).unwrap();
    dictionaries.keep(Arc::clone(&kept)).unwrap();
    let path = path_of(folder.path(), kept.id());
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        for damaged in [&flipped[..], &whole[..at]] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(
                Dictionaries::open(folder.path().into())
                    .unwrap()
                    .figures()
                    .0,
                0,
                "{at}"
            );
        }
    }
    fs::write(&path, &whole).unwrap();
    fs::write(folder.path().join("0000abcd.dictionary"), &whole).unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let again = Dictionaries::open(folder.path().into()).unwrap();
    assert_eq!(again.figures().0, 1);
    assert!(again.get(kept.id()).is_some());
}

#[test]
fn what_cannot_be_kept_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let dictionaries = Dictionaries::open(folder.path().join("gone")).unwrap();
    fs::remove_dir(folder.path().join("gone")).unwrap();
    let kept = dictionary(1, "words");
    assert!(dictionaries.keep(Arc::clone(&kept)).is_err());
    assert!(dictionaries.get(kept.id()).is_none());
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Dictionaries::open(folder.path().join("file")).is_err());
}

#[test]
fn there_is_a_bound() {
    let dictionaries = Dictionaries::default();
    for version in 0..DICTIONARIES_MAX as u32 {
        assert!(dictionaries.has_room("default", 1));
        dictionaries
            .keep(dictionary(version, &format!("words {version}")))
            .unwrap();
    }
    assert!(!dictionaries.has_room("default", 1) && !dictionaries.has_room("other", 1));
}

#[test]
fn a_tenant_has_its_share_and_one_at_least() {
    let dictionaries = Dictionaries::default();
    for version in 0..10 {
        assert!(dictionaries.has_room("default", 3));
        let another = dictionary(version, &format!("words {version}"));
        dictionaries.keep(another).unwrap();
    }
    assert!(!dictionaries.has_room("default", 3));
    assert!(dictionaries.has_room("other", 3) && dictionaries.has_room("other", 1000));
}
