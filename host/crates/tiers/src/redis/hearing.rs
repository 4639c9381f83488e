//! Listens to what other hosts tell that share the entries.
//!
//! Where something was missed, or may have been, whoever has copies of entries is told so: then they are doubtful. While
//! nothing is heard that is repeated, as what was read meanwhile is as doubtful then.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use larder_engine::tags::Invalidated;
use larder_engine::tier::{Ear, Heard, TierError};
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::Inner;
use super::fault::ConnectError;
use super::hosts::{Finding, Hosts};
use super::message::{Message, Tagged};
use super::tags::{TICKS_MAX, stamp_of};
use super::voice::Voice;

/// Messages that may wait to be listened to, and their bytes. Of more some are missed.
const WAITING_MAX: usize = 16_384;
const WAITING_BYTES_MAX: usize = 16 << 20;
/// Rounds of beats that a new connection is listened to before all hosts are known that beat.
const ROUNDS_AT_FIRST: u32 = 2;
/// How long what was doubted is good, in timeouts: longer than it takes until it is again.
const DOUBTED_FOR_TIMEOUTS: u32 = 4;

/// What comes over a connection; `None` when it has ended.
type Came = Option<Vec<u8>>;

/// A connection that is listened to.
struct Line {
    /// Ends it when it is dropped.
    _connection: MultiplexedConnection,
    came: mpsc::Receiver<Came>,
    waiting: Arc<Waiting>,
    since: Instant,
}

/// What came and was not listened to yet.
#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// Whether there was no room for something.
    is_over: AtomicBool,
}

impl Waiting {
    /// Whether there is room for one more message.
    fn has_room(&self, message: &Came) -> bool {
        let bytes = message.as_ref().map_or(0, Vec::len);
        let has_room = self.bytes.fetch_add(bytes, Relaxed) + bytes <= WAITING_BYTES_MAX;
        if !has_room {
            self.bytes.fetch_sub(bytes, Relaxed);
        }
        has_room
    }

    /// Has one wait, if there is room for it.
    fn send(&self, sender: &mpsc::Sender<Came>, message: Came) {
        let left_over = match self.has_room(&message) {
            true => sender.try_send(message).err(),
            false => return self.is_over.store(true, Relaxed),
        };
        if let Some(left_over) = left_over {
            self.take(left_over.into_inner().as_deref().unwrap_or_default());
            self.is_over.store(true, Relaxed);
        }
    }

    /// One is listened to.
    fn take(&self, message: &[u8]) {
        self.bytes.fetch_sub(message.len(), Relaxed);
    }
}

struct Listener {
    inner: Arc<Inner>,
    ear: Arc<dyn Ear>,
    hosts: Hosts,
    line: Option<Line>,
    /// How many connections were made: each to another node.
    tries: usize,
    /// While nothing is heard: when what is copied was last said to be doubtful.
    doubted_at: Option<Instant>,
    /// It is heard again; nobody is told so before what is copied is doubted.
    coming_to: Option<JoinHandle<()>>,
    /// When it has last seen whether all is well.
    looked_at: Instant,
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
        doubted_at: Some(Instant::now()),
        coming_to: None,
        looked_at: Instant::now(),
    };
    listener.inner.standing.is_deaf.store(true, Relaxed);
    // What is left of an earlier time is as doubtful.
    listener.doubt(voice);
    let mut ticks = interval(voice.pause());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => listener.look(voice).await,
            () = end_of(&mut listener.coming_to) => listener.has_come_to(),
            came = next(&mut listener.line) => match came {
                Some(message) => listener.hear(&message, voice).await,
                None => {
                    let is_news = listener.doubted_at.is_none();
                    listener.lose_line("the connection has ended", voice);
                    if is_news {
                        // Until it is known whether Redis answers, memory does.
                        ticks.reset_immediately();
                    }
                }
            },
        }
    }
}

/// The next message; `None` when the line has ended. Waits for ever where there is none.
async fn next(line: &mut Option<Line>) -> Came {
    match line {
        Some(line) => {
            let message = line.came.recv().await.flatten()?;
            line.waiting.take(&message);
            Some(message)
        }
        None => std::future::pending().await,
    }
}

/// Waits for ever where there is nothing to wait for.
async fn end_of(task: &mut Option<JoinHandle<()>>) {
    match task {
        // It has no result.
        Some(task) => _ = task.await,
        None => std::future::pending().await,
    }
}

impl Listener {
    /// Sees whether all is well, and mends what can be.
    async fn look(&mut self, voice: &Voice) {
        let now = Instant::now();
        match self.doubted_at {
            None if !self.hosts.is_hearing(now) => {
                self.lose_line(
                    &format!("nothing came back within {:?}", voice.timeout),
                    voice,
                );
            }
            None => {
                let is_over = |line: &Line| line.waiting.is_over.swap(false, Relaxed);
                if self.line.as_ref().is_some_and(is_over) {
                    self.missed("more came than could be listened to", voice)
                        .await;
                }
                if self.hosts.forget_silent(now) {
                    self.missed("a host has gone without a word", voice).await;
                }
            }
            Some(at) if now - at >= voice.timeout => {
                self.doubted_at = Some(now);
                self.doubt(voice);
            }
            Some(_) => {}
        }
        if self.doubted_at.is_some() {
            self.mend(voice).await;
        }
        self.inner
            .standing
            .hosts
            .store(self.hosts.others(), Relaxed);
        self.looked_at = Instant::now();
    }

    /// Nothing is heard: sees whether what is doubtful can be asked for, and listens to another node where this one has been
    /// silent for long enough. One over which this host hears itself is not, however late that is.
    async fn mend(&mut self, voice: &Voice) {
        let is_hearing = self.hosts.is_hearing(Instant::now());
        let is_silent = |line: &Line| !is_hearing && line.since.elapsed() >= voice.timeout;
        if self.line.as_ref().is_some_and(is_silent) {
            self.line = None;
        }
        let inner = Arc::clone(&self.inner);
        if self.line.is_some() {
            inner
                .standing
                .answers
                .store(self.learn(voice).await.is_ok(), Relaxed);
            return;
        }
        self.hosts.clear();
        self.tries += 1;
        let dialing = timeout(voice.timeout, subscribe(&inner, voice, self.tries));
        let (dialed, learned) = tokio::join!(dialing, self.learn(voice));
        inner.standing.answers.store(learned.is_ok(), Relaxed);
        match dialed {
            Ok(Ok(line)) => self.line = Some(line),
            Ok(Err(error)) => _ = inner.standing.fails(error.to_string()),
            Err(_) => {}
        }
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
                Message::Cleared(_, tenant, db, prefix) => match self.learn(voice).await {
                    Ok(()) => {
                        let cleared = Heard::Cleared(tenant.into(), db, prefix.into());
                        self.ear.hear(cleared);
                    }
                    Err(error) => self.go_deaf(&error.to_string(), false, voice),
                },
                Message::Invalidated(_, tagged) => self.invalidate(tagged),
                Message::Beat(_) | Message::Bye(_) => {}
            }
        }
        match finding {
            Finding::Missed if self.doubted_at.is_none() => {
                self.missed("a message did not come", voice).await;
            }
            Finding::Echo(round) => {
                let began = voice.began(round);
                if let Some(began) = began {
                    let delay = now - began;
                    standing.delay_us.store(delay.as_micros() as u64, Relaxed);
                }
                self.come_to(voice).await;
                if let Some(began) = began.filter(|_| self.doubted_at.is_none()) {
                    self.inner.keeps_up_since(began);
                    self.rely(began + voice.good_for());
                }
            }
            Finding::Well | Finding::Missed => {}
        }
    }

    fn invalidate(&self, tagged: Tagged<'_>) {
        if tagged.tick >= TICKS_MAX {
            return;
        }
        let (tenant, stamp) = (Arc::<str>::from(tagged.tenant), stamp_of(tagged.tick));
        let tags: Vec<_> = tagged.ids().map(|id| (id.into(), stamp)).collect();
        let invalidated = Invalidated {
            now: stamp,
            floor: if tags.is_empty() { stamp } else { 0 },
            tags,
        };
        self.inner.tags.has_counted(&tenant, tagged.tick);
        self.ear.learn(&tenant, &invalidated);
    }

    /// It hears itself. If it did not before, everything is doubtful that is older, and nothing that comes.
    async fn come_to(&mut self, voice: &Voice) {
        let since = self.line.as_ref().map(|line| line.since);
        let is_settled =
            since.is_some_and(|since| since.elapsed() >= voice.pause() * ROUNDS_AT_FIRST);
        if self.doubted_at.is_some() && is_settled && self.learn(voice).await.is_ok() {
            self.doubted_at = None;
            self.inner.standing.answers.store(true, Relaxed);
            self.ear.hear(Heard::Missed { is_deaf: false });
            self.coming_to = Some(tokio::spawn(self.ear.followed()));
        }
    }

    /// All that is older is doubted.
    fn has_come_to(&mut self) {
        self.coming_to = None;
        self.inner.standing.is_deaf.store(false, Relaxed);
        info!("what others write to {} is heard", self.inner.dialer.place);
    }

    /// Reads anew what was cleared and invalidated: it may have been told and not heard.
    async fn learn(&self, voice: &Voice) -> Result<(), TierError> {
        let inner = &self.inner;
        let learned = || async {
            let learned = timeout(voice.timeout, inner.refresh()).await;
            learned
                .unwrap_or_else(|_| Err(TierError::Unavailable(inner.dialer.is_late().to_string())))
        };
        let began = Instant::now();
        match learned().await {
            // Where this host itself was stopped, the time that passed says nothing of Redis.
            Err(_) if began.elapsed() >= voice.timeout * 2 => learned().await,
            told => told,
        }
    }

    async fn missed(&mut self, why: &str, voice: &Voice) {
        self.inner.tags.doubt();
        if let Err(error) = self.learn(voice).await {
            self.go_deaf(&error.to_string(), false, voice);
            return;
        }
        self.count(why);
        self.ear.hear(Heard::Missed { is_deaf: false });
    }

    /// Nothing comes any more. Where this host itself was stopped nothing says that Redis does not answer.
    fn lose_line(&mut self, why: &str, voice: &Voice) {
        let was_stopped = self.looked_at.elapsed() >= voice.timeout / 2;
        self.go_deaf(why, was_stopped, voice);
    }

    /// `answers`: Redis does, as far as is known.
    fn go_deaf(&mut self, why: &str, answers: bool, voice: &Voice) {
        (self.line, self.coming_to) = (None, None);
        if self.doubted_at.is_some() {
            return;
        }
        self.count(why);
        self.doubted_at = Some(Instant::now());
        // Until it is known that it does, nobody is to wait for an answer of what is in memory.
        self.inner.standing.answers.store(answers, Relaxed);
        self.inner.standing.is_deaf.store(true, Relaxed);
        self.doubt(voice);
    }

    /// More may be missed.
    fn doubt(&self, voice: &Voice) {
        let until = Instant::now() + voice.timeout * DOUBTED_FOR_TIMEOUTS;
        self.inner.tags.doubt();
        self.ear.hear(Heard::Missed { is_deaf: true });
        self.rely(until);
    }

    /// What was told is good until then.
    fn rely(&self, until: Instant) {
        self.ear.rely(until.into_std());
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
    let waiting = Arc::<Waiting>::default();
    let full = Arc::clone(&waiting);
    let push = move |info: PushInfo| {
        let message = match (info.kind, info.data.into_iter().nth(1)) {
            (PushKind::Message, Some(Value::BulkString(message))) => Some(message),
            (PushKind::Disconnection, _) => None,
            _ => return Ok(()),
        };
        full.send(&sender, message);
        Ok::<_, Infallible>(())
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
        waiting,
        since: Instant::now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_may_wait_than_there_is_room_for() {
        let waiting = Waiting::default();
        let message = Some(vec![0; 1 << 20]);
        let rooms = (0..20).filter(|_| waiting.has_room(&message));
        assert_eq!(rooms.count(), 16);
        waiting.take(&[0; 1 << 20]);
        assert!(waiting.has_room(&message) && !waiting.has_room(&message));
        assert!(waiting.has_room(&None), "the end is always told");
    }

    #[test]
    fn what_finds_no_place_takes_no_room() {
        let (waiting, (sender, mut came)) = (Waiting::default(), mpsc::channel(1));
        for _ in 0..100 {
            waiting.send(&sender, Some(vec![0; 1 << 20]));
        }
        assert!(waiting.is_over.load(Relaxed));
        assert!(came.try_recv().is_ok() && came.try_recv().is_err());
        waiting.take(&[0; 1 << 20]);
        assert_eq!(waiting.bytes.load(Relaxed), 0);
    }
}
