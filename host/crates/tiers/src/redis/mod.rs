//! Entries in Redis, or in a Redis Cluster, that other hosts and programs may use beside.
//!
//! Names stand in `names.rs`, what stands under them in `value.rs`, what is done in one step in `script.rs`.
//! `host/ARCHITECTURE.md` has the promise and its limits.
//!
//! A thread of its own drives the connections. Reads go over some of them, each for one batch at a time; writes over
//! another, which is what WAIT speaks of; what else there is over a third.

mod address;
mod arbiter;
mod connect;
mod connection;
mod doubt;
mod fault;
mod freshness;
mod generations;
mod hearing;
mod hosts;
mod lane;
mod message;
mod names;
mod nodes;
mod reads;
mod refusal;
mod script;
mod standing;
mod tags;
mod upkeep;
mod value;
mod voice;
mod writes;

use std::fmt;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use larder_engine::Millis;
use larder_engine::authority::Arbiter;
use larder_engine::tier::{
    Answer, Ear, Stored, Tier, TierError, TierFigures, TierKey, TierKeyBuf, Told,
};
use parking_lot::Mutex;
use redis::cmd;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use zeroize::Zeroizing;

pub use address::{NoAddress, RedisAddress};
pub use fault::ConnectError;
pub use writes::Consistency;

use crate::encoding::Encoding;
use arbiter::Requests;
use connect::Dialer;
use freshness::Freshness;
use generations::{Asking, Generations};
use lane::Lane;
use names::Names;
use reads::Reads;
use refusal::Breaks;
use script::{Call, FORGET};
use standing::Standing;
use tags::SharedTags;
use voice::Voice;

/// What a tier in Redis is made from.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where it is.
    pub address: RedisAddress,
    /// What is signed in with, in place of the address's own.
    pub password: Option<Zeroizing<String>>,
    /// Certificates of the authorities that are trusted, PEM; those of the system where there are none.
    pub tls_ca: Option<Vec<u8>>,
    /// Connections that are read over, to each server.
    pub connections: usize,
    /// How long an operation may take.
    pub timeout: Duration,
    /// What all names begin with: letters, digits, `-`, `_` and `.`.
    pub prefix: String,
    /// Slots of a cluster that a tenant's entries are in; `None`: all.
    pub buckets: Option<u32>,
    /// How long an entry is kept at most.
    pub ttl_max: Duration,
    /// When a write counts as done.
    pub consistency: Consistency,
    /// Whether hosts with the same prefix tell each other of what they change, and how long one may say nothing then.
    pub hearing: Option<Duration>,
    /// For how long what others may have changed is answered without Redis; `None`: for ever.
    pub stale_max: Option<Duration>,
    /// Whether there is no tier where Redis cannot be reached when it is opened.
    pub is_required: bool,
}

/// Why there is no tier.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The system gives no thread or no event queue.
    #[error("the system gives no thread for Redis: {0}")]
    System(#[from] io::Error),
}

/// The tier.
pub struct RedisTier {
    inner: Arc<Inner>,
    runtime: Handle,
    /// Ends the thread when it is dropped, and tells when it has ended.
    life: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

/// What all that goes on shares.
struct Inner {
    dialer: Arc<Dialer>,
    standing: Arc<Standing>,
    names: Names,
    generations: Generations,
    tags: SharedTags,
    /// Of what is known of generations and tags.
    freshness: Freshness,
    encoding: Arc<dyn Encoding>,
    reads: Arc<Reads>,
    writer: Lane,
    breaks: Breaks,
    requests: Requests,
    /// For all but reads and writes of entries.
    aside: Lane,
    /// Tells others of what is changed.
    voice: Option<Voice>,
    /// Whoever has copies.
    ear: OnceLock<Arc<dyn Ear>>,
    /// A generation was raised.
    is_swept: Notify,
    timeout: Duration,
    ttl_max: Duration,
    stale_max: Option<Duration>,
    consistency: Consistency,
}

impl RedisTier {
    /// Begins. Where Redis cannot be reached and is not required, the tier fails until it can.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: &RedisOptions, encoding: Arc<dyn Encoding>) -> Result<Self, OpenError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (life, ends) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let thread = thread::Builder::new().name("larder-redis".into());
        thread.spawn(move || {
            // It ends when the sender goes.
            let _ = runtime.block_on(ends);
            drop(runtime);
            // Nobody may wait for it.
            let _ = ended.send(());
        })?;
        let tier = Self {
            inner: Arc::new(Inner::new(options, encoding)?),
            runtime: handle,
            life: Mutex::new(Some((life, end))),
        };
        tier.connect(options.is_required)?;
        for _ in 0..options.connections {
            let inner = &tier.inner;
            let (reads, standing) = (Arc::clone(&inner.reads), Arc::clone(&inner.standing));
            let is_cluster = inner.dialer.is_cluster();
            tier.runtime
                .spawn(reads.serve(inner.lane(), standing, is_cluster));
        }
        tier.runtime
            .spawn(arbiter::arbitrate(Arc::clone(&tier.inner)));
        tier.runtime.spawn(upkeep::refresh(Arc::clone(&tier.inner)));
        tier.runtime.spawn(upkeep::sweep(Arc::clone(&tier.inner)));
        Ok(tier)
    }

    /// Makes the first connection.
    fn connect(&self, is_required: bool) -> Result<(), ConnectError> {
        let (answer, answered) = mpsc::channel();
        let inner = Arc::clone(&self.inner);
        self.runtime.spawn(async move {
            let mut opened = inner.writer.open().await;
            if opened.is_ok() {
                opened = inner.check_voice().await;
            }
            if opened.is_ok() && inner.dialer.is_cluster() {
                opened = inner.dialer.primaries().await.map(drop);
            }
            // Who asked waits below.
            let _ = answer.send(opened);
        });
        match answered.recv() {
            Ok(Err(error)) if is_required || !error.is_passing() => Err(error),
            Ok(Err(error)) => {
                self.inner.standing.fails(error.to_string());
                Ok(())
            }
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    fn has_ended(&self) -> TierError {
        let place = &self.inner.dialer.place;
        TierError::Unavailable(format!("{place} has ended here; restart the server"))
    }
}

impl Inner {
    fn new(options: &RedisOptions, encoding: Arc<dyn Encoding>) -> io::Result<Self> {
        let dialer = Arc::new(Dialer::new(
            options.address.clone(),
            options.password.clone(),
            options.tls_ca.clone(),
            options.timeout,
        ));
        let standing = Arc::new(Standing::new(&dialer.place));
        let lane = || Lane::new(&dialer, &standing, options.timeout);
        let names = Names::new(&options.prefix, options.buckets);
        let voice = options
            .hearing
            .map(|timeout| Voice::new(names.channel(options.address.db), timeout));
        Ok(Self {
            names,
            voice: voice.transpose()?,
            generations: Generations::default(),
            tags: SharedTags::default(),
            freshness: Freshness::new(),
            ear: OnceLock::new(),
            encoding,
            reads: Arc::new(Reads::new()),
            writer: lane(),
            breaks: Breaks::default(),
            requests: Requests::new(),
            aside: lane(),
            is_swept: Notify::new(),
            timeout: options.timeout,
            ttl_max: options.ttl_max,
            stale_max: options.stale_max,
            consistency: options.consistency,
            dialer,
            standing,
        })
    }

    fn lane(&self) -> Lane {
        Lane::new(&self.dialer, &self.standing, self.timeout)
    }

    /// Whether it has to ask how many replicas there are: one server tells by itself.
    fn counts_replicas(&self) -> bool {
        self.consistency != Consistency::One && self.dialer.is_cluster()
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            lane: &self.aside,
            names: &self.names,
            standing: &self.standing,
        }
    }

    /// Learns of what others have cleared and invalidated, of all tenants that are known.
    async fn refresh(&self) -> Result<(), TierError> {
        let (began, doubts) = (Instant::now(), self.tags.doubts());
        self.generations.refresh(&self.asking()).await?;
        let tenants = self.ear.get().map(|ear| ear.tenants());
        self.learn_tags(&tenants.unwrap_or_default(), doubts)
            .await?;
        self.keeps_up_since(began);
        Ok(())
    }

    /// The same, of all servers that have keys; whether each of them answers.
    async fn look_around(&self) -> bool {
        if self.refresh().await.is_err() {
            return false;
        }
        if !self.dialer.is_cluster() {
            return true;
        }
        let answers = self.aside.send(&[cmd("PING")], 0).await;
        answers.is_ok_and(|answers| answers.iter().all(Result::is_ok))
    }

    /// Whether it was asked for or heard of late what others have cleared and invalidated. Where it was not this host was
    /// stopped, and may have missed it.
    fn keeps_up(&self) -> bool {
        let Some(voice) = &self.voice else {
            return true;
        };
        let now = Instant::now();
        let is_good = self.freshness.is_good_at(now);
        if !is_good {
            // It is asked for before it is used, so it is good from now on: in this order, as others read, too.
            self.tags.doubt();
            self.freshness.extend(now + voice.good_for());
        }
        is_good
    }

    /// What others did before is known.
    fn keeps_up_since(&self, then: Instant) {
        if let Some(voice) = &self.voice {
            self.freshness.extend(then + voice.good_for());
        }
    }

    /// Removes what was found under a name, unless it is another value by now.
    async fn forget(&self, name: Vec<u8>, value: &[u8]) {
        let head = value.get(..value.len().min(16)).unwrap_or_default();
        let call = Call {
            script: &FORGET,
            name,
            more: Vec::new(),
            args: vec![head.to_vec(), value.len().to_string().into_bytes()],
        };
        // What cannot be removed is found damaged again.
        let _ = self.aside.call(&[call], &[], None).await;
    }
}

impl Tier for RedisTier {
    fn name(&self) -> &str {
        match self.inner.dialer.is_cluster() {
            true => "cluster",
            false => "redis",
        }
    }

    /// Others may have put anything there.
    fn may_hold(&self, _: TierKey<'_>) -> bool {
        true
    }

    /// It is not known of the key, but of others.
    fn read_bytes(&self, _: TierKey<'_>) -> u64 {
        self.inner.reads.mean_bytes() as u64
    }

    fn read<'a>(
        &'a self,
        key: &'a TierKeyBuf,
        now: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(async move {
            if self.life.lock().is_none() {
                return Err(self.has_ended());
            }
            let inner = &self.inner;
            let generation = inner.generations.known(&key.tenant, key.db);
            let name = match generation.filter(|_| inner.knows_tags(&key.tenant)) {
                Some(generation) => inner.names.entry(key.borrow(), generation),
                None => {
                    let (inner, key) = (Arc::clone(inner), key.clone());
                    let asking = self.runtime.spawn(async move { inner.name(&key).await });
                    asking.await.map_err(|_| self.has_ended())??
                }
            };
            let found = inner.reads.ask(name.clone()).await;
            let found = found.unwrap_or_else(|| Err(self.has_ended()));
            let Some(value) = found? else {
                return Ok(None);
            };
            let reason = match value::read(&name, &value) {
                value::Found::Deleted => return Ok(None),
                value::Found::Record(record) => match inner.encoding.decode(key.borrow(), record) {
                    Ok(stored) => return Ok(Some(stored).filter(|stored| !stored.is_expired(now))),
                    Err(reason) => reason,
                },
                value::Found::Foreign => "another program wrote it, or changed it".to_owned(),
            };
            let own = Arc::clone(inner);
            let forgetting = self
                .runtime
                .spawn(async move { own.forget(name, &value).await });
            // It is a miss either way.
            let _ = forgetting.await;
            Err(inner.standing.is_damaged(&reason))
        })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        now: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(async move {
            let (inner, own) = (Arc::clone(&self.inner), changes.to_vec());
            let writing = self
                .runtime
                .spawn(async move { inner.write(&own, now).await });
            let written = writing.await;
            written.unwrap_or_else(|_| vec![Err(self.has_ended()); changes.len()])
        })
    }

    fn figures(&self) -> TierFigures {
        self.inner.standing.figures()
    }

    fn counts_tags(&self) -> bool {
        true
    }

    /// While nothing is heard of it the listener tries.
    fn answers(&self) -> bool {
        let standing = &self.inner.standing;
        !standing.is_deaf.load(Relaxed) || standing.answers.load(Relaxed)
    }

    fn replicas(&self) -> Option<u32> {
        let Inner {
            consistency,
            dialer,
            ..
        } = &*self.inner;
        (*consistency != Consistency::One).then(|| consistency.replicas(dialer.replicas().most))
    }

    fn recoveries(&self) -> u64 {
        self.inner.standing.recoveries.load(Relaxed)
    }

    fn is_shared(&self) -> bool {
        self.inner.voice.is_some()
    }

    fn stale_max(&self) -> Option<Duration> {
        self.inner.stale_max
    }

    fn arbiter(&self) -> Option<&dyn Arbiter> {
        Some(self)
    }

    fn listen(&self, ear: Arc<dyn Ear>) {
        // The first is told.
        let _ = self.inner.ear.set(Arc::clone(&ear));
        let own = || Arc::clone(&self.inner);
        self.runtime.spawn(voice::beat(own()));
        self.runtime.spawn(hearing::listen(own(), ear));
        let (answer, answered) = mpsc::channel();
        let inner = own();
        self.runtime.spawn(async move {
            // It is asked for again before anything is read. Nobody may wait for it any more.
            let _ = answer.send(inner.refresh().await.is_ok());
        });
        let _ = answered.recv_timeout(self.inner.timeout);
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let inner = Arc::clone(&self.inner);
            let telling = self.runtime.spawn(async move { inner.tell_end().await });
            // Who is not told finds out.
            let _ = telling.await;
            let life = self.life.lock().take();
            if let Some((life, ended)) = life {
                drop(life);
                // Should it be dead, there is nothing to end.
                let _ = ended.await;
            }
        })
    }
}

/// Without what is secret.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("address", &self.address)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
