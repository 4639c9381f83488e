//! Events to somebody else, over HTTP: in batches, signed, tried again where that fails, and given up at last.
//!
//! Whoever has something to tell never waits: what finds no room is dropped, and counted with what was given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
pub use hyper::Uri;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use larder_engine::Millis;
use sha2::Sha256;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::loader::http::HttpClient;

/// Bytes of events that may wait for one hook.
const WAITING_BYTES_MAX: u64 = 8 << 20;
/// What an event takes beside its text.
const EVENT_BYTES: u64 = 64;
/// Events of a batch.
const BATCH_MAX: usize = 256;
/// How often a batch is sent before it is given up.
const ATTEMPTS_MAX: u32 = 6;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Failures are logged this often at most.
const LOGGED_EVERY_MS: Millis = 10_000;

/// The header with the seal: HMAC-SHA256, under the secret, of the time, a dot and the body, in hexadecimal digits.
const SIGNATURE: &str = "larder-signature";
/// The header with the time, in Unix milliseconds.
const TIMESTAMP: &str = "larder-timestamp";

/// How a webhook is told.
pub struct WebhookOptions {
    /// Whose entries it hears of.
    pub tenant: String,
    /// Where.
    pub url: Uri,
    /// Under which what is sent is sealed.
    pub secret: Option<Vec<u8>>,
    /// Tells the time.
    pub clock: fn() -> Millis,
    /// The first pause before a batch is sent again; each is twice the one before.
    pub pause: Duration,
}

/// Somebody who is told. Ends when this is dropped and what waited is sent.
pub struct Webhook {
    events: UnboundedSender<String>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting_bytes: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    failures: AtomicU64,
}

/// How a webhook stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookFigures {
    /// Events that were taken at the other end.
    pub sent: u64,
    /// Events that were given up, or found no room.
    pub dropped: u64,
    /// Batches that were not taken, each time they were sent.
    pub failures: u64,
    /// Bytes of events that wait.
    pub waiting_bytes: u64,
}

impl Webhook {
    /// One that is told through `client`.
    pub fn start(client: &Arc<HttpClient>, options: WebhookOptions) -> Arc<Self> {
        let (events, told) = unbounded_channel();
        let counts = Arc::<Counts>::default();
        let sending = send_all(Arc::clone(client), options, told, Arc::clone(&counts));
        client.spawn(sending);
        Arc::new(Self { events, counts })
    }

    /// Tells of an event, an object of JSON; waits for nobody.
    pub fn tell(&self, event: String) {
        let bytes = bytes_of(&event);
        let before = self
            .counts
            .waiting_bytes
            .fetch_add(bytes, Ordering::Relaxed);
        let is_taken = before + bytes <= WAITING_BYTES_MAX && self.events.send(event).is_ok();
        if !is_taken {
            self.counts
                .waiting_bytes
                .fetch_sub(bytes, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How it stands.
    pub fn figures(&self) -> WebhookFigures {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WebhookFigures {
            sent: load(&self.counts.sent),
            dropped: load(&self.counts.dropped),
            failures: load(&self.counts.failures),
            waiting_bytes: load(&self.counts.waiting_bytes),
        }
    }
}

fn bytes_of(event: &str) -> u64 {
    event.len() as u64 + EVENT_BYTES
}

async fn send_all(
    client: Arc<HttpClient>,
    options: WebhookOptions,
    mut told: UnboundedReceiver<String>,
    counts: Arc<Counts>,
) {
    let mut logged_at: Option<Millis> = None;
    let mut batch = Vec::new();
    while told.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let body = body(&options.tenant, &batch);
        let (events, bytes) = (
            batch.len() as u64,
            batch.iter().map(|event| bytes_of(event)),
        );
        let bytes: u64 = bytes.sum();
        let outcome = send(&client, &options, &body, &counts).await;
        batch.clear();
        counts.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let counter = match outcome {
            Ok(()) => &counts.sent,
            Err(_) => &counts.dropped,
        };
        counter.fetch_add(events, Ordering::Relaxed);
        let now = (options.clock)();
        let is_due = logged_at.is_none_or(|at| now.saturating_sub(at) >= LOGGED_EVERY_MS);
        if let Err(why) = outcome
            && is_due
        {
            logged_at = Some(now);
            // The rest of the address may hold a secret.
            let host = options.url.host().unwrap_or_default();
            warn!(
                host,
                events, "events were given up after {ATTEMPTS_MAX} attempts: {why}"
            );
        }
    }
}

/// Sends a batch until it is taken, a few times at most.
async fn send(
    client: &HttpClient,
    options: &WebhookOptions,
    body: &str,
    counts: &Counts,
) -> Result<(), String> {
    let mut why = String::new();
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            sleep(options.pause * 2_u32.pow(attempt - 1)).await;
        }
        let sending = client.send(request(options, body));
        let answer = timeout(TIMEOUT, sending).await;
        why = match answer {
            Ok(Ok(status)) if status.is_success() => return Ok(()),
            Ok(Ok(status)) => format!("it answers {status}"),
            Ok(Err(error)) => error,
            Err(_) => format!("no answer within {TIMEOUT:?}"),
        };
        counts.failures.fetch_add(1, Ordering::Relaxed);
    }
    Err(why)
}

fn request(options: &WebhookOptions, body: &str) -> Request<String> {
    let time = (options.clock)().to_string();
    let mut request = Request::new(body.to_owned());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = options.url.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut say = |name: &'static str, text: &str| {
        // Digits are what a header may have.
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    if let Some(secret) = &options.secret {
        say(SIGNATURE, &signature(secret, &time, body));
    }
    say(TIMESTAMP, &time);
    request
}

fn signature(secret: &[u8], time: &str, body: &str) -> String {
    let Ok(mut seal) = Hmac::<Sha256>::new_from_slice(secret) else {
        unreachable!("a secret of any length will do");
    };
    seal.update(time.as_bytes());
    seal.update(b".");
    seal.update(body.as_bytes());
    let digits = seal.finalize().into_bytes();
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An object of JSON with the events, which are such themselves.
fn body(tenant: &str, events: &[String]) -> String {
    let tenant = serde_json::Value::from(tenant);
    format!("{{\"tenant\":{tenant},\"events\":[{}]}}", events.join(","))
}

#[cfg(test)]
mod tests;
