//! What every tier does, as tests that each adapter runs.

mod concurrency;

use std::sync::Arc;
use std::time::Instant;

use larder_engine::tier::{
    PREFIXES_MAX, Stored, Tier, TierChange, TierError, TierKey, TierKeyBuf, Told,
};
use larder_engine::{KEY_BYTES_MAX, LABEL_NOTE_BYTES_MAX, Millis};

/// A tier under test.
pub trait Subject {
    /// Opens it, for values of 64 MiB; again, after it was closed, with what it held if it [outlasts](Self::outlasts) that.
    fn open(&self) -> Arc<dyn Tier>;

    /// Opens another that has a bound of 8 MiB at most, if it has one of its own.
    fn open_bounded(&self) -> Option<Arc<dyn Tier>>;

    /// Whether what it holds is there after it was closed and opened again.
    fn outlasts(&self) -> bool {
        true
    }

    /// Whether it knows without asking anybody that it holds nothing under a key.
    fn is_certain(&self) -> bool {
        true
    }

    /// The time it is.
    fn now(&self) -> Millis {
        1_700_000_000_000
    }
}

/// Runs all of it, each part with a subject of its own. It needs a tokio runtime of several threads.
///
/// # Panics
/// Where a tier does not keep the port's promise.
pub async fn check<S: Subject>(mut fresh: impl FnMut() -> S) {
    puts_are_read_replaced_and_deleted(&fresh()).await;
    entries_expire_to_the_millisecond(&fresh()).await;
    keys_and_values_are_any_bytes(&fresh()).await;
    tenants_and_databases_are_apart(&fresh()).await;
    a_batch_is_done_in_its_order(&fresh()).await;
    keys_that_begin_alike_go_together(&fresh()).await;
    bytes_are_bounded(&fresh()).await;
    what_was_answered_outlasts_closing(&fresh()).await;
    concurrency::reads_never_go_back(&fresh()).await;
}

/// A key of a tenant `t`, in its database 0.
pub fn key(bytes: impl AsRef<[u8]>) -> TierKeyBuf {
    key_of("t", 0, bytes.as_ref())
}

/// A change that puts a value under [`key`].
pub fn put(bytes: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> TierChange {
    TierChange::Put(key(bytes), Arc::new(stored(value.as_ref())))
}

/// An entry that is nothing but a value.
pub fn stored(value: &[u8]) -> Stored {
    Stored {
        value: value.into(),
        ..Stored::default()
    }
}

fn key_of(tenant: &str, db: u8, bytes: &[u8]) -> TierKeyBuf {
    TierKey { tenant, db, bytes }.to_owned()
}

/// Has a tier do changes that are told just now.
pub async fn tell(
    tier: &dyn Tier,
    changes: &[TierChange],
    now: Millis,
) -> Vec<Result<(), TierError>> {
    let at = Instant::now();
    let told = |change: &TierChange| Told {
        change: change.clone(),
        at,
    };
    let changes: Vec<_> = changes.iter().map(told).collect();
    tier.write(&changes, now).await
}

async fn write(tier: &dyn Tier, changes: &[TierChange], now: Millis) {
    let results = tell(tier, changes, now).await;
    assert_eq!(results, vec![Ok(()); changes.len()]);
}

async fn read(tier: &dyn Tier, key: &TierKeyBuf, now: Millis) -> Option<Stored> {
    let found = tier.read(key, now).await.expect("a read");
    assert!(
        found.is_none() || tier.may_hold(key.borrow()),
        "it says that it cannot hold what it holds"
    );
    found
}

async fn puts_are_read_replaced_and_deleted(subject: &impl Subject) {
    let (tier, now) = (subject.open(), subject.now());
    assert!(!subject.is_certain() || !tier.may_hold(key("k").borrow()));
    assert_eq!(read(&*tier, &key("k"), now).await, None);
    let entry = Stored {
        value: b"first".as_slice().into(),
        expires_at: Some(now + 600_000),
        priority: 200,
        note: b"note".as_slice().into(),
        ..Stored::default()
    };
    write(
        &*tier,
        &[TierChange::Put(key("k"), Arc::new(entry.clone()))],
        now,
    )
    .await;
    assert_eq!(read(&*tier, &key("k"), now).await, Some(entry));
    assert_eq!(read(&*tier, &key("K"), now).await, None);
    write(&*tier, &[put("k", "second")], now).await;
    assert_eq!(read(&*tier, &key("k"), now).await, Some(stored(b"second")));
    write(
        &*tier,
        &[
            TierChange::Delete(key("k")),
            TierChange::Delete(key("absent")),
        ],
        now,
    )
    .await;
    assert_eq!(read(&*tier, &key("k"), now).await, None);
    write(&*tier, &[], now).await;
    tier.close().await;
}

async fn entries_expire_to_the_millisecond(subject: &impl Subject) {
    let (tier, now) = (subject.open(), subject.now());
    let entry = Stored {
        expires_at: Some(now + 600_001),
        ..stored(b"v")
    };
    write(
        &*tier,
        &[TierChange::Put(key("k"), Arc::new(entry.clone()))],
        now,
    )
    .await;
    assert_eq!(read(&*tier, &key("k"), now + 600_000).await, Some(entry));
    assert_eq!(read(&*tier, &key("k"), now + 600_001).await, None);
    tier.close().await;
}

async fn keys_and_values_are_any_bytes(subject: &impl Subject) {
    let (tier, now) = (subject.open(), subject.now());
    let all: Vec<u8> = (0..=255).collect();
    let long = vec![0xff; KEY_BYTES_MAX];
    let keys = [&b""[..], b"\0", b"\0\0", b"\r\n{}", &all, &long];
    for (number, name) in keys.iter().enumerate() {
        write(&*tier, &[put(name, [number as u8])], now).await;
    }
    for (number, name) in keys.iter().enumerate() {
        assert_eq!(
            read(&*tier, &key(name), now).await,
            Some(stored(&[number as u8]))
        );
    }
    let note = Stored {
        note: vec![7; LABEL_NOTE_BYTES_MAX].into(),
        ..stored(&all)
    };
    write(
        &*tier,
        &[TierChange::Put(key("note"), Arc::new(note.clone()))],
        now,
    )
    .await;
    assert_eq!(read(&*tier, &key("note"), now).await, Some(note));
    write(&*tier, &[put("empty", "")], now).await;
    assert_eq!(read(&*tier, &key("empty"), now).await, Some(stored(b"")));
    let mut large = vec![0x5a; 64 << 20];
    large[1 << 20..1 << 21].fill(0);
    write(&*tier, &[put("large", &large), put("small", "v")], now).await;
    assert!(
        read(&*tier, &key("large"), now).await == Some(stored(&large)),
        "64 MiB"
    );
    assert_eq!(read(&*tier, &key("small"), now).await, Some(stored(b"v")));
    tier.close().await;
}

async fn tenants_and_databases_are_apart(subject: &impl Subject) {
    let (tier, now) = (subject.open(), subject.now());
    let places = [("a", 0), ("a", 1), ("a", 15), ("b", 0), ("", 0), ("a\0", 0)];
    let of = |place: (&str, u8)| key_of(place.0, place.1, b"k");
    for (number, place) in places.into_iter().enumerate() {
        let entry = Arc::new(stored(&[number as u8]));
        write(&*tier, &[TierChange::Put(of(place), entry)], now).await;
    }
    for (number, place) in places.into_iter().enumerate() {
        assert_eq!(
            read(&*tier, &of(place), now).await,
            Some(stored(&[number as u8]))
        );
    }
    write(&*tier, &[TierChange::Clear("a".into(), Some(1))], now).await;
    for place in places {
        assert_eq!(
            read(&*tier, &of(place), now).await.is_some(),
            place != ("a", 1),
            "{place:?}"
        );
    }
    write(&*tier, &[TierChange::Clear("a".into(), None)], now).await;
    for place in places {
        assert_eq!(
            read(&*tier, &of(place), now).await.is_some(),
            place.0 != "a",
            "{place:?}"
        );
    }
    write(&*tier, &[TierChange::Clear("nobody".into(), None)], now).await;
    tier.close().await;
}

async fn a_batch_is_done_in_its_order(subject: &impl Subject) {
    let (tier, now) = (subject.open(), subject.now());
    let clear = || TierChange::Clear("t".into(), Some(0));
    let changes = [
        put("cleared", "1"),
        clear(),
        put("kept", "1"),
        TierChange::Delete(key("kept")),
        put("kept", "2"),
        put("gone", "1"),
        TierChange::Delete(key("gone")),
    ];
    write(&*tier, &changes, now).await;
    assert_eq!(read(&*tier, &key("cleared"), now).await, None);
    assert_eq!(read(&*tier, &key("kept"), now).await, Some(stored(b"2")));
    assert_eq!(read(&*tier, &key("gone"), now).await, None);
    write(&*tier, &[clear(), put("after", "1")], now).await;
    assert_eq!(read(&*tier, &key("kept"), now).await, None);
    assert_eq!(read(&*tier, &key("after"), now).await, Some(stored(b"1")));
    tier.close().await;
}

async fn keys_that_begin_alike_go_together(subject: &impl Subject) {
    let (tier, now) = (subject.open(), subject.now());
    let names = ["", "a", "a:", "a:1", "a:\0", "b:1", "aa:1"];
    let places = [("t", 0), ("t", 1), ("u", 0)];
    let places = || places.into_iter();
    for (tenant, db) in places() {
        let all = names.map(|name| key_of(tenant, db, name.as_bytes()));
        let puts = all.map(|key| TierChange::Put(key, Arc::new(stored(b"v"))));
        write(&*tier, &puts, now).await;
    }
    let prefix = |name: &str| TierChange::ClearPrefix(key(name));
    let changes = [
        put("a:2", "v"),
        prefix("a:"),
        put("a:3", "v"),
        prefix("none"),
    ];
    write(&*tier, &changes, now).await;
    for (tenant, db) in places() {
        for name in names {
            let there = read(&*tier, &key_of(tenant, db, name.as_bytes()), now).await;
            let goes = (tenant, db) == ("t", 0) && name.starts_with("a:");
            assert_eq!(there.is_some(), !goes, "{name} of {tenant} {db}");
        }
    }
    assert_eq!(read(&*tier, &key("a:2"), now).await, None);
    assert!(read(&*tier, &key("a:3"), now).await.is_some());
    write(&*tier, &[put("a:1", "new")], now).await;
    let again = if subject.outlasts() {
        tier.close().await;
        drop(tier);
        subject.open()
    } else {
        tier
    };
    let tier = &*again;
    assert_eq!(read(tier, &key("a:1"), now).await, Some(stored(b"new")));
    assert_eq!(read(tier, &key("a:\0"), now).await, None);
    // However many there are, and whether it can do that: nothing of what was there is found.
    for n in 0..2 * PREFIXES_MAX {
        let name = format!("{n:03}:k");
        write(tier, &[put(&name, "v")], now).await;
        let cleared = tell(tier, &[prefix(&name[..4])], now).await;
        assert!(cleared[0].is_ok() || n >= PREFIXES_MAX / 2, "{cleared:?}");
        assert_eq!(read(tier, &key(&name), now).await, None);
    }
    tier.close().await;
}

async fn bytes_are_bounded(subject: &impl Subject) {
    let Some(tier) = subject.open_bounded() else {
        return;
    };
    let now = subject.now();
    let value = vec![1; 1000];
    let bytes_max = tier.figures().bytes_max;
    let keys = bytes_max * 3 / 1000;
    for batch in 0..keys / 100 {
        let changes: Vec<_> = (0..100)
            .map(|n| put(format!("{batch}-{n}"), &value))
            .collect();
        write(&*tier, &changes, now).await;
        let used_bytes = tier.figures().used_bytes;
        assert!(used_bytes <= bytes_max, "{used_bytes} of {bytes_max} bytes");
    }
    let figures = tier.figures();
    assert!(figures.evictions > 0 && figures.entries > 0, "{figures:?}");
    let last = key(format!("{}-99", keys / 100 - 1));
    assert_eq!(read(&*tier, &last, now).await, Some(stored(&value)));
    assert_eq!(read(&*tier, &key("0-0"), now).await, None);
    let changes = [put("k", "v"), put("k", vec![1; bytes_max as usize])];
    let refused = tell(&*tier, &changes, now).await;
    assert!(refused[0].is_ok() && refused[1].is_err(), "{refused:?}");
    assert_eq!(read(&*tier, &key("k"), now).await, None);
    tier.close().await;
}

async fn what_was_answered_outlasts_closing(subject: &impl Subject) {
    if !subject.outlasts() {
        return;
    }
    let now = subject.now();
    let tier = subject.open();
    // Longer than all of this takes, for a tier with a clock of its own.
    let expiring = Stored {
        expires_at: Some(now + 600_000),
        ..stored(b"v")
    };
    let changes = [
        put("kept", "old"),
        put("kept", "new"),
        put("deleted", "v"),
        TierChange::Put(key("expiring"), Arc::new(expiring)),
        TierChange::Put(key_of("t", 3, b"cleared"), Arc::new(stored(b"v"))),
    ];
    write(&*tier, &changes, now).await;
    let changes = [
        TierChange::Delete(key("deleted")),
        TierChange::Clear("t".into(), Some(3)),
    ];
    write(&*tier, &changes, now).await;
    tier.close().await;
    drop(tier);
    let tier = subject.open();
    assert_eq!(read(&*tier, &key("kept"), now).await, Some(stored(b"new")));
    assert_eq!(read(&*tier, &key("deleted"), now).await, None);
    assert_eq!(read(&*tier, &key_of("t", 3, b"cleared"), now).await, None);
    assert!(
        read(&*tier, &key("expiring"), now + 599_999)
            .await
            .is_some()
    );
    assert_eq!(read(&*tier, &key("expiring"), now + 600_000).await, None);
    write(&*tier, &[put("kept", "newest")], now).await;
    assert_eq!(
        read(&*tier, &key("kept"), now).await,
        Some(stored(b"newest"))
    );
    tier.close().await;
}
