//! Who looks on: listeners to keyspace notifications, connections that keep values of their own, and those
//! who are told what others do.

mod backlog;
mod event;
mod hook;
pub(crate) mod monitor;
mod tracking;
mod trial;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder_engine::changes::{Change, Listener};
use larder_engine::{Engine, Key};

use crate::Context;
use crate::budget::Budget;
use crate::pubsub::{Hub, Kind};
pub(crate) use backlog::defer_events;
use backlog::{Backlog, What};
pub(crate) use event::Event;
pub use event::KeyspaceEvents;
pub use hook::{Gone, Hook, HookSink, HookTarget};
use tracking::Tracking;
pub use tracking::TrackingFigures;
pub(crate) use tracking::{Follower, Following, KEYS_MAX, Mode};
pub(crate) use trial::{Heard, Trial};

/// Those who look on at one tenant.
pub(crate) struct Onlookers {
    hub: Arc<Hub>,
    /// [`KeyspaceEvents`] that are told; of all tenants.
    told: Arc<AtomicU32>,
    backlog: Backlog,
    tracking: Tracking,
    hooks: Vec<Hook>,
}

/// What telling an event takes beside looking its channels up among patterns, in bytes of their names.
const TELLING_WORK: usize = 64;

impl Onlookers {
    /// `bytes_max` of `budget` may be taken for what is remembered of keys that are read.
    pub(crate) fn new(
        told: Arc<AtomicU32>,
        budget: Arc<Budget>,
        bytes_max: usize,
        hooks: Vec<Hook>,
    ) -> Self {
        Self {
            hub: Arc::default(),
            told,
            backlog: Backlog::default(),
            tracking: Tracking::new(budget, bytes_max),
            hooks,
        }
    }

    /// The channels of the tenant.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Figures of client-side caching.
    pub(crate) fn tracking_figures(&self) -> TrackingFigures {
        self.tracking.figures()
    }

    /// Whether such events are told.
    #[inline]
    pub(crate) fn hear(&self, event: Event) -> bool {
        KeyspaceEvents(self.told.load(Ordering::Relaxed)).include(event)
    }

    /// Tells those who listen what a command did to a key. Commands that run at the same time may be told
    /// of in either order.
    #[inline]
    pub(crate) fn notify(&self, event: Event, key: Key<'_>) {
        if self.hear(event) {
            self.tell(event, key);
        }
    }

    #[cold]
    fn tell(&self, event: Event, key: Key<'_>) {
        let is_kept = || trial::takes(event, key) || self.backlog.takes(What::Event(event), key);
        if self.hub.is_heard() && !is_kept() {
            self.publish(event, key);
        }
    }

    /// Tells of events that have waited, for as long as `work` lasts: at least one. Work is counted in bytes
    /// of names that are compared with a pattern.
    pub(crate) fn tell_late(&self, work: &mut usize) {
        while *work > 0 {
            let Some(late) = self.backlog.next() else {
                return;
            };
            let took = self.hub.work(late.key.len()) + TELLING_WORK;
            *work = work.saturating_sub(took);
            let key = Key::new(late.db, &late.key);
            match late.what {
                What::Event(event) => self.publish(event, key),
                What::Hook(number, gone) => self.publish_hook(number, gone, key),
            }
        }
    }

    /// Events that were dropped because too many waited, since the server started.
    pub(crate) fn dropped_events(&self) -> u64 {
        self.backlog.dropped()
    }

    /// As [`Self::notify`], of a value that was written; `existed` says whether it took the place of
    /// another.
    pub(crate) fn notify_written(&self, event: Event, key: Key<'_>, existed: bool) {
        if !existed {
            self.notify(Event::NEW, key);
        }
        self.notify(event, key);
    }

    fn publish(&self, event: Event, key: Key<'_>) {
        let told = KeyspaceEvents(self.told.load(Ordering::Relaxed));
        let (db, name) = (key.db, event.name.as_bytes());
        let pairs = [
            (KeyspaceEvents::KEYSPACE, "keyspace", key.bytes, name),
            (KeyspaceEvents::KEYEVENT, "keyevent", name, key.bytes),
        ];
        for (_, kind, subject, message) in pairs.iter().filter(|(class, ..)| told.has(*class)) {
            let mut channel = format!("__{kind}@{db}__:").into_bytes();
            channel.extend_from_slice(subject);
            self.hub.publish(Kind::Channel, &channel, message);
        }
    }
}

impl Onlookers {
    /// Tells hooks of an entry that went.
    fn tell_hooks(&self, gone: Gone, key: Key<'_>) {
        for (number, hook) in self.hooks.iter().enumerate() {
            if !hook.wants(gone, key) {
                continue;
            }
            match &hook.target {
                HookTarget::Sink(sink) => sink.tell(hook::event(gone, key)),
                HookTarget::Channel(_) => {
                    let what = What::Hook(number, gone);
                    if self.hub.is_heard() && !self.backlog.takes(what, key) {
                        self.publish_hook(number, gone, key);
                    }
                }
            }
        }
    }

    fn publish_hook(&self, number: usize, gone: Gone, key: Key<'_>) {
        if let Some(HookTarget::Channel(channel)) = self.hooks.get(number).map(|hook| &hook.target)
        {
            let message = hook::event(gone, key);
            self.hub.publish(Kind::Channel, channel, message.as_bytes());
        }
    }
}

impl Listener for Onlookers {
    fn changed(&self, key: Key<'_>, change: Change) {
        // As in Redis, a key means that of any database.
        self.tracking.changed(key.bytes, change);
        match change {
            Change::Expired => self.notify(Event::EXPIRED, key),
            Change::Evicted => self.notify(Event::EVICTED, key),
            Change::Invalidated => self.notify(Event::INVALIDATED, key),
            // Commands tell of what they do, as the same change has several names; those of other hosts tell there.
            Change::Written | Change::Expiry | Change::Removed | Change::Elsewhere => {}
        }
        if let Some(gone) = Gone::of(change) {
            self.tell_hooks(gone, key);
        }
    }

    fn emptied(&self, _db: Option<u8>) {
        self.tracking.emptied();
    }
}

/// Changes which events are told; all tenants' entries are looked at for those that come of themselves.
pub(crate) fn set_events(told: &AtomicU32, engine: &Engine, classes: KeyspaceEvents) {
    let before = KeyspaceEvents(told.swap(classes.0, Ordering::Relaxed));
    let own = [Event::EXPIRED, Event::EVICTED, Event::INVALIDATED];
    let wants =
        [before, classes].map(|classes| own.into_iter().any(|event| classes.include(event)));
    for tenant in engine.tenants() {
        match wants {
            [false, true] => tenant.changes().want(),
            [true, false] => tenant.changes().want_no_more(),
            _ => {}
        }
    }
}

impl<'a> Context<'a> {
    /// Those who look on at the connection's tenant.
    #[inline]
    pub(crate) fn onlookers(&self) -> &'a Onlookers {
        let shared = self.shared;
        &shared.onlookers[self.session.tenant.number()]
    }
}
