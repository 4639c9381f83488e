//! Surveys of the second level: under which keys its values are sealed, and which dictionaries they need.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_engine::Millis;
use larder_engine::tier::Tier;
use larder_tiers::codec::{Census, Codec, KeyEntry, KeyId};
use larder_tiers::disk::{Disk, Surveyed};
use tracing::info;

/// Bytes that are gone over in a step.
const STEP_BYTES: u64 = 256 << 10;
/// Rounds that one that could not go on rests before it begins anew: one, and twice as many each time.
const RESTING_MAX: u32 = 512;

/// What a key, or the lack of one, is to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// New values are sealed under it.
    Active,
    /// What was sealed under it is opened.
    Opens,
    /// The key ring does not have it.
    Gone,
    /// No key: not sealed.
    Open,
}

impl State {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Opens => "opens",
            Self::Gone => "gone",
            Self::Open => "open",
        }
    }
}

/// What surveys have found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Surveys that came to their end.
    pub surveys: u64,
    /// Bytes that are left of the one that goes on.
    pub left_bytes: u64,
    /// Entries as the last survey has left them: by the keys of the ring in their order; under all others
    /// together; not sealed. None while no survey has come to its end that began with the ring as it is.
    pub entries: Vec<(Option<KeyId>, State, u64)>,
}

/// Entries by the key that they are sealed under.
type ByKey = Vec<(Option<KeyId>, u64)>;

/// What is known of surveys.
#[derive(Default)]
pub(super) struct Surveying {
    surveys: AtomicU64,
    left_bytes: AtomicU64,
    /// Nothing is known while it is `None`.
    counted: Mutex<Option<ByKey>>,
}

impl Surveying {
    /// What was counted says nothing any more: another key is the active one.
    pub(super) fn forget(&self) {
        *self.counted() = None;
    }

    fn counted(&self) -> MutexGuard<'_, Option<ByKey>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn figures(&self, codec: &Codec) -> Looked {
        let counted = self.counted();
        let by_state = |counted| by_state(&codec.keys(), counted);
        Looked {
            surveys: self.surveys.load(Ordering::Relaxed),
            left_bytes: self.left_bytes.load(Ordering::Relaxed),
            entries: counted.as_ref().map(by_state).unwrap_or_default(),
        }
    }

    fn end(&self, census: &Census, codec: &Codec) {
        let retired = codec.retire_dictionaries(|id| census.needs(id));
        if retired > 0 {
            info!(retired, "dictionaries that nothing needs any more are gone");
        }
        *self.counted() = Some(census.keys());
        self.left_bytes.store(0, Ordering::Relaxed);
        self.surveys.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was counted, as it concerns the keys of a ring.
fn by_state(ring: &[KeyEntry], counted: &ByKey) -> Vec<(Option<KeyId>, State, u64)> {
    let under = |id| {
        let found = counted.iter().find(|(key, _)| *key == id);
        found.map_or(0, |(_, entries)| *entries)
    };
    let known = |key: &KeyEntry| {
        let state = match key.is_active {
            true => State::Active,
            false => State::Opens,
        };
        (Some(key.id), state, under(Some(key.id)))
    };
    let mut all: Vec<_> = ring.iter().map(known).collect();
    let sealed = counted.iter().filter(|(key, _)| key.is_some());
    let sealed: u64 = sealed.map(|(_, entries)| entries).sum();
    let opened: u64 = all.iter().map(|(_, _, entries)| entries).sum();
    all.push((None, State::Gone, sealed - opened));
    all.push((None, State::Open, under(None)));
    all
}

/// Goes over the second level, when there is reason to.
pub(super) struct Surveyor {
    disk: Arc<Disk>,
    clock: fn() -> Millis,
    stage: Stage,
    resting: u32,
    resting_next: u32,
}

/// How a survey stands.
#[derive(PartialEq, Eq)]
enum Stage {
    Idle,
    Due,
    Going,
}

impl Surveyor {
    pub(super) fn new(disk: Arc<Disk>, clock: fn() -> Millis, is_due: bool) -> Self {
        let stage = if is_due { Stage::Due } else { Stage::Idle };
        Self {
            disk,
            clock,
            stage,
            resting: 0,
            resting_next: 1,
        }
    }

    /// Begins a survey, also where one goes on or rests.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Due;
        (self.resting, self.resting_next) = (0, 1);
    }

    /// Whether it rests for this round.
    pub(super) fn rests(&mut self) -> bool {
        let rests = self.resting > 0;
        self.resting = self.resting.saturating_sub(1);
        rests
    }

    /// Whether something was cleared that a survey is to remove.
    pub(super) fn has_cleared(&self) -> bool {
        self.disk.figures().prefixes > 0
    }

    pub(super) fn is_going(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// A step of the survey, and what follows from it at its end. Whether the next one may follow soon.
    pub(super) fn step(&mut self, codec: &Codec, surveying: &Surveying) -> bool {
        let is_anew = self.stage == Stage::Due;
        match self.disk.survey(is_anew, STEP_BYTES, (self.clock)()) {
            Ok(Surveyed::Ongoing(left_bytes)) => {
                self.stage = Stage::Going;
                surveying.left_bytes.store(left_bytes, Ordering::Relaxed);
                true
            }
            Ok(Surveyed::Done(census)) => {
                self.stage = Stage::Idle;
                surveying.end(&census, codec);
                true
            }
            Ok(Surveyed::Stuck) => {
                // What cannot be read now may be read later; to go over all before it each second wears the disk.
                self.stage = Stage::Due;
                self.resting = self.resting_next;
                self.resting_next = (self.resting_next * 2).min(RESTING_MAX);
                false
            }
            // The writer has no time for it.
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Instant;

    use larder_engine::Key;
    use larder_engine::tier::{TierChange, TierKey, Told};
    use larder_tiers::Plain;
    use larder_tiers::codec::Encrypt;
    use larder_tiers::disk::DiskOptions;
    use tokio::runtime::Builder;

    use super::*;
    use crate::assemble::codec_in;

    #[test]
    fn entries_are_told_by_what_their_key_is_now() {
        let id = |text: &str| text.parse::<KeyId>().unwrap();
        let (old, new, gone) = (id("00000001"), id("00000002"), id("00000003"));
        let key = |id, is_active| KeyEntry {
            id,
            created_seconds: 0,
            is_active,
        };
        let ring = [key(old, false), key(new, true)];
        let counted = vec![(None, 5), (Some(old), 1), (Some(gone), 7)];
        assert_eq!(
            by_state(&ring, &counted),
            [
                (Some(old), State::Opens, 1),
                (Some(new), State::Active, 0),
                (None, State::Gone, 7),
                (None, State::Open, 5),
            ]
        );
    }

    #[test]
    fn a_survey_that_cannot_go_on_begins_anew_less_and_less_often() {
        let folder = tempfile::tempdir().unwrap();
        let options = DiskOptions {
            folder: folder.path().to_owned(),
            bytes_max: 64 << 20,
            index_bytes_max: 1 << 20,
            sync_every: None,
        };
        let disk = Arc::new(Disk::open(&options, Arc::new(Plain), 1).unwrap());
        let key = TierKey::new("t", Key::new(0, b"k")).to_owned();
        let put = Told {
            change: TierChange::Put(key, Arc::default()),
            at: Instant::now(),
        };
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(disk.write(&[put], 1)), [Ok(())]);
        let codec = codec_in(None, false, Encrypt::None, None, 0, 1).unwrap();
        let surveying = Surveying::default();
        let mut surveyor = Surveyor::new(Arc::clone(&disk), || 1, true);
        assert!(surveyor.step(&codec, &surveying) && !surveyor.is_going());

        let files = fs::read_dir(folder.path()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let mut segments = files.filter(|path| path.extension().is_some());
        let segment = File::options().write(true).open(segments.next().unwrap());
        segment.unwrap().set_len(0).unwrap();
        surveyor.begin();
        let mut begun = |rounds: u32| {
            let mut begun = 0;
            for _ in 0..rounds {
                if !surveyor.rests() {
                    assert!(!surveyor.step(&codec, &surveying));
                    begun += 1;
                }
            }
            begun
        };
        assert_eq!(begun(1023), 10);
        assert_eq!(begun(5 * 513), 5);
        surveyor.begin();
        assert!(!surveyor.rests());
    }
}
