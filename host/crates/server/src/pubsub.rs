//! Publish and subscribe: who listens to which channel of a tenant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_engine::glob::{self, Pattern};

use crate::mailbox::{Letter, Mailbox};
use crate::{Session, Shared};

/// Subscriptions that a connection may have.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 131_072;
/// What the patterns of a tenant may take, as [`glob::effort`] has it, so that a message is soon looked up
/// however long its channel's name is.
pub(crate) const EFFORT_MAX: usize = 2048;
/// What the patterns of a tenant may have together, as [`text_bytes`] has it, for the same reason.
pub(crate) const TEXT_BYTES_MAX: usize = 8 << 20;
/// What a look at a pattern takes, in bytes of its text.
const LOOK_BYTES: usize = 32;
/// What a search of names may take, in bytes of names times the pattern's effort.
const SEARCH_WORK_MAX: usize = 128 << 20;
/// Bytes that one takes beside its name, which is there twice; and those of a pattern, in pieces.
const SUBSCRIPTION_BYTES: usize = 256;
const PATTERN_BYTES: usize = 512;

/// What is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Channel,
    /// All channels whose names match.
    Pattern,
    /// Channels of SPUBLISH, which are none of PUBLISH.
    Shard,
}

/// Who listens to what, by kind and name.
type Book = [HashMap<Box<[u8]>, Listeners>; 3];

/// Those who listen to a name.
struct Listeners {
    /// By the number of the connection.
    mailboxes: BTreeMap<u64, Arc<Mailbox>>,
    /// The name, where it is a pattern.
    pattern: Option<Pattern>,
}

impl Listeners {
    fn of(kind: Kind, name: &[u8]) -> Self {
        Self {
            mailboxes: BTreeMap::new(),
            pattern: (kind == Kind::Pattern).then(|| Pattern::new(name)),
        }
    }

    /// Puts a message in all mailboxes; how many they are.
    fn tell(&self, parts: &[&[u8]]) -> usize {
        let mut letter = Letter::new(parts);
        let mailboxes = self.mailboxes.values();
        mailboxes.for_each(|mailbox| mailbox.put(&mut letter));
        self.mailboxes.len()
    }

    /// Whether messages of a channel are for them, by the pattern.
    fn hears(&self, channel: &[u8]) -> bool {
        let pattern = self.pattern.as_ref();
        pattern.is_some_and(|pattern| pattern.matches(channel))
    }
}

/// The channels of a tenant.
#[derive(Default)]
pub(crate) struct Hub {
    /// Subscriptions of all kinds: where nobody listens nothing is looked up.
    subscriptions: AtomicUsize,
    /// Of all patterns together.
    effort: AtomicUsize,
    /// What all patterns have as [`text_bytes`] has it: one after the other is looked at for each message.
    text_bytes: AtomicUsize,
    book: Mutex<Book>,
}

impl Hub {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody listens to anything.
    pub(crate) fn is_heard(&self) -> bool {
        self.subscriptions.load(Ordering::Relaxed) > 0
    }

    /// What looking up a name of so many bytes among all patterns takes, in bytes that are compared.
    pub(crate) fn work(&self, name_bytes: usize) -> usize {
        let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        load(&self.text_bytes) + name_bytes * load(&self.effort)
    }

    /// Sends a message to all who listen; how many they are.
    pub(crate) fn publish(&self, kind: Kind, channel: &[u8], message: &[u8]) -> usize {
        if !self.is_heard() {
            return 0;
        }
        let book = self.book();
        let word: &[u8] = match kind {
            Kind::Shard => b"smessage",
            Kind::Channel | Kind::Pattern => b"message",
        };
        let mut receivers = 0;
        if let Some(listeners) = book[kind as usize].get(channel) {
            receivers += listeners.tell(&[word, channel, message]);
        }
        let patterns = book[Kind::Pattern as usize].iter();
        for (pattern, listeners) in patterns.filter(|_| kind == Kind::Channel) {
            if listeners.hears(channel) {
                receivers += listeners.tell(&[b"pmessage", pattern, channel, message]);
            }
        }
        receivers
    }

    /// The names that somebody listens to and that match, in order; `None` where they have more bytes than that,
    /// or looking for them takes too long.
    pub(crate) fn names(
        &self,
        kind: Kind,
        pattern: Option<&[u8]>,
        bytes_max: usize,
    ) -> Option<Vec<Box<[u8]>>> {
        let effort = 1 + pattern.map_or(0, glob::effort);
        let pattern = pattern.map(Pattern::new);
        let (mut names, mut bytes, mut work) = (Vec::new(), 0, 0);
        for name in self.book()[kind as usize].keys() {
            work += (name.len() + LOOK_BYTES) * effort;
            if pattern.as_ref().is_none_or(|pattern| pattern.matches(name)) {
                bytes += name.len();
                names.push(name.clone());
            }
            if bytes > bytes_max || work > SEARCH_WORK_MAX {
                return None;
            }
        }
        names.sort_unstable();
        Some(names)
    }

    /// How many names somebody listens to, in the order of [`Kind`].
    pub(crate) fn counts(&self) -> [usize; 3] {
        self.book().each_ref().map(HashMap::len)
    }

    /// How many listen to a name.
    pub(crate) fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        let book = self.book();
        book[kind as usize]
            .get(name)
            .map_or(0, |listeners| listeners.mailboxes.len())
    }

    fn add(&self, kind: Kind, name: &[u8], client: u64, mailbox: &Arc<Mailbox>) {
        let mut book = self.book();
        let listeners = book[kind as usize].entry(name.into());
        let listeners = listeners.or_insert_with(|| Listeners::of(kind, name));
        if listeners.mailboxes.is_empty() {
            self.effort.fetch_add(effort(kind, name), Ordering::Relaxed);
            let text_bytes = text_bytes(kind, name);
            self.text_bytes.fetch_add(text_bytes, Ordering::Relaxed);
        }
        listeners.mailboxes.insert(client, mailbox.clone());
        self.subscriptions.fetch_add(1, Ordering::Relaxed);
    }

    fn remove(&self, kind: Kind, name: &[u8], client: u64) {
        let mut book = self.book();
        let Some(listeners) = book[kind as usize].get_mut(name) else {
            return;
        };
        if listeners.mailboxes.remove(&client).is_some() {
            self.subscriptions.fetch_sub(1, Ordering::Relaxed);
        }
        if listeners.mailboxes.is_empty() {
            book[kind as usize].remove(name);
            self.effort.fetch_sub(effort(kind, name), Ordering::Relaxed);
            let text_bytes = text_bytes(kind, name);
            self.text_bytes.fetch_sub(text_bytes, Ordering::Relaxed);
        }
    }

    /// Whether there is room for what `patterns` take that nobody listens to yet. Those who ask at the same
    /// time may both take it.
    fn has_room_for<'a>(&self, patterns: impl Iterator<Item = &'a [u8]>) -> bool {
        let book = self.book();
        let known = &book[Kind::Pattern as usize];
        let mut effort = self.effort.load(Ordering::Relaxed);
        let mut text = self.text_bytes.load(Ordering::Relaxed);
        for pattern in patterns.filter(|pattern| !known.contains_key(*pattern)) {
            effort += glob::effort(pattern);
            text += text_bytes(Kind::Pattern, pattern);
        }
        effort <= EFFORT_MAX && text <= TEXT_BYTES_MAX
    }
}

/// What a look at a pattern takes at most, for each message.
fn text_bytes(kind: Kind, name: &[u8]) -> usize {
    match kind {
        Kind::Pattern => name.len() + LOOK_BYTES,
        Kind::Channel | Kind::Shard => 0,
    }
}

fn effort(kind: Kind, name: &[u8]) -> usize {
    match kind {
        Kind::Pattern => glob::effort(name),
        Kind::Channel | Kind::Shard => 0,
    }
}

/// What a subscription takes, but for what patterns are searched with: the effort that a tenant may make bounds
/// that.
fn bytes(kind: Kind, name: &[u8]) -> usize {
    let pattern_bytes = match kind {
        Kind::Pattern => name.len() + PATTERN_BYTES,
        Kind::Channel | Kind::Shard => 0,
    };
    2 * name.len() + SUBSCRIPTION_BYTES + pattern_bytes
}

/// What a connection listens to. Ends when dropped.
pub(crate) struct Subscriptions {
    hub: Arc<Hub>,
    client: u64,
    mailbox: Arc<Mailbox>,
    names: [BTreeSet<Box<[u8]>>; 3],
    bytes: usize,
}

impl Subscriptions {
    pub(crate) fn new(shared: &Shared, session: &Session) -> Self {
        Self {
            hub: shared.hub(session).clone(),
            client: session.id,
            mailbox: session
                .client
                .open_mailbox(shared.buffers.of(session))
                .clone(),
            names: Default::default(),
            bytes: 0,
        }
    }

    /// Bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them.
    pub(crate) fn total(&self) -> usize {
        self.counts().iter().sum()
    }

    /// Those of each kind, in the order of [`Kind`].
    pub(crate) fn counts(&self) -> [usize; 3] {
        self.names.each_ref().map(BTreeSet::len)
    }

    /// What replies about `kind` count: channels and patterns together, those of shards alone.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        let [channels, patterns, shards] = self.counts();
        match kind {
            Kind::Channel | Kind::Pattern => channels + patterns,
            Kind::Shard => shards,
        }
    }

    /// Appends what has come and was not sent yet to `out`.
    pub(crate) fn take_mail(&self, out: &mut Vec<u8>) {
        self.mailbox.take(out);
    }

    pub(crate) fn names(&self, kind: Kind) -> Vec<Box<[u8]>> {
        self.names[kind as usize].iter().cloned().collect()
    }

    /// Whether the tenant may listen to those patterns, too.
    pub(crate) fn may_add_patterns<'a>(&self, patterns: impl Iterator<Item = &'a [u8]>) -> bool {
        self.hub.has_room_for(patterns)
    }

    pub(crate) fn add(&mut self, kind: Kind, name: &[u8]) {
        if self.names[kind as usize].insert(name.into()) {
            self.bytes += bytes(kind, name);
            self.hub.add(kind, name, self.client, &self.mailbox);
            self.mailbox.set_listening(true);
        }
    }

    pub(crate) fn remove(&mut self, kind: Kind, name: &[u8]) {
        if self.names[kind as usize].remove(name) {
            self.bytes -= bytes(kind, name);
            self.hub.remove(kind, name, self.client);
            self.mailbox.set_listening(self.total() > 0);
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.mailbox.set_listening(false);
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in &self.names[kind as usize] {
                self.hub.remove(kind, name, self.client);
            }
        }
    }
}

impl Session {
    /// Whether it listens to a channel.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.subscriptions
            .as_ref()
            .is_some_and(|subscriptions| subscriptions.total() > 0)
    }
}
