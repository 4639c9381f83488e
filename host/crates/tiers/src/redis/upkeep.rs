//! What goes on beside reads and writes: generations that others have raised are learned of, and what is left of older ones
//! is removed. So is what begins with a prefix.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use larder_engine::tier::TierKeyBuf;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{ErrorKind, Pipeline, RedisResult, ServerErrorKind, cmd};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

use super::Inner;
use super::fault::ConnectError;
use super::nodes::Slots;

/// How often it is asked what others have raised.
const REFRESHED_EVERY: Duration = Duration::from_secs(1);
/// Rounds of that between two looks at how many replicas there are.
const ROUNDS_A_COUNT: u64 = 10;
/// Rounds in which what has come back is said to have.
const AFTERMATH_ROUNDS: u32 = 5;
/// Names that are looked at in a step, and the pause behind it.
const STEP_NAMES: usize = 500;
const STEP_PAUSE: Duration = Duration::from_millis(10);

/// Learns of generations, invalidated tags and replicas, for ever.
pub(super) async fn refresh(inner: Arc<Inner>) {
    let mut ticks = interval(REFRESHED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut round, mut aftermath) = (0_u64, Aftermath::default());
    loop {
        ticks.tick().await;
        // What fails is counted and said where it does.
        let is_well = inner.look_around().await;
        if aftermath.goes_on(is_well, inner.standing.breaks.load(Relaxed)) {
            inner.standing.recoveries.fetch_add(1, Relaxed);
        }
        if inner.counts_replicas() && round.is_multiple_of(ROUNDS_A_COUNT) {
            // It is tried again.
            let _ = inner.dialer.primaries().await;
        }
        round += 1;
    }
}

/// What follows on a time in which something did not answer: so long not all know yet that it is over.
#[derive(Default)]
struct Aftermath {
    /// Whether something did not answer, behind which nothing is known to have gone well.
    was_away: bool,
    breaks: u64,
    rounds_left: u32,
}

impl Aftermath {
    /// Whether all is well again, or was not long ago: `breaks` were counted so far.
    fn goes_on(&mut self, is_well: bool, breaks: u64) -> bool {
        self.was_away |= !is_well || breaks != self.breaks;
        self.breaks = breaks;
        if !is_well {
            return false;
        }
        if mem::take(&mut self.was_away) {
            self.rounds_left = AFTERMATH_ROUNDS;
        }
        let goes_on = self.rounds_left > 0;
        self.rounds_left = self.rounds_left.saturating_sub(1);
        goes_on
    }
}

/// Removes what older generations have left whenever one was raised, for ever.
pub(super) async fn sweep(inner: Arc<Inner>) {
    loop {
        inner.is_swept.notified().await;
        let is_old = |name: &[u8]| {
            let place = inner.names.read(name);
            place.is_some_and(|(tenant, db, generation, _)| {
                let known = inner.generations.known(&tenant, db);
                known.is_some_and(|known| generation < known)
            })
        };
        let pattern = inner.names.pattern();
        match remove_all(&inner, pattern.as_bytes(), is_old, STEP_PAUSE).await {
            Ok(0) => {}
            Ok(removed) => info!(
                removed,
                "entries of older generations are gone from {}", inner.dialer.place
            ),
            Err(error) => warn!("entries of older generations stay until they expire: {error}"),
        }
    }
}

/// Removes the entries of a database that begin so; how many.
pub(super) async fn remove_prefix(inner: &Inner, prefix: &TierKeyBuf) -> Result<u64, ConnectError> {
    let begins_so = |name: &[u8]| {
        let place = inner.names.read(name);
        place.is_some_and(|(tenant, db, _, key)| {
            let is_there = (&*tenant, db) == (&*prefix.tenant, prefix.db);
            is_there && key.starts_with(&prefix.bytes)
        })
    };
    let pattern = inner.names.pattern_of(prefix.borrow());
    remove_all(inner, &pattern, begins_so, Duration::ZERO).await
}

/// Removes, of the names that fit a pattern, those that are to go; how many. While slots move a key may go from where nobody has
/// looked yet to where somebody has: then all is looked through a second time.
async fn remove_all(
    inner: &Inner,
    pattern: &[u8],
    goes: impl Fn(&[u8]) -> bool + Send + Sync,
    pause: Duration,
) -> Result<u64, ConnectError> {
    let slots = inner.dialer.slots().await?;
    let mut removed = remove_once(inner, pattern, &goes, pause).await?;
    if slots.iter().any(Slots::are_moving) || inner.dialer.slots().await? != slots {
        removed += remove_once(inner, pattern, &goes, pause).await?;
    }
    Ok(removed)
}

async fn remove_once(
    inner: &Inner,
    pattern: &[u8],
    goes: &(impl Fn(&[u8]) -> bool + Send + Sync),
    pause: Duration,
) -> Result<u64, ConnectError> {
    let mut removed = 0;
    for host in inner.dialer.primaries().await? {
        let mut connection = inner.dialer.dial_host(&host).await?;
        let mut cursor = 0;
        loop {
            let step = step(inner, pattern, goes, (&mut connection, &mut cursor));
            let stepped = timeout(inner.timeout, step).await;
            removed += match stepped {
                Ok(Ok(count)) => count,
                Ok(Err(error)) => {
                    return Err(ConnectError::Unreachable(
                        inner.dialer.place.clone(),
                        error.to_string(),
                    ));
                }
                Err(_) => return Err(inner.dialer.is_late()),
            };
            if cursor == 0 {
                break;
            }
            sleep(pause).await;
        }
    }
    Ok(removed)
}

/// Looks at some names, and removes those that are to go; how many.
async fn step(
    inner: &Inner,
    pattern: &[u8],
    goes: &(impl Fn(&[u8]) -> bool + Send + Sync),
    (connection, cursor): (&mut MultiplexedConnection, &mut u64),
) -> RedisResult<u64> {
    let mut scan = cmd("SCAN");
    scan.arg(*cursor).arg("MATCH").arg(pattern);
    scan.arg("COUNT").arg(STEP_NAMES);
    let found = connection
        .req_packed_command(&scan)
        .await?
        .extract_error()?;
    let (next, names): (u64, Vec<Vec<u8>>) = redis::from_redis_value(found)?;
    let mut pipeline = Pipeline::new();
    let mut removed = 0;
    for name in names.iter().filter(|name| goes(name)) {
        if inner.dialer.is_cluster() {
            // What has come ahead of its slot is given to nobody else.
            pipeline.cmd("ASKING");
        }
        pipeline.cmd("UNLINK").arg(name);
        removed += 1;
    }
    let count = pipeline.len();
    if count > 0 {
        let answers = connection.req_packed_commands(&pipeline, 0, count).await?;
        for answer in answers {
            match answer.extract_error() {
                // A key that has moved to another node is found there.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Moved) => {}
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Ask) => {}
                answer => _ = answer?,
            }
        }
    }
    *cursor = next;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_away_is_said_to_be_back_for_a_while() {
        let mut aftermath = Aftermath::default();
        let mut rounds = |is_well: bool, breaks: u64, count: usize| -> usize {
            let goes_on = (0..count).filter(|_| aftermath.goes_on(is_well, breaks));
            goes_on.count()
        };
        assert_eq!(rounds(true, 0, 9), 0, "nothing has happened");
        assert_eq!(rounds(false, 0, 9), 0, "it is away");
        assert_eq!(rounds(true, 0, 9), 5);
        assert_eq!(
            rounds(true, 3, 2),
            2,
            "connections broke between two rounds"
        );
        assert_eq!(rounds(true, 4, 9), 5, "and again");
        assert_eq!(rounds(false, 4, 1) + rounds(true, 4, 2), 2);
    }
}
