//! The connections that there are, as other connections see them: who they are, how they stand, their
//! mailboxes, and how to end them from any thread.

mod census;
mod line;
pub(crate) mod pauses;
mod standing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use larder_engine::Millis;
use larder_resp::Version;

use crate::User;
use crate::budget::Budget;
use crate::mailbox::Mailbox;

pub use census::Census;
pub(crate) use standing::{Buffers, Type};

use standing::Standing;

/// Parts of the book, each with a lock of its own: who lists a part holds up nobody who comes or goes in
/// another.
const PARTS: usize = 16;

/// All connections of the Redis protocol, by number.
#[derive(Default)]
pub(crate) struct Clients {
    parts: [Mutex<BTreeMap<u64, Arc<Client>>>; PARTS],
}

impl Clients {
    fn part(&self, id: u64) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        lock(&self.parts[id as usize % PARTS])
    }

    pub(crate) fn add(&self, client: &Arc<Client>) {
        self.part(client.id).insert(client.id, client.clone());
    }

    pub(crate) fn remove(&self, id: u64) {
        self.part(id).remove(&id);
    }

    /// The connection of that number.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.part(id).get(&id).cloned()
    }

    /// All of them, by number.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        let parts = self.parts.iter();
        let mut all: Vec<_> = parts
            .flat_map(|part| lock(part).values().cloned().collect::<Vec<_>>())
            .collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }

    /// Those that `user` may know of, by number: an administrator all, others those of their tenant.
    pub(crate) fn seen_by(&self, user: &User) -> Vec<Arc<Client>> {
        let mut all = self.all();
        all.retain(|client| client.is_seen_by(user));
        all
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) kind: Kind,
    /// Address of the client: `ip:port`, or the path of the Unix socket that it came by, and `:0`.
    pub(crate) peer: Box<str>,
    /// Address that it connected to, spelled alike.
    pub(crate) local: Box<str>,
    /// What the system calls its socket.
    pub(crate) descriptor: i32,
}

/// What a client speaks through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Tls,
    Unix,
    /// A request of HTTP, which is no client that others see.
    Http,
}

/// One connection. Its own task writes; others read, put messages into its mailbox, or end it.
pub(crate) struct Client {
    id: u64,
    origin: Origin,
    connected_ms: Millis,
    standing: Standing,
    is_killed: AtomicBool,
    mailbox: OnceLock<Arc<Mailbox>>,
    told: Mutex<Told>,
}

/// What changes rarely.
struct Told {
    user: Arc<User>,
    name: Box<str>,
    library_name: Box<str>,
    library_version: Box<str>,
    version: Version,
    waker: Option<Waker>,
}

impl Client {
    /// A connection that has said nothing yet, and speaks for `user`, or would.
    pub(crate) fn new(id: u64, origin: Origin, user: Arc<User>, now: Millis) -> Arc<Self> {
        Arc::new(Self {
            id,
            origin,
            connected_ms: now,
            standing: Standing::new(now),
            is_killed: AtomicBool::new(false),
            mailbox: OnceLock::new(),
            told: Mutex::new(Told {
                user,
                name: Box::default(),
                library_name: Box::default(),
                library_version: Box::default(),
                version: Version::V2,
                waker: None,
            }),
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What it speaks through.
    pub(crate) fn kind(&self) -> Kind {
        self.origin.kind
    }

    /// See [`Origin::peer`].
    pub(crate) fn peer(&self) -> &str {
        &self.origin.peer
    }

    /// See [`Origin::local`].
    pub(crate) fn local(&self) -> &str {
        &self.origin.local
    }

    /// How long it has been there.
    pub(crate) fn age_ms(&self, now: Millis) -> u64 {
        now.saturating_sub(self.connected_ms)
    }

    /// Who the connection speaks for, or would without signing in. Their rules may have changed since.
    pub(crate) fn user(&self) -> Arc<User> {
        lock(&self.told).user.clone()
    }

    /// Whether `user` may know of it.
    pub(crate) fn is_seen_by(&self, user: &User) -> bool {
        user.is_admin() || self.tenant() == user.tenant().number()
    }

    /// The number of the tenant that it works on.
    pub(crate) fn tenant(&self) -> usize {
        lock(&self.told).user.tenant().number()
    }

    /// The name it gave itself; empty until then.
    pub(crate) fn name(&self) -> Box<str> {
        lock(&self.told).name.clone()
    }

    pub(crate) fn set_user(&self, user: Arc<User>) {
        lock(&self.told).user = user;
    }

    pub(crate) fn set_name(&self, name: &[u8]) {
        lock(&self.told).name = text(name);
    }

    pub(crate) fn set_library_name(&self, name: &[u8]) {
        lock(&self.told).library_name = text(name);
    }

    pub(crate) fn set_library_version(&self, version: &[u8]) {
        lock(&self.told).library_version = text(version);
    }

    /// The version of the protocol that it speaks, in messages too.
    pub(crate) fn set_version(&self, version: Version) {
        // Still locked, so that a mailbox made meanwhile has the one or is told the other.
        let mut told = lock(&self.told);
        told.version = version;
        if let Some(mailbox) = self.mailbox.get() {
            mailbox.set_version(version);
        }
    }

    /// Where messages for it come in, once somebody may send any. On the way of every turn.
    #[inline]
    pub(crate) fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        self.mailbox.get()
    }

    /// Where messages for it come in, from now on if there is none yet. What waits is paid for from
    /// `budget`.
    pub(crate) fn open_mailbox(&self, budget: &Arc<Budget>) -> &Arc<Mailbox> {
        let told = lock(&self.told);
        let mailbox = self
            .mailbox
            .get_or_init(|| Arc::new(Mailbox::new(budget.clone(), told.version)));
        // The connection may be asleep, and not know yet what it has to listen to.
        if let Some(waker) = &told.waker {
            waker.wake_by_ref();
        }
        mailbox
    }

    /// Remembers how to wake the connection's task, which is the same for as long as it lives.
    pub(crate) fn arm(&self, waker: &Waker) {
        lock(&self.told).waker = Some(waker.clone());
    }

    /// Ends the connection as soon as its task gets to run.
    pub(crate) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
        // The lock orders this before or after the task's `arm`: either it sees the mark, or we its waker.
        if let Some(waker) = &lock(&self.told).waker {
            waker.wake_by_ref();
        }
    }

    /// Whether somebody wants its end. On the way of every turn.
    #[inline]
    pub(crate) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Relaxed)
    }
}

/// What may be a name is ASCII.
fn text(name: &[u8]) -> Box<str> {
    String::from_utf8_lossy(name).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
