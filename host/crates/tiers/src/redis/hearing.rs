//! Listens to what other hosts tell that share the entries.
//!
//! Where something was missed, or may have been, whoever has copies of entries is told so: then they are doubtful. While
//! nothing is heard that is repeated, as what was read meanwhile is as doubtful then.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use larder_engine::tier::{Ear, Heard, TierError};
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::Inner;
use super::fault::ConnectError;
use super::hosts::{Finding, Hosts};
use super::message::Message;
use super::voice::Voice;

/// Messages that may wait to be listened to. Of more some are missed.
const WAITING_MAX: usize = 16_384;
/// Rounds of beats that a new connection is listened to before all hosts are known that beat.
const ROUNDS_AT_FIRST: u32 = 2;

/// What comes over a connection; `None` when it has ended.
type Came = Option<Vec<u8>>;

/// A connection that is listened to.
struct Line {
    /// Ends it when it is dropped.
    _connection: MultiplexedConnection,
    came: mpsc::Receiver<Came>,
    since: Instant,
}

struct Listener {
    inner: Arc<Inner>,
    ear: Arc<dyn Ear>,
    hosts: Hosts,
    line: Option<Line>,
    /// How many connections were made: each to another node.
    tries: usize,
    /// Since when nothing is heard; what is copied was doubtful then.
    deaf_since: Option<Instant>,
}

/// Listens, for ever.
pub(super) async fn listen(inner: Arc<Inner>, ear: Arc<dyn Ear>) {
    let own = Arc::clone(&inner);
    let Some(voice) = &own.voice else {
        return;
    };
    let mut listener = Listener {
        hosts: Hosts::new(voice.host, voice.timeout),
        inner,
        ear,
        line: None,
        tries: 0,
        deaf_since: Some(Instant::now()),
    };
    listener.inner.standing.is_deaf.store(true, Relaxed);
    // What is left of an earlier time is as doubtful.
    listener.ear.hear(Heard::Missed { is_deaf: true });
    let mut ticks = interval(voice.pause());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => listener.look(voice).await,
            came = next(&mut listener.line) => match came {
                Some(message) => listener.hear(&message, voice).await,
                None => listener.go_deaf("the connection has ended"),
            },
        }
    }
}

/// The next message; `None` when the line has ended. Waits for ever where there is none.
async fn next(line: &mut Option<Line>) -> Came {
    match line {
        Some(line) => line.came.recv().await.flatten(),
        None => std::future::pending().await,
    }
}

impl Listener {
    /// Sees whether all is well, and mends what can be.
    async fn look(&mut self, voice: &Voice) {
        let now = Instant::now();
        match self.deaf_since {
            None if !self.hosts.is_hearing(now) => {
                self.go_deaf(&format!("nothing came back within {:?}", voice.timeout));
            }
            None => {
                if self.hosts.forget_silent(now) {
                    self.missed("a host has gone without a word", voice).await;
                }
            }
            Some(since) if now - since >= voice.timeout => {
                self.deaf_since = Some(now);
                self.ear.hear(Heard::Missed { is_deaf: true });
                // Another node may be heard.
                self.line = None;
            }
            Some(_) => {}
        }
        if self.line.is_none() {
            self.hosts.clear();
            self.tries += 1;
            let dialing = timeout(voice.timeout, subscribe(&self.inner, voice, self.tries)).await;
            match dialing {
                Ok(Ok(line)) => {
                    self.deaf_since = Some(Instant::now());
                    self.line = Some(line);
                }
                Ok(Err(error)) => _ = self.inner.standing.fails(error.to_string()),
                Err(_) => {}
            }
        }
        self.inner
            .standing
            .hosts
            .store(self.hosts.others(), Relaxed);
    }

    async fn hear(&mut self, message: &[u8], voice: &Voice) {
        let Some((from, told)) = Message::read(message) else {
            return;
        };
        let now = Instant::now();
        let finding = self.hosts.hear(&from, &told, now);
        let standing = Arc::clone(&self.inner.standing);
        if from != voice.host {
            standing
                .heard
                .fetch_add(u64::from(!matches!(told, Message::Beat(_))), Relaxed);
            match told {
                Message::Changed(_, key) => self.ear.hear(Heard::Changed(key.to_owned())),
                Message::Cleared(_, tenant) => match self.learn(voice).await {
                    Ok(()) => self.ear.hear(Heard::Cleared(tenant.into())),
                    Err(error) => self.go_deaf(&error.to_string()),
                },
                Message::Beat(_) | Message::Bye(_) => {}
            }
        }
        match finding {
            Finding::Missed if self.deaf_since.is_none() => {
                self.missed("a message did not come", voice).await;
            }
            Finding::Echo(round) => {
                if let Some(age) = voice.age_of(round, now) {
                    standing.delay_us.store(age.as_micros() as u64, Relaxed);
                }
                self.come_to(voice).await;
            }
            Finding::Well | Finding::Missed => {}
        }
    }

    /// It hears itself. If it did not before, everything is doubtful that is older, and nothing that comes.
    async fn come_to(&mut self, voice: &Voice) {
        let since = self.line.as_ref().map(|line| line.since);
        let is_settled =
            since.is_some_and(|since| since.elapsed() >= voice.pause() * ROUNDS_AT_FIRST);
        if self.deaf_since.is_some() && is_settled && self.learn(voice).await.is_ok() {
            self.deaf_since = None;
            self.inner.standing.is_deaf.store(false, Relaxed);
            self.ear.hear(Heard::Missed { is_deaf: false });
            info!("what others write to {} is heard", self.inner.dialer.place);
        }
    }

    /// Reads anew what was cleared: it may have been told and not heard.
    async fn learn(&self, voice: &Voice) -> Result<(), TierError> {
        let inner = &self.inner;
        let asking = inner.asking();
        let learning = timeout(voice.timeout, inner.generations.refresh(&asking));
        let learned = learning.await;
        learned.unwrap_or_else(|_| Err(TierError::Unavailable(inner.dialer.is_late().to_string())))
    }

    async fn missed(&mut self, why: &str, voice: &Voice) {
        if let Err(error) = self.learn(voice).await {
            self.go_deaf(&error.to_string());
            return;
        }
        self.count(why);
        self.ear.hear(Heard::Missed { is_deaf: false });
    }

    fn go_deaf(&mut self, why: &str) {
        self.line = None;
        if self.deaf_since.is_some() {
            return;
        }
        self.count(why);
        self.deaf_since = Some(Instant::now());
        self.inner.standing.is_deaf.store(true, Relaxed);
        self.ear.hear(Heard::Missed { is_deaf: true });
    }

    fn count(&self, why: &str) {
        let place = &self.inner.dialer.place;
        warn!(
            "something that others wrote to {place} may have been missed: {why}; entries in memory are asked for anew"
        );
        self.inner.standing.losses.fetch_add(1, Relaxed);
    }
}

/// Listens to a node; which one follows from the number of tries.
async fn subscribe(inner: &Inner, voice: &Voice, tries: usize) -> Result<Line, ConnectError> {
    let (sender, came) = mpsc::channel(WAITING_MAX);
    let push = move |info: PushInfo| {
        let message = match (info.kind, info.data.into_iter().nth(1)) {
            (PushKind::Message, Some(Value::BulkString(message))) => Some(message),
            (PushKind::Disconnection, _) => None,
            _ => return Ok(()),
        };
        // Where there is no room the message is missed, which is found out.
        sender.try_send(message)
    };
    let hosts = inner.dialer.hosts();
    let Some(host) = hosts.get(tries % hosts.len().max(1)) else {
        return Err(inner.dialer.is_late());
    };
    let mut connection = inner.dialer.dial_listening(host, push).await?;
    let subscribed = connection.subscribe(&voice.channel).await;
    subscribed.map_err(|error| ConnectError::of(&inner.dialer.place, &error))?;
    Ok(Line {
        _connection: connection,
        came,
        since: Instant::now(),
    })
}
