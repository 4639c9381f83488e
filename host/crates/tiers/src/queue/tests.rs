use std::collections::HashMap;
use std::pin::pin;
use std::task::{Context, Waker};

use larder_engine::tags::{TAG_PART, UNSTAMPED};
use larder_engine::tier::TierKeyBuf;

use super::batch::bytes_of;
use super::*;
use crate::draws::Draws;

const BYTES_MAX: u64 = 100 << 10;

fn queue(overflow: Overflow) -> Queue {
    Queue::new(BYTES_MAX, overflow)
}

fn key(db: u8, n: u64) -> TierKeyBuf {
    let bytes = format!("k{n}");
    TierKey {
        tenant: "t",
        db,
        bytes: bytes.as_bytes(),
    }
    .to_owned()
}

fn put(db: u8, n: u64, value: &[u8]) -> TierChange {
    let stored = Stored {
        value: value.into(),
        ..Stored::default()
    };
    TierChange::Put(key(db, n), Arc::new(stored))
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn nobody_waits_for_a_tier_that_is_away_until_a_round_is_done() {
    let queue = queue(Overflow::Drop);
    queue.push(put(0, 1, b"v"));
    let mut settled = pin!(queue.settled().unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(settled.as_mut().poll(&mut cx).is_pending());
    queue.begin().unwrap();
    queue.give_up_waiting();
    assert!(settled.as_mut().poll(&mut cx).is_ready());
    queue.push(put(0, 2, b"v"));
    assert!(queue.settled().is_none());
    let mut emptied = pin!(queue.emptied().unwrap());
    assert!(emptied.as_mut().poll(&mut cx).is_pending());
    assert_eq!(load(&queue.counts().deferred), 2);
    assert!(queue.finish());
    assert!(queue.settled().is_some(), "there is another round");
    assert!(emptied.as_mut().poll(&mut cx).is_pending());
    queue.begin().unwrap();
    assert!(!queue.finish());
    assert!(emptied.as_mut().poll(&mut cx).is_ready());
    assert_eq!((queue.bytes(), queue.len()), (0, 0));
}

#[test]
fn above_the_bound_the_oldest_values_go_and_their_keys_will_hold_nothing() {
    let queue = queue(Overflow::Drop);
    queue.give_up_waiting();
    for n in 0..200 {
        queue.push(put(0, n, &[1; 1000]));
    }
    assert!(queue.bytes() <= BYTES_MAX, "{}", queue.bytes());
    let kept: u64 = queue
        .inner
        .lock()
        .next
        .changes
        .iter()
        .map(|told| bytes_of(&told.change))
        .sum();
    assert_eq!(queue.bytes(), kept);
    assert_eq!(load(&queue.counts().collapses), 0);
    let coming: Vec<_> = (0..200)
        .map(|n| queue.coming(key(0, n).borrow()).unwrap())
        .collect();
    let dropped = coming
        .iter()
        .take_while(|coming| **coming == Coming::Nothing)
        .count();
    assert_eq!(dropped as u64, load(&queue.counts().dropped));
    assert!((100..150).contains(&dropped), "{dropped}");
    let mut kept = coming[dropped..].iter();
    assert!(kept.all(|coming| *coming != Coming::Nothing));
    assert!(!queue.refuses() && !queue.is_full());
}

#[test]
fn where_removals_alone_are_too_many_all_of_their_databases_go() {
    for overflow in [Overflow::Drop, Overflow::Fail] {
        let queue = queue(overflow);
        queue.give_up_waiting();
        queue.push(TierChange::Clear("other".into(), None));
        for n in 0..1_000 {
            queue.push(TierChange::Delete(key((n % 2) as u8, n)));
        }
        assert!(queue.bytes() <= BYTES_MAX / 2 * 3, "{}", queue.bytes());
        assert!(load(&queue.counts().collapses) >= 3);
        assert_eq!(queue.coming(key(1, 5_000).borrow()), Some(Coming::Nothing));
        assert_eq!(queue.coming(key(2, 5_000).borrow()), None);
        // What comes behind is not gone with it.
        queue.push(put(1, 5_000, b"v"));
        assert_ne!(queue.coming(key(1, 5_000).borrow()), Some(Coming::Nothing));
    }
}

#[test]
fn where_writes_are_to_fail_they_are_refused_above_the_bound() {
    let queue = queue(Overflow::Fail);
    queue.push(put(0, 1, &[1; 110 << 10]));
    assert!(queue.is_full() && !queue.refuses(), "it is there");
    queue.give_up_waiting();
    assert!(!queue.is_full() && queue.refuses());
    queue.push(TierChange::Delete(key(0, 2)));
    assert_eq!(queue.coming(key(0, 2).borrow()), Some(Coming::Nothing));
    assert_ne!(queue.coming(key(0, 1).borrow()), Some(Coming::Nothing));
    queue.begin().unwrap();
    queue.finish();
    assert!(!queue.refuses());
}

fn invalidate(tags: impl IntoIterator<Item = u32>) -> TierChange {
    let ids = tags.into_iter().map(|tag| tag.to_le_bytes().into());
    TierChange::Invalidate("t".into(), Some(Arc::new(ids.collect())))
}

/// What the tier is to invalidate next.
fn invalidated(queue: &Queue) -> Vec<Option<usize>> {
    let inner = queue.inner.lock();
    let changes = inner.next.changes.iter();
    let tags = changes.filter_map(|told| match &told.change {
        TierChange::Invalidate(_, tags) => Some(tags.as_ref().map(|tags| tags.len())),
        _ => None,
    });
    tags.collect()
}

#[test]
fn tags_that_are_invalidated_again_and_again_wait_once_and_too_many_are_all() {
    let queue = queue(Overflow::Drop);
    queue.give_up_waiting();
    for _ in 0..10_000 {
        queue.push(invalidate([1]));
        queue.push(invalidate([2, 3]));
    }
    queue.push(put(0, 1, b"v"));
    assert_eq!(invalidated(&queue), [Some(3)]);
    let note = |tag: u32| [&UNSTAMPED[..], &[TAG_PART, 4, 0], &tag.to_le_bytes()].concat();
    let voids = |tenant: &str, tag: u32| queue.voids(tenant, &note(tag));
    assert!(voids("t", 3) && !voids("t", 4) && !voids("other", 3) && !queue.voids("t", b""));
    assert_eq!(load(&queue.counts().collapses), 0);
    queue.push(invalidate(10..2_000));
    assert_eq!(invalidated(&queue), [None]);
    assert_eq!(load(&queue.counts().collapses), 1, "a database went, too");
    queue.push(invalidate([1]));
    assert_eq!(invalidated(&queue), [None]);
    queue.begin().unwrap();
    assert!(voids("t", 4) && !voids("other", 4), "it is on its way");
    queue.push(invalidate([1]));
    assert_eq!(invalidated(&queue), [Some(1)], "of the next round");
}

/// What a tier holds that does what it is told.
type Held = HashMap<TierKeyBuf, Vec<u8>>;

fn apply(held: &mut Held, change: &TierChange) {
    match change {
        TierChange::Put(key, stored) => {
            held.insert(key.clone(), stored.value.to_vec());
        }
        TierChange::Delete(key) => {
            held.remove(key);
        }
        TierChange::Clear(tenant, db) => {
            held.retain(|key, _| key.tenant != *tenant || db.is_some_and(|db| db != key.db));
        }
        TierChange::ClearPrefix(prefix) => held.retain(|key, _| {
            let is_there = key.tenant == prefix.tenant && key.db == prefix.db;
            !(is_there && key.bytes.starts_with(&prefix.bytes))
        }),
        TierChange::Invalidate(..) => {}
    }
}

/// Whatever is left out, a key holds in the end what it was to hold, or nothing; and so it is seen before.
#[test]
fn nothing_that_was_replaced_or_removed_is_there_in_the_end() {
    for seed in 0..20 {
        let draws = Draws::new(seed);
        let below = |most: u64| draws.next() % most;
        let queue = queue(Overflow::Drop);
        let (mut truth, mut held) = (Held::new(), Held::new());
        for _ in 0..3_000 {
            let (db, n) = (below(2) as u8, below(700));
            let change = match below(100) {
                0 if below(10) == 0 => TierChange::Clear("t".into(), Some(db)),
                1 => TierChange::ClearPrefix(key(db, below(9))),
                0..30 => TierChange::Delete(key(db, n)),
                _ => put(db, n, &vec![7; below(3_000) as usize]),
            };
            apply(&mut truth, &change);
            queue.push(change);
            match below(200) {
                0 => queue.give_up_waiting(),
                1..20 => {
                    if let Some(round) = queue.begin() {
                        round.iter().for_each(|told| apply(&mut held, &told.change));
                        queue.finish();
                    }
                }
                _ => {}
            }
            let key = key(db, n);
            match queue.coming(key.borrow()) {
                Some(Coming::Put(stored)) => {
                    assert_eq!(truth.get(&key), Some(&stored.value.to_vec()))
                }
                Some(Coming::Nothing) => {}
                None => assert!(
                    held.get(&key)
                        .is_none_or(|held| truth.get(&key) == Some(held))
                ),
            }
        }
        while let Some(round) = queue.begin() {
            round.iter().for_each(|told| apply(&mut held, &told.change));
            queue.finish();
        }
        for (key, value) in &held {
            assert_eq!(truth.get(key), Some(value), "seed {seed}");
        }
        assert_eq!(queue.bytes(), 0);
    }
}

#[test]
fn a_change_is_as_old_as_it_is_however_long_it_waits() {
    let queue = queue(Overflow::Drop);
    queue.push(put(0, 1, b"first"));
    queue.push(put(0, 2, b"v"));
    let between = Instant::now();
    queue.push(put(0, 1, b"second"));
    queue.give_up_waiting();
    let ages: Vec<_> = queue.begin().unwrap().iter().map(|told| told.at).collect();
    assert!(ages[0] >= between && ages[1] <= between, "{ages:?}");
    // One that is left out is as old, too.
    queue.push(put(0, 3, &[1; 90 << 10]));
    let between = Instant::now();
    queue.push(put(0, 4, &[1; 90 << 10]));
    queue.finish();
    let round = queue.begin().unwrap();
    assert!(
        matches!(round[0].change, TierChange::Delete(_)),
        "{round:?}"
    );
    assert!(
        round[0].at <= between && round[1].at >= between,
        "{round:?}"
    );
}

#[test]
fn a_database_that_is_emptied_again_and_again_is_emptied_once() {
    let queue = queue(Overflow::Drop);
    let clear = |db| TierChange::Clear("t".into(), db);
    for _ in 0..100 {
        queue.push(clear(Some(1)));
    }
    assert_eq!(queue.len(), 1);
    queue.push(put(1, 1, b"v"));
    queue.push(clear(None));
    queue.push(clear(Some(1)));
    assert_eq!(queue.len(), 4);
    let coming = |db| queue.coming(key(db, 1).borrow());
    assert!(matches!(coming(1), Some(Coming::Nothing)));
    assert!(
        matches!(coming(2), Some(Coming::Nothing)),
        "all are emptied"
    );
}
