//! Which policy is in force where, since when and why.
//!
//! One thread, `larder-policies`, does everything: looks at the folder, loads, installs, records,
//! minds what fails. Requests never wait for it. What it decides over lies in small parts without
//! threads or files: `record` (the order of deployment, which says who rules), `offences` (when a
//! policy is tried again, and when not any more), `rows` (the words for it all).

mod board;
mod deciders;
mod disk;
mod loader;
mod memory;
mod offences;
mod record;
mod rows;
mod version;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use larder_engine::decision::{Decider, Deciders};
use larder_engine::policies::{Policies, PolicyRow};
use larder_engine::{Engine, EvictorFactory, Millis};
use parking_lot::Mutex;
use tracing::warn;

use crate::sandbox::Sandbox;
use board::Board;
use deciders::Desks;
use loader::{Loader, Order, Reply};
pub use rows::REFUSED_AND_STAYS;

/// Pause between two steps of the keeper's thread.
const TICK: Duration = Duration::from_millis(20);
/// Orders of operators that may wait.
const ORDERS_MAX: usize = 64;
/// How long an operator waits for the outcome.
const OUTCOME_WAIT: Duration = Duration::from_secs(30);

/// What a keeper is started with.
pub struct KeeperConfig {
    /// The folder that policies are dropped into; made if it is not there.
    pub folder: PathBuf,
    /// The folder for what is to survive a restart; made when there is something to keep.
    pub data: PathBuf,
    /// Where policies are loaded.
    pub sandbox: Arc<Sandbox>,
    /// Whose evictions they rule.
    pub engine: Arc<Engine>,
    /// One for each tenant, in the engine's order: who rules where no policy of the folder does, and
    /// is in charge when the keeper starts.
    pub natives: Vec<Arc<dyn EvictorFactory>>,
    /// Threads of the server that ask for decisions.
    pub threads: usize,
    /// Reads the wall clock, in Unix milliseconds.
    pub clock: fn() -> Millis,
    /// For the instances that decide over values.
    pub seed: u64,
    /// How often the folder is looked through though no event came; 2 s is a good measure.
    pub poll: Duration,
}

/// Keeps the policies of one server; its thread ends when this is dropped.
pub struct Keeper {
    board: Arc<Board>,
    desks: Arc<Desks>,
    tenants: Vec<String>,
    clock: fn() -> Millis,
    orders: Mutex<Option<SyncSender<(Order, Reply)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    /// Starts it, and returns when what lies in the folder is in force or refused; files that are
    /// still being written after 2 s are taken later.
    ///
    /// # Errors
    /// When no thread can be had.
    ///
    /// # Panics
    /// If there are not as many native policies as tenants.
    pub fn start(config: KeeperConfig) -> io::Result<Arc<Self>> {
        assert_eq!(config.natives.len(), config.engine.tenants().len());
        if let Err(error) = fs::create_dir_all(&config.folder) {
            let folder = config.folder.display();
            warn!(%folder, %error, "the folder of policies cannot be made");
        }
        let tenants: Vec<String> = config
            .engine
            .tenants()
            .iter()
            .map(|tenant| tenant.name().to_owned())
            .collect();
        let clock = config.clock;
        let board = Arc::new(Board::default());
        let desks = Arc::new(Desks::new(config.threads, tenants.len(), config.seed));
        let loader = Loader::new(config, Arc::clone(&desks), Arc::clone(&board));
        let (orders, inbox) = mpsc::sync_channel(ORDERS_MAX);
        let (ready, is_ready) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("larder-policies".into())
            .spawn(move || run(loader, &inbox, &ready))?;
        is_ready
            .recv()
            .map_err(|_| io::Error::other("the thread that keeps policies panicked"))?;
        Ok(Arc::new(Self {
            board,
            desks,
            tenants,
            clock,
            orders: Mutex::new(Some(orders)),
            thread: Mutex::new(Some(thread)),
        }))
    }

    fn order(&self, order: Order) -> Result<(), String> {
        let (reply, outcome) = mpsc::sync_channel(1);
        if let Some(orders) = &*self.orders.lock()
            && let Err(TrySendError::Full(_)) = orders.try_send((order, reply))
        {
            return Err(format!(
                "{ORDERS_MAX} orders wait for the thread that keeps policies: try again in a while"
            ));
        }
        match outcome.recv_timeout(OUTCOME_WAIT) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "no outcome after {} s: policies are being loaded; look at POLICY LIST in a while",
                OUTCOME_WAIT.as_secs()
            )),
            Err(RecvTimeoutError::Disconnected) => {
                Err("the thread that keeps policies has ended".to_owned())
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Without a sender the thread ends.
        self.orders.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn run(mut loader: Loader, inbox: &Receiver<(Order, Reply)>, ready: &SyncSender<()>) {
    let started = Instant::now();
    let now_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut is_awaited = true;
    loop {
        loader.step(now_ms());
        if is_awaited && loader.is_ready() {
            is_awaited = false;
            // It was waited for when this thread was started.
            let _ = ready.send(());
        }
        match inbox.recv_timeout(TICK) {
            Ok((order, reply)) => loader.obey(order, reply),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Deciders for Keeper {
    fn decider(&self, thread: usize) -> Box<dyn Decider> {
        self.desks.decider(thread)
    }
}

impl Policies for Keeper {
    fn list(&self) -> Vec<PolicyRow> {
        self.board.read()
    }

    fn enable(&self, name: &str) -> Result<(), String> {
        self.order(Order::Enable(name.to_owned()))
    }

    fn disable(&self, name: &str) -> Result<(), String> {
        self.order(Order::Disable(name.to_owned()))
    }

    fn rollback(&self, name: &str) -> Result<(), String> {
        self.order(Order::Rollback(name.to_owned()))
    }

    fn reload(&self) -> Result<(), String> {
        self.order(Order::Reload)
    }

    fn decisions(&self, tenant: &str, db: u8, key: &[u8]) -> Vec<String> {
        let place = self.tenants.iter().position(|name| name == tenant);
        place.map_or_else(Vec::new, |place| {
            self.desks.recall(place, db, key, (self.clock)())
        })
    }
}

#[cfg(test)]
mod tests;
