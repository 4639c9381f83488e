//! The whole adapter, with its threads.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use larder_engine::tier::{Tier, TierChange, TierError};
use tempfile::TempDir;

use super::support::{NOW, opened};
use crate::conformance::{Subject, check, key, put, stored, tell};
use crate::disk::{Disk, DiskOptions, OpenError};
use crate::encoding::Plain;

fn options(path: &Path, bytes_max: u64) -> DiskOptions {
    DiskOptions {
        folder: path.join("disk"),
        bytes_max,
        index_bytes_max: u64::MAX,
        sync_every: None,
    }
}

fn open(path: &Path, bytes_max: u64) -> Disk {
    opened(&options(path, bytes_max))
}

struct Folder(TempDir);

impl Subject for Folder {
    fn open(&self) -> Arc<dyn Tier> {
        Arc::new(open(self.0.path(), 1 << 30))
    }

    fn open_bounded(&self) -> Option<Arc<dyn Tier>> {
        Some(Arc::new(open(self.0.path(), 2 << 20)))
    }

    fn now(&self) -> u64 {
        NOW
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_every_tier_does() {
    check(|| Folder(tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn the_folder_is_for_one_process_and_its_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path(), 1 << 20);
    assert_eq!(tell(&disk, &[put("k", "v")], NOW).await, [Ok(())]);
    let second = Disk::open(&options(folder.path(), 1 << 20), Arc::new(Plain), NOW);
    assert!(matches!(second, Err(OpenError::InUse(_))));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("disk")), 0o700);
    for file in fs::read_dir(folder.path().join("disk")).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    disk.close().await;
    drop(open(folder.path(), 1 << 20));
}

#[tokio::test]
async fn after_its_end_it_refuses_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path(), 1 << 20);
    disk.close().await;
    disk.close().await;
    let Err(TierError::Unavailable(text)) = &tell(&disk, &[put("k", "v")], NOW).await[0] else {
        panic!("it was closed");
    };
    assert!(text.contains("has ended; restart the server"), "{text}");
}

#[tokio::test]
async fn figures_tell_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path(), 1 << 20);
    let changes = [put("a", [1; 500]), put("b", [1; 500]), put("b", [2; 500])];
    tell(&disk, &changes, NOW).await;
    tell(&disk, &[TierChange::Delete(key("a"))], NOW).await;
    let figures = disk.figures();
    assert_eq!((figures.entries, figures.bytes_max), (1, 1 << 20));
    assert!((1500..1800).contains(&figures.put_bytes), "{figures:?}");
    assert!(
        (figures.put_bytes..1900).contains(&figures.written_bytes),
        "{figures:?}"
    );
    assert!(figures.used_bytes >= figures.written_bytes && figures.index_bytes > 0);
    let large = tell(&disk, &[put("a", vec![0; 1 << 18])], NOW).await;
    assert!(matches!(&large[0], Err(TierError::Refused(text)) if text.contains("131072")));
    assert_eq!(disk.figures().trouble, None);
    disk.close().await;
}

#[tokio::test]
async fn what_is_synced_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions {
        sync_every: Some(Duration::from_millis(1)),
        ..options(folder.path(), 1 << 20)
    };
    let disk = opened(&options);
    for n in 0..20_u8 {
        assert_eq!(tell(&disk, &[put("k", [n])], NOW).await, [Ok(())]);
    }
    disk.close().await;
    assert_eq!(disk.figures().errors, 0);
    let disk = opened(&options);
    assert_eq!(disk.read(&key("k"), NOW).await, Ok(Some(stored(&[19]))));
    disk.close().await;
}

#[test]
fn sizes_have_bounds() {
    let folder = tempfile::tempdir().unwrap();
    for bytes_max in [0, (1 << 20) - 1, u64::MAX] {
        let opened = Disk::open(&options(folder.path(), bytes_max), Arc::new(Plain), NOW);
        assert!(matches!(opened, Err(OpenError::Size(_))), "{bytes_max}");
    }
}
