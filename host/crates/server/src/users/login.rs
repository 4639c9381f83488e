//! Who a connection speaks for, and whether they may do what it asks.

use std::sync::Arc;

use larder_resp::Args;

use super::rights::full_name;
use super::{DEFAULT, Denial, Denied, Reason, Seat, User, Users};
use crate::commands::{Command, Failure};
use crate::onlookers::Following;
use crate::pubsub::{Kind, Subscriptions};
use crate::stats::bump;
use crate::{Session, Shared};

/// That nothing was seen of the users yet: no generation.
const NEVER: u64 = u64::MAX;

const NOAUTH: Failure = Failure::new("NOAUTH Authentication required.");
const NO_PLACE: Failure = Failure::new("ERR max number of clients reached");
const REMOVED: Failure = Failure::new("NOAUTH the user of this connection was removed");

/// Who a connection speaks for.
pub struct Login {
    user: Arc<User>,
    is_signed_in: bool,
    /// The generation for which the user is what they are.
    seen_at: u64,
    /// The same if the user may do everything: then nothing has to be asked.
    free_at: u64,
    /// The connection's place in the tenant, if it is bound to one.
    seat: Option<Seat>,
}

/// Why a request is not carried out.
pub(crate) enum Stopped {
    /// It is answered with this.
    Refused(Failure),
    /// That is the end of the connection too.
    Removed(Failure),
}

impl Login {
    /// Whoever has just connected: the default user, signed in if they need no password; `None` when
    /// their tenant has no place left.
    pub(crate) fn new(users: &Users) -> Option<Self> {
        let user = users.default_user()?;
        let seat = users.quota(user.tenant())?.seat();
        let is_signed_in = user.is_open();
        if is_signed_in && seat.is_none() {
            return None;
        }
        Some(Self {
            seat: seat.filter(|_| is_signed_in),
            user,
            is_signed_in,
            seen_at: NEVER,
            free_at: NEVER,
        })
    }

    /// Whoever has just shown to be `user`, for one request.
    pub(crate) fn of(user: Arc<User>) -> Self {
        Self {
            user,
            is_signed_in: true,
            seen_at: NEVER,
            free_at: NEVER,
            seat: None,
        }
    }

    /// Who it is, or who it would be without signing in.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// Whether the connection may speak for them.
    pub fn is_signed_in(&self) -> bool {
        self.is_signed_in
    }

    /// The place in the tenant; `None` before anybody has signed in.
    pub(crate) fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    /// Whether everything is allowed at this generation. On the way of every request.
    #[inline]
    pub(crate) fn is_free_at(&self, generation: u64) -> bool {
        self.free_at == generation
    }

    /// Looks the user up again if any has changed; false when they were removed.
    fn refresh(&mut self, users: &Users) -> bool {
        let generation = users.generation();
        if self.seen_at != generation {
            let now = users.find(self.user.name());
            let Some(now) = now.filter(|now| now.number == self.user.number) else {
                return false;
            };
            self.user = now;
            self.seen_at = generation;
            let is_free = self.is_signed_in && self.user.is_free();
            self.free_at = if is_free { generation } else { NEVER };
        }
        true
    }
}

impl Session {
    /// Lets the connection speak for `user`, on their tenant.
    ///
    /// # Errors
    /// When the tenant has no place left; nothing has changed then.
    pub(crate) fn enter(&mut self, shared: &Shared, user: Arc<User>) -> Result<(), Failure> {
        let is_new_tenant = user.tenant().number() != self.tenant.number();
        if is_new_tenant || self.login.seat.is_none() {
            let quota = shared.users.quota(user.tenant());
            let seat = quota.and_then(|quota| quota.seat()).ok_or(NO_PLACE)?;
            self.login.seat = Some(seat);
        }
        self.client.set_user(user.clone());
        // What was watched is another tenant's.
        if is_new_tenant {
            self.transaction = None;
            self.stop_listening();
        }
        self.tenant = user.tenant().clone();
        if let Some(mailbox) = self.mailbox() {
            mailbox.pay_from(shared.buffers.tenant(self.tenant.number()));
        }
        self.login.user = user;
        self.login.is_signed_in = true;
        self.login.seen_at = NEVER;
        self.login.free_at = NEVER;
        Ok(())
    }

    /// Has the connection begin anew, as when it had just been accepted.
    ///
    /// # Errors
    /// When the default user needs no password and their tenant has no place left.
    pub(crate) fn sign_out(&mut self, shared: &Shared) -> Result<(), Failure> {
        let default = shared.users.find(DEFAULT).ok_or(NOAUTH)?;
        if default.is_open() {
            return self.enter(shared, default);
        }
        self.tenant = default.tenant().clone();
        self.client.set_user(default.clone());
        self.login = Login {
            user: default,
            is_signed_in: false,
            seen_at: NEVER,
            free_at: NEVER,
            seat: None,
        };
        Ok(())
    }

    /// Whether this may be carried out for whoever the connection speaks for.
    ///
    /// # Errors
    /// With what to answer when it may not.
    #[inline]
    pub(crate) fn authorize(
        &mut self,
        shared: &Shared,
        command: &'static Command,
        args: Args<'_>,
    ) -> Result<(), Stopped> {
        if self.login.is_free_at(shared.users.generation()) {
            return Ok(());
        }
        self.look_closer(shared, command, args)
    }

    #[cold]
    fn look_closer(
        &mut self,
        shared: &Shared,
        command: &'static Command,
        args: Args<'_>,
    ) -> Result<(), Stopped> {
        if !self.login.refresh(&shared.users) {
            return Err(Stopped::Removed(REMOVED));
        }
        if !self.login.is_signed_in {
            if command.is_open() {
                return Ok(());
            }
            bump(&shared.users.counters.unauthenticated);
            return Err(Stopped::Refused(NOAUTH));
        }
        if command.is_open() {
            return Ok(());
        }
        let user = &self.login.user;
        user.check(command, args).map_err(|denied| {
            let denial = self.denial(full_name(command));
            Stopped::Refused(shared.users.denied(user, &denied, denial, command))
        })
    }

    /// Whether whoever this is may still hear what it listens to; asked before messages are handed over.
    #[inline]
    pub(crate) fn may_listen(&mut self, shared: &Shared) -> bool {
        self.login.seen_at == shared.users.generation() || self.listens_rightly(shared)
    }

    #[cold]
    fn listens_rightly(&mut self, shared: &Shared) -> bool {
        let is_told_of_all = |following: &Following| following.follower().mode().is_broadcast;
        let follows = self.following.as_ref().is_some_and(|it| is_told_of_all(it));
        if self.subscriptions.is_none() && self.monitoring.is_none() && !follows {
            return true;
        }
        if !self.login.refresh(&shared.users) {
            return false;
        }
        let user = &self.login.user;
        let hears = |kind, subscriptions: &Subscriptions| {
            let mut names = subscriptions.names(kind).into_iter();
            names.all(|name| user.may_hear(&name, kind == Kind::Pattern))
        };
        let kinds = [Kind::Channel, Kind::Pattern, Kind::Shard].into_iter();
        let subscriptions = self.subscriptions.as_ref();
        subscriptions.is_none_or(|all| kinds.clone().all(|kind| hears(kind, all)))
            && (self.monitoring.is_none() || user.may_use(&["MONITOR"]))
            && (!follows || user.may_use(&["CLIENT", "TRACKING", "ON"]))
    }

    /// Who this is, for the log of what was denied.
    pub(crate) fn denial(&self, command: &str) -> Denial {
        let name = self.client.name();
        Denial {
            context: "toplevel",
            client: format!(
                "id={} addr={} name={name} db={} cmd={command} user={}",
                self.id,
                self.client.peer(),
                self.db,
                self.login.user.name()
            ),
        }
    }

    /// Counts and logs that [`Self::require_admin`] stopped a command.
    #[cold]
    pub(crate) fn note_no_admin(&self, shared: &Shared, command: &'static Command) {
        let denial = self.denial(full_name(command));
        let user = &self.login.user;
        shared.users.denied(user, &Denied::Command, denial, command);
    }

    /// Goes on only for an administrator.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn require_admin(&self) -> Result<(), Failure> {
        match self.login.user.is_admin() {
            true => Ok(()),
            false => Err(Failure::NO_ADMIN),
        }
    }
}

impl Users {
    /// Counts and logs a denial: the error to reply.
    fn denied(
        &self,
        user: &User,
        denied: &Denied,
        denial: Denial,
        command: &'static Command,
    ) -> Failure {
        let (reason, counter) = match denied {
            Denied::Command => (Reason::Command, &self.counters.denied_commands),
            Denied::Key(_) => (Reason::Key, &self.counters.denied_keys),
            Denied::Channel(_) => (Reason::Channel, &self.counters.denied_channels),
        };
        bump(counter);
        let name = full_name(command);
        let object = match denied {
            Denied::Command => name.into(),
            Denied::Key(object) | Denied::Channel(object) => String::from_utf8_lossy(object),
        };
        self.log
            .note(reason, &object, user.name(), denial, (self.clock)());
        match denied {
            Denied::Command => Failure::from(format!(
                "NOPERM User {} has no permissions to run the '{name}' command",
                user.name()
            )),
            Denied::Key(_) => Failure::new("NOPERM No permissions to access a key"),
            Denied::Channel(_) => Failure::new("NOPERM No permissions to access a channel"),
        }
    }
}
