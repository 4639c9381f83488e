//! A cache inside a program: no server, no threads of its own.
//!
//! Run it with `cargo run -p larder --example embedded`.

use std::time::{SystemTime, UNIX_EPOCH};

use larder::{
    Access, Edit, Engine, EngineConfig, Error, Expiry, Key, Millis, S3Fifo, SizeClasses, Tenant,
    TenantConfig, native,
};

const MEMORY_BYTES: u64 = 8 << 20;

fn main() -> anyhow::Result<()> {
    let engine = engine()?;
    let cache = engine.default_tenant();

    // Time is handed in with every call, so a TTL can be tried out without waiting for it.
    let start = now();
    set(
        cache,
        b"greeting",
        b"hello",
        start,
        Expiry::At(start + 60_000),
    )?;
    assert_eq!(
        get(cache, b"greeting", start).as_deref(),
        Some(&b"hello"[..])
    );
    assert_eq!(
        get(cache, b"greeting", start + 59_999).as_deref(),
        Some(&b"hello"[..])
    );
    assert_eq!(
        get(cache, b"greeting", start + 60_000),
        None,
        "it has expired"
    );

    // Far more than there is room for: the policy chooses what stays.
    let value = [7; 1000];
    for number in 0..50_000u32 {
        set(cache, &number.to_be_bytes(), &value, start, Expiry::Never)?;
        // A program does this every ten milliseconds or so, on a thread of its own if it likes.
        if number % 100 == 0 {
            while engine.maintain(start) {}
        }
    }
    let last = get(cache, &49_999u32.to_be_bytes(), start);
    assert_eq!(
        last.as_deref(),
        Some(&value[..]),
        "what was just written is there"
    );

    let stats = cache.stats();
    println!(
        "{} entries in {} of {MEMORY_BYTES} bytes; {} hits, {} misses, {} evictions",
        stats.entries_total(),
        stats.used_bytes,
        stats.hits,
        stats.misses,
        stats.evictions
    );
    assert!(stats.used_bytes <= MEMORY_BYTES);
    assert_eq!((stats.hits, stats.misses), (3, 1));
    assert_eq!(stats.entries_total() + stats.evictions, 50_000);
    Ok(())
}

/// One tenant, which has all of the memory.
fn engine() -> anyhow::Result<Engine> {
    Ok(Engine::new(EngineConfig {
        memory_bytes: MEMORY_BYTES,
        threads: 1,
        // A program that strangers feed with keys draws its seed from the operating system.
        seed: 42,
        size_classes: SizeClasses::Sixteen,
        start_ms: now(),
        volatile_only: false,
        tenants: vec![TenantConfig {
            name: "default".to_owned(),
            memory_bytes: MEMORY_BYTES,
            evictor: native("s3-fifo", S3Fifo::default),
            reuse: None,
            below: None,
            vault: None,
        }],
    })?)
}

fn set(cache: &Tenant, key: &[u8], value: &[u8], now: Millis, expiry: Expiry) -> Result<(), Error> {
    cache.update(Key::new(0, key), now, Access::Write, value.len(), |_| {
        (Edit::put(value, expiry), ())
    })
}

fn get(cache: &Tenant, key: &[u8], now: Millis) -> Option<Vec<u8>> {
    cache.get(Key::new(0, key), now, |entry| entry.value().to_vec())
}

fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as Millis
}
