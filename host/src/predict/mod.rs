//! Prediction: a thread hears what is asked for, learns from it, and has fetched what will be asked for next.

mod ask;
mod ear;
mod fetches;
mod names;
mod seer;
mod seers;
mod trainer;

use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder_engine::foresight::{Explanation, Foresight, Prediction};
use larder_engine::{Key, Millis, Tenant};
use larder_predict::{Budget, Config, Training};
use rustix::process::nice;
use tokio::runtime::Builder;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::config::{ByteSize, Predict};
pub(crate) use ask::PredictArgs;
use seer::{Seer, Shown};
use seers::Seers;
use trainer::{Trainer, file_of, load, shared_file};

/// Memory without which there is no prediction for a tenant.
pub(crate) const MEMORY_MIN: ByteSize = ByteSize::mib(24);
/// Where it is more than `predict.memory` has for all.
const NO_ROOM: &str = "predict.memory has no room for one more tenant: each takes 24MiB at least, those with most memory first";
/// Pause between two turns.
const PAUSE: Duration = Duration::from_millis(5);
/// By so much its threads let others go first: whoever foretells has to be in time, training has not.
const NICENESS: i32 = 5;
pub(crate) const TRAINING_NICENESS: i32 = 15;
/// How long whoever wants to know of a key waits for the thread.
const PATIENCE: Duration = Duration::from_millis(20);

/// What is seen of it, by the number of the tenant.
struct Seen(Vec<Result<Arc<Shown>, &'static str>>);

/// The thread; it ends when this is dropped.
pub(crate) struct Predicting {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Begins to foretell for these tenants, as far as there is memory. Models are kept in the folder `data`.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(
    settings: &Predict,
    tenants: &[Arc<Tenant>],
    data: &Path,
    seed: u64,
    clock: fn() -> Millis,
) -> io::Result<(Arc<dyn Foresight>, Predicting)> {
    let chosen = chosen(tenants, settings.memory.bytes() / MEMORY_MIN.bytes());
    let shares = (chosen.len() as u64).max(1);
    let config = config(settings, settings.memory.bytes() / shares, seed);
    let (mut seers, mut files, mut seen) = (Vec::new(), Vec::<PathBuf>::new(), Vec::new());
    for tenant in tenants {
        let has_no_room = !chosen.contains(&tenant.number());
        if let Some(why) = why_not(tenant).or(has_no_room.then_some(NO_ROOM)) {
            warn!(tenant = tenant.name(), "no prediction: {why}");
            seen.push(Err(why));
            continue;
        }
        let file = match settings.shared {
            true => shared_file(data),
            false => file_of(data, tenant.name()),
        };
        let seer = Seer::new(tenant, config, settings.share_percent, load(&file), clock);
        seen.push(Ok(Arc::clone(&seer.shown)));
        seers.push(seer);
        files.push(file);
    }
    let seers = Seers::new(seers, settings.shared);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let trainer = Trainer::start(files, Training::run)?;
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let thread = thread::Builder::new().name("larder-predict".into());
    let thread = thread.spawn(move || {
        step_back(NICENESS);
        runtime.block_on(work(seers, trainer, &stopped));
    })?;
    let predicting = Predicting {
        stop,
        thread: Some(thread),
    };
    Ok((Arc::new(Seen(seen)), predicting))
}

/// The numbers of so many tenants at most, of those that gain by it, who have most memory.
fn chosen(tenants: &[Arc<Tenant>], count_max: u64) -> Vec<usize> {
    let gain = tenants.iter().filter(|tenant| why_not(tenant).is_none());
    let mut chosen: Vec<_> = gain.collect();
    chosen.sort_by_key(|tenant| Reverse(tenant.memory_bytes()));
    chosen.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
    chosen.iter().map(|tenant| tenant.number()).collect()
}

/// Why there can be no prediction for a tenant, if so.
fn why_not(tenant: &Tenant) -> Option<&'static str> {
    match tenant.below() {
        None => Some(
            "nothing lies below the memory that could be fetched from: neither a level nor a loader",
        ),
        Some(_) if tenant.is_volatile_only() => {
            Some("with volatile_only what was fetched and nobody asks for could not go again")
        }
        Some(_) => None,
    }
}

fn config(settings: &Predict, memory_bytes: u64, seed: u64) -> Config {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Config {
        memory_bytes_max: usize::try_from(memory_bytes).unwrap_or(usize::MAX),
        horizon_ms_max: ms(settings.horizon),
        interval_ms: ms(settings.interval),
        samples_min: settings.min_data_points as usize,
        accesses_per_second_max: settings.accesses_per_second,
        budget: Budget {
            fetches_per_second: settings.fetches_per_second,
            bytes_per_second: settings.bytes_per_second.bytes(),
        },
        seed,
        ..Config::default()
    }
}

/// Lets the process's other threads go before this one, as far as the system allows.
pub(crate) fn step_back(by: i32) {
    // It does without.
    let _ = nice(by);
}

async fn work(mut seers: Seers, trainer: Trainer, stop: &AtomicBool) {
    let mut turns = interval(PAUSE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::Acquire) {
        turns.tick().await;
        while let Some(ended) = trainer.ended() {
            seers.trained(ended);
        }
        seers.turn(|number, training| trainer.order(number, training));
    }
}

impl Drop for Predicting {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Foresight for Seen {
    fn prediction(&self, tenant: usize) -> Prediction {
        match self.0.get(tenant) {
            Some(Ok(shown)) => shown.prediction(),
            Some(Err(why)) => Prediction {
                why: (*why).to_owned(),
                ..Prediction::default()
            },
            None => Prediction::default(),
        }
    }

    fn explain(&self, tenant: usize, key: Key<'_>) -> Option<Explanation> {
        let shown = self.0.get(tenant)?.as_ref().ok()?;
        let hash = shown.tenant.hash_of(key);
        let explained = shown.predictor.try_lock_for(PATIENCE)?.explain(hash)?;
        Some(Explanation {
            score: explained.score,
            features: explained.features,
            horizon_ms: explained.horizon_ms,
        })
    }

    fn memory_bytes(&self) -> u64 {
        let shown = self.0.iter().filter_map(|shown| shown.as_ref().ok());
        shown.map(|shown| shown.memory_bytes()).sum()
    }
}

#[cfg(test)]
mod tests;
