//! Bodies of requests and responses, charged to the clients' buffers for as long as they are there.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use tokio::time::timeout;

use super::link::CROWDED_TIME_MAX;
use super::problem::{Answer, Problem};
use crate::budget::{Budget, Charge};

/// The least a buffer is grown by.
const STEP_BYTES: usize = 16 << 10;
/// How long what is left of a refused body is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);

/// Bytes, and what was paid for them.
pub(super) struct Charged {
    pub(super) bytes: Vec<u8>,
    charge: Charge,
}

impl Charged {
    /// Pays for bytes that are there; where that fails they go.
    pub(super) fn new(budget: &Arc<Budget>, bytes: Vec<u8>) -> Answer<Self> {
        let charge = budget.charge(bytes.capacity());
        let charge = charge.ok_or_else(Problem::buffers_full)?;
        Ok(Self { bytes, charge })
    }

    /// Pays for as much again `times`, for those who make something of these bytes.
    pub(super) fn also_hold(&mut self, bytes: usize) -> Answer<()> {
        hold(
            &mut self.charge,
            self.bytes.capacity().saturating_add(bytes),
        )
    }

    /// Makes room for more bytes, and pays for as many `beside` them until this is asked again.
    pub(super) fn reserve(&mut self, more: usize, beside: usize) -> Answer<()> {
        let Self { bytes, charge } = self;
        let (len, capacity) = (bytes.len().saturating_add(more), bytes.capacity());
        if len > capacity {
            let wanted = len.max(capacity * 2).max(STEP_BYTES);
            // While they move they are there twice.
            hold(charge, wanted.saturating_add(capacity))?;
            bytes.reserve_exact(wanted - bytes.len());
        }
        hold(charge, bytes.capacity().saturating_add(beside))
    }

    /// The body of a response, paid for until it is sent.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn hold(charge: &mut Charge, bytes: usize) -> Answer<()> {
    charge.shrink_to(bytes);
    charge.grow_to(bytes).map_err(|_| Problem::buffers_full())
}

/// What a body may take.
pub(super) struct Bounds<'a> {
    pub(super) bytes_max: usize,
    pub(super) time_max: Duration,
    /// Whether connections are few, so that nobody may dawdle.
    pub(super) is_crowded: &'a (dyn Fn() -> bool + Sync),
}

/// Reads the body of a request, paid for from `budget`.
pub(super) async fn read(
    budget: &Arc<Budget>,
    mut body: Body,
    bounds: &Bounds<'_>,
) -> Answer<Charged> {
    let reading = timeout(bounds.time_max, collect(budget, &mut body, bounds));
    let read = reading.await.unwrap_or_else(|_| Err(too_late()));
    if read.is_err() {
        // A client that is cut off while it sends would not see why. Whether it came to its end in
        // time changes nothing.
        let _ = timeout(LINGER, async {
            while let Some(Ok(_)) = next(&mut body).await {}
        })
        .await;
    }
    read
}

fn too_late() -> Problem {
    let detail = "the body did not arrive in time (limits.request_timeout)";
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
}

/// The next part of a body; `None` at its end, and where it breaks off.
async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(part)) => return Some(Ok(part)),
            // Trailers.
            Ok(Err(_)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The same, in time where connections are few.
async fn next_in_time(
    body: &mut Body,
    bounds: &Bounds<'_>,
) -> Answer<Option<Result<Bytes, axum::Error>>> {
    loop {
        match timeout(CROWDED_TIME_MAX, next(body)).await {
            Ok(part) => return Ok(part),
            Err(_) if (bounds.is_crowded)() => return Err(too_late()),
            Err(_) => {}
        }
    }
}

async fn collect(budget: &Arc<Budget>, body: &mut Body, bounds: &Bounds<'_>) -> Answer<Charged> {
    let bytes_max = bounds.bytes_max;
    let too_large = || Problem::too_large(format!("a body may have {bytes_max} bytes here"));
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut charged = Charged::new(budget, Vec::new())?;
    while let Some(part) = next_in_time(body, bounds).await? {
        let part = part.map_err(|error| Problem::bad(format!("no body: {error}")))?;
        if charged.bytes.len() + part.len() > bytes_max {
            return Err(too_large());
        }
        charged.reserve(part.len(), 0)?;
        charged.bytes.extend_from_slice(&part);
    }
    Ok(charged)
}
