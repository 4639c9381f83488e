//! What takes changes to a tier, round by round.

use std::sync::atomic::Ordering;

use larder_engine::Millis;
use tracing::warn;

use crate::stack::Level;

/// Failures are logged this often at most.
const LOGGED_EVERY_MS: Millis = 10_000;

/// Writes to a tier whatever comes, for ever.
pub(crate) async fn write(level: &Level, clock: &(dyn Fn() -> Millis + Send + Sync)) {
    let mut logged_at: Option<Millis> = None;
    loop {
        let changes = level.queue.take().await;
        let now = clock();
        let results = level.tier.write(&changes, now).await;
        let failed = results.iter().filter(|result| result.is_err()).count() as u64;
        let counts = &level.counts;
        counts.rounds.fetch_add(1, Ordering::Relaxed);
        let written = results.len() as u64 - failed;
        counts.writes.fetch_add(written, Ordering::Relaxed);
        counts.write_errors.fetch_add(failed, Ordering::Relaxed);
        level.queue.finish();
        let is_due = logged_at.is_none_or(|at| now.saturating_sub(at) >= LOGGED_EVERY_MS);
        let first = results.into_iter().find_map(Result::err);
        if let Some(error) = first.filter(|_| is_due) {
            logged_at = Some(now);
            let tier = level.tier.name();
            warn!(tier, failed, "entries are kept in memory alone: {error}");
        }
    }
}
