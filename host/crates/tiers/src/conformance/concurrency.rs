//! Reads beside writes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use larder_engine::Millis;
use larder_engine::tier::{Tier, TierChange};
use tokio::runtime::Handle;

use super::{Subject, key, put, write};

const KEYS: u64 = 8;
const ROUNDS: u64 = 300;
const READERS: usize = 3;

/// Each key is written in ascending versions, every fifth of them a deletion. A read returns none that was replaced
/// before it began; so a deletion is seen by every read that begins after its answer, however late another comes.
pub(super) async fn reads_never_go_back(subject: &impl Subject) {
    let (tier, now) = (subject.open(), subject.now());
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let runtime = Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    let mut number = 0;
                    while !is_over.load(SeqCst) {
                        number += 1;
                        let seen = look(&*tier, number % KEYS, &begun, &done, now);
                        runtime.block_on(seen);
                    }
                });
            }
            let _over = Over(&is_over);
            for version in 1..=ROUNDS {
                begun.store(version, SeqCst);
                let changes: Vec<_> = (0..KEYS).map(|of| change(of, version)).collect();
                runtime.block_on(write(&*tier, &changes, now));
                done.store(version, SeqCst);
            }
        });
    });
    tier.close().await;
}

/// Tells the readers when the writer is done, or has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn change(of: u64, version: u64) -> TierChange {
    match is_deletion(version) {
        true => TierChange::Delete(key(of.to_le_bytes())),
        false => put(of.to_le_bytes(), version.to_le_bytes()),
    }
}

fn is_deletion(version: u64) -> bool {
    version.is_multiple_of(5)
}

async fn look(tier: &dyn Tier, of: u64, begun: &AtomicU64, done: &AtomicU64, now: Millis) {
    let from = done.load(SeqCst);
    let found = tier
        .read(&key(of.to_le_bytes()), now)
        .await
        .expect("a read");
    let to = begun.load(SeqCst);
    match found {
        Some(stored) => {
            let version = stored
                .value
                .first_chunk()
                .map(|bytes| u64::from_le_bytes(*bytes));
            let version = version.expect("a version");
            assert!(
                (from..=to).contains(&version),
                "{version} is not of {from} to {to}"
            );
        }
        None => assert!(
            (from..=to).any(is_deletion) || from == 0,
            "none from {from} to {to}"
        ),
    }
}
