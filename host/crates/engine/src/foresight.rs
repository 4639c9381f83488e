//! The port to who foretells what will be asked for: what they hear, and what is shown of them.

use crate::entry::{Key, Millis};
use crate::stats::AheadFigures;

/// What was done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedFor {
    /// A read found it in memory.
    Hit,
    /// A read found nothing in memory, or what was fetched ahead and nobody had asked for.
    Miss,
    /// It came into memory, or was written: nobody has asked for it by that.
    Kept,
}

/// An access, as it is told.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What was done.
    pub what: AskedFor,
    /// By which the key is found again: [`crate::Tenant::holds`].
    pub hash: u64,
    /// The key.
    pub key: Key<'a>,
    /// Bytes that its entry takes; 0 where that is not known.
    pub bytes: u32,
    /// When.
    pub now: Millis,
}

/// Who listens to what is done to a tenant's keys. Told under a shard's lock: it must not wait nor come back to the
/// tenant, and where it has no room it forgets.
pub trait Listener: Send + Sync {
    /// Whether it wants to hear of hits at the moment. It takes a nanosecond.
    fn hears_hits(&self) -> bool;

    /// An access.
    fn hear(&self, asked: &Asked<'_>);
}

/// How prediction stands for a tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prediction {
    /// Whether a model rules: what it finds probable is fetched.
    pub is_on: bool,
    /// Why, or why not.
    pub why: String,
    /// What became of what was fetched ahead.
    pub ahead: AheadFigures,
    /// Reads that found nothing in memory, those that found what was fetched ahead included.
    pub asked: u64,
    /// Keys that were to be fetched.
    pub planned: u64,
    /// Of those, by [`Prediction::UNDONE`], how many did not come.
    pub undone: [u64; Self::UNDONE.len()],
    /// Accesses that were looked at.
    pub heard: u64,
    /// And those that were told and were not, as there were too many. Hits that the listener did not want are in neither.
    pub unheard: u64,
    /// Models that were trained, or tried to.
    pub trained: u64,
    /// Of those, how many came to no model: there was too little to learn from, or something went wrong.
    pub failed_trainings: u64,
    /// What the last training took.
    pub training_ms: u64,
    /// How old the model is; `None` without one.
    pub model_age_ms: Option<u64>,
    /// What it takes of memory, at most.
    pub memory_bytes: u64,
}

impl Prediction {
    /// Why a key that was to be fetched did not come: it was there already or is nowhere, it changed meanwhile, there was
    /// no room, what lies below failed, had failed again and again a moment before, or too many were on their way.
    pub const UNDONE: [&str; 6] = [
        "needless", "changed", "no_room", "failed", "paused", "crowded",
    ];

    /// Of what was fetched and is decided, the share that was asked for.
    pub fn precision(&self) -> f64 {
        share(self.ahead.used, self.ahead.used + self.ahead.wasted)
    }

    /// Of what was asked for and would not have been in memory, the share that had been fetched ahead.
    pub fn recall(&self) -> f64 {
        share(self.ahead.used, self.asked)
    }

    /// Of what was to be fetched, the share that came.
    pub fn coverage(&self) -> f64 {
        share(self.ahead.fetched, self.planned)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What is known of one key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explanation {
    /// How probable the model finds it that the key is asked for within the horizon; `None` without a model.
    pub score: Option<f32>,
    /// What the model sees of it: name, number, and by how much the score would be lower without.
    pub features: Vec<(&'static str, f32, f32)>,
    /// How far ahead it looks, in milliseconds.
    pub horizon_ms: u64,
}

/// Whoever foretells, for whoever shows it.
pub trait Foresight: Send + Sync {
    /// How it stands for a tenant, by its number.
    fn prediction(&self, tenant: usize) -> Prediction;

    /// What is known of a key; `None` where nothing is, or there is no time to look.
    fn explain(&self, tenant: usize, key: Key<'_>) -> Option<Explanation>;

    /// Bytes of memory that it takes, beside that of the entries.
    fn memory_bytes(&self) -> u64;
}
