//! How the tier stands, and what is said of that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use larder_engine::tier::{TierError, TierFigures};
use parking_lot::Mutex;
use tracing::{info, warn};

/// Counters, and the trouble that there is.
#[derive(Default)]
pub(super) struct Standing {
    /// What the tier is called.
    place: String,
    pub(super) damaged: AtomicU64,
    errors: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) put_bytes: AtomicU64,
    /// Changes that came too late: what was there is newer.
    pub(super) overtaken: AtomicU64,
    /// Changes that not as many replicas have as was asked for.
    pub(super) unreplicated: AtomicU64,
    /// Messages to others, and from others.
    pub(super) told: AtomicU64,
    pub(super) heard: AtomicU64,
    /// Times that some may have been missed.
    pub(super) losses: AtomicU64,
    /// What the last message to itself took.
    pub(super) delay_us: AtomicU64,
    /// Others that are heard.
    pub(super) hosts: AtomicU64,
    /// Whether nothing is heard at the moment.
    pub(super) is_deaf: AtomicBool,
    /// Whether there is trouble.
    is_troubled: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl Standing {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            ..Self::default()
        }
    }

    /// It answered.
    pub(super) fn works(&self) {
        if self.is_troubled.load(Relaxed) && self.trouble.lock().take().is_some() {
            self.is_troubled.store(false, Relaxed);
            info!("{} answers again", self.place);
        }
    }

    /// It did not, or not as it should; said once.
    pub(super) fn fails(&self, text: String) -> TierError {
        self.errors.fetch_add(1, Relaxed);
        let mut trouble = self.trouble.lock();
        if trouble.is_none() {
            warn!("{text}");
        }
        *trouble = Some(text.clone());
        self.is_troubled.store(true, Relaxed);
        TierError::Unavailable(text)
    }

    /// It answered, but refuses one thing.
    pub(super) fn refuses(&self, error: &redis::RedisError) -> TierError {
        self.errors.fetch_add(1, Relaxed);
        let mend = match error.code() {
            Some("OOM") => "raise its maxmemory, or let it evict (maxmemory-policy allkeys-lru)",
            Some("READONLY") => "name the primary",
            Some("NOPERM" | "NOAUTH") => {
                "let the user work on keys and channels that begin with the prefix"
            }
            _ => "look at its log",
        };
        TierError::Unavailable(format!("{} refuses: {error}; {mend}", self.place))
    }

    /// What stands under a key is nothing that was written here.
    pub(super) fn is_damaged(&self, reason: &str) -> TierError {
        self.damaged.fetch_add(1, Relaxed);
        let place = &self.place;
        TierError::Damaged(format!(
            "a value in {place} cannot be read as what was written: {reason}; it is removed"
        ))
    }

    /// For whoever shows them.
    pub(super) fn figures(&self) -> TierFigures {
        TierFigures {
            damaged: self.damaged.load(Relaxed),
            errors: self.errors.load(Relaxed),
            written_bytes: self.written_bytes.load(Relaxed),
            put_bytes: self.put_bytes.load(Relaxed),
            overtaken: self.overtaken.load(Relaxed),
            unreplicated: self.unreplicated.load(Relaxed),
            told: self.told.load(Relaxed),
            heard: self.heard.load(Relaxed),
            losses: self.losses.load(Relaxed),
            delay_us: self.delay_us.load(Relaxed),
            hosts: self.hosts.load(Relaxed),
            is_deaf: self.is_deaf.load(Relaxed),
            trouble: self.trouble.lock().clone(),
            ..TierFigures::default()
        }
    }
}
