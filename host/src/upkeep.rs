//! What keeps the codec in order while the server runs: a key ring that changed is taken and what was sealed under older
//! keys written anew, dictionaries are trained and go when nothing needs them, and values that cannot be read are told of.

mod survey;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder_engine::Millis;
use larder_tiers::codec::{Codec, Damage};
use larder_tiers::disk::Disk;
use tracing::{info, warn};

use crate::keys::RingFile;
pub use survey::{Looked, State};
use survey::{Surveying, Surveyor};

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause between two steps of a survey, of which a round has so many.
const STEP_PAUSE: Duration = Duration::from_millis(20);
const STEPS: u32 = 50;
/// Rounds between two words about damage.
const ROUNDS_BETWEEN_ALARMS: u64 = 10;

/// The codec, and what is known of its upkeep.
pub struct Upkeep {
    codec: Arc<Codec>,
    rings_taken: AtomicU64,
    rings_refused: AtomicU64,
    surveying: Surveying,
}

/// The thread; it ends when this is dropped.
pub struct Working {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    /// The upkeep of a codec, which has not begun.
    pub fn new(codec: Arc<Codec>) -> Arc<Self> {
        Arc::new(Self {
            codec,
            rings_taken: AtomicU64::new(0),
            rings_refused: AtomicU64::new(0),
            surveying: Surveying::default(),
        })
    }

    /// What is kept in order.
    pub fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Changed key rings that were taken, and that were refused.
    pub fn rings(&self) -> [u64; 2] {
        [&self.rings_taken, &self.rings_refused].map(|counter| counter.load(Ordering::Relaxed))
    }

    /// What surveys of the second level have found.
    pub fn looked(&self) -> Looked {
        self.surveying.figures(&self.codec)
    }

    /// Begins. `ring` is the file of the key ring, `disk` the second level, where there are any.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        self: &Arc<Self>,
        ring: Option<RingFile>,
        disk: Option<Arc<Disk>>,
        clock: fn() -> Millis,
    ) -> io::Result<Working> {
        let (upkeep, stop) = (Arc::clone(self), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let surveyor = disk.map(|disk| Surveyor::new(disk, clock, ring.is_some()));
        let work = move || upkeep.work(ring, surveyor, &stopped);
        let thread = thread::Builder::new().name("larder-codec".into());
        Ok(Working {
            stop,
            thread: Some(thread.spawn(work)?),
        })
    }

    fn work(
        &self,
        mut ring: Option<RingFile>,
        mut surveyor: Option<Surveyor>,
        stopped: &AtomicBool,
    ) {
        let mut told = self.codec.figures().damaged;
        let mut round = 0_u64;
        while !stopped.load(Ordering::Acquire) {
            let is_ring_changed = ring.as_mut().is_some_and(|file| self.look(file));
            if round.is_multiple_of(ROUNDS_BETWEEN_ALARMS) {
                self.raise_alarm(&mut told);
            }
            round += 1;
            match &mut surveyor {
                Some(surveyor) => self.tend(surveyor, is_ring_changed, stopped),
                None => thread::park_timeout(PAUSE),
            }
        }
    }

    /// A round of what concerns the second level.
    fn tend(&self, surveyor: &mut Surveyor, is_ring_changed: bool, stopped: &AtomicBool) {
        if is_ring_changed {
            surveyor.begin();
        }
        // What is written during a survey needs no dictionary but the newest ones.
        if !surveyor.is_going() && self.codec.train() > 0 && self.codec.has_old_dictionaries() {
            surveyor.begin();
        }
        if !surveyor.is_going() && surveyor.has_cleared() {
            surveyor.begin();
        }
        if surveyor.rests() {
            thread::park_timeout(PAUSE);
            return;
        }
        if !surveyor.is_going() {
            thread::park_timeout(PAUSE);
        }
        for _ in 0..STEPS {
            if !surveyor.is_going() || stopped.load(Ordering::Acquire) {
                break;
            }
            if !surveyor.step(&self.codec, &self.surveying) {
                thread::park_timeout(PAUSE);
                break;
            }
            thread::park_timeout(STEP_PAUSE);
        }
    }

    /// Takes the key ring if it has changed; one that is wrong leaves the one before in force. Whether it was taken.
    fn look(&self, file: &mut RingFile) -> bool {
        match file.look() {
            None => false,
            Some(Ok(ring)) => {
                let (active, keys) = (ring.active(), ring.keys().count());
                // Before anybody can see the new key beside numbers of the time before it.
                self.surveying.forget();
                self.codec.replace_ring(Some(ring));
                self.rings_taken.fetch_add(1, Ordering::Relaxed);
                info!(%active, keys, "the key ring changed: values are sealed with what it holds now");
                true
            }
            Some(Err(error)) => {
                self.rings_refused.fetch_add(1, Ordering::Relaxed);
                warn!(%error, "the key ring changed and is not taken: the one before stays in force");
                false
            }
        }
    }

    /// Tells of values that could not be read since the last time.
    fn raise_alarm(&self, told: &mut [u64; Damage::KINDS.len()]) {
        let damaged = self.codec.figures().damaged;
        if let Some(text) = alarm(told, &damaged) {
            warn!("values could not be read and count as absent: {text}");
        }
        *told = damaged;
    }
}

/// How many of which kind, and what to do; nothing where there are none.
fn alarm(before: &[u64; Damage::KINDS.len()], now: &[u64; Damage::KINDS.len()]) -> Option<String> {
    let more = before.iter().zip(now).map(|(before, now)| now - before);
    let kinds = Damage::KINDS.into_iter().zip(more);
    let told: Vec<_> = kinds
        .filter(|(_, more)| *more > 0)
        .map(|(kind, more)| match kind {
            "unknown_key" => format!(
                "{more} are sealed under keys that the key ring does not have (put them back from a copy if they are wanted)"
            ),
            "forged" => format!("{more} have a broken seal (somebody may have changed the files)"),
            "unsealed" => format!("{more} are not sealed as they have to be"),
            kind => format!("{more} are {kind}"),
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

impl Drop for Working {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_of_as_it_grows() {
        let before = [1; Damage::KINDS.len()];
        assert_eq!(alarm(&before, &before), None);
        let mut now = before;
        (now[0], now[3]) = (3, 2);
        let told = alarm(&before, &now).unwrap();
        assert!(
            told.starts_with("2 are malformed, 1 are sealed under keys"),
            "{told}"
        );
    }
}
