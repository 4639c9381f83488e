//! What a host tells others that share its entries: each change with the change itself, and at times that it lives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use larder_engine::tier::TierKey;
use parking_lot::Mutex;
use rand::TryRng;
use rand::rngs::SysRng;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, RedisError, cmd};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Inner;
use super::fault::ConnectError;
use super::message::{Beat, HostId, Message, TICK_BYTES, Tagged, write_ids};

/// Beats that others may miss before they take the host for gone.
const BEATS_A_TIMEOUT: u32 = 4;
/// Beats between two looks at which nodes there are.
const BEATS_A_LOOK: u64 = 40;
/// Rounds that may be on their way, of which it is known when they began.
const ROUNDS_MAX: usize = 16;
/// How long what was heard is good, in beats since the one before which it was told: longer than it takes to find out that
/// nothing is heard.
const GOOD_FOR_BEATS: u32 = 6;

/// See the module.
pub(super) struct Voice {
    pub(super) host: HostId,
    pub(super) channel: String,
    /// How long others wait for a beat.
    pub(super) timeout: Duration,
    /// Messages that were numbered.
    count: AtomicU64,
    /// For each of those who tell something, the last message that was numbered before.
    telling: Mutex<Vec<u64>>,
    /// The last rounds of beats, and when they began.
    rounds: Mutex<VecDeque<(u64, Instant)>>,
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
            telling: Mutex::default(),
            rounds: Mutex::default(),
        })
    }

    /// Has messages count as on their way, or lost, that are numbered until this is dropped: no sooner.
    pub(super) fn tell(&self) -> Telling<'_> {
        let mut telling = self.telling.lock();
        let before = self.count.load(Relaxed);
        telling.push(before);
        Telling {
            voice: self,
            before,
        }
    }

    /// All messages up to this one are on their way, or lost.
    fn last(&self) -> u64 {
        let telling = self.telling.lock();
        let first = telling.iter().min().copied();
        first.unwrap_or_else(|| self.count.load(Relaxed))
    }

    /// The message that a key was changed. Whoever asks for it holds [`Self::tell`], until what it goes with was answered, or
    /// failed.
    pub(super) fn changed(&self, key: TierKey<'_>) -> Vec<u8> {
        Message::Changed(self.next(), key).write(&self.host)
    }

    /// The message that tags were invalidated, but for its tick; as with [`Self::changed`].
    pub(super) fn invalidated(&self, tenant: &str, ids: &[&[u8]]) -> Vec<u8> {
        let tagged = Tagged {
            tenant,
            ids: &write_ids(ids),
            tick: 0,
        };
        let mut message = Message::Invalidated(self.next(), tagged).write(&self.host);
        message.truncate(message.len() - TICK_BYTES);
        message
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Relaxed) + 1
    }

    fn publish(&self, told: &Message<'_>) -> Cmd {
        let mut publish = cmd("PUBLISH");
        publish.arg(&self.channel).arg(told.write(&self.host));
        publish
    }

    /// A round begins.
    fn begin(&self, round: u64) {
        let mut rounds = self.rounds.lock();
        rounds.truncate(ROUNDS_MAX - 1);
        rounds.push_front((round, Instant::now()));
    }

    /// When a round began, if it is one of the last.
    pub(super) fn began(&self, round: u64) -> Option<Instant> {
        let rounds = self.rounds.lock();
        let known = rounds.iter().find(|(known, _)| *known == round);
        known.map(|(_, began)| *began)
    }

    /// How often it beats.
    pub(super) fn pause(&self) -> Duration {
        self.timeout / BEATS_A_TIMEOUT
    }

    /// How long what was known of others is good.
    pub(super) fn good_for(&self) -> Duration {
        self.pause() * GOOD_FOR_BEATS
    }
}

/// See [`Voice::tell`].
pub(super) struct Telling<'v> {
    voice: &'v Voice,
    before: u64,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let mut telling = self.voice.telling.lock();
        if let Some(own) = telling.iter().position(|before| *before == self.before) {
            telling.swap_remove(own);
        }
    }
}

impl Inner {
    /// Whether it may tell others, if it is to. Where nothing is answered that is found out later.
    pub(super) async fn check_voice(&self) -> Result<(), ConnectError> {
        let Some(voice) = &self.voice else {
            return Ok(());
        };
        let mut publish = cmd("PUBLISH");
        // What is no message is passed over.
        publish.arg(&voice.channel).arg("");
        let answers = self.aside.send(&[publish], 0).await.unwrap_or_default();
        let is_denied = |error: &RedisError| error.code() == Some("NOPERM");
        match answers.first() {
            Some(Err(error)) if is_denied(error) => {
                let (place, channel) = (self.dialer.place.clone(), voice.channel.clone());
                Err(ConnectError::NoChannel(place, channel))
            }
            _ => Ok(()),
        }
    }

    /// Tells that the keys of a database, or of all of them, were removed that begin so. What cannot be told is missed, which others find out.
    pub(super) async fn tell_cleared(&self, tenant: &str, db: Option<u8>, prefix: &[u8]) {
        let Some(voice) = &self.voice else {
            return;
        };
        let _telling = voice.tell();
        let told = Message::Cleared(voice.next(), tenant, db, prefix);
        self.standing.told.fetch_add(1, Relaxed);
        // See above.
        let _ = self.aside.send(&[voice.publish(&told)], 0).await;
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
        let last = voice.last();
        voice.begin(self.round);
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
