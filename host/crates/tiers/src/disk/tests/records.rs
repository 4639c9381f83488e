//! The adapter with records of the codec.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use larder_engine::LABEL_NOTE_BYTES_MAX;
use larder_engine::tier::{Stored, Tier, TierChange, TierError};
use tempfile::TempDir;

use super::support::{NOW, opened_with};
use crate::Records;
use crate::codec::{Codec, Dictionaries, Encrypt, KeyRing, Settings};
use crate::conformance::{Subject, check, key, stored, tell};
use crate::disk::{Disk, DiskOptions};

fn records(ring: Option<KeyRing>, compress: bool, encrypt: Encrypt) -> Arc<Records> {
    let settings = Settings {
        compress,
        encrypt,
        content_bytes_max: (64 << 20) + LABEL_NOTE_BYTES_MAX,
        data_type_of: |_| None,
        tenants: 1,
        seed: 1,
    };
    let codec = Codec::new(settings, ring, Dictionaries::default());
    Arc::new(Records::new(Arc::new(codec), |note| note == b"marked"))
}

fn open(path: &Path, bytes_max: u64, records: Arc<Records>) -> Disk {
    let options = DiskOptions {
        folder: path.join("disk"),
        bytes_max,
        index_bytes_max: u64::MAX,
        sync_every: None,
    };
    opened_with(&options, records)
}

struct Sealed(TempDir, KeyRing);

impl Subject for Sealed {
    fn open(&self) -> Arc<dyn Tier> {
        let records = records(Some(self.1.clone()), true, Encrypt::All);
        Arc::new(open(self.0.path(), 1 << 30, records))
    }

    /// Without compression, which would make room for all of it.
    fn open_bounded(&self) -> Option<Arc<dyn Tier>> {
        let records = records(Some(self.1.clone()), false, Encrypt::All);
        Some(Arc::new(open(self.0.path(), 2 << 20, records)))
    }

    fn now(&self) -> u64 {
        NOW
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_it_does_what_every_tier_does() {
    let ring = KeyRing::generate(NOW).unwrap();
    check(|| Sealed(tempfile::tempdir().unwrap(), ring.clone())).await;
}

#[tokio::test]
async fn what_becomes_large_when_it_is_read_is_not_read_on_the_spot() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path(), 64 << 20, records(None, true, Encrypt::None));
    let large = stored(&[0; 4 << 20]);
    let change = TierChange::Put(key("k"), Arc::new(large.clone()));
    assert_eq!(tell(&disk, &[change], NOW).await, [Ok(())]);
    assert!(disk.figures().put_bytes < 64 << 10);
    assert_eq!(disk.read_now(key("k").borrow(), NOW), None);
    assert_eq!(disk.read(&key("k"), NOW).await, Ok(Some(large)));
    disk.close().await;
}

/// Whether any file of the tier has these bytes.
fn shows(path: &Path, bytes: &[u8]) -> bool {
    let mut files = fs::read_dir(path.join("disk")).unwrap();
    files.any(|file| {
        let content = fs::read(file.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn what_is_marked_is_nowhere_on_disk_and_comes_back_with_its_ring_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::generate(NOW).unwrap();
    let open_with = |ring| {
        let records = records(ring, true, Encrypt::Marked);
        open(folder.path(), 8 << 20, records)
    };
    let marked = Stored {
        note: b"marked".as_slice().into(),
        ..stored(b"card 4000-0012-3456-7899")
    };
    let open_value = stored(b"price 12.90");
    let put = |name: &str, value: &Stored| TierChange::Put(key(name), Arc::new(value.clone()));

    let disk = open_with(Some(ring.clone()));
    let changes = [put("a", &marked), put("b", &open_value)];
    assert_eq!(tell(&disk, &changes, NOW).await, [Ok(()), Ok(())]);
    disk.close().await;
    drop(disk);
    assert!(!shows(folder.path(), b"4000-0012") && shows(folder.path(), b"price 12.90"));

    let disk = open_with(Some(ring));
    assert_eq!(disk.read(&key("a"), NOW).await, Ok(Some(marked.clone())));
    disk.close().await;
    drop(disk);

    // Without the key it is a miss that is told and counted, and nothing of the kind is written.
    let disk = open_with(None);
    let lost = disk.read(&key("a"), NOW).await;
    assert!(
        matches!(&lost, Err(TierError::Damaged(text)) if text.contains("which the key ring does not have")),
        "{lost:?}"
    );
    assert_eq!(disk.read(&key("a"), NOW).await, Ok(None));
    assert_eq!(disk.read(&key("b"), NOW).await, Ok(Some(open_value)));
    assert_eq!(disk.figures().damaged, 1);
    let refused = &tell(&disk, &[put("c", &marked)], NOW).await[0];
    assert!(
        matches!(refused, Err(TierError::Refused(text)) if text.contains("larder keys new")),
        "{refused:?}"
    );
    disk.close().await;
    drop(disk);
    assert!(!shows(folder.path(), b"4000-0012"));
}
