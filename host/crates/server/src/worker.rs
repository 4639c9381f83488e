//! One worker: a thread with a runtime of its own, its own listeners and the connections that it accepted.
//! Nothing that happens in a request leaves the thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_engine::Decider;
use larder_resp::Limits;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::warn;

use crate::clients::Origin;
use crate::connection::Connection;
use crate::dialogue::Dialogue;
use crate::listen::{Listener, Listeners};
use crate::registry::{Entry, Patience, sweep_interval};
use crate::stats::{WorkerCounters, bump};
use crate::stream::Stream;
use crate::{Login, Session, Shared};

/// Bytes read at once, and bytes of requests that are executed before others get their turn.
pub(crate) const TURN_BYTES: usize = 64 << 10;
/// A shared output buffer that grew larger than this is given back.
const OUTPUT_KEPT_BYTES: usize = 2 << 20;
/// Pause after the system could not give us a connection (no descriptors or memory left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Failures to accept are logged at most once in so many.
const ACCEPT_LOG_EVERY: u64 = 200;
/// What a client over `clients_max` is told, as Redis does.
const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// Buffers that the connections of a worker share.
pub(crate) struct Scratch {
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
}

impl Scratch {
    fn new() -> Self {
        Self {
            input: Vec::with_capacity(TURN_BYTES),
            output: Vec::with_capacity(TURN_BYTES),
        }
    }

    /// Gives back what an unusually large reply left behind.
    pub(crate) fn trim(&mut self) {
        if self.output.capacity() > OUTPUT_KEPT_BYTES {
            self.output = Vec::with_capacity(TURN_BYTES);
        }
    }
}

/// State of one worker. Not shared with other threads.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) decider: RefCell<Box<dyn Decider>>,
    /// Sweeps since the start: the clock of timeouts.
    pub(crate) sweep: Cell<u64>,
    pub(crate) draining: Cell<bool>,
    limits: Limits,
    connections: RefCell<HashMap<u64, Rc<Entry>>>,
    emptied: Notify,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, index: usize) -> Rc<Self> {
        let limits = crate::dialogue::limits(&shared.config);
        Rc::new(Self {
            decider: RefCell::new(shared.deciders.decider(index)),
            shared,
            index,
            scratch: RefCell::new(Scratch::new()),
            sweep: Cell::new(0),
            draining: Cell::new(false),
            limits,
            connections: RefCell::new(HashMap::new()),
            emptied: Notify::new(),
        })
    }

    pub(crate) fn counters(&self) -> &WorkerCounters {
        &self.shared.workers[self.index]
    }

    /// Accepts and serves until `drain` says true or its sender is gone, then closes the listeners and
    /// gives the connections `drain_timeout` to finish. Returns how many had not by then.
    ///
    /// # Panics
    ///
    /// If accepting or sweeping does; connections catch their own panics.
    pub(crate) async fn serve(
        self: Rc<Self>,
        listeners: Listeners,
        mut drain: watch::Receiver<bool>,
    ) -> usize {
        let mut sweeping = pin!(self.sweep());
        tokio::select! {
            never = &mut sweeping => match never {},
            never = self.accept_from(listeners.tcp) => match never {},
            never = self.accept_from(listeners.tls) => match never {},
            never = self.accept_from(listeners.unix) => match never {},
            // An error means that whoever would say so is gone, which says the same.
            _ = drain.wait_for(|drain| *drain) => {}
        }
        self.draining.set(true);
        for entry in self.connections.borrow().values() {
            entry.wake();
        }
        tokio::select! {
            never = sweeping => match never {},
            _ = timeout(self.shared.config.drain_timeout, self.idle()) => {}
        }
        self.connections.borrow().len()
    }

    /// Ready when no connection is left.
    async fn idle(&self) {
        while !self.connections.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }

    async fn accept_from(self: &Rc<Self>, listener: Option<Listener>) -> Infallible {
        match listener {
            Some(listener) => self.accept(listener).await,
            None => pending().await,
        }
    }

    async fn accept(self: &Rc<Self>, listener: Listener) -> Infallible {
        let mut failures = 0;
        loop {
            match listener.accept().await {
                Ok((stream, origin)) => self.admit(stream, origin),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if failures % ACCEPT_LOG_EVERY == 0 {
                        warn!(%error, failures, "cannot accept connections: trying again");
                    }
                    failures += 1;
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Rc<Self>, stream: Stream, origin: Origin) {
        let counters = &self.shared.counters;
        let open = counters.connections.fetch_add(1, Ordering::Relaxed);
        if open >= self.shared.clients_max() {
            counters.connections.fetch_sub(1, Ordering::Relaxed);
            bump(&counters.rejected);
            // The client may be gone already, or not read: it is refused all the same.
            let _ = stream.send_now(TOO_MANY);
            return;
        }
        let Some(login) = Login::new(&self.shared.users) else {
            counters.connections.fetch_sub(1, Ordering::Relaxed);
            bump(&counters.rejected);
            let _ = stream.send_now(TOO_MANY);
            return;
        };
        bump(&counters.accepted);
        let shared = &self.shared;
        let session = Session::new(shared.next_client(), login, origin, shared.now());
        shared.clients.add(&session.client);
        let entry = Rc::new(Entry::new(self.sweep.get()));
        self.connections
            .borrow_mut()
            .insert(session.id, entry.clone());
        let dialogue = Dialogue::new(session, self.limits);
        spawn_local(Connection::new(self.clone(), entry, stream, dialogue).run());
    }

    /// Takes a connection that ended off the books.
    pub(crate) fn forget(&self, client: u64) {
        let mut connections = self.connections.borrow_mut();
        connections.remove(&client);
        self.shared.clients.remove(client);
        self.shared
            .counters
            .connections
            .fetch_sub(1, Ordering::Relaxed);
        if connections.is_empty() {
            self.emptied.notify_one();
        }
    }

    /// Ends connections that wait too long, for ever.
    async fn sweep(&self) -> Infallible {
        let between = sweep_interval(&self.shared.config);
        let mut ticks = interval(between);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.counters().beat((self.shared.monotonic_ns)());
            self.sweep.set(self.sweep.get() + 1);
            // Timeouts may have been changed; the time between sweeps stays.
            let is_crowded = self.shared.is_crowded();
            let patience = Patience::new(&self.shared.tuning, between, is_crowded);
            for entry in self.connections.borrow().values() {
                entry.check(&patience, self.sweep.get());
            }
        }
    }
}
