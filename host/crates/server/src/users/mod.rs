//! Users: who may sign in, what they may do, and which tenant they work on.
//!
//! A connection holds its [`User`] and asks nobody while the generation of the [`Users`] is the one it
//! saw: for who may do everything a request costs one comparison.

mod failures;
mod log;
mod login;
mod passwords;
mod quota;
mod rights;
mod rules;
mod secret;
mod sign_in;
mod touched;
mod user;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use larder_engine::{Engine, Millis, Tenant};

pub(crate) use failures::Address;
pub(crate) use log::{Denial, Reason};
pub use login::Login;
pub(crate) use login::Stopped;
pub use quota::TenantLimits;
pub(crate) use quota::{Quota, Seat};
pub(crate) use rights::{Denied, Rights};
pub use rules::check_rules;
pub(crate) use rules::{CATEGORIES, apply_all, commands_of, join_selectors};
pub use secret::{check_password_hash, hash_password};
pub use sign_in::SignIn;
pub(crate) use sign_in::{Hello, Refused, Tried};
pub(crate) use user::Profile;
pub use user::User;

use crate::UserTotals;
use failures::Failures;
use log::DenialLog;
use passwords::Passwords;

/// The user of whoever has not signed in, and of AUTH without a name. Always there.
pub(crate) const DEFAULT: &str = "default";
/// Most users there may be.
const USERS_MAX: usize = 10_000;

/// A user as the configuration describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserConfig {
    /// The name they sign in with.
    pub name: String,
    /// The tenant they work on.
    pub tenant: String,
    /// Whether they may do what concerns the whole server.
    pub is_admin: bool,
    /// PHC strings of the passwords that are right; without one any is.
    pub password_hashes: Vec<String>,
    /// What they may do, as ACL SETUSER takes it, with spaces between; `None`: everything.
    pub rules: Option<String>,
}

/// All users, and what concerns signing in.
pub struct Users {
    /// Changes whenever a user does.
    generation: AtomicU64,
    users: RwLock<BTreeMap<String, Arc<User>>>,
    next_number: AtomicU64,
    passwords: Passwords,
    failures: Failures,
    log: DenialLog,
    counters: Counters,
    quotas: Vec<Arc<Quota>>,
    clock: fn() -> Millis,
    random: fn(&mut [u8]) -> io::Result<()>,
}

/// What happened to those who tried.
#[derive(Default)]
struct Counters {
    sign_ins: AtomicU64,
    failures: AtomicU64,
    lock_outs: AtomicU64,
    denied_commands: AtomicU64,
    denied_keys: AtomicU64,
    denied_channels: AtomicU64,
    unauthenticated: AtomicU64,
}

impl Users {
    /// The users of the configuration; without any the default user may do everything. Then there is
    /// no other way to say who may, so whoever can connect may.
    ///
    /// Users of a tenant that is not there are left out, and a rule that is none allows nothing: who
    /// reads the configuration refuses both.
    pub(crate) fn new(
        configured: &[UserConfig],
        limits: &[TenantLimits],
        engine: &Engine,
        clock: fn() -> Millis,
        random: fn(&mut [u8]) -> io::Result<()>,
    ) -> Self {
        let quota = |number| limits.get(number).copied().unwrap_or_default();
        let all = Self {
            generation: AtomicU64::new(0),
            users: RwLock::default(),
            next_number: AtomicU64::new(0),
            passwords: Passwords::new(random),
            failures: Failures::default(),
            log: DenialLog::default(),
            counters: Counters::default(),
            quotas: (0..engine.tenants().len())
                .map(|number| Arc::new(Quota::new(quota(number))))
                .collect(),
            clock,
            random,
        };
        let first = if configured.is_empty() {
            Profile::everything()
        } else {
            Profile::default()
        };
        let default = engine.default_tenant();
        all.insert(DEFAULT, default, configured.is_empty(), first);
        for user in configured {
            if let Some(tenant) = engine.tenant(&user.tenant) {
                all.insert(&user.name, tenant, user.is_admin, Profile::of(user));
            }
        }
        all
    }

    /// Which state of the users this is.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The user of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<User>> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.get(name).cloned()
    }

    /// The user of whoever has not signed in.
    pub(crate) fn default_user(&self) -> Option<Arc<User>> {
        self.find(DEFAULT)
    }

    /// All users, by name.
    pub(crate) fn all(&self) -> Vec<Arc<User>> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.values().cloned().collect()
    }

    /// Changes a user, or makes one of this tenant. Nothing changes when `change` fails.
    ///
    /// # Errors
    /// Those of `change`; `None` when there are too many users.
    pub(crate) fn set<E>(
        &self,
        name: &str,
        tenant: &Arc<Tenant>,
        change: impl FnOnce(&mut Profile) -> Result<(), E>,
    ) -> Result<(), Option<E>> {
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        let known = users.get(name).cloned();
        if known.is_none() && users.len() >= USERS_MAX {
            return Err(None);
        }
        let mut profile = known
            .as_ref()
            .map_or_else(Profile::default, |user| user.profile.clone());
        change(&mut profile)?;
        let user = match known {
            Some(user) => User {
                name: user.name.clone(),
                number: user.number,
                tenant: user.tenant.clone(),
                is_admin: user.is_admin,
                profile,
            },
            None => self.user(name, tenant, false, profile),
        };
        users.insert(name.to_owned(), Arc::new(user));
        self.generation.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Removes a user, and returns it if there was one.
    pub(crate) fn remove(&self, name: &str) -> Option<Arc<User>> {
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        let removed = users.remove(name)?;
        self.generation.fetch_add(1, Ordering::Relaxed);
        Some(removed)
    }

    /// What a tenant may take, and has taken.
    pub(crate) fn quota(&self, tenant: &Tenant) -> Option<&Arc<Quota>> {
        self.quotas.get(tenant.number())
    }

    /// What was denied of late.
    pub(crate) fn log(&self) -> &DenialLog {
        &self.log
    }

    /// Fills `bytes` with what nobody can guess.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        (self.random)(bytes)
    }

    /// What was counted.
    pub(crate) fn totals(&self) -> UserTotals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        UserTotals {
            sign_ins: load(&counters.sign_ins),
            failures: load(&counters.failures),
            lock_outs: load(&counters.lock_outs),
            unauthenticated: load(&counters.unauthenticated),
            denied_commands: load(&counters.denied_commands),
            denied_keys: load(&counters.denied_keys),
            denied_channels: load(&counters.denied_channels),
        }
    }

    fn insert(&self, name: &str, tenant: &Arc<Tenant>, is_admin: bool, profile: Profile) {
        let user = self.user(name, tenant, is_admin, profile);
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        users.insert(name.to_owned(), Arc::new(user));
    }

    fn user(&self, name: &str, tenant: &Arc<Tenant>, is_admin: bool, profile: Profile) -> User {
        User {
            name: name.to_owned(),
            number: self.next_number.fetch_add(1, Ordering::Relaxed),
            tenant: tenant.clone(),
            is_admin,
            profile,
        }
    }
}

#[cfg(test)]
mod tests;
