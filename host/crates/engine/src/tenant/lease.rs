//! Stale values, and leases on keys that are not there.

use super::{Locked, Tenant};
use crate::entry::{Entry, Key, Millis};
use crate::shard::Lease;

impl Tenant {
    /// As [`Self::peek`], and where the entry has expired and is kept beyond that, it is shown, too; with how
    /// long ago it expired (0: it has not).
    pub fn peek_stale<R>(
        &self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>, Millis) -> R,
    ) -> Option<R> {
        let mut at = self.at(key, now);
        let (_, mut state) = self.enter(key, &mut at);
        state.peek_stale(&at, read)
    }
}

impl Locked<'_> {
    /// As [`Tenant::peek_stale`].
    pub fn peek_stale<R>(
        &mut self,
        key: Key<'_>,
        now: Millis,
        read: impl FnOnce(Entry<'_>, Millis) -> R,
    ) -> Option<R> {
        let at = self.tenant().at(key, now);
        self.state(at.hash)?.peek_stale(&at, read)
    }

    /// The lease of a key that was found absent, for so long; who has its token may write by
    /// [`crate::Access::Lease`] until the key is written or removed.
    pub fn lease(&mut self, key: Key<'_>, now: Millis, time_ms: Millis) -> Lease {
        let at = self.tenant().at(key, now);
        let state = self.state(at.hash);
        state.map_or(Lease::Refused, |state| state.lease(&at, time_ms))
    }
}

#[cfg(test)]
mod tests;
