//! What a command works on, whether it stands alone or is a part of several that are one.

use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use super::locked::Locked;
use super::{FlushCursor, Standing, Tenant};
use crate::below::{Reach, Sight};
use crate::edit::{Access, Edit};
use crate::entry::{Entry, Key, Millis};
use crate::error::Error;
use crate::stats::TenantStats;

/// A tenant's entries. Where they are held, a key that was not locked is not there, and what speaks of
/// all entries speaks of the shards that are held.
pub struct Store<'t> {
    mode: Mode<'t>,
    missed: usize,
    looks_below: bool,
    has_lacked: bool,
}

enum Mode<'t> {
    /// Each operation locks what it needs for as long as it takes. Whether reads leave no trace, as with
    /// [`Tenant::peek`].
    Open(&'t Tenant, bool),
    Held(Locked<'t>),
}

/// Several keys of a [`Store`], locked until dropped or, where the store holds them, for longer. Operations are
/// those of [`Locked`].
pub struct Several<'s, 't> {
    locked: Lock<'s, 't>,
    missed: &'s mut usize,
}

enum Lock<'s, 't> {
    Moment(Locked<'t>),
    Held(&'s mut Locked<'t>),
}

impl<'t> Store<'t> {
    /// The entries of a tenant: each operation locks what it needs for as long as it takes. `is_quiet`: reads leave
    /// no trace.
    pub fn open(tenant: &'t Tenant, is_quiet: bool) -> Self {
        Self {
            mode: Mode::Open(tenant, is_quiet),
            missed: 0,
            looks_below: false,
            has_lacked: false,
        }
    }

    /// Entries that are locked until this is dropped: others see all that is done here, or nothing.
    pub fn held(mut locked: Locked<'t>, is_quiet: bool) -> Self {
        locked.is_quiet = is_quiet;
        Self {
            mode: Mode::Held(locked),
            missed: 0,
            looks_below: false,
            has_lacked: false,
        }
    }

    /// How often an entry was looked for and not found since this was asked last. See [`Tenant::may_have`].
    #[inline]
    pub fn take_missed(&mut self) -> usize {
        std::mem::take(&mut self.missed)
    }

    /// Has changes be refused from now on, or no longer, where their key is not in memory and may be below
    /// ([`Error::Lacking`]). A look at it before is not enough: it may go in between, for the room of the change even. What
    /// is held stays.
    pub fn look_below(&mut self, looks_below: bool) {
        self.looks_below = looks_below;
    }

    /// Whether one was since this was asked last.
    pub fn take_lacked(&mut self) -> bool {
        std::mem::take(&mut self.has_lacked)
    }

    /// The shards that are held, if they are.
    pub fn as_held(&mut self) -> Option<&mut Locked<'t>> {
        match &mut self.mode {
            Mode::Held(locked) => Some(locked),
            Mode::Open(..) => None,
        }
    }

    /// Whose entries they are. What the tenant itself does locks shards and must not be done while they
    /// are held; its name, its bounds and who rules can be asked for.
    pub fn tenant(&self) -> &'t Tenant {
        match &self.mode {
            Mode::Open(tenant, _) => tenant,
            Mode::Held(locked) => locked.tenant(),
        }
    }

    /// Has reads from now on leave a trace, or none.
    pub fn set_quiet(&mut self, is_quiet: bool) {
        match &mut self.mode {
            Mode::Open(_, quiet) => *quiet = is_quiet,
            Mode::Held(locked) => locked.is_quiet = is_quiet,
        }
    }

    /// Whether shards are held: whoever takes long makes others wait.
    pub fn is_held(&self) -> bool {
        matches!(self.mode, Mode::Held(_))
    }

    /// See [`Tenant::get`].
    #[inline]
    pub fn get<R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let found = match &mut self.mode {
            Mode::Open(tenant, false) => tenant.get(key, now, read),
            Mode::Open(tenant, true) => tenant.peek(key, now, read),
            Mode::Held(locked) => locked.get(key, now, read),
        };
        self.missed += usize::from(found.is_none());
        found
    }

    /// See [`Tenant::peek`].
    pub fn peek<R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let found = match &mut self.mode {
            Mode::Open(tenant, _) => tenant.peek(key, now, read),
            Mode::Held(locked) => locked.peek(key, now, read),
        };
        self.missed += usize::from(found.is_none());
        found
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
        mut edit: impl FnMut(Option<Entry<'_>>) -> (Edit<'v>, R),
    ) -> Result<R, Error> {
        let (tenant, access) = match &mut self.mode {
            Mode::Open(tenant, false) => (*tenant, access),
            Mode::Open(tenant, true) => (*tenant, access.quiet()),
            Mode::Held(locked) => return locked.update(key, now, access, edit),
        };
        let Some(below) = tenant.below().filter(|_| self.looks_below) else {
            return tenant.update(key, now, access, bytes_hint, edit);
        };
        let mut lacks = false;
        let updated = tenant.update(key, now, access, bytes_hint, |entry| {
            lacks = entry.is_none() && below.sight(key, Reach::Cache, now) != Sight::Absent;
            match edit(entry) {
                (_, result) if lacks => (Edit::Keep, result),
                edited => edited,
            }
        });
        self.has_lacked |= lacks;
        match lacks {
            true => Err(Error::Lacking),
            false => updated,
        }
    }

    /// See [`Tenant::remove`].
    pub fn remove(&mut self, key: Key<'_>, now: Millis) -> bool {
        match &mut self.mode {
            Mode::Open(tenant, _) => tenant.remove(key, now),
            Mode::Held(locked) => locked.remove(key, now),
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
        let locked = match &mut self.mode {
            Mode::Open(tenant, is_quiet) => {
                let mut locked = match self.looks_below {
                    false => tenant.lock(keys, bytes_hint, now)?,
                    true => {
                        let keys: SmallVec<[Key<'k>; 8]> = keys.into_iter().collect();
                        let mut locked = tenant.lock(keys.iter().copied(), bytes_hint, now)?;
                        let lacks = |key: &Key<'k>| locked.lacks(*key, Reach::Cache, now);
                        if keys.iter().any(lacks) {
                            self.has_lacked = true;
                            return Err(Error::Lacking);
                        }
                        locked
                    }
                };
                locked.is_quiet = *is_quiet;
                Lock::Moment(locked)
            }
            Mode::Held(locked) => {
                keys.into_iter().try_for_each(super::check_key)?;
                Lock::Held(locked)
            }
        };
        Ok(Several {
            locked,
            missed: &mut self.missed,
        })
    }

    /// See [`Tenant::scan`].
    pub fn scan(
        &mut self,
        db: u8,
        cursor: u64,
        count: usize,
        now: Millis,
        visit: &mut dyn FnMut(&[u8]),
    ) -> u64 {
        match &mut self.mode {
            Mode::Open(tenant, _) => tenant.scan(db, cursor, count, now, visit),
            Mode::Held(locked) => locked.scan(db, cursor, count, now, visit),
        }
    }

    /// See [`Tenant::random`].
    pub fn random<R>(&mut self, db: u8, now: Millis, read: impl FnMut(&[u8]) -> R) -> Option<R> {
        match &mut self.mode {
            Mode::Open(tenant, _) => tenant.random(db, now, read),
            Mode::Held(locked) => locked.random(db, now, read),
        }
    }

    /// Removes every entry of `db`, or of all databases, at once.
    pub fn flush(&mut self, db: Option<u8>) {
        match &mut self.mode {
            Mode::Open(tenant, _) => {
                let mut at = FlushCursor::default();
                while let Some(next) = tenant.flush(db, at) {
                    at = next;
                }
            }
            Mode::Held(locked) => locked.flush(db),
        }
    }

    /// Has two databases change places. See [`Locked::exchange`].
    pub fn exchange(&mut self, one: u8, other: u8) {
        match &mut self.mode {
            Mode::Open(tenant, _) => tenant.lock_all().exchange(one, other),
            Mode::Held(locked) => locked.exchange(one, other),
        }
    }

    /// See [`Tenant::len`].
    pub fn len(&mut self, db: u8) -> u64 {
        match &mut self.mode {
            Mode::Open(tenant, _) => tenant.len(db),
            Mode::Held(locked) => locked.len(db),
        }
    }

    /// Whether database `db` has no entry.
    pub fn is_empty(&mut self, db: u8) -> bool {
        self.len(db) == 0
    }

    /// See [`Tenant::stats`].
    pub fn stats(&self) -> TenantStats {
        match &self.mode {
            Mode::Open(tenant, _) => tenant.stats(),
            Mode::Held(locked) => locked.stats(),
        }
    }

    /// See [`Tenant::standing`].
    pub fn standing(&mut self, key: Key<'_>, now: Millis) -> Option<Standing> {
        let found = match &mut self.mode {
            Mode::Open(tenant, _) => tenant.standing(key, now),
            Mode::Held(locked) => locked.standing(key, now),
        };
        self.missed += usize::from(found.is_none());
        found
    }
}

impl<'t> Deref for Several<'_, 't> {
    type Target = Locked<'t>;

    fn deref(&self) -> &Locked<'t> {
        match &self.locked {
            Lock::Moment(locked) => locked,
            Lock::Held(locked) => locked,
        }
    }
}

impl<'t> DerefMut for Several<'_, 't> {
    fn deref_mut(&mut self) -> &mut Locked<'t> {
        match &mut self.locked {
            Lock::Moment(locked) => locked,
            Lock::Held(locked) => locked,
        }
    }
}

impl Drop for Several<'_, '_> {
    fn drop(&mut self) {
        *self.missed += std::mem::take(&mut self.deref_mut().missed);
    }
}

#[cfg(test)]
mod tests;
