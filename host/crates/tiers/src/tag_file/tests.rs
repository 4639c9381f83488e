use std::time::Duration;

use super::*;

const NOW: Millis = 1_700_000_000_000;

fn known(now: u64) -> Known {
    Known {
        now,
        floor: now - 1,
        tags: vec![(7, now), (u64::MAX, 1)],
    }
}

#[test]
fn what_was_written_is_read_and_nothing_else() {
    let tenants = vec![("", known(1)), ("ten\"ant", known(u64::MAX))];
    let bytes = encode([1, 2], tenants.clone());
    let owned = tenants.into_iter();
    let owned: Vec<_> = owned
        .map(|(name, known)| (name.to_owned(), known))
        .collect();
    assert_eq!(decode(&bytes), Ok(([1, 2], owned)));
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&wrong).is_err(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert_eq!(decode(&bytes[..len]), Err(Fault::Damaged), "{len} bytes");
    }
    let later = [MAGIC, b"12\n?"].concat();
    assert_eq!(decode(&later), Err(Fault::Newer(12)));
}

#[test]
fn tags_are_known_again_and_no_stamp_is_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tags");
    let file = TagFile::open(path.clone(), NOW).unwrap();
    let tags = file.tags("a", false);
    assert_eq!(tags.now(), NOW * STAMPS_A_TICK);
    assert!(Arc::ptr_eq(&tags, &file.tags("a", false)));
    assert_eq!(file.tags("b", false).known().floor, NOW * STAMPS_A_TICK);
    drop(file);

    let later = NOW + 1;
    let file = TagFile::open(path.clone(), later).unwrap();
    assert_eq!(file.tags("a", false).now(), tags.now() + UNWRITTEN_MAX);
    assert_eq!(file.tags("new", false).now(), later * STAMPS_A_TICK);
    let shared = file.tags("shared", true).known();
    assert_eq!((shared.now, shared.floor), (1, 0), "others tell of it");
    drop(file);
    // A tenant that is not there for a while is not forgotten.
    let file = TagFile::open(path.clone(), later).unwrap();
    file.tags("a", false);
    drop(file);
    let file = TagFile::open(path.clone(), later).unwrap();
    let now = file.tags("b", false).now();
    assert!(now > tags.now() && now < tags.now() + 8 * UNWRITTEN_MAX);
    drop(file);

    fs::write(&path, b"larder-tags 1\n").unwrap();
    let file = TagFile::open(path.clone(), NOW + 2).unwrap();
    let known = file.tags("a", false).known();
    let after = (NOW + 2) * STAMPS_A_TICK;
    assert_eq!((known.now, known.floor), (after, after));
    assert!(folder.path().join("tags.bad").exists());
    fs::write(&path, b"larder-tags 2\n").unwrap();
    let error = TagFile::open(path.clone(), NOW).unwrap_err().to_string();
    assert!(error.contains("version 2") && path.exists(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_waits_until_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tags");
    let file = Arc::new(TagFile::open(path.clone(), NOW).unwrap());
    file.tags("a", false);
    assert!(file.settled().is_none());
    let written = fs::read(&path).unwrap();
    file.tags("b", false);
    file.note_change();
    let settled = file.settled().unwrap();
    fs::write(&path, &written).unwrap();
    tokio::spawn(Arc::clone(&file).keep(|| NOW));
    tokio::time::timeout(Duration::from_secs(90), settled)
        .await
        .unwrap();
    assert_ne!(fs::read(&path).unwrap(), written);
    assert!(file.settled().is_none());
    // Where it cannot be written nobody waits for ever.
    fs::create_dir(folder.path().join("tags.new")).unwrap();
    file.note_change();
    if let Some(settled) = file.settled() {
        tokio::time::timeout(Duration::from_secs(90), settled)
            .await
            .unwrap();
    }
    assert_eq!(file.errors(), 1);
}
