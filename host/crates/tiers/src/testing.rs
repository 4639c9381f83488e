//! For tests of what stands on tiers.

use std::collections::HashMap;
#[cfg(test)]
use std::sync::Arc;
use std::time::Duration;

use larder_engine::Millis;
#[cfg(test)]
use larder_engine::below::Below;
use larder_engine::tier::{
    Answer, Stored, Tier, TierChange, TierError, TierFigures, TierKey, TierKeyBuf, Told,
};
#[cfg(test)]
use larder_engine::{Engine, EngineConfig, SizeClasses, TenantConfig, native};
#[cfg(test)]
use larder_policy_s3_fifo::S3Fifo;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{GuardConfig, LevelConfig};

/// Beside key and value, what an entry counts for.
const ENTRY_BYTES: u64 = 64;

/// A level whose tier may take as long as it likes, whatever the machine does meanwhile.
pub fn patient(queue_bytes_max: u64) -> LevelConfig {
    let usual = LevelConfig::default();
    LevelConfig {
        queue_bytes_max,
        guard: GuardConfig {
            deadline: Duration::from_secs(3600),
            ..usual.guard
        },
        ..usual
    }
}

/// A tier in memory, that can be told to fail, to hang and to be away. Above its bound the entries go that came first.
pub struct MemoryTier {
    bytes_max: u64,
    is_unsure: bool,
    state: Mutex<State>,
    hangs: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// With when it came.
    entries: HashMap<TierKeyBuf, (u64, Stored)>,
    changes: u64,
    used_bytes: u64,
    evictions: u64,
    errors: u64,
    asked: u64,
    trouble: Option<String>,
    is_away: bool,
    recoveries: u64,
}

impl MemoryTier {
    /// An empty one.
    pub fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            is_unsure: false,
            state: Mutex::default(),
            hangs: watch::Sender::new(false),
        }
    }

    /// One that may always hold something, as it cannot know what others put there.
    pub fn unsure(bytes_max: u64) -> Self {
        Self {
            is_unsure: true,
            ..Self::new(bytes_max)
        }
    }

    /// Makes everything fail with this text, or nothing any more.
    pub fn fail_with(&self, trouble: Option<&str>) {
        let mut state = self.state.lock();
        state.trouble = trouble.map(str::to_owned);
        state.is_away = false;
    }

    /// The same, and what is not done changes nothing: what was to be replaced stays.
    pub fn lose_with(&self, trouble: Option<&str>) {
        let mut state = self.state.lock();
        state.trouble = trouble.map(str::to_owned);
        state.is_away = trouble.is_some();
    }

    /// Nothing fails any more, which it notices itself.
    pub fn come_back(&self) {
        self.lose_with(None);
        self.state.lock().recoveries += 1;
    }

    /// Has everything wait that is asked from now on, or go on.
    pub fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    /// How often it was asked for something, or told a batch.
    pub fn asked(&self) -> u64 {
        self.state.lock().asked
    }

    async fn is_asked(&self) {
        self.state.lock().asked += 1;
        let mut hangs = self.hangs.subscribe();
        // The tier is there for as long as whoever asks.
        let _ = hangs.wait_for(|hangs| !hangs).await;
    }
}

impl State {
    fn remove(&mut self, key: &TierKeyBuf) {
        if let Some((_, stored)) = self.entries.remove(key) {
            self.used_bytes -= bytes(key, &stored);
        }
    }

    fn clear(&mut self, tenant: &str, db: Option<u8>, prefix: &[u8]) {
        let used_bytes = &mut self.used_bytes;
        self.entries.retain(|key, (_, stored)| {
            let is_there = *key.tenant == *tenant && db.is_none_or(|db| db == key.db);
            let is_kept = !is_there || !key.bytes.starts_with(prefix);
            *used_bytes -= if is_kept { 0 } else { bytes(key, stored) };
            is_kept
        });
    }

    fn change(&mut self, change: &TierChange, bytes_max: u64) -> Result<(), TierError> {
        self.changes += 1;
        if let Some(trouble) = self.trouble.as_ref().filter(|_| self.is_away) {
            self.errors += 1;
            return Err(TierError::Unavailable(trouble.clone()));
        }
        match change {
            TierChange::Put(key, _) | TierChange::Delete(key) => self.remove(key),
            TierChange::Clear(tenant, db) => self.clear(tenant, *db, b""),
            TierChange::ClearPrefix(key) => self.clear(&key.tenant, Some(key.db), &key.bytes),
            TierChange::Invalidate(..) => {}
        }
        if let Some(trouble) = &self.trouble {
            self.errors += 1;
            return Err(TierError::Unavailable(trouble.clone()));
        }
        if let TierChange::Put(key, stored) = change {
            let added = bytes(key, stored);
            if added > bytes_max {
                return Err(TierError::Refused(format!("{added} bytes are too many")));
            }
            while self.used_bytes + added > bytes_max {
                self.evict();
            }
            self.used_bytes += added;
            self.entries
                .insert(key.clone(), (self.changes, (**stored).clone()));
        }
        Ok(())
    }

    fn evict(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, (came, _))| *came);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.remove(&key);
            self.evictions += 1;
        }
    }
}

fn bytes(key: &TierKeyBuf, stored: &Stored) -> u64 {
    ENTRY_BYTES + (key.bytes.len() + stored.value.len() + stored.note.len()) as u64
}

impl Tier for MemoryTier {
    fn name(&self) -> &str {
        "memory"
    }

    fn may_hold(&self, key: TierKey<'_>) -> bool {
        self.is_unsure || self.state.lock().entries.contains_key(&key.to_owned())
    }

    fn read_bytes(&self, key: TierKey<'_>) -> u64 {
        let state = self.state.lock();
        let found = state.entries.get(&key.to_owned());
        found.map_or(0, |(_, stored)| stored.value.len() as u64)
    }

    fn read<'a>(
        &'a self,
        key: &'a TierKeyBuf,
        now: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(async move {
            self.is_asked().await;
            let mut state = self.state.lock();
            if let Some(trouble) = state.trouble.clone() {
                state.errors += 1;
                return Err(TierError::Unavailable(trouble));
            }
            let found = state.entries.get(key).map(|(_, stored)| stored.clone());
            Ok(found.filter(|stored| !stored.is_expired(now)))
        })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        _: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(async move {
            self.is_asked().await;
            let mut state = self.state.lock();
            changes
                .iter()
                .map(|told| state.change(&told.change, self.bytes_max))
                .collect()
        })
    }

    fn figures(&self) -> TierFigures {
        let state = self.state.lock();
        TierFigures {
            entries: state.entries.len() as u64,
            used_bytes: state.used_bytes,
            bytes_max: self.bytes_max,
            evictions: state.evictions,
            errors: state.errors,
            trouble: state.trouble.clone(),
            ..TierFigures::default()
        }
    }

    fn recoveries(&self) -> u64 {
        self.state.lock().recoveries
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {})
    }
}

/// An engine of one tenant, `default`, over that.
#[cfg(test)]
pub(crate) fn engine_over(below: Arc<dyn Below>, memory_bytes: u64, start_ms: Millis) -> Engine {
    let engine = Engine::new(EngineConfig {
        memory_bytes,
        threads: 1,
        seed: 7,
        size_classes: SizeClasses::Jemalloc,
        start_ms,
        volatile_only: false,
        tenants: vec![TenantConfig {
            name: "default".to_owned(),
            memory_bytes,
            evictor: native("s3-fifo", S3Fifo::default),
            reuse: None,
            below: Some(below),
            vault: None,
        }],
    });
    engine.unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Subject, check, key, put, tell};

    struct Memory(Arc<MemoryTier>);

    impl Subject for Memory {
        fn open(&self) -> Arc<dyn Tier> {
            self.0.clone()
        }

        fn open_bounded(&self) -> Option<Arc<dyn Tier>> {
            Some(Arc::new(MemoryTier::new(1 << 20)))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_does_what_every_tier_does() {
        check(|| Memory(Arc::new(MemoryTier::new(1 << 30)))).await;
    }

    #[tokio::test]
    async fn it_fails_when_told_and_forgets_what_was_to_be_replaced() {
        let tier = MemoryTier::new(1 << 20);
        assert_eq!(tell(&tier, &[put("k", "old")], 1).await, [Ok(())]);
        tier.fail_with(Some("away"));
        let away = TierError::Unavailable("away".into());
        assert_eq!(
            tell(&tier, &[put("k", "new")], 1).await,
            [Err(away.clone())]
        );
        assert_eq!(tier.read(&key("k"), 1).await, Err(away));
        assert_eq!(tier.figures().errors, 2);
        tier.fail_with(None);
        assert_eq!(tier.read(&key("k"), 1).await, Ok(None));
    }

    #[tokio::test]
    async fn it_keeps_what_it_was_not_told_and_waits_when_told() {
        let tier = MemoryTier::new(1 << 20);
        assert_eq!(tell(&tier, &[put("k", "old")], 1).await, [Ok(())]);
        tier.lose_with(Some("away"));
        let lost = [TierChange::Delete(key("k"))];
        let away = Err(TierError::Unavailable("away".into()));
        assert_eq!(tell(&tier, &lost, 1).await, [away]);
        tier.lose_with(None);
        tier.hang(true);
        let key = key("k");
        let mut read = tier.read(&key, 1);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(read.as_mut().poll(&mut cx).is_pending());
        tier.hang(false);
        assert_eq!(&*read.await.unwrap().unwrap().value, b"old");
        assert_eq!(tier.asked(), 3);
    }
}
