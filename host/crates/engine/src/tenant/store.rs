//! What a command works on, whether it stands alone or is a part of several that are one.

use super::locked::Locked;
use super::{FlushCursor, Standing, Tenant};
use crate::edit::{Access, Edit};
use crate::entry::{Entry, Key, Millis};
use crate::error::Error;
use crate::stats::TenantStats;

/// A tenant's entries. Where they are held, a key that was not locked is not there, and what speaks of
/// all entries speaks of the shards that are held.
pub enum Store<'t> {
    /// Each operation locks what it needs for as long as it takes.
    Open(&'t Tenant),
    /// As [`Store::Open`], but reads leave no trace, as with [`Tenant::peek`].
    Quiet(&'t Tenant),
    /// Locked until this is dropped: others see all that is done here, or nothing.
    Held(Locked<'t>),
}

/// Several keys of a [`Store`]: locked for the moment, or held already. Operations are those of
/// [`Locked`].
pub enum Several<'s, 't> {
    /// Locked until this is dropped.
    Moment(Locked<'t>),
    /// Held by the store.
    Held(&'s mut Locked<'t>),
}

impl<'t> Store<'t> {
    /// Whose entries they are. What the tenant itself does locks shards and must not be done while they
    /// are held; its name, its bounds and who rules can be asked for.
    pub fn tenant(&self) -> &'t Tenant {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant,
            Self::Held(locked) => locked.tenant(),
        }
    }

    /// Has reads from now on leave a trace, or none.
    pub fn set_quiet(&mut self, is_quiet: bool) {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) if is_quiet => *self = Self::Quiet(tenant),
            Self::Open(tenant) | Self::Quiet(tenant) => *self = Self::Open(tenant),
            Self::Held(locked) => locked.is_quiet = is_quiet,
        }
    }

    /// Whether shards are held: whoever takes long makes others wait.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// See [`Tenant::get`].
    #[inline]
    pub fn get<R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        match self {
            Self::Open(tenant) => tenant.get(key, now, read),
            Self::Quiet(tenant) => tenant.peek(key, now, read),
            Self::Held(locked) => locked.get(key, now, read),
        }
    }

    /// See [`Tenant::peek`].
    pub fn peek<R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant.peek(key, now, read),
            Self::Held(locked) => locked.peek(key, now, read),
        }
    }

    /// See [`Tenant::update`]; where shards are held, the fallback makes room.
    ///
    /// # Errors
    /// As [`Tenant::update`].
    pub fn update<'v, R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        access: Access,
        bytes_hint: usize,
        edit: impl FnMut(Option<Entry<'_>>) -> (Edit<'v>, R),
    ) -> Result<R, Error> {
        match self {
            Self::Open(tenant) => tenant.update(key, now, access, bytes_hint, edit),
            Self::Quiet(tenant) => tenant.update(key, now, access.quiet(), bytes_hint, edit),
            Self::Held(locked) => locked.update(key, now, access, edit),
        }
    }

    /// See [`Tenant::remove`].
    pub fn remove(&mut self, key: Key<'_>, now: Millis) -> bool {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant.remove(key, now),
            Self::Held(locked) => locked.remove(key, now),
        }
    }

    /// Several keys at one moment. See [`Tenant::lock`].
    ///
    /// # Errors
    /// As [`Tenant::lock`].
    pub fn lock<'k>(
        &mut self,
        keys: impl IntoIterator<Item = Key<'k>>,
        bytes_hint: usize,
        now: Millis,
    ) -> Result<Several<'_, 't>, Error> {
        match self {
            Self::Open(tenant) => tenant.lock(keys, bytes_hint, now).map(Several::Moment),
            Self::Quiet(tenant) => {
                let mut locked = tenant.lock(keys, bytes_hint, now)?;
                locked.is_quiet = true;
                Ok(Several::Moment(locked))
            }
            Self::Held(locked) => {
                keys.into_iter().try_for_each(super::check_key)?;
                Ok(Several::Held(locked))
            }
        }
    }

    /// See [`Tenant::scan`].
    pub fn scan(
        &mut self,
        db: u8,
        cursor: u64,
        count: usize,
        now: Millis,
        visit: &mut dyn FnMut(Entry<'_>),
    ) -> u64 {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant.scan(db, cursor, count, now, visit),
            Self::Held(locked) => locked.scan(db, cursor, count, now, visit),
        }
    }

    /// See [`Tenant::random`].
    pub fn random<R>(
        &mut self,
        db: u8,
        now: Millis,
        read: impl FnMut(Entry<'_>) -> R,
    ) -> Option<R> {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant.random(db, now, read),
            Self::Held(locked) => locked.random(db, now, read),
        }
    }

    /// Removes every entry of `db`, or of all databases, at once.
    pub fn flush(&mut self, db: Option<u8>) {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => {
                let mut at = FlushCursor::default();
                while let Some(next) = tenant.flush(db, at) {
                    at = next;
                }
            }
            Self::Held(locked) => locked.flush(db),
        }
    }

    /// See [`Tenant::len`].
    pub fn len(&mut self, db: u8) -> u64 {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant.len(db),
            Self::Held(locked) => locked.len(db),
        }
    }

    /// Whether database `db` has no entry.
    pub fn is_empty(&mut self, db: u8) -> bool {
        self.len(db) == 0
    }

    /// See [`Tenant::stats`].
    pub fn stats(&self) -> TenantStats {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant.stats(),
            Self::Held(locked) => locked.stats(),
        }
    }

    /// See [`Tenant::standing`].
    pub fn standing(&mut self, key: Key<'_>, now: Millis) -> Option<Standing> {
        match self {
            Self::Open(tenant) | Self::Quiet(tenant) => tenant.standing(key, now),
            Self::Held(locked) => locked.standing(key, now),
        }
    }
}

impl<'t> std::ops::Deref for Several<'_, 't> {
    type Target = Locked<'t>;

    fn deref(&self) -> &Locked<'t> {
        match self {
            Self::Moment(locked) => locked,
            Self::Held(locked) => locked,
        }
    }
}

impl<'t> std::ops::DerefMut for Several<'_, 't> {
    fn deref_mut(&mut self) -> &mut Locked<'t> {
        match self {
            Self::Moment(locked) => locked,
            Self::Held(locked) => locked,
        }
    }
}

#[cfg(test)]
mod tests;
