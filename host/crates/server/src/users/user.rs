//! A user: who may sign in, and what they may do then.

use std::sync::Arc;

use larder_engine::Tenant;
use larder_resp::{Args, ArgsBuf};

use super::rights::{Denied, Rights};
use super::secret::Secret;
use super::{UserConfig, rules};
use crate::commands::{Command, resolve};

/// A user as they stand at one moment; a change makes another one of the same name and number.
pub struct User {
    pub(super) name: String,
    /// Tells this user from a later one of the same name.
    pub(super) number: u64,
    pub(super) tenant: Arc<Tenant>,
    pub(super) is_admin: bool,
    pub(super) profile: Profile,
}

/// What rules say of a user.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) is_enabled: bool,
    /// Any password is right.
    pub(crate) needs_no_password: bool,
    pub(crate) secrets: Vec<Secret>,
    /// What may be done, and what may be done besides.
    pub(crate) rights: Rights,
    pub(crate) selectors: Vec<Rights>,
}

impl Default for Profile {
    /// One who may neither sign in nor do anything, as ACL SETUSER begins with.
    fn default() -> Self {
        Self {
            is_enabled: false,
            needs_no_password: false,
            secrets: Vec::new(),
            rights: Rights::nothing(),
            selectors: Vec::new(),
        }
    }
}

impl Profile {
    /// Whoever it is may do everything, without a password.
    pub(super) fn everything() -> Self {
        Self {
            is_enabled: true,
            needs_no_password: true,
            rights: Rights::everything(),
            ..Self::default()
        }
    }

    /// As the configuration has it. What is wrong with that allows nothing.
    pub(super) fn of(config: &UserConfig) -> Self {
        let mut profile = Self::everything();
        if let Some(rules) = &config.rules {
            profile.rights = Rights::nothing();
            if rules::apply_text(&mut profile, rules).is_err() {
                return Self::default();
            }
        }
        let hashes = config.password_hashes.iter();
        profile.needs_no_password = config.password_hashes.is_empty();
        profile.secrets = hashes
            .filter_map(|hash| Secret::argon2(hash).ok())
            .collect();
        profile
    }
}

impl User {
    /// The name they sign in with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the same user, whatever has changed of them.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }

    /// The store they work on.
    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// Whether they may do what concerns the whole server: settings, users, policies, other tenants.
    pub fn is_admin(&self) -> bool {
        self.is_admin
    }

    /// Whether they may know of a policy that decides for the tenant of that name, `*` for all.
    pub(crate) fn knows_policies_of(&self, tenant: &str) -> bool {
        self.is_admin || tenant == "*" || tenant == self.tenant.name()
    }

    /// What the rules say.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Whether they may sign in without a password.
    pub(crate) fn is_open(&self) -> bool {
        self.profile.is_enabled && self.profile.needs_no_password
    }

    /// Whether every command, key and channel is theirs.
    pub(super) fn is_free(&self) -> bool {
        self.profile.rights.is_everything()
    }

    /// Whether they may listen to a channel, or by a pattern.
    pub(super) fn may_hear(&self, channel: &[u8], is_pattern: bool) -> bool {
        let selectors = self.profile.selectors.iter();
        let mut all = selectors.chain([&self.profile.rights]);
        all.any(|rights| rights.allows_channel(channel, is_pattern))
    }

    /// Whether a command that names neither key nor channel is theirs.
    pub(super) fn may_use(&self, words: &[&str]) -> bool {
        let request: ArgsBuf = words.iter().map(|word| word.as_bytes()).collect();
        let found = resolve(request.args());
        found.is_ok_and(|found| self.check(found.command, request.args()).is_ok())
    }

    /// Whether they may have this request carried out.
    ///
    /// # Errors
    /// What stands in the way, of several selectors in that which comes the nearest.
    pub(crate) fn check(&self, command: &'static Command, args: Args<'_>) -> Result<(), Denied> {
        let Profile {
            rights, selectors, ..
        } = &self.profile;
        let mut result = rights.check(command, args);
        for selector in selectors {
            result = match (result, selector.check(command, args)) {
                (Ok(()), _) | (_, Ok(())) => return Ok(()),
                (Err(one), Err(other)) => Err(one.max(other)),
            };
        }
        result
    }
}
