//! What takes changes to a tier, round by round.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_engine::Millis;
use larder_engine::tier::{Stored, Tier, TierChange, TierError, TierKeyBuf, Told};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::guard::{is_trouble, time_for};
use crate::stack::{Counts, Level};

/// Of what is recalled so much is handed in at once, and a value.
const RECALLED_BYTES: usize = 4 << 20;
/// Failures are logged this often at most.
const LOGGED_EVERY_MS: Millis = 10_000;

type Results = Vec<Result<(), TierError>>;
/// What memory has of a key.
pub(crate) type Recall = Arc<dyn Fn(&TierKeyBuf) -> Option<Arc<Stored>> + Send + Sync>;

/// Writes to a tier whatever comes, for ever. A round is tried until it is done; those who wait for it wait for the
/// deadline at most. What had no room on its way is written as memory has it, if it does.
pub(crate) async fn write(
    level: &Level,
    clock: &(dyn Fn() -> Millis + Send + Sync),
    memory: &Recall,
) {
    let mut logged_at: Option<Millis> = None;
    loop {
        let changes = level.queue.take().await;
        let left_out = Arc::new(level.queue.take_left_out());
        let (mut rest, mut failures) = (&changes[..], 0);
        let began = Instant::now();
        while !rest.is_empty() {
            if level.tier.takes_nothing() {
                level.queue.give_up_waiting();
                level.tier.writable().await;
            }
            let part = recall(&changes, changes.len() - rest.len(), &left_out, memory).await;
            let (part, now) = (part.as_deref().unwrap_or(rest), clock());
            let results = hand_in(level, part, now).await;
            level.counts.add(&results);
            say(level, &results, now, &mut logged_at);
            let is_fault = |result: &Result<(), TierError>| result.as_ref().is_err_and(is_trouble);
            let Some(done) = results.iter().position(is_fault) else {
                rest = &rest[part.len()..];
                continue;
            };
            // Those behind it are done again, too: in their order, so that the last of a key stays the last.
            rest = &rest[done..];
            failures += 1;
            let config = &level.tier.config;
            if failures > config.retries || began.elapsed() >= config.deadline {
                level.queue.give_up_waiting();
            }
            level.tier.pause(failures).await;
        }
        if level.queue.finish() {
            let (tier, waiting) = (level.tier.name(), level.queue.len());
            info!(tier, waiting, "the tier takes changes again");
        }
    }
}

/// The changes from a place on, as far as there is room for what memory has of those whose values were left out; `None` where
/// there are none of these.
async fn recall(
    changes: &Arc<Vec<Told>>,
    from: usize,
    left_out: &Arc<HashSet<usize>>,
    memory: &Recall,
) -> Option<Vec<Told>> {
    if left_out.is_empty() {
        return None;
    }
    let (changes, left_out) = (Arc::clone(changes), Arc::clone(left_out));
    let memory = Arc::clone(memory);
    // Whoever holds the shard of a key may wait for a tier.
    let recalling = spawn_blocking(move || {
        let (mut part, mut bytes) = (Vec::new(), 0);
        for (place, told) in changes.iter().enumerate().skip(from) {
            let mut told = told.clone();
            if let TierChange::Delete(key) = &told.change
                && left_out.contains(&place)
                && let Some(stored) = memory(key)
            {
                bytes += stored.value.len();
                told.change = TierChange::Put(key.clone(), stored);
            }
            part.push(told);
            if bytes >= RECALLED_BYTES {
                break;
            }
        }
        part
    });
    recalling.await.ok()
}

/// Has the tier do changes. They are not given up however long that takes, as it could do them at any time later.
async fn hand_in(level: &Level, changes: &[Told], now: Millis) -> Results {
    let mut writing = level.tier.write(changes, now);
    let patience = level.tier.config.deadline + time_for(level.queue.bytes());
    if let Ok(results) = timeout(patience, writing.as_mut()).await {
        return results;
    }
    level.queue.give_up_waiting();
    let tier = level.tier.name();
    let changes = changes.len();
    warn!(
        tier,
        changes,
        "changes are not waited for: {}",
        level.tier.silent(patience)
    );
    writing.await
}

/// Tells of the first failure.
fn say(level: &Level, results: &Results, now: Millis, logged_at: &mut Option<Millis>) {
    let is_due = logged_at.is_none_or(|at| now.abs_diff(at) >= LOGGED_EVERY_MS);
    let first = results.iter().find_map(|result| result.as_ref().err());
    let Some(error) = first.filter(|_| is_due) else {
        return;
    };
    *logged_at = Some(now);
    let tier = level.tier.name();
    let failed = results.iter().filter(|result| result.is_err()).count();
    match is_trouble(error) {
        true => warn!(tier, failed, "changes are to be tried again: {error}"),
        false => warn!(tier, failed, "entries are kept in memory alone: {error}"),
    }
}

impl Counts {
    fn add(&self, results: &Results) {
        let failed = results.iter().filter(|result| result.is_err()).count() as u64;
        let written = results.len() as u64 - failed;
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(written, Ordering::Relaxed);
        self.write_errors.fetch_add(failed, Ordering::Relaxed);
    }
}
