//! A cache inside a program: memory, a disk below it, a loader where neither has the value, and a policy in WebAssembly.
//!
//! Run it with `cargo xtask policies && cargo run -p larder --example embed`; a file behind `--` is another policy.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use larder::{Cache, Fetched, TierKeyBuf};

const MEMORY_BYTES: u64 = 8 << 20;
const DISK_BYTES: u64 = 256 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let loads = Arc::new(AtomicU64::new(0));
    let cache = open(folder.path(), &loads)?;

    // What neither memory nor disk has is loaded, once.
    let user = cache.get(b"user:7").await?;
    assert_eq!(user.as_deref(), Some(&b"{\"id\": 7}"[..]));
    assert_eq!(cache.get(b"user:7").await?, user);
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    assert_eq!(cache.get(b"nobody").await?, None);

    // Four times what memory holds: the rest is on disk, and comes back from there.
    let value = [7; 1000];
    for number in 0..32_000u32 {
        cache.set(&number.to_be_bytes(), &value, None).await?;
    }
    assert!(cache.stats().evictions > 10_000);
    for number in (0..32_000u32).step_by(100) {
        let found = cache.get(&number.to_be_bytes()).await?;
        assert_eq!(found.as_deref(), Some(&value[..]), "{number}");
    }

    // The policy keeps nothing above a mebibyte.
    cache.set(b"large", &vec![0; 2 << 20], None).await?;
    assert_eq!(cache.get(b"large").await?, None);

    // Deleted and gone, also for whoever opens the folder next.
    cache.delete(b"user:7").await;
    drop(cache);
    let cache = open(folder.path(), &loads)?;
    let first = cache.get(&0u32.to_be_bytes()).await?;
    assert_eq!(first.as_deref(), Some(&value[..]), "it outlived the cache");
    let before = loads.load(Ordering::Relaxed);
    assert_eq!(cache.get(b"user:7").await?, user);
    assert_eq!(loads.load(Ordering::Relaxed), before + 1);

    let stats = cache.stats();
    println!(
        "{} entries in {} of {MEMORY_BYTES} bytes of memory; {} loads",
        stats.entries_total(),
        stats.used_bytes,
        loads.load(Ordering::Relaxed)
    );
    Ok(())
}

/// A cache in that folder, which counts its loads.
fn open(folder: &Path, loads: &Arc<AtomicU64>) -> anyhow::Result<Cache> {
    let loads = Arc::clone(loads);
    // Stands for a database.
    let load = move |key: TierKeyBuf| {
        loads.fetch_add(1, Ordering::Relaxed);
        async move {
            let id = key.bytes.strip_prefix(b"user:");
            let row = |id: &[u8]| format!("{{\"id\": {}}}", String::from_utf8_lossy(id));
            Ok(id.map(|id| Fetched::from(row(id).into_bytes())))
        }
    };
    Cache::builder(MEMORY_BYTES)
        .disk(folder.join("cache"), DISK_BYTES)
        .policy(policy()?)
        .loader(load)
        .build()
}

/// The policy that the command line names, or one of those that `cargo xtask policies` builds.
fn policy() -> anyhow::Result<PathBuf> {
    if let Some(file) = env::args_os().nth(1) {
        return Ok(file.into());
    }
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3).context("cargo has built this")?;
    Ok(target.join("policies/size-gate.wasm"))
}
