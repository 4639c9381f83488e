//! A loader within its bounds: so many loads at once, none for longer or of more than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_engine::below::Loaded;
use larder_engine::loader::{Fetched, LoadError, LoadFailure};
use larder_engine::tags::{Tags, stamped};
use larder_engine::tier::{LoaderFigures, Stored, TierError, TierKeyBuf};
use larder_engine::{LABEL_NOTE_BYTES_MAX, MILLIS_MAX, Millis, Times};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tracing::warn;

use super::counts::Counts;
use super::{LoadLimits, LoadRule, Ordered, Reason};
use crate::loads::{Loads, Wanted};
use crate::stack::{Clock, Epochs};

/// Failures are logged this often at most.
const LOGGED_EVERY_MS: Millis = 10_000;
/// Loads that may wait for a place.
const WAITING_MAX: usize = 1024;
/// What comes is kept for so long at least, so that those who wait for it get it.
const KEPT_MS_MIN: Millis = 1_000;

/// See the module.
pub(crate) struct Source {
    tenant: Arc<str>,
    rule: LoadRule,
    clock: Clock,
    tags: Arc<Tags>,
    loads: Loads,
    /// What of its tenant is to be loaded anew, and how often its keys have changed.
    pub(super) ordered: Arc<Ordered>,
    pub(super) epochs: Arc<Epochs>,
    slots: Semaphore,
    /// For those that nobody has asked for: so many, and the rest is free for who does ask.
    ahead: Arc<Semaphore>,
    /// Loads that go on or wait.
    wanted: AtomicU64,
    counts: Counts,
    /// When a failure was logged last, 0 for never.
    logged_ms: AtomicU64,
}

impl Source {
    /// The loader of that rule, for a tenant.
    pub(crate) fn new(
        tenant: &str,
        rule: &LoadRule,
        clock: Clock,
        tags: Arc<Tags>,
        ordered: Arc<Ordered>,
        epochs: Arc<Epochs>,
    ) -> Self {
        Self {
            tenant: tenant.into(),
            rule: rule.clone(),
            clock,
            tags,
            loads: Loads::new(rule.limits.absent_ttl),
            ordered,
            epochs,
            slots: Semaphore::new(rule.limits.in_flight_max),
            ahead: Arc::new(Semaphore::new((rule.limits.in_flight_max / 2).max(1))),
            wanted: AtomicU64::new(0),
            counts: Counts::default(),
            logged_ms: AtomicU64::new(0),
        }
    }

    /// Whether it is remembered that there is nothing under a key.
    pub(crate) fn knows_absent(&self, wanted: &Wanted) -> bool {
        self.loads.is_absent(wanted)
    }

    /// Loads a key, together with all who want it as it is now. Where nobody has asked for it, it is not remembered that
    /// there is none.
    pub(crate) async fn load(&self, wanted: Wanted, is_asked_for: bool) -> Loaded {
        let load = self.ask(wanted.0.clone());
        self.loads.share(wanted, load, is_asked_for).await
    }

    /// Waits for one of the places of loads that nobody has asked for: half of all, one at least.
    pub(crate) fn place_ahead(&self) -> impl Future<Output = Box<dyn Send>> + Send + use<> {
        let ahead = Arc::clone(&self.ahead);
        // It is never closed.
        async move { Box::new(ahead.acquire_owned().await.ok()) as Box<dyn Send> }
    }

    /// How eagerly its values are loaded anew.
    pub(crate) fn eagerness(&self) -> f64 {
        f64::from(self.rule.limits.early_percent) / 100.0
    }

    /// Counts a value that is loaded anew, or is not as too many wait for that.
    pub(crate) fn count_refresh(&self, reason: Reason, is_taken: bool) {
        let counter = match reason {
            _ if !is_taken => &self.counts.dropped,
            Reason::Early => &self.counts.early,
            Reason::Stale => &self.counts.stale,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes that it takes beside the loads that go on.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.loads.memory_bytes()
    }

    /// How it stands.
    pub(crate) fn figures(&self) -> LoaderFigures {
        let free = self.slots.available_permits();
        let in_flight = self.rule.limits.in_flight_max.saturating_sub(free) as u64;
        let wanted = self.wanted.load(Ordering::Relaxed);
        LoaderFigures {
            tenant: self.tenant.to_string(),
            pattern: self.rule.name.to_string(),
            in_flight,
            waiting: wanted.saturating_sub(in_flight),
            ..self.counts.figures()
        }
    }

    async fn ask(&self, key: TierKeyBuf) -> Loaded {
        let began = (self.clock)();
        // What is invalidated from now on may be what it finds.
        let stamp = self.tags.now();
        let limits = &self.rule.limits;
        let fetched = timeout(limits.timeout, self.fetch(key)).await;
        let fetched = fetched.unwrap_or_else(|_| {
            let text = format!("no answer within {:?}", limits.timeout);
            Err(LoadError::new(LoadFailure::Timeout, text))
        });
        let now = (self.clock)();
        let cost_ms = now.saturating_sub(began);
        self.counts.add_time(cost_ms);
        match fetched.and_then(|fetched| fetched.map(|fetched| self.check(fetched)).transpose()) {
            Ok(Some((fetched, note))) => {
                let bytes = fetched.value.len() as u64;
                self.counts.values.fetch_add(1, Ordering::Relaxed);
                self.counts.value_bytes.fetch_add(bytes, Ordering::Relaxed);
                let note = stamped(&note, stamp).unwrap_or(note);
                Ok(Some(Arc::new(stored(fetched, note, limits, now, cost_ms))))
            }
            Ok(None) => {
                self.counts.absences.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => {
                self.note_failure(&error, now);
                Err(TierError::NoOrigin(error.text))
            }
        }
    }

    /// Asks once there is a place.
    async fn fetch(&self, key: TierKeyBuf) -> Result<Option<Fetched>, LoadError> {
        let wanted_max = self.rule.limits.in_flight_max + WAITING_MAX;
        let _wanted = Counted::enter(&self.wanted);
        if self.wanted.load(Ordering::Relaxed) > wanted_max as u64 {
            let text = format!("{wanted_max} loads go on or wait already");
            return Err(LoadError::new(LoadFailure::Crowded, text));
        }
        // It is never closed.
        let _slot: Option<SemaphorePermit<'_>> = self.slots.acquire().await.ok();
        self.rule.loader.load(key).await
    }

    /// What came and the note that it gets, where they are no larger than they may be.
    fn check(&self, fetched: Fetched) -> Result<(Fetched, Vec<u8>), LoadError> {
        let limits = &self.rule.limits;
        let note = (limits.note_of)(&fetched);
        for (what, bytes, bytes_max) in [
            ("the value has", fetched.value.len(), limits.value_bytes_max),
            ("its type and tags have", note.len(), LABEL_NOTE_BYTES_MAX),
        ] {
            if bytes > bytes_max {
                let text = format!("{what} {bytes} bytes, {bytes_max} are allowed");
                return Err(LoadError::new(LoadFailure::TooLarge, text));
            }
        }
        Ok((fetched, note))
    }

    fn note_failure(&self, error: &LoadError, now: Millis) {
        let failed = self.counts.add_failure(error.failure);
        let logged = self.logged_ms.load(Ordering::Relaxed);
        if logged != 0 && now.saturating_sub(logged) < LOGGED_EVERY_MS {
            return;
        }
        self.logged_ms.store(now.max(1), Ordering::Relaxed);
        let (tenant, loader) = (&*self.tenant, &*self.rule.name);
        warn!(
            tenant,
            loader, failed, "a key is answered as absent: {error}"
        );
    }
}

/// What came, as it is kept.
fn stored(
    fetched: Fetched,
    note: Vec<u8>,
    limits: &LoadLimits,
    now: Millis,
    cost_ms: u64,
) -> Stored {
    let fresh_ms = fetched.ttl.or(limits.ttl).map(millis);
    // What is not to be kept is not to be stale either.
    let stale_ms = |time| match fetched.ttl {
        Some(Duration::ZERO) => 0,
        _ => millis(time),
    };
    let while_ms = stale_ms(limits.stale_while_revalidate);
    let error_ms = stale_ms(limits.stale_if_error);
    let expiry = |ms: Millis| now.saturating_add(ms.max(KEPT_MS_MIN) + while_ms);
    let brief = |ms: Millis| u32::try_from(ms).unwrap_or(u32::MAX);
    let is_refreshed = fresh_ms.is_some() && (limits.early_percent > 0 || while_ms + error_ms > 0);
    let times = Times {
        stale_ms: brief(error_ms.saturating_sub(while_ms)),
        refresh_ms: brief(while_ms),
        cost_ms: brief(cost_ms).max(1),
    };
    Stored {
        value: fetched.value,
        expires_at: fresh_ms.map(expiry),
        note: note.into(),
        times: if is_refreshed { times } else { Times::NONE },
        ..Stored::default()
    }
}

fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis())
        .unwrap_or(Millis::MAX)
        .min(MILLIS_MAX)
}

/// Counts as one for as long as it is there.
struct Counted<'c>(&'c AtomicU64);

impl<'c> Counted<'c> {
    fn enter(counter: &'c AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
