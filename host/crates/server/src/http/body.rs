//! Bodies of requests and responses, charged to the clients' buffers for as long as they are there.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use tokio::time::timeout;

use super::problem::{Answer, Problem};
use crate::Shared;
use crate::held::Held;

/// The least a buffer is grown by.
const STEP_BYTES: usize = 16 << 10;
/// How long what is left of a refused body is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);

/// Bytes, and what was paid for them.
pub(super) struct Charged {
    pub(super) bytes: Vec<u8>,
    held: Held,
}

impl Charged {
    /// Pays for bytes that are there; where that fails they go.
    pub(super) fn new(shared: &Arc<Shared>, bytes: Vec<u8>) -> Answer<Self> {
        let mut held = Held::new(shared.clone());
        hold(&mut held, bytes.capacity())?;
        Ok(Self { bytes, held })
    }

    /// Pays for as much again `times`, for those who make something of these bytes.
    pub(super) fn also_hold(&mut self, bytes: usize) -> Answer<()> {
        hold(&mut self.held, self.bytes.capacity().saturating_add(bytes))
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

fn hold(held: &mut Held, bytes: usize) -> Answer<()> {
    held.hold_beside(bytes).map_err(|_| Problem::buffers_full())
}

/// Reads the body of a request, of `bytes_max` bytes and within `time_max`.
pub(super) async fn read(
    shared: &Arc<Shared>,
    mut body: Body,
    bytes_max: usize,
    time_max: Duration,
) -> Answer<Charged> {
    let reading = timeout(time_max, collect(shared, &mut body, bytes_max));
    let read = reading.await.unwrap_or_else(|_| {
        let detail = "the body did not arrive in time (limits.request_timeout)";
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
    });
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

async fn collect(shared: &Arc<Shared>, body: &mut Body, bytes_max: usize) -> Answer<Charged> {
    let too_large = || Problem::too_large(format!("a body may have {bytes_max} bytes here"));
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut charged = Charged::new(shared, Vec::new())?;
    while let Some(part) = next(body).await {
        let part = part.map_err(|error| Problem::bad(format!("no body: {error}")))?;
        let Charged { bytes, held } = &mut charged;
        let len = bytes.len() + part.len();
        if len > bytes_max {
            return Err(too_large());
        }
        if len > bytes.capacity() {
            let wanted = len.max(bytes.capacity() * 2).max(STEP_BYTES);
            // While they move they are there twice.
            hold(held, wanted + bytes.capacity())?;
            bytes.reserve_exact(wanted - bytes.len());
            hold(held, bytes.capacity())?;
        }
        bytes.extend_from_slice(&part);
    }
    Ok(charged)
}
