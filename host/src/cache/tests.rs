use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::loader::{Fetched, LoadError, LoadFailure};
use larder_engine::tier::TierKeyBuf;
use larder_tiers::codec::KeyRing;
use tokio::runtime::Builder;

use super::*;

const MEMORY_BYTES: u64 = 8 << 20;

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test);
}

async fn get(cache: &Cache, key: &str) -> Option<Vec<u8>> {
    cache.get(key.as_bytes()).await.unwrap()
}

#[test]
fn what_memory_has_no_room_for_is_on_disk_and_outlives_the_cache() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let cache = Cache::builder(MEMORY_BYTES).disk(folder.path(), 64 << 20);
            cache.build().unwrap()
        };
        let cache = open();
        for n in 0..12_000 {
            let value = [n as u8; 1000];
            cache
                .set(format!("k{n}").as_bytes(), &value, None)
                .await
                .unwrap();
        }
        cache.delete(b"k1").await;
        let check = async |cache: &Cache| {
            for n in (0..12_000).step_by(50) {
                assert_eq!(
                    get(cache, &format!("k{n}")).await,
                    Some(vec![n as u8; 1000])
                );
            }
            assert_eq!(get(cache, "k1").await, None);
        };
        assert!(cache.stats().evictions > 1_000);
        check(&cache).await;
        drop(cache);
        check(&open()).await;
    });
}

/// Whether bytes stand in a file of the folder.
fn is_in_plain_sight(folder: &Path, bytes: &[u8]) -> bool {
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files.filter(|path| path.is_file()).any(|path| {
        let contents = fs::read(path).unwrap();
        contents.windows(bytes.len()).any(|part| part == bytes)
    })
}

#[test]
fn what_is_on_disk_is_compressed_and_with_a_key_ring_sealed() {
    run(async {
        let work = tempfile::tempdir().unwrap();
        let (folder, path) = (work.path().join("disk"), work.path().join("keys.ring"));
        KeyRing::generate(0).unwrap().create(&path).unwrap();
        let open = |compresses, is_sealed| {
            let cache = Cache::builder(MEMORY_BYTES).disk(&folder, 16 << 20);
            let cache = cache.compress(compresses);
            match is_sealed {
                true => cache.key_ring(&path).build().unwrap(),
                false => cache.build().unwrap(),
            }
        };
        let value = b"in plain sight, ".repeat(100);
        for (compresses, is_sealed) in [(false, false), (true, false), (true, true)] {
            let cache = open(compresses, is_sealed);
            assert_eq!(get(&cache, "k").await, None);
            cache.set(b"k", &value, None).await.unwrap();
            drop(cache);
            assert_eq!(is_in_plain_sight(&folder, &value), !compresses);
            assert!(!is_sealed || !is_in_plain_sight(&folder, &value[..16]));
            let cache = open(compresses, is_sealed);
            assert_eq!(get(&cache, "k").await.as_deref(), Some(&value[..]));
            cache.delete(b"k").await;
            drop(cache);
            fs::remove_dir_all(&folder).unwrap();
        }
        let cache = open(true, true);
        cache.set(b"k", &value, None).await.unwrap();
        drop(cache);
        let without_key = open(true, false).get(b"k").await;
        assert!(!matches!(without_key, Ok(Some(_))), "{without_key:?}");
    });
}

#[test]
fn what_is_absent_is_loaded_once_and_what_fails_is_an_error() {
    run(async {
        let loads = Arc::new(AtomicU64::new(0));
        let counts = Arc::clone(&loads);
        let load = move |key: TierKeyBuf| {
            counts.fetch_add(1, Ordering::Relaxed);
            async move {
                match &*key.bytes {
                    b"absent" => Ok(None),
                    b"broken" => Err(LoadError::new(LoadFailure::Status, "the database is away")),
                    bytes => Ok(Some(Fetched::from(bytes.to_vec()))),
                }
            }
        };
        let cache = Cache::builder(MEMORY_BYTES).loader(load).build().unwrap();
        let both = async { (get(&cache, "k").await, get(&cache, "k").await) };
        assert_eq!(both.await, (Some(b"k".to_vec()), Some(b"k".to_vec())));
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        cache
            .set(b"k", b"own", Some(Duration::from_secs(60)))
            .await
            .unwrap();
        assert_eq!(get(&cache, "k").await.as_deref(), Some(&b"own"[..]));
        assert_eq!(get(&cache, "absent").await, None);
        let failed = cache.get(b"broken").await.unwrap_err();
        assert!(
            failed.to_string().contains("the database is away"),
            "{failed}"
        );
        cache.delete(b"k").await;
        assert_eq!(get(&cache, "k").await.as_deref(), Some(&b"k"[..]));
    });
}

#[test]
fn what_cannot_be_is_said() {
    let said = |builder: CacheBuilder| format!("{:#}", builder.build().err().unwrap());
    let builder = || Cache::builder(MEMORY_BYTES);
    assert!(said(Cache::builder(1)).contains("memory is 1 bytes"));
    assert!(said(builder().policy("/none.wasm")).contains("cannot read /none.wasm"));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(said(builder().policy(file.path())).contains("is refused"));
    assert!(said(builder().disk(file.path(), 1 << 20)).contains("cannot be used"));
    // Who tries again finds the folder as free as before.
    let folder = tempfile::tempdir().unwrap();
    let small = Cache::builder(1).disk(folder.path(), 1 << 20);
    assert!(said(small).contains("memory is 1 bytes"));
    builder().disk(folder.path(), 1 << 20).build().unwrap();
    assert!(said(builder().key_ring("/none.ring")).contains("there is no key ring"));
}
