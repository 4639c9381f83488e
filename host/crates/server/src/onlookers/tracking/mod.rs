//! Client-side caching: connections that keep values of their own are told which keys have changed.
//!
//! A key is remembered before it is read, and what changes it comes later under the shard's lock. So a
//! change between the two is told as well, behind the reply, and none is missed.
//!
//! Lock order: the book of those who follow, then a part of the table, then a mailbox. A write that
//! concerns nobody takes the part's alone.

mod follower;
mod table;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_engine::changes::Change;
use larder_engine::{KEY_BYTES_MAX, Tenant};
use larder_resp::Args;

use super::Onlookers;
use crate::budget::Budget;
use crate::commands::Command;
use crate::{Context, Session, Shared};
use follower::Notice;
pub(crate) use follower::{Follower, Mode};
pub(crate) use table::KEYS_MAX;
use table::{Added, Readers, Table};

/// Bytes that a prefix takes beside itself, which is there twice.
const PREFIX_BYTES: usize = 256;

thread_local! {
    /// Whose command this thread carries out, as far as they do not want to hear of their own changes.
    static AT_WORK: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The connections of a tenant that are told of changes.
pub(crate) struct Tracking {
    book: Mutex<Book>,
    /// Who has read which key.
    table: Table,
    /// Whether the book has prefixes.
    has_prefixes: AtomicBool,
    told: AtomicU64,
}

struct Book {
    followers: HashMap<u64, Arc<Follower>>,
    /// Who is told of all keys that begin so, by the length of the beginning.
    prefixes: BTreeMap<usize, HashMap<Box<[u8]>, BTreeSet<u64>>>,
}

/// What INFO and metrics say of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackingFigures {
    /// Connections that are told of changes.
    pub clients: u64,
    /// Keys that somebody has read and keeps.
    pub keys: u64,
    /// Those who have read each of these keys, together.
    pub items: u64,
    /// Beginnings of keys that somebody is told of.
    pub prefixes: u64,
    /// Messages that told of changes, since the server started.
    pub messages: u64,
}

impl Tracking {
    /// What is remembered is paid for from `budget`, so many bytes of it at most.
    pub(super) fn new(budget: Arc<Budget>, bytes_max: usize) -> Self {
        Self {
            book: Mutex::new(Book {
                followers: HashMap::new(),
                prefixes: BTreeMap::new(),
            }),
            table: Table::new(budget, bytes_max),
            has_prefixes: AtomicBool::new(false),
            told: AtomicU64::new(0),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // What it guards is whole after every statement.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn figures(&self) -> TrackingFigures {
        let book = self.book();
        let prefixes: usize = book.prefixes.values().map(HashMap::len).sum();
        TrackingFigures {
            clients: book.followers.len() as u64,
            keys: self.table.len() as u64,
            items: self.table.items() as u64,
            prefixes: prefixes as u64,
            messages: self.told.load(Ordering::Relaxed),
        }
    }

    fn join(&self, follower: &Arc<Follower>, prefixes: &[Box<[u8]>]) {
        let mut book = self.book();
        book.followers.insert(follower.id(), follower.clone());
        for prefix in prefixes {
            let named = book.prefixes.entry(prefix.len()).or_default();
            let followers = named.entry(prefix.clone()).or_default();
            followers.insert(follower.id());
        }
        self.note_prefixes(&book);
    }

    /// As the shard's lock orders a look at this behind the caller's next look at an entry, nothing else has
    /// to.
    fn note_prefixes(&self, book: &Book) {
        let has_prefixes = !book.prefixes.is_empty();
        self.has_prefixes.store(has_prefixes, Ordering::Relaxed);
    }

    /// What it has read is forgotten when it changes, or with the last who leaves.
    fn leave(&self, id: u64, prefixes: &BTreeSet<Box<[u8]>>) {
        let mut book = self.book();
        book.followers.remove(&id);
        for prefix in prefixes {
            let Some(named) = book.prefixes.get_mut(&prefix.len()) else {
                continue;
            };
            if let Some(followers) = named.get_mut(prefix) {
                followers.remove(&id);
                if followers.is_empty() {
                    named.remove(prefix);
                }
            }
            if named.is_empty() {
                book.prefixes.remove(&prefix.len());
            }
        }
        self.note_prefixes(&book);
        // Within the book, so that it is nobody's who joins meanwhile.
        let forgotten = match book.followers.is_empty() {
            true => self.table.clear(),
            false => Vec::new(),
        };
        drop(book);
        table::free(forgotten);
    }

    /// Remembers who is about to read a key. Where there is no room, others' keys are forgotten, and told
    /// as if they had changed.
    fn remember(&self, key: &[u8], reader: &Follower) {
        loop {
            match self.table.add(key, reader.id()) {
                Added::Done => return,
                Added::Crowded => {
                    let book = self.book();
                    let is_there = |id| book.followers.contains_key(&id);
                    self.table.keep(key, is_there);
                }
                Added::Full => match self.table.forget_oldest() {
                    Some((key, readers)) => {
                        self.tell(&self.book(), &mut Notice::of(&key), &readers)
                    }
                    None => return self.count(reader.tell(&mut Notice::of(key))),
                },
            }
        }
    }

    pub(super) fn changed(&self, key: &[u8], change: Change) {
        let writer = match change {
            Change::Expired | Change::Evicted | Change::Invalidated | Change::Elsewhere => None,
            Change::Written | Change::Expiry | Change::Removed => AT_WORK.get(),
        };
        // It may keep what it wrote itself, until somebody else writes.
        let readers = self.table.remove(key, writer);
        if readers.is_empty() && !self.has_prefixes.load(Ordering::Relaxed) {
            return;
        }
        let book = self.book();
        let notice = &mut Notice::of(key);
        let is_own = |follower: &Follower| writer == Some(follower.id());
        for (len, named) in book.prefixes.range(..=key.len()) {
            let ids = named.get(&key[..*len]).into_iter().flatten();
            let followers = ids.filter_map(|id| book.followers.get(id));
            for follower in followers.filter(|follower| !is_own(follower)) {
                self.count(follower.tell(notice));
            }
        }
        self.tell(&book, notice, &readers);
    }

    pub(super) fn emptied(&self) {
        let book = self.book();
        let forgotten = self.table.clear();
        let notice = &mut Notice::of_all();
        for follower in book.followers.values() {
            self.count(follower.tell(notice));
        }
        drop(book);
        table::free(forgotten);
    }

    /// Tells those who have read a key and follow what they read still.
    fn tell(&self, book: &Book, notice: &mut Notice<'_>, readers: &Readers) {
        let followers = readers.iter().filter_map(|id| book.followers.get(id));
        for follower in followers.filter(|follower| !follower.mode().is_broadcast) {
            self.count(follower.tell(notice));
        }
    }

    fn count(&self, is_told: bool) {
        self.told.fetch_add(u64::from(is_told), Ordering::Relaxed);
    }
}

/// What a connection has chosen by CLIENT TRACKING. Ends when dropped.
pub(crate) struct Following {
    tenant: Arc<Tenant>,
    onlookers: Arc<Onlookers>,
    follower: Arc<Follower>,
    prefixes: BTreeSet<Box<[u8]>>,
    /// CLIENT CACHING was said for the next command.
    pub(crate) is_chosen: bool,
}

impl Following {
    pub(crate) fn begin(
        shared: &Shared,
        session: &Session,
        follower: Follower,
        prefixes: Vec<Box<[u8]>>,
    ) -> Self {
        let tenant = session.tenant.clone();
        tenant.changes().want();
        let onlookers = shared.onlookers[tenant.number()].clone();
        let follower = Arc::new(follower);
        onlookers.tracking.join(&follower, &prefixes);
        Self {
            tenant,
            onlookers,
            follower,
            prefixes: prefixes.into_iter().collect(),
            is_chosen: false,
        }
    }

    /// Goes on in another way.
    pub(crate) fn follow(&mut self, follower: Follower, prefixes: Vec<Box<[u8]>>) {
        self.follower = Arc::new(follower);
        self.onlookers.tracking.join(&self.follower, &prefixes);
        self.prefixes.extend(prefixes);
    }

    pub(crate) fn follower(&self) -> &Follower {
        &self.follower
    }

    pub(crate) fn prefixes(&self) -> &BTreeSet<Box<[u8]>> {
        &self.prefixes
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let prefixes = self.prefixes.iter();
        prefixes.map(|prefix| 2 * prefix.len() + PREFIX_BYTES).sum()
    }

    /// What is to be done before a command of the connection is carried out.
    fn before(&self, command: &Command, args: Args<'_>) {
        let mode = self.follower.mode();
        if mode.is_deaf_to_own {
            AT_WORK.set(Some(self.follower.id()));
        }
        if command.is_read_only() && mode.remembers(self.is_chosen) {
            let keys = command.key_positions(args.len());
            let keys = keys.filter_map(|at| args.get(at));
            // No key has a longer name: nothing will ever change it.
            for key in keys.filter(|key| key.len() <= KEY_BYTES_MAX) {
                self.onlookers.tracking.remember(key, &self.follower);
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let id = self.follower.id();
        self.onlookers.tracking.leave(id, &self.prefixes);
        self.tenant.changes().want_no_more();
    }
}

impl Context<'_> {
    /// Notes what a command that is about to be carried out will read.
    #[inline]
    pub(crate) fn track(&self, command: &Command, args: Args<'_>) {
        if let Some(following) = &self.session.following {
            following.before(command, args);
        }
    }

    /// Ends what [`Self::track`] began. What CLIENT CACHING says holds for the next command, or for all of a
    /// transaction, as in Redis; and for one that comes anew.
    #[inline]
    pub(crate) fn tracked(&mut self, args: Args<'_>, comes_anew: bool) {
        let is_part = self.store.is_held() || self.session.is_queuing();
        if let Some(following) = &mut self.session.following {
            AT_WORK.set(None);
            if !is_part && !comes_anew && !args.name().eq_ignore_ascii_case(b"CLIENT") {
                following.is_chosen = false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
