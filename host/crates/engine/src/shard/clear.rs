//! Many entries that go, a few slots at a time.

use larder_sdk::{Removal, Slot};

use super::state::State;
use crate::entry::Key;

/// Keys that go together: those of the database in one place, or of all, that begin so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope<'p> {
    pub(crate) place: Option<u8>,
    pub(crate) prefix: &'p [u8],
}

/// Scopes that are being removed.
#[derive(Default)]
pub(crate) struct Clearing(Vec<(Option<u8>, Box<[u8]>)>);

impl Scope<'_> {
    fn covers(self, key: Key<'_>) -> bool {
        self.place.is_none_or(|place| place == key.db) && key.bytes.starts_with(self.prefix)
    }
}

impl Clearing {
    fn scopes(&self) -> impl Iterator<Item = Scope<'_>> {
        self.0.iter().map(|(place, prefix)| Scope {
            place: *place,
            prefix,
        })
    }
}

impl State {
    /// Whether a key is about to go, so that it does not go down.
    pub(super) fn is_clearing(&self, key: Key<'_>) -> bool {
        self.clearing.scopes().any(|scope| scope.covers(key))
    }

    /// Some keys are about to go.
    pub(crate) fn begin_clearing(&mut self, scope: Scope<'_>) {
        self.clearing.0.push((scope.place, scope.prefix.into()));
    }

    /// They went, or do not go.
    pub(crate) fn end_clearing(&mut self, scope: Scope<'_>) {
        let at = self.clearing.scopes().position(|own| own == scope);
        if let Some(at) = at {
            self.clearing.0.swap_remove(at);
        }
    }

    /// Removes the entries of a scope from `from` on, `count` slots at most. Where it has a prefix each is told of; else
    /// whoever empties all shards tells of it then.
    pub(crate) fn clear(&mut self, scope: Scope<'_>, from: Slot, count: u32) {
        if from == 0 {
            // Of a lease the key is not known.
            self.end_leases(scope.place);
        }
        let end = from.saturating_add(count);
        for slot in from..end.min(self.slots()) {
            let goes = self
                .slab
                .get(slot)
                .is_some_and(|block| scope.covers(Key::new(block.db(), block.key())));
            match scope.prefix {
                _ if !goes => {}
                [] => _ = self.empty_slot(slot, Removal::Deleted),
                _ => self.drop_invalidated(slot),
            }
        }
        if end >= self.slots() {
            self.end_clearing(scope);
        }
    }
}
