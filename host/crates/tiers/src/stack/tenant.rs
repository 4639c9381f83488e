//! The stack as the memory of one tenant sees it.

use std::cell::Cell;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use larder_engine::authority::Authority;
use larder_engine::below::{Below, Loaded, Origin, Reach, Replication, Sight};
use larder_engine::tags::{TagIds, Tags, id_of};
use larder_engine::tier::{
    Answer, PREFIXES_MAX, Shed, Tier, TierChange, TierError, TierKey, TierKeyBuf,
};
use larder_engine::{Entry, Key, Millis};

use super::authority::Turns;
use super::{Epochs, KeyPattern, Level, Rules, Stack, WritePolicy};
use crate::loader::{DRAWN_MAX, Reason, Source};
use crate::loads::Wanted;

/// No loader is more eager: what has time left beyond it need not be asked whose it is.
const EAGERNESS_MAX: f64 = 10.0;

thread_local! {
    /// Changes that this thread has told and that are to be waited for.
    static TOLD: Cell<u64> = const { Cell::new(0) };
}

/// See the module.
pub(super) struct TenantBelow {
    pub(super) stack: Arc<Stack>,
    pub(super) tenant: Arc<str>,
    pub(super) tags: Arc<Tags>,
    pub(super) rules: Rules,
    /// The loaders among the rules.
    pub(super) sources: Vec<(KeyPattern, Arc<Source>)>,
    pub(super) epochs: Arc<Epochs>,
    pub(super) clears: AtomicU64,
    /// Of what is written behind.
    pub(super) priorities: Mean,
    /// At keys under authority.
    pub(super) turns: Arc<Turns>,
}

/// A mean, the last hundred or so counting most.
#[derive(Default)]
pub(super) struct Mean(AtomicU32);

impl Mean {
    /// Whether a priority is lower than the mean of those before it. Of what two threads bring at once one may be lost.
    fn is_low(&self, priority: u8) -> bool {
        let (mean, own) = (
            self.0.load(Ordering::Relaxed) as i32,
            i32::from(priority) << 8,
        );
        self.0
            .store((mean + (own - mean) / 64) as u32, Ordering::Relaxed);
        // What is rounded off is less than half of one.
        own + 128 < mean
    }
}

impl TenantBelow {
    fn key<'a>(&'a self, key: Key<'a>) -> TierKey<'a> {
        TierKey::new(&self.tenant, key)
    }

    pub(super) fn key_buf(&self, key: Key<'_>) -> TierKeyBuf {
        TierKeyBuf {
            tenant: Arc::clone(&self.tenant),
            db: key.db,
            bytes: key.bytes.into(),
        }
    }

    /// A key as it is now.
    fn wanted(&self, key: Key<'_>) -> Wanted {
        self.epochs.wanted(self.key_buf(key))
    }

    /// Who loads a key, if it is looked for as far down.
    fn source(&self, key: Key<'_>, reach: Reach) -> Option<&Arc<Source>> {
        let mut sources = self.sources.iter();
        let found = match reach {
            Reach::Cache => None,
            Reach::Origin => sources.find(|(fits, _)| fits(key.bytes)),
        };
        found.map(|(_, source)| source)
    }

    /// Loads a key, for somebody who has asked for it or for nobody yet.
    fn find(
        &self,
        key: Key<'_>,
        reach: Reach,
        is_asked_for: bool,
        now: Millis,
    ) -> Answer<'static, Loaded> {
        let source = self.source(key, reach);
        if let Some(found) = self.stack.search_now(self.key(key), &self.tags, now)
            && (source.is_none() || matches!(found, Ok(Some(_))))
        {
            return Box::pin(ready(found));
        }
        let (tags, source) = (Arc::clone(&self.tags), source.cloned());
        let wanted = self.wanted(key);
        let loading = self.stack.load(wanted, tags, source, is_asked_for, now);
        Box::pin(async move { loading.await.unwrap_or_else(|_| Err(given_up())) })
    }

    /// Whether the lowest level has the authority over a key.
    pub(super) fn is_under_authority(&self, key: Key<'_>) -> bool {
        self.rules.authority.iter().any(|fits| fits(key.bytes))
    }

    fn policy(&self, key: Key<'_>) -> WritePolicy {
        let fits = |(pattern, _): &&(KeyPattern, WritePolicy)| pattern(key.bytes);
        let found = self.rules.patterns.iter().find(fits);
        found.map_or(self.rules.write, |(_, policy)| *policy)
    }

    fn change(&self, key: Key<'_>, entry: Entry<'_>) -> TierChange {
        TierChange::Put(self.key_buf(key), Arc::new(entry.to_stored()))
    }

    fn put_down(&self, key: Key<'_>, entry: Entry<'_>, policy: WritePolicy) {
        let change = self.change(key, entry);
        let is_low = || self.priorities.is_low(entry.label().priority);
        if policy == WritePolicy::Behind && is_low() {
            self.stack.offer(Shed::Behind, &change);
        } else {
            self.stack.push(&change);
        }
    }

    /// The levels that hold nothing under a key, nor are about to.
    fn lacking<'a>(&'a self, key: Key<'a>) -> impl Iterator<Item = &'a Level> {
        let own = self.key(key);
        let levels = self.stack.levels.iter();
        levels.filter(move |level| !level.is_below(own))
    }

    /// Behind it nothing is found that was there before.
    fn push_clear(&self, change: &TierChange) {
        // Before and behind: what was there is neither to come into memory when it is gone from below, nor to be found by
        // who comes a moment before.
        self.clears.fetch_add(1, Ordering::Relaxed);
        self.stack.push(change);
        // Behind that, as of a key.
        self.epochs.turn_all();
        self.clears.fetch_add(1, Ordering::Relaxed);
        self.told();
    }

    fn told(&self) {
        TOLD.set(TOLD.get().wrapping_add(1));
    }
}

impl Below for TenantBelow {
    fn put(&self, key: Key<'_>, entry: Entry<'_>) -> bool {
        // What becomes of it is told the level by whoever has borrowed it.
        if self.stack.levels.is_empty() || self.is_under_authority(key) {
            self.epochs.turn(key);
            return true;
        }
        let policy = self.policy(key);
        self.put_down(key, entry, policy);
        self.epochs.turn(key);
        if policy != WritePolicy::Behind || self.stack.is_full() {
            self.told();
        }
        policy != WritePolicy::Around
    }

    fn delete(&self, key: Key<'_>) {
        let is_below = || self.lacking(key).count() < self.stack.levels.len();
        if !self.is_under_authority(key) && is_below() {
            self.stack.push(&TierChange::Delete(self.key_buf(key)));
            self.told();
        }
        self.epochs.turn(key);
    }

    fn evicted(&self, key: Key<'_>, entry: Entry<'_>) {
        if !self.rules.demotes
            || self.is_under_authority(key)
            || self.stack.is_doubted.load(Ordering::Acquire)
        {
            return;
        }
        // What is below is as it is in memory, as all changes were told.
        let mut change = None;
        let mut goes_down = false;
        for level in self.lacking(key) {
            let change = change.get_or_insert_with(|| self.change(key, entry));
            goes_down |= level.offer(Shed::Demotion, change);
        }
        if goes_down {
            self.stack.demotions.fetch_add(1, Ordering::Relaxed);
            self.epochs.turn(key);
        }
    }

    /// What no level has was brought by a loader: it goes down, too.
    fn admitted(&self, key: Key<'_>, entry: Entry<'_>) -> Origin {
        if self.sources.is_empty() {
            return Origin::Levels;
        }
        let origin = self.stack.brought.take(self.key(key));
        let is_new = origin
            == Origin::Loader {
                is_known_absent: true,
            };
        let goes_down = || self.stack.offer(Shed::Load, &self.change(key, entry));
        if is_new && !self.stack.levels.is_empty() && goes_down() {
            self.epochs.turn(key);
        }
        origin
    }

    fn was_read(&self, key: Key<'_>, entry: Entry<'_>, now: Millis) {
        let times = entry.label().times;
        let Some(expiry) = entry.expires_at() else {
            return;
        };
        let good_until = expiry.saturating_sub(times.refresh_ms.into());
        let left_ms = good_until.saturating_sub(now) as f64;
        // As a rule there is more time left than could be drawn.
        if f64::from(times.cost_ms) * DRAWN_MAX * EAGERNESS_MAX < left_ms {
            return;
        }
        let early_ms = self.stack.refreshes.draw_early_ms(times.cost_ms);
        if early_ms * EAGERNESS_MAX < left_ms {
            return;
        }
        let Some(source) = self.source(key, Reach::Origin) else {
            return;
        };
        let reason = match left_ms > 0.0 {
            true if early_ms * source.eagerness() < left_ms => return,
            true => Reason::Early,
            false => Reason::Stale,
        };
        let refreshes = &self.stack.refreshes;
        refreshes.order(source, self.key_buf(key), reason);
    }

    fn renew(&self, key: Key<'_>) {
        if let Some(source) = self.source(key, Reach::Origin) {
            let refreshes = &self.stack.refreshes;
            refreshes.order(source, self.key_buf(key), Reason::Early);
        }
    }

    fn clear(&self, db: Option<u8>) {
        self.push_clear(&TierChange::Clear(Arc::clone(&self.tenant), db));
    }

    fn clear_prefix(&self, db: u8, prefix: &[u8]) -> Result<(), TierError> {
        // No two take the last place.
        let _held = self.stack.prefixing.lock();
        for level in &self.stack.levels {
            if level.prefixes() >= PREFIXES_MAX {
                let tier = level.tier.name();
                return Err(TierError::Refused(format!(
                    "{PREFIXES_MAX} prefixes are being removed from the {tier} tier already; try again in a minute, or use tags"
                )));
            }
        }
        let key = self.key_buf(Key::new(db, prefix));
        self.push_clear(&TierChange::ClearPrefix(key));
        Ok(())
    }

    fn tags(&self) -> Option<Arc<Tags>> {
        Some(Arc::clone(&self.tags))
    }

    fn changed_elsewhere(&self, key: Option<Key<'_>>) {
        match key {
            Some(key) => {
                for level in self
                    .stack
                    .levels
                    .iter()
                    .filter(|level| !level.tier.is_shared())
                {
                    if level.is_below(self.key(key)) {
                        level.queue.push(TierChange::Delete(self.key_buf(key)));
                    }
                }
                self.epochs.turn(key);
            }
            None => {
                self.clears.fetch_add(1, Ordering::Relaxed);
                self.epochs.turn_all();
            }
        }
    }

    fn good_until(&self) -> Option<Arc<AtomicU64>> {
        self.stack.good_until.clone()
    }

    fn stale_ms_max(&self) -> Millis {
        self.stack.stale_ms_max
    }

    fn can_tell(&self, key: Key<'_>) -> bool {
        let mut shared = self.stack.levels.iter().filter(|it| it.tier.is_shared());
        shared.any(|it| it.tier.answers() && it.queue.coming(self.key(key)).is_none())
    }

    fn authority(&self) -> Option<&dyn Authority> {
        (!self.rules.authority.is_empty()).then_some(self)
    }

    fn tags_invalidated(&self, tags: &[&[u8]]) {
        let mut ids: Option<TagIds> = None;
        let counting = self.stack.levels.iter();
        for level in counting.filter(|level| level.tier.counts_tags()) {
            let of_all = || Arc::new(tags.iter().map(|tag| id_of(tag).into()).collect());
            let ids = Arc::clone(ids.get_or_insert_with(of_all));
            let change = TierChange::Invalidate(Arc::clone(&self.tenant), Some(ids));
            level.queue.push(change);
        }
        self.tags_learned();
        self.told();
    }

    fn tags_learned(&self) {
        if let Some(file) = self.stack.tag_file.get() {
            file.note_change();
        }
    }

    fn clears(&self) -> u64 {
        self.clears.load(Ordering::Relaxed)
    }

    fn sight(&self, key: Key<'_>, reach: Reach, now: Millis) -> Sight {
        if self.is_under_authority(key) {
            return Sight::Absent;
        }
        let sight = self.stack.sight(self.key(key), &self.tags, now);
        if sight != Sight::Absent {
            return sight;
        }
        let may_load = |source: &Arc<Source>| {
            let wanted = self.wanted(key);
            !source.knows_absent(&wanted)
        };
        match self.source(key, reach).is_some_and(may_load) {
            true => Sight::Maybe,
            false => Sight::Absent,
        }
    }

    fn load(&self, key: Key<'_>, reach: Reach, now: Millis) -> Answer<'static, Loaded> {
        self.find(key, reach, true, now)
    }

    fn load_ahead(&self, key: Key<'_>, reach: Reach, now: Millis) -> Answer<'static, Loaded> {
        self.find(key, reach, false, now)
    }

    fn place_ahead(&self, key: Key<'_>, reach: Reach) -> Option<Answer<'static, Box<dyn Send>>> {
        let source = self.source(key, reach)?;
        Some(Box::pin(source.place_ahead()))
    }

    fn load_here(&self, key: Key<'_>, now: Millis, patience: Duration) -> Loaded {
        if let Some(found) = self.stack.search_now(self.key(key), &self.tags, now) {
            return found;
        }
        let tags = Arc::clone(&self.tags);
        let loading = self.stack.load(self.wanted(key), tags, None, true, now);
        let (answer, answered) = mpsc::sync_channel(1);
        self.stack.runtime.spawn(async move {
            let loaded = loading.await.unwrap_or_else(|_| Err(given_up()));
            // Nobody may wait for it any more.
            let _ = answer.send(loaded);
        });
        answered.recv_timeout(patience).unwrap_or_else(|_| {
            let text = format!("nothing came from a slower tier within {patience:?}");
            Err(TierError::Unavailable(text))
        })
    }

    fn told(&self) -> u64 {
        TOLD.get()
    }

    fn replication(&self) -> Option<Replication> {
        let levels = self.stack.levels.iter();
        let own = levels.filter_map(|level| level.replication());
        own.reduce(|one, other| Replication {
            replicas: one.replicas.min(other.replicas),
            short: one.short + other.short,
        })
    }

    fn settled(&self) -> Option<Answer<'static, ()>> {
        let levels = self.stack.levels.iter();
        let waits: Vec<_> = levels.filter_map(|level| level.queue.settled()).collect();
        let written = self.stack.tag_file.get().and_then(|file| file.settled());
        if waits.is_empty() && written.is_none() {
            return None;
        }
        Some(Box::pin(async move {
            for wait in waits {
                wait.await;
            }
            if let Some(written) = written {
                written.await;
            }
        }))
    }

    fn is_full(&self) -> bool {
        self.stack.is_full()
    }

    fn refuses(&self) -> bool {
        let mut levels = self.stack.levels.iter();
        levels.any(|level| level.queue.refuses())
    }

    fn await_room_here(&self, patience: Duration) -> bool {
        if self.refuses() {
            return false;
        }
        let Some(settled) = self.settled().filter(|_| self.is_full()) else {
            return true;
        };
        let (answer, answered) = mpsc::sync_channel(1);
        self.stack.runtime.spawn(async move {
            settled.await;
            // Nobody may wait for it any more.
            let _ = answer.send(());
        });
        answered.recv_timeout(patience).is_ok()
    }
}

pub(super) fn given_up() -> TierError {
    TierError::Unavailable("the load was given up".to_owned())
}
