//! What goes on beside reads and writes: generations that others have raised are learned of, and what is left of older ones
//! is removed. So is what begins with a prefix.

use std::sync::Arc;
use std::time::Duration;

use larder_engine::tier::TierKeyBuf;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{ErrorKind, Pipeline, RedisResult, ServerErrorKind, cmd};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

use super::Inner;
use super::fault::ConnectError;

/// How often it is asked what others have raised.
const REFRESHED_EVERY: Duration = Duration::from_secs(1);
/// Rounds of that between two looks at how many replicas there are.
const ROUNDS_A_COUNT: u64 = 10;
/// Names that are looked at in a step, and the pause behind it.
const STEP_NAMES: usize = 500;
const STEP_PAUSE: Duration = Duration::from_millis(10);

/// Learns of generations, invalidated tags and replicas, for ever.
pub(super) async fn refresh(inner: Arc<Inner>) {
    let mut ticks = interval(REFRESHED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0_u64;
    loop {
        ticks.tick().await;
        // What fails is counted and said where it does.
        let _ = inner.refresh().await;
        if inner.counts_replicas() && round.is_multiple_of(ROUNDS_A_COUNT) {
            // It is tried again.
            let _ = inner.dialer.primaries().await;
        }
        round += 1;
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

/// Removes, of the names that fit a pattern, those that are to go; how many.
async fn remove_all(
    inner: &Inner,
    pattern: &[u8],
    goes: impl Fn(&[u8]) -> bool + Send + Sync,
    pause: Duration,
) -> Result<u64, ConnectError> {
    let mut removed = 0;
    for host in inner.dialer.primaries().await? {
        let mut connection = inner.dialer.dial_host(&host).await?;
        let mut cursor = 0;
        loop {
            let step = step(pattern, &goes, &mut connection, &mut cursor);
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
    pattern: &[u8],
    goes: &(impl Fn(&[u8]) -> bool + Send + Sync),
    connection: &mut MultiplexedConnection,
    cursor: &mut u64,
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
    for name in names.iter().filter(|name| goes(name)) {
        pipeline.cmd("UNLINK").arg(name);
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
    Ok(count as u64)
}
