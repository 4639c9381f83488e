//! What other hosts changed in a level that several share goes from memory, and from the levels that this host has for itself.

use std::future::ready;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use larder_engine::tags::Invalidated;
use larder_engine::tier::{Answer, Ear, Heard, PREFIXES_MAX, Tier, TierChange, TierKeyBuf};
use larder_engine::{Key, Millis, Tenant};
use parking_lot::Mutex;

use super::Stack;
use super::post::{Letterbox, News};

/// What may wait to be forgotten again; beyond it all is.
const AGAIN_MAX: usize = 4096;
const CLEARED_MAX: usize = 64;

/// Hears for all tenants.
pub(super) struct StackEar {
    stack: Weak<Stack>,
    tenants: Vec<Weak<Tenant>>,
    /// Whether nothing is heard, and what is not shared went for that.
    is_deaf: AtomicBool,
    /// Since when.
    deaf_since: AtomicU64,
    /// Until when what each level has told is good; `None` where it has not said so yet.
    good_until: Mutex<Vec<Option<Millis>>>,
    /// What is to be forgotten again.
    again: Mutex<Again>,
}

#[derive(Default)]
struct Again {
    keys: Vec<TierKeyBuf>,
    cleared: Vec<Heard>,
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
            deaf_since: AtomicU64::new(0),
            good_until: Mutex::new(vec![None; self.levels.len()]),
            again: Mutex::default(),
        });
        // Before anything is heard: until when that is good comes with it. It lives as long as the stack.
        _ = self.ear.set(Arc::clone(&ear));
        if self.good_until.is_some() {
            // Others may have changed it while nobody listened here.
            ear.tenants()
                .for_each(|own| self.clear_own(&own, None, b""));
        }
        for (at, level) in self.levels.iter().enumerate() {
            let ear = Arc::downgrade(&ear);
            level.tier.listen(Arc::new(Own { ear, level: at }));
        }
    }

    /// What this host has for itself goes: of a tenant what begins so of a database, or of all.
    fn clear_own(&self, tenant: &Tenant, db: Option<u8>, prefix: &[u8]) {
        let tenant: Arc<str> = tenant.name().into();
        for level in self.levels.iter().filter(|level| !level.tier.is_shared()) {
            let change = match db {
                Some(db) if !prefix.is_empty() && level.prefixes() < PREFIXES_MAX => {
                    let (tenant, bytes) = (Arc::clone(&tenant), prefix.into());
                    TierChange::ClearPrefix(TierKeyBuf { tenant, db, bytes })
                }
                _ => TierChange::Clear(Arc::clone(&tenant), db),
            };
            level.queue.push(change);
        }
    }
}

/// The ear, for the tier of a level, which may outlive it.
struct Own {
    ear: Weak<StackEar>,
    level: usize,
}

impl Ear for Own {
    fn hear(&self, heard: Heard) {
        if let Some(ear) = self.ear.upgrade() {
            ear.pass_on(News::Heard(heard));
        }
    }

    fn rely(&self, until: Instant) {
        if let Some(ear) = self.ear.upgrade() {
            ear.pass_on(News::Good(self.level, until));
        }
    }

    fn followed(&self) -> Answer<'static, ()> {
        match self.ear.upgrade().and_then(|ear| ear.stack.upgrade()) {
            Some(stack) => stack.post.followed(),
            None => Box::pin(ready(())),
        }
    }

    /// No shard is held for it, so it is done at once.
    fn learn(&self, tenant: &str, invalidated: &Invalidated) {
        if let Some(own) = self.ear.upgrade().and_then(|ear| ear.tenant(tenant)) {
            own.learn_tags(invalidated);
        }
    }

    fn tenants(&self) -> Vec<Arc<str>> {
        let ear = self.ear.upgrade();
        let tenants = ear.iter().flat_map(|ear| ear.tenants());
        tenants.map(|own| own.name().into()).collect()
    }

    fn tags_now(&self, tenant: &str) -> Option<u64> {
        let own = self.ear.upgrade()?.tenant(tenant)?;
        Some(own.tags_now())
    }
}

/// Follows what comes, until there is nobody left to follow it.
pub(super) fn follow(letterbox: &Letterbox, stack: &Weak<Stack>) {
    // Keys that somebody holds who may take his time: the others are not to wait for him.
    let mut held_up = Vec::new();
    while let Some(news) = letterbox.take(!held_up.is_empty()) {
        let Some(stack) = stack.upgrade() else {
            return;
        };
        let Some(ear) = stack.ear.get() else {
            continue;
        };
        let waits = held_up.len() >= AGAIN_MAX;
        held_up.retain(|key| !ear.forget_key(&stack, key, waits));
        for one in news {
            let (heard, is_again) = match one {
                News::Heard(heard) => (heard, false),
                News::Again(heard) => (heard, true),
                News::Good(level, until) => {
                    ear.rely(&stack, level, until);
                    continue;
                }
            };
            // Before and behind: what comes there meanwhile may have been read before.
            let was_coming = StackEar::is_coming(&stack, &heard);
            if !ear.forget(&stack, &heard, is_again)
                && let Heard::Changed(key) = &heard
            {
                held_up.push(key.clone());
            }
            if !is_again && (was_coming || StackEar::is_coming(&stack, &heard)) {
                ear.forget_again(&stack, heard);
            }
        }
    }
}

impl StackEar {
    fn pass_on(&self, news: News) {
        if let Some(stack) = self.stack.upgrade() {
            stack.post.send(news);
        }
    }

    /// All that a level has told is followed, and good until then. What is in memory is as good as the worst of them.
    fn rely(&self, stack: &Stack, level: usize, until: Instant) {
        let Some(shared) = &stack.good_until else {
            return;
        };
        // In this order: who is stopped in between has less left.
        let now = stack.now();
        let at = Instant::now();
        let left = until.saturating_duration_since(at).as_millis() as Millis;
        let over = at.saturating_duration_since(until).as_millis() as Millis;
        let until = now.saturating_add(left).saturating_sub(over);
        let mut levels = self.good_until.lock();
        levels[level] = Some(until);
        let least = levels.iter().flatten().min();
        shared.store(least.copied().unwrap_or(Millis::MAX), Ordering::Relaxed);
    }

    /// Whether it is done: not where somebody holds what is to go.
    fn forget(&self, stack: &Stack, heard: &Heard, is_again: bool) -> bool {
        match heard {
            Heard::Changed(key) => return self.forget_key(stack, key, false),
            Heard::Cleared(tenant, db, prefix) => {
                if let Some(own) = self.tenant(tenant) {
                    stack.is_doubted.store(true, Ordering::Release);
                    if !is_again {
                        stack.clear_own(&own, *db, prefix);
                    }
                    own.distrust_cleared(*db, prefix, stack.now());
                    stack.is_doubted.store(false, Ordering::Release);
                }
            }
            Heard::Missed { is_deaf } if is_again => {
                self.doubt(stack, false, |own| own.distrust(!is_deaf, stack.now()));
            }
            Heard::Missed { is_deaf } => {
                let now = stack.now();
                let was_deaf = self.is_deaf.swap(*is_deaf, Ordering::Relaxed);
                if was_deaf && *is_deaf {
                    // What this host has for itself is all there is where the others do not answer, and not for ever.
                    let mut levels = stack.levels.iter();
                    let answers = levels.any(|it| it.tier.is_shared() && it.tier.answers());
                    let since = self.deaf_since.load(Ordering::Relaxed);
                    let is_old = now.saturating_sub(since) >= stack.stale_ms_max;
                    self.doubt(stack, answers || is_old, |own| own.distrust_again(now));
                } else {
                    self.deaf_since.store(now, Ordering::Relaxed);
                    self.doubt(stack, true, |own| own.distrust(!is_deaf, now));
                }
            }
        }
        true
    }

    /// Has tenants doubt what they have in memory, and what this host has for itself go where it `clears`.
    fn doubt(&self, stack: &Stack, clears: bool, doubt: impl Fn(&Tenant)) {
        stack.is_doubted.store(true, Ordering::Release);
        for own in self.tenants() {
            if clears {
                stack.clear_own(&own, None, b"");
            }
            doubt(&own);
        }
        stack.is_doubted.store(false, Ordering::Release);
    }

    fn tenants(&self) -> impl Iterator<Item = Arc<Tenant>> {
        self.tenants.iter().filter_map(Weak::upgrade)
    }

    pub(super) fn tenant(&self, name: &str) -> Option<Arc<Tenant>> {
        self.tenants().find(|own| *own.name() == *name)
    }

    fn forget_key(&self, stack: &Stack, key: &TierKeyBuf, waits: bool) -> bool {
        let own = self.tenant(&key.tenant);
        own.is_none_or(|own| own.forget(Key::new(key.db, &key.bytes), stack.now(), waits))
    }

    /// Whether a change of this host is on its way that may be older, and is seen as if it were there.
    fn is_coming(stack: &Stack, heard: &Heard) -> bool {
        let mut shared = stack.levels.iter().filter(|level| level.tier.is_shared());
        shared.any(|level| match heard {
            Heard::Changed(key) => level.queue.coming(key.borrow()).is_some(),
            Heard::Cleared(..) | Heard::Missed { .. } => level.queue.len() > 0,
        })
    }

    /// Does so again when what is on its way has come there.
    fn forget_again(self: &Arc<Self>, stack: &Arc<Stack>, heard: Heard) {
        let mut again = self.again.lock();
        match heard {
            Heard::Changed(key) if again.keys.len() < AGAIN_MAX => again.keys.push(key),
            Heard::Cleared(..) if again.cleared.contains(&heard) => {}
            Heard::Cleared(..) if again.cleared.len() < CLEARED_MAX => again.cleared.push(heard),
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
            let Again {
                keys,
                cleared,
                is_all,
                ..
            } = {
                let mut again = self.again.lock();
                let is_awaited =
                    again.is_all || !again.keys.is_empty() || !again.cleared.is_empty();
                let next = Again {
                    is_awaited,
                    ..Again::default()
                };
                mem::replace(&mut *again, next)
            };
            if !is_all && keys.is_empty() && cleared.is_empty() {
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
                self.pass_on(News::Again(Heard::Missed { is_deaf }));
            }
            let keys = keys.into_iter().map(Heard::Changed);
            keys.chain(cleared)
                .for_each(|heard| self.pass_on(News::Again(heard)));
        }
    }
}

#[cfg(test)]
mod tests;
