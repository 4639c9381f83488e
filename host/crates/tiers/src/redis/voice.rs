//! What a host tells others that share its entries: each change with the change itself, and at times that it lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use larder_engine::tier::TierKey;
use parking_lot::Mutex;
use rand::TryRng;
use rand::rngs::SysRng;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, cmd};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Inner;
use super::message::{Beat, HostId, Message};

/// Beats that others may miss before they take the host for gone.
const BEATS_A_TIMEOUT: u32 = 4;
/// Beats between two looks at which nodes there are.
const BEATS_A_LOOK: u64 = 40;

/// See the module.
pub(super) struct Voice {
    pub(super) host: HostId,
    pub(super) channel: String,
    /// How long others wait for a beat.
    pub(super) timeout: Duration,
    /// Messages that were numbered.
    count: AtomicU64,
    /// Of them, those that are on their way, or lost.
    last: AtomicU64,
    /// The last round of beats, and when it began.
    round: Mutex<Option<(u64, Instant)>>,
}

impl Voice {
    /// That of a new host.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(super) fn new(channel: String, timeout: Duration) -> std::io::Result<Self> {
        let mut host = HostId::default();
        SysRng
            .try_fill_bytes(&mut host)
            .map_err(std::io::Error::other)?;
        Ok(Self {
            host,
            channel,
            timeout,
            count: AtomicU64::new(0),
            last: AtomicU64::new(0),
            round: Mutex::new(None),
        })
    }

    /// The message that a key was changed. [`Self::said`] has to follow when what it goes with was answered, or failed.
    pub(super) fn changed(&self, key: TierKey<'_>) -> Vec<u8> {
        Message::Changed(self.next(), key).write(&self.host)
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Relaxed) + 1
    }

    /// All messages so far are on their way, or lost. One writes at a time.
    pub(super) fn said(&self) {
        self.last.store(self.count.load(Relaxed), Relaxed);
    }

    fn publish(&self, told: &Message<'_>) -> Cmd {
        let mut publish = cmd("PUBLISH");
        publish.arg(&self.channel).arg(told.write(&self.host));
        publish
    }

    /// How long ago a round began, if it is the last.
    pub(super) fn age_of(&self, round: u64, now: Instant) -> Option<Duration> {
        let last = *self.round.lock();
        let (_, began) = last.filter(|(last, _)| *last == round)?;
        Some(now - began)
    }

    /// How often it beats.
    pub(super) fn pause(&self) -> Duration {
        self.timeout / BEATS_A_TIMEOUT
    }
}

impl Inner {
    /// Tells that of a tenant something was cleared. What cannot be told is missed, which others find out.
    pub(super) async fn tell_cleared(&self, tenant: &str) {
        let Some(voice) = &self.voice else {
            return;
        };
        let told = Message::Cleared(voice.next(), tenant);
        self.standing.told.fetch_add(1, Relaxed);
        // See above.
        let _ = self.aside.send(&[voice.publish(&told)], 0).await;
        voice.said();
    }

    /// Tells that the host ends.
    pub(super) async fn tell_end(&self) {
        if let Some(voice) = &self.voice {
            let told = Message::Bye(voice.count.load(Relaxed));
            let told = [voice.publish(&told)];
            // Others take it for gone all the same.
            let _ = timeout(voice.timeout, self.aside.send(&told, 0)).await;
        }
    }
}

/// The nodes that beats go through.
#[derive(Default)]
struct Nodes {
    all: Vec<((String, u16), Option<MultiplexedConnection>)>,
    round: u64,
}

/// Beats, for ever.
pub(super) async fn beat(inner: Arc<Inner>) {
    let Some(voice) = &inner.voice else {
        return;
    };
    let mut ticks = interval(voice.pause());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut nodes = Nodes::default();
    loop {
        ticks.tick().await;
        let is_broken = nodes.all.iter().any(|(_, connection)| connection.is_none());
        if is_broken || nodes.round % BEATS_A_LOOK == 0 {
            nodes.look(&inner, voice.timeout).await;
        }
        nodes.round += 1;
        nodes.beat(voice).await;
    }
}

impl Nodes {
    /// Learns which there are, and connects to those that it has no connection to.
    async fn look(&mut self, inner: &Inner, patience: Duration) {
        let looking = timeout(patience, inner.dialer.primaries()).await;
        if let Ok(Ok(hosts)) = looking {
            let mut before = std::mem::take(&mut self.all);
            self.all = hosts.into_iter().map(|host| (host, None)).collect();
            for (host, connection) in &mut self.all {
                let known = before.iter_mut().find(|(known, _)| known == host);
                *connection = known.and_then(|(_, connection)| connection.take());
            }
        }
        let lacking = self.all.iter_mut().filter(|(_, own)| own.is_none());
        let connecting = lacking.map(|(host, own)| async {
            let dialed = timeout(patience, inner.dialer.dial_host(host)).await;
            *own = dialed.ok().and_then(Result::ok);
        });
        join_all(connecting).await;
    }

    /// One round.
    async fn beat(&mut self, voice: &Voice) {
        let count = self.all.len() as u16;
        let last = voice.last.load(Relaxed);
        *voice.round.lock() = Some((self.round, Instant::now()));
        let beats = self.all.iter_mut().zip(0..).map(|((_, own), node)| {
            let told = Message::Beat(Beat {
                round: self.round,
                last,
                node,
                nodes: count,
            });
            async move {
                let Some(connection) = own else {
                    return;
                };
                let publish = voice.publish(&told);
                let sent = timeout(voice.timeout, connection.req_packed_command(&publish)).await;
                let is_sent =
                    sent.is_ok_and(|sent| sent.is_ok_and(|answer| answer.extract_error().is_ok()));
                if !is_sent {
                    *own = None;
                }
            }
        });
        join_all(beats).await;
    }
}
