//! What other hosts changed in a level that several share goes from memory, and from the levels that this host has for itself.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use larder_engine::tier::{Ear, Heard, Tier, TierChange, TierKeyBuf};
use larder_engine::{Key, Tenant};
use parking_lot::Mutex;

use super::Stack;

/// What may wait to be forgotten again; beyond it all is.
const AGAIN_MAX: usize = 4096;

/// Hears for all tenants.
pub(super) struct StackEar {
    stack: Weak<Stack>,
    tenants: Vec<Weak<Tenant>>,
    /// Whether nothing is heard, and what is not shared went for that.
    is_deaf: AtomicBool,
    /// What is to be forgotten again.
    again: Mutex<Again>,
}

#[derive(Default)]
struct Again {
    keys: Vec<TierKeyBuf>,
    /// All of it.
    is_all: bool,
    is_awaited: bool,
}

impl Stack {
    /// Has memory, and what is not shared, follow what other hosts do to levels that are.
    pub(super) fn listen(self: &Arc<Self>, tenants: &[Arc<Tenant>]) {
        let ear = Arc::new(StackEar {
            stack: Arc::downgrade(self),
            tenants: tenants.iter().map(Arc::downgrade).collect(),
            is_deaf: AtomicBool::new(false),
            again: Mutex::default(),
        });
        for level in &self.levels {
            level.tier.listen(Arc::new(Own(Arc::downgrade(&ear))));
        }
        // It lives as long as the stack.
        _ = self.ear.set(ear);
    }
}

/// The ear, for a tier that may outlive it.
struct Own(Weak<StackEar>);

impl Ear for Own {
    fn hear(&self, heard: Heard) {
        if let Some(ear) = self.0.upgrade() {
            ear.hear(heard);
        }
    }
}

impl StackEar {
    fn hear(self: &Arc<Self>, heard: Heard) {
        let Some(stack) = self.stack.upgrade() else {
            return;
        };
        self.forget(&stack, &heard);
        if Self::is_coming(&stack, &heard) {
            self.forget_again(&stack, heard);
        }
    }

    fn forget(&self, stack: &Stack, heard: &Heard) {
        match heard {
            Heard::Changed(key) => self.forget_key(stack, key),
            Heard::Cleared(tenant) => {
                for own in self.tenants().filter(|own| *own.name() == **tenant) {
                    Self::clear_own(stack, &own);
                    own.distrust(true);
                }
            }
            Heard::Missed { is_deaf } => {
                let was_deaf = self.is_deaf.swap(*is_deaf, Ordering::Relaxed);
                for own in self.tenants() {
                    if !(was_deaf && *is_deaf) {
                        Self::clear_own(stack, &own);
                    }
                    own.distrust(!is_deaf);
                }
            }
        }
    }

    fn tenants(&self) -> impl Iterator<Item = Arc<Tenant>> {
        self.tenants.iter().filter_map(Weak::upgrade)
    }

    fn forget_key(&self, stack: &Stack, key: &TierKeyBuf) {
        for level in stack.levels.iter().filter(|level| !level.tier.is_shared()) {
            if level.is_below(key.borrow()) {
                level.queue.push(TierChange::Delete(key.clone()));
            }
        }
        if let Some(own) = self.tenants().find(|own| *own.name() == *key.tenant) {
            own.forget(Key::new(key.db, &key.bytes), stack.now());
        }
    }

    /// What this host has for itself of a tenant goes.
    fn clear_own(stack: &Stack, tenant: &Tenant) {
        for level in stack.levels.iter().filter(|level| !level.tier.is_shared()) {
            let clear = TierChange::Clear(tenant.name().into(), None);
            level.queue.push(clear);
        }
    }

    /// Whether a change of this host is on its way that may be older, and is seen as if it were there.
    fn is_coming(stack: &Stack, heard: &Heard) -> bool {
        let mut shared = stack.levels.iter().filter(|level| level.tier.is_shared());
        shared.any(|level| match heard {
            Heard::Changed(key) => level.queue.coming(key.borrow()).is_some(),
            Heard::Cleared(_) | Heard::Missed { .. } => level.queue.len() > 0,
        })
    }

    /// Does so again when what is on its way has come there.
    fn forget_again(self: &Arc<Self>, stack: &Arc<Stack>, heard: Heard) {
        let mut again = self.again.lock();
        match heard {
            Heard::Changed(key) if again.keys.len() < AGAIN_MAX => again.keys.push(key),
            _ => again.is_all = true,
        }
        if mem::replace(&mut again.is_awaited, true) {
            return;
        }
        let (ear, own) = (Arc::clone(self), Arc::clone(stack));
        stack
            .runtime
            .spawn(async move { ear.await_rest(&own).await });
    }

    async fn await_rest(&self, stack: &Stack) {
        loop {
            let Again { keys, is_all, .. } = {
                let mut again = self.again.lock();
                let is_awaited = again.is_all || !again.keys.is_empty();
                let next = Again {
                    is_awaited,
                    ..Again::default()
                };
                mem::replace(&mut *again, next)
            };
            if !is_all && keys.is_empty() {
                return;
            }
            for level in &stack.levels {
                if level.tier.is_shared()
                    && let Some(emptied) = level.queue.emptied()
                {
                    emptied.await;
                }
            }
            if is_all {
                let is_deaf = self.is_deaf.load(Ordering::Relaxed);
                self.tenants().for_each(|own| own.distrust(!is_deaf));
            }
            keys.iter().for_each(|key| self.forget_key(stack, key));
        }
    }
}

#[cfg(test)]
mod tests;
