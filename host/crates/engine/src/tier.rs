//! The port to what lies below the memory: tiers that keep entries longer, and answer later.

mod ear;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authority::Arbiter;
use crate::entry::{Key, Label, Millis, Times};
use crate::loader::LoadFailure;
use crate::tags::TagIds;

pub use ear::{Ear, Heard};

/// What a tier does for whoever asked, who need not wait for its end.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A key as tiers know it: they hold all tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TierKey<'a> {
    /// The tenant's name.
    pub tenant: &'a str,
    /// The database, below [`crate::DATABASES`].
    pub db: u8,
    /// The key itself, any bytes, [`crate::KEY_BYTES_MAX`] at most.
    pub bytes: &'a [u8],
}

impl<'a> TierKey<'a> {
    /// The key of a tenant.
    pub fn new(tenant: &'a str, key: Key<'a>) -> Self {
        Self {
            tenant,
            db: key.db,
            bytes: key.bytes,
        }
    }

    /// The same, to be kept.
    pub fn to_owned(self) -> TierKeyBuf {
        TierKeyBuf {
            tenant: self.tenant.into(),
            db: self.db,
            bytes: self.bytes.into(),
        }
    }
}

/// An owned [`TierKey`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TierKeyBuf {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The database, below [`crate::DATABASES`].
    pub db: u8,
    /// The key itself.
    pub bytes: Box<[u8]>,
}

impl TierKeyBuf {
    /// The same, borrowed.
    pub fn borrow(&self) -> TierKey<'_> {
        TierKey {
            tenant: &self.tenant,
            db: self.db,
            bytes: &self.bytes,
        }
    }
}

/// An entry on its way to a tier or back: everything that an entry in memory is but its key and its
/// standing among others.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The value.
    pub value: Box<[u8]>,
    /// When it expires, if ever.
    pub expires_at: Option<Millis>,
    /// The priority of its [`Label`].
    pub priority: u8,
    /// The note of its [`Label`].
    pub note: Box<[u8]>,
    /// The times of its [`Label`]. They are for the memory: tiers do not keep them.
    pub times: Times,
}

impl Stored {
    /// What the entry carries beside its value.
    pub fn label(&self) -> Label<'_> {
        Label {
            priority: self.priority,
            note: &self.note,
            times: self.times,
        }
    }

    /// Whether it is past its time.
    pub fn is_expired(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|expiry| expiry <= now)
    }
}

/// Without the value, which may be a secret.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("value_bytes", &self.value.len())
            .field("expires_at", &self.expires_at)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// What a tier is told to do.
#[derive(Debug, Clone)]
pub enum TierChange {
    /// Keep this under the key, in place of what was there.
    Put(TierKeyBuf, Arc<Stored>),
    /// Keep nothing under the key.
    Delete(TierKeyBuf),
    /// Keep nothing of the tenant in the database, or in any.
    Clear(Arc<str>, Option<u8>),
    /// Keep nothing whose key begins as this one, in its database. Where that fails, nothing of the database is kept.
    ClearPrefix(TierKeyBuf),
    /// Tags of the tenant were invalidated, by [`crate::tags::id_of`]; `None`: all that there are. For tiers that
    /// [`Tier::counts_tags`]; others have nothing to do.
    Invalidate(Arc<str>, Option<TagIds>),
}

/// A change, and when it was told: it may wait on its way, and elsewhere others may be told meanwhile.
#[derive(Debug, Clone)]
pub struct Told {
    /// What is to be done.
    pub change: TierChange,
    /// Since when.
    pub at: Instant,
}

/// Why a tier did not do what it was asked. The text says what went wrong, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TierError {
    /// It cannot at the moment, nor could it if it were asked again at once: full, read-only, broken, away.
    Unavailable(String),
    /// What it holds under the key cannot be read as what was written: damaged, forged, sealed with a key
    /// that is gone. It counts as absent, and is forgotten.
    Damaged(String),
    /// It does not take entries like this one: too large.
    Refused(String),
    /// No level has it, and where it comes from did not answer.
    NoOrigin(String),
    /// It did not answer in time, so that it may have done what it was asked, or may yet.
    Uncertain(String),
}

impl fmt::Display for TierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unavailable(text)
        | Self::Damaged(text)
        | Self::Refused(text)
        | Self::NoOrigin(text)
        | Self::Uncertain(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for TierError {}

/// Prefixes that a tier may be asked to remove at a time: more may fail.
pub const PREFIXES_MAX: u64 = 64;

/// How a tier stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TierFigures {
    /// Entries that it holds, expired ones that were not removed yet included.
    pub entries: u64,
    /// Bytes that they take there.
    pub used_bytes: u64,
    /// Bytes that they may take.
    pub bytes_max: u64,
    /// Bytes of memory that finding and reading them takes.
    pub index_bytes: u64,
    /// Entries that went to make room.
    pub evictions: u64,
    /// Bytes that were written to it, whatever for, since it was opened.
    pub written_bytes: u64,
    /// Of those, bytes for what it was told to keep.
    pub put_bytes: u64,
    /// Entries that could not be read as what was written.
    pub damaged: u64,
    /// Changes that came too late: another host had written something newer.
    pub overtaken: u64,
    /// Changes that fewer replicas have taken in time than was asked for.
    pub unreplicated: u64,
    /// What was asked of it and failed.
    pub errors: u64,
    /// Prefixes under which something may lie that has not been removed yet, and is not found.
    pub prefixes: u64,
    /// Messages to other hosts that share what it holds.
    pub told: u64,
    /// Messages from them.
    pub heard: u64,
    /// Times that one may have been missed.
    pub losses: u64,
    /// What the last message took that this host sent to itself.
    pub delay_us: u64,
    /// Other hosts that are heard.
    pub hosts: u64,
    /// Whether nothing is heard of them at the moment.
    pub is_deaf: bool,
    /// Why it does nothing at the moment, if so.
    pub trouble: Option<String>,
}

/// Whether a level is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circuit {
    /// It is.
    #[default]
    Closed,
    /// It was not for a while; a few things are asked of it, to see how they end.
    HalfOpen,
    /// It is not, as it failed again and again.
    Open,
}

impl Circuit {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

/// How a breaker stands, and what it let through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CircuitFigures {
    /// Whether the level is asked.
    pub circuit: Circuit,
    /// How often it opened.
    pub opened: u64,
    /// What was asked a second time, or a third, because it had failed.
    pub retries: u64,
}

/// What is left out first where too much is on its way to a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// An entry that goes from memory, and is not below.
    Demotion,
    /// A value that a loader brought.
    Load,
    /// A write that nobody waits for, of lower priority than others.
    Behind,
    /// A write that had waited for a level that was away, for longer than others.
    Oldest,
}

impl Shed {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Demotion, Self::Load, Self::Behind, Self::Oldest];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Demotion => "demotion",
            Self::Load => "load",
            Self::Behind => "behind",
            Self::Oldest => "oldest",
        }
    }
}

/// How a level below the memory stands: the tier, what was asked of it and what is on its way to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelFigures {
    /// What the tier is called.
    pub name: String,
    /// The tier's own figures.
    pub tier: TierFigures,
    /// Whether the server is not ready without it.
    pub is_required: bool,
    /// Whether it is asked for what it holds.
    pub reads: CircuitFigures,
    /// Whether it is told what to hold.
    pub writes_to: CircuitFigures,
    /// Whether changes do not reach it at the moment, and those who write do not wait for it.
    pub is_away: bool,
    /// Loads that did not ask it, as it failed again and again.
    pub passed_over: u64,
    /// Loads that did not ask it, as too many did.
    pub crowded_out: u64,
    /// Changes that nobody waited for, as it was away.
    pub deferred: u64,
    /// Changes that were left out, by [`Shed::ALL`].
    pub shed: [u64; Shed::ALL.len()],
    /// How often a database was emptied there, as more changes waited for it than may.
    pub collapses: u64,
    /// Loads that found something there.
    pub hits: u64,
    /// Loads that found nothing.
    pub misses: u64,
    /// Loads that failed.
    pub read_errors: u64,
    /// Changes that were written to it.
    pub writes: u64,
    /// Changes that could not be.
    pub write_errors: u64,
    /// Batches in which they went.
    pub rounds: u64,
    /// Bytes of memory that wait to be written.
    pub queued_bytes: u64,
}

impl LevelFigures {
    /// Whether it is asked, for the worse of what it holds and is to hold.
    pub fn circuit(&self) -> Circuit {
        self.reads.circuit.max(self.writes_to.circuit)
    }

    /// Whether it does nothing at the moment.
    pub fn is_in_trouble(&self) -> bool {
        self.is_away || self.tier.trouble.is_some() || self.circuit() == Circuit::Open
    }

    /// How it stands, in a word.
    pub fn state(&self) -> &'static str {
        match self.circuit() {
            Circuit::Closed if self.is_in_trouble() => "trouble",
            Circuit::Closed => "ok",
            circuit => circuit.name(),
        }
    }
}

/// How a loader stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoaderFigures {
    /// The tenant that it loads for.
    pub tenant: String,
    /// The pattern of its keys.
    pub pattern: String,
    /// Loads that brought a value.
    pub values: u64,
    /// Bytes of those values.
    pub value_bytes: u64,
    /// Loads that found that there is none.
    pub absences: u64,
    /// Loads that failed, by [`LoadFailure::ALL`].
    pub failures: [u64; LoadFailure::ALL.len()],
    /// Loads that ended, by how long they took: up to each of [`LOAD_MS_BOUNDS`], and longer.
    pub times: [u64; LOAD_MS_BOUNDS.len() + 1],
    /// Time that they took together.
    pub busy_ms: u64,
    /// Values that were loaded anew before their time was over.
    pub refreshed_early: u64,
    /// Values that were loaded anew when they were stale.
    pub refreshed_stale: u64,
    /// Values that were not loaded anew, as too many waited for that.
    pub refreshes_dropped: u64,
    /// Loads that go on.
    pub in_flight: u64,
    /// Loads that wait for others to end.
    pub waiting: u64,
}

/// What was done to give values the form in which they leave the memory, and what it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CodecFigures {
    /// Values that were given it.
    pub records: u64,
    /// What they had, in bytes.
    pub input_bytes: u64,
    /// What was left of that.
    pub output_bytes: u64,
    /// Values that were sealed.
    pub sealed: u64,
    /// Sealed values that were opened.
    pub opened: u64,
    /// Values that could not be read.
    pub damaged: u64,
    /// Dictionaries that values are compressed with.
    pub dictionaries: u64,
    /// Bytes of memory for them, and for what they are made from.
    pub memory_bytes: u64,
}

/// Bounds by which loads are told apart.
pub const LOAD_MS_BOUNDS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 30_000];

/// The levels below the memory, for whoever shows them.
pub trait Levels: Send + Sync {
    /// How each stands, from the top.
    fn figures(&self) -> Vec<LevelFigures>;

    /// How each loader stands.
    fn loaders(&self) -> Vec<LoaderFigures> {
        Vec::new()
    }

    /// Times that invalidated tags could not be written down.
    fn tag_errors(&self) -> u64 {
        0
    }

    /// Bytes of memory that they take, beside that of the entries in memory.
    fn memory_bytes(&self) -> u64;
}

/// A slower, larger level. It holds entries of all tenants, apart from each other.
///
/// Adapters are held to `larder_tiers::conformance`.
pub trait Tier: Send + Sync + 'static {
    /// What it is called in figures and errors: `disk`, `redis`, `cluster`.
    fn name(&self) -> &str;

    /// Whether it may hold something under a key. `false` is certain. It looks at memory alone and takes
    /// well under a microsecond.
    fn may_hold(&self, key: TierKey<'_>) -> bool;

    /// What [`Self::read`] would answer, where it can be told without waiting for anything slower than memory.
    fn read_now(&self, key: TierKey<'_>, now: Millis) -> Option<Result<Option<Stored>, TierError>> {
        let _ = (key, now);
        None
    }

    /// Bytes that a read of a key may have to bring, as far as that can be told from memory; `0` where it cannot.
    fn read_bytes(&self, key: TierKey<'_>) -> u64 {
        let _ = key;
        0
    }

    /// What it holds under a key, if that has not expired.
    fn read<'a>(
        &'a self,
        key: &'a TierKeyBuf,
        now: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>>;

    /// Does the changes in their order; the next ones are handed in when these are done. Once it has answered, they outlast
    /// the process. An answer for each of them: where one failed, what the key held before is gone as well, as far as the tier
    /// can see to that. From the first that is [`TierError::Unavailable`] on they are handed in again, in the same order.
    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        now: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>>;

    /// How it stands.
    fn figures(&self) -> TierFigures;

    /// Whether it counts the invalidations of tags, for all who share what it holds.
    fn counts_tags(&self) -> bool {
        false
    }

    /// How often it has come back, as far as it notices: what failed before may go well now.
    fn recoveries(&self) -> u64 {
        0
    }

    /// How many replicas it waits for before a change is done; `None` where it waits for none.
    fn replicas(&self) -> Option<u32> {
        None
    }

    /// Whether other hosts change what it holds, and it tells of that.
    fn is_shared(&self) -> bool {
        false
    }

    /// For how long memory may answer in its stead what others may have changed in it; `None`: for ever.
    fn stale_max(&self) -> Option<Duration> {
        None
    }

    /// Whether it would answer if it were asked for something now, as far as is known.
    fn answers(&self) -> bool {
        true
    }

    /// Tells `ear` from now on of what other hosts do to what it holds, as far as it knows. Waits until it has told what
    /// was invalidated before, for as long as something that is asked of it may take.
    fn listen(&self, ear: Arc<dyn Ear>) {
        let _ = ear;
    }

    /// The same, where it can have authority.
    fn arbiter(&self) -> Option<&dyn Arbiter> {
        None
    }

    /// Ends in good order what goes on; nothing is asked of it afterwards.
    fn close(&self) -> Answer<'_, ()>;
}
