//! Signing in: at once where it costs nothing, late where a password has to be checked or was wrong.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use larder_resp::Version;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::warn;

use super::log::{Denial, Reason};
use super::secret::sha256;
use super::{Address, User, Users, passwords};
use crate::stats::bump;

/// What AUTH, or HELLO with AUTH, asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    pub(crate) name: String,
    pub(crate) password: Vec<u8>,
    /// What HELLO asks for besides; `None` for AUTH.
    pub(crate) hello: Option<Hello>,
}

/// What HELLO changes when its user is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) version: Version,
    pub(crate) name: Option<Vec<u8>>,
}

/// How far one gets without waiting.
pub(crate) enum Tried {
    /// That is them.
    In(Arc<User>),
    /// They may not even try.
    Refused(Refused),
    /// It takes a while to say.
    Unknown,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No such user, not their password, or they are off: nobody is told which.
    Wrong,
    /// Too many wrong passwords from that address, and how long nobody may try again.
    LockedOut { left_ms: u64 },
    /// Too many passwords wait to be checked.
    Busy,
}

impl Refused {
    /// The whole text of the reply.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Wrong => {
                "WRONGPASS invalid username-password pair or user is disabled.".to_owned()
            }
            Self::LockedOut { left_ms } => format!(
                "WRONGPASS too many wrong passwords from your address, try again in {} s",
                left_ms.div_ceil(1000)
            ),
            Self::Busy => "ERR too many are signing in, try again".to_owned(),
        }
    }
}

impl Users {
    /// Signs in if that can be said at once: without a password, with one that is cheap to check, or
    /// with one that was right a while ago.
    pub(crate) fn try_sign_in(
        &self,
        name: &str,
        password: &[u8],
        address: Option<Address>,
    ) -> Tried {
        let user = self.find(name).filter(|user| user.profile.is_enabled);
        let now = (self.clock)();
        if let Some(user) = user.as_ref().filter(|user| user.is_open()) {
            return Tried::In(user.clone());
        }
        if let Some(left_ms) = self.failures.locked_out_ms(address, now) {
            return Tried::Refused(Refused::LockedOut { left_ms });
        }
        let Some(user) = user else {
            return Tried::Unknown;
        };
        let digest = sha256(password);
        let mut cheap = user.profile.secrets.iter().filter(|own| !own.is_costly());
        let is_right = cheap.any(|own| own.matches(password, &digest))
            || self.passwords.remembers(&user, password, now);
        if !is_right {
            return Tried::Unknown;
        }
        self.note_right(name);
        Tried::In(user)
    }

    /// Signs in, however long that takes: a wrong password is answered late, and later each time.
    pub(crate) async fn sign_in(
        self: Arc<Self>,
        name: String,
        password: Vec<u8>,
        address: Option<Address>,
        denial: Denial,
    ) -> Result<Arc<User>, Refused> {
        match self.try_sign_in(&name, &password, address) {
            Tried::In(user) => return Ok(user),
            Tried::Refused(refused) => return Err(refused),
            Tried::Unknown => {}
        }
        let (answer, answered) = oneshot::channel();
        let users = self.clone();
        // Noted there, not here: who goes away before the answer has tried all the same.
        let job = move || {
            let result = users.check_password(&name, &password, address, denial);
            // Whoever asked may be gone.
            let _ = answer.send(result);
        };
        if !self.passwords.run(Box::new(job)) {
            return Err(Refused::Busy);
        }
        match answered.await {
            Ok(Ok(user)) => Ok(user),
            Ok(Err((refused, delay))) => {
                sleep(delay).await;
                Err(refused)
            }
            Err(_) => Err(Refused::Busy),
        }
    }

    /// The user if the password is right, otherwise why not and how late to say so.
    pub(super) fn check_password(
        &self,
        name: &str,
        password: &[u8],
        address: Option<Address>,
        denial: Denial,
    ) -> Result<Arc<User>, (Refused, Duration)> {
        // Others may have come from there while this one waited.
        if let Some(left_ms) = self.failures.locked_out_ms(address, (self.clock)()) {
            return Err((Refused::LockedOut { left_ms }, Duration::ZERO));
        }
        let user = self.find(name).filter(|user| user.profile.is_enabled);
        let secrets = user.as_ref().map_or(&[][..], |user| &user.profile.secrets);
        let is_right = passwords::check(secrets, password, &sha256(password), self.costly_most());
        let now = (self.clock)();
        if let Some(user) = user.filter(|_| is_right) {
            self.passwords.remember(&user, password, now);
            self.note_right(name);
            return Ok(user);
        }
        let penalty = self.failures.note(name, address, now);
        bump(&self.counters.failures);
        if penalty.locks_out {
            bump(&self.counters.lock_outs);
            warn!(
                client = denial.client,
                "too many wrong passwords: its address is locked out"
            );
        }
        self.log.note(Reason::Auth, "AUTH", name, denial, now);
        Err((Refused::Wrong, penalty.delay))
    }

    /// Costly secrets of the user who has the most.
    fn costly_most(&self) -> usize {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        let costly = |user: &Arc<User>| {
            let secrets = user.profile.secrets.iter();
            secrets.filter(|secret| secret.is_costly()).count()
        };
        users.values().map(costly).max().unwrap_or_default()
    }

    fn note_right(&self, name: &str) {
        bump(&self.counters.sign_ins);
        self.failures.forget(name);
    }
}
