//! What a command can see and change: its connection's [`Session`], the [`Context`] of one call, and
//! the [`Flow`] it answers with.

use std::sync::Arc;
use std::time::Duration;

use larder_engine::recording::Plan;
use larder_engine::{Decider, Millis, Store, Tenant};
use larder_resp::{ArgsBuf, Reply, Version};

use crate::clients::{Client, Origin};
use crate::fetch::Fetch;
use crate::mailbox::Mailbox;
use crate::meter::Watch;
use crate::onlookers::Following;
use crate::onlookers::monitor::Monitoring;
use crate::pubsub::Subscriptions;
use crate::transaction::Transaction;
use crate::users::SignIn;
use crate::waiting::Waiting;
use crate::{Login, Shared};

/// The state of one connection that commands read and write.
pub struct Session {
    /// Number of the connection, counted from 1, never given twice in the life of a process.
    pub id: u64,
    /// Selected database, `0..16`.
    pub db: u8,
    /// Protocol version that replies are written in; changed by HELLO.
    pub version: Version,
    /// Whose entries this connection works on. Commands use [`Context::store`].
    pub tenant: Arc<Tenant>,
    /// Who the connection speaks for.
    pub login: Login,
    /// What others see of it.
    pub(crate) client: Arc<Client>,
    pub(crate) replies: Replies,
    /// What is sent of the request that is carried out although the client wants no reply to it.
    pub(crate) unasked: Vec<u8>,
    pub(crate) no_evict: bool,
    /// Its reads leave no trace.
    pub(crate) no_touch: bool,
    /// It waits for the end of a pause.
    pub(crate) is_paused: bool,
    pub(crate) transaction: Option<Box<Transaction>>,
    /// How many changes of anybody's had fallen short of their replicas before the first that it has made since it asked
    /// where they are.
    pub(crate) short_before: Option<u64>,
    /// What the next request waits for.
    pub(crate) fetch: Option<Box<Fetch>>,
    /// What it waits for of other clients.
    pub(crate) waiting: Option<Box<Waiting>>,
    pub(crate) subscriptions: Option<Box<Subscriptions>>,
    pub(crate) monitoring: Option<Monitoring>,
    pub(crate) following: Option<Box<Following>>,
}

impl Session {
    /// A connection that has said nothing yet.
    pub(crate) fn new(id: u64, login: Login, origin: Origin, now: Millis) -> Self {
        Self {
            id,
            client: Client::new(id, origin, login.user().clone(), now),
            db: 0,
            version: Version::V2,
            tenant: login.user().tenant().clone(),
            login,
            replies: Replies::On,
            unasked: Vec::new(),
            no_evict: false,
            no_touch: false,
            is_paused: false,
            transaction: None,
            short_before: None,
            fetch: None,
            waiting: None,
            subscriptions: None,
            monitoring: None,
            following: None,
        }
    }

    /// Where messages for the connection come in, once somebody may send any. On the way of every turn.
    #[inline]
    pub(crate) fn mailbox(&self) -> Option<&Mailbox> {
        self.client.mailbox().map(|mailbox| &**mailbox)
    }

    /// Changes the version of the protocol, that of messages too.
    pub(crate) fn set_version(&mut self, version: Version) {
        self.version = version;
        self.client.set_version(version);
    }

    /// Whether it is, or was, told what others do.
    #[inline]
    pub(crate) fn is_told(&self) -> bool {
        self.subscriptions.is_some() || self.monitoring.is_some()
    }

    /// Whether slower tiers have to catch up before more is written.
    #[inline]
    pub(crate) fn is_full_below(&self) -> bool {
        self.tenant.below().is_some_and(|below| below.is_full())
    }

    /// Whether it waits for messages, for as long as it likes.
    pub(crate) fn is_listening(&self) -> bool {
        self.is_subscribed() || self.monitoring.is_some()
    }

    /// Listens to nothing any more, and forgets what had come.
    pub(crate) fn stop_listening(&mut self) {
        self.subscriptions = None;
        self.monitoring = None;
        self.following = None;
        if let Some(mailbox) = self.mailbox() {
            mailbox.discard();
        }
    }

    /// Whether the client wants no reply to the request that is carried out.
    pub(crate) fn is_hushed(&self) -> bool {
        matches!(self.replies, Replies::Off | Replies::Skip)
    }

    /// Takes back what was replied to a request from `at` on, where the client wants no reply; what is said
    /// of subscriptions is sent all the same.
    #[cold]
    pub(crate) fn hush(&mut self, out: &mut Vec<u8>, at: usize) {
        if self.is_hushed() {
            out.truncate(at);
            out.append(&mut self.unasked);
        }
        match self.replies {
            Replies::SkipNext => self.replies = Replies::Skip,
            Replies::Skip => self.replies = Replies::On,
            Replies::On | Replies::Off => {}
        }
    }

    /// Bytes that are held for the connection beside its buffers.
    pub(crate) fn held_bytes(&self) -> usize {
        let transaction = self.transaction.as_ref();
        let subscriptions = self.subscriptions.as_ref();
        let following = self.following.as_ref();
        transaction.map_or(0, |transaction| transaction.bytes())
            + subscriptions.map_or(0, |subscriptions| subscriptions.bytes())
            + self.fetch.as_ref().map_or(0, |fetch| fetch.bytes())
            + following.map_or(0, |following| following.bytes())
    }
}

/// Whether the client wants replies; see CLIENT REPLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replies {
    On,
    /// None to the request behind this one.
    SkipNext,
    /// None to this request.
    Skip,
    Off,
}

/// Everything one call of a command works with.
pub struct Context<'a> {
    /// State of the whole server.
    pub shared: &'a Shared,
    /// State of this connection.
    pub session: &'a mut Session,
    /// The entries of the connection's tenant; within a transaction its shards, held.
    pub store: Store<'a>,
    /// Decides over the values that this worker writes.
    pub decider: &'a mut dyn Decider,
    /// Time of this batch of requests, read once when it arrived.
    pub now: Millis,
    /// Times what this turn of the connection carries out.
    pub(crate) watch: &'a mut Watch,
    /// Writer of the reply.
    pub reply: Reply<'a>,
    /// It is a part of several that are one: nothing is waited for.
    pub(crate) is_part: bool,
    /// The keys that it works on, where a level has the authority over them: each with its database.
    pub(crate) borrowed: Vec<(u8, Box<[u8]>)>,
    /// How long policies have been asked while shards were held.
    pub(crate) asked: Duration,
    /// How long room on the way to slower tiers has been waited for while shards were held.
    pub(crate) waited: Duration,
    /// Commands that were carried out within this one.
    pub(crate) carried: u64,
}

impl<'a> Context<'a> {
    /// What a call works with whose replies go to `out`.
    #[inline]
    pub(crate) fn new(
        shared: &'a Shared,
        session: &'a mut Session,
        decider: &'a mut dyn Decider,
        now: Millis,
        watch: &'a mut Watch,
        out: &'a mut Vec<u8>,
    ) -> Self {
        let tenant = &shared.engine.tenants()[session.tenant.number()];
        Self {
            shared,
            store: Store::open(tenant, session.no_touch),
            reply: Reply::new(out, session.version),
            session,
            decider,
            now,
            watch,
            is_part: false,
            borrowed: Vec::new(),
            asked: Duration::ZERO,
            waited: Duration::ZERO,
            carried: 0,
        }
    }

    /// Whether the output of this connection is over `output_bytes_max`. A command whose reply has no
    /// bound of its own (many values of any size) asks between values, and answers [`Flow::Overfull`] when
    /// this is true: the client is cut off before the reply exhausts the memory of the process.
    pub fn output_is_full(&self) -> bool {
        self.reply.out_len() > self.shared.config.output_bytes_max
    }
}

/// What the connection does after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// Go on with the next request.
    Continue,
    /// Close the connection once what was replied is written; requests after this one are not executed.
    Close,
    /// The same, because the reply would be longer than a connection may hold.
    Overfull,
    /// Empty one database, or all (`None`), in steps between which other connections are served; then
    /// reply `+OK` and go on with the next request. The command itself has replied nothing.
    Flush(Option<u8>),
    /// Remove what begins so from the selected database, in steps as for [`Self::Flush`]; then reply `+OK`, or why it could
    /// not be.
    FlushPrefix(Vec<u8>),
    /// List the keys of the selected database that match the pattern, which has 1,024 bytes at most, in
    /// steps between which other connections are served; then go on with the next request. The command
    /// itself has replied nothing.
    Keys(Vec<u8>),
    /// List so many of the hottest keys of the selected database, likewise.
    Hot(usize),
    /// Bring these keys of the selected database into memory, then tell what came of it. The command itself has replied
    /// nothing.
    Warm(ArgsBuf),
    /// Have the order carried out while other connections are served; then reply `+OK`, or why it could
    /// not be. The command itself has replied nothing.
    Order(Order),
    /// Find out whether the password is right; then reply, and go on with the next request. The command
    /// itself has replied nothing.
    SignIn(Box<SignIn>),
    /// Load what the request lacks in memory, or wait for other clients, as the session says, and present it again. It
    /// was not carried out.
    Fetch,
    /// Record what clients do to the tenant, and stream it until the client says no more; requests after
    /// this one are not executed. The command itself has replied nothing.
    Record(Plan),
}

impl Flow {
    /// Whether what was asked for goes on in steps.
    pub(crate) fn is_paced(&self) -> bool {
        matches!(
            self,
            Self::Keys(_) | Self::Hot(_) | Self::Flush(_) | Self::FlushPrefix(_)
        )
    }
}

/// What an operator wants done with the policies; it may take seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// See [`larder_engine::Policies::enable`].
    Enable(String),
    /// See [`larder_engine::Policies::disable`].
    Disable(String),
    /// See [`larder_engine::Policies::rollback`].
    Rollback(String),
    /// See [`larder_engine::Policies::reload`].
    Reload,
}
