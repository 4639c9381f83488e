//! Kinds of values, by tenant and type: what was learned of each, and how its next value is packed.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tracing::{info, warn};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::dictionary::{Dictionaries, Dictionary, Origin, train};
use super::figures::{KindCounters, KindFigures, Why};
use super::packer::{Method, Packer};
use super::samples::{Budget, SAMPLE_BYTES_MAX, SAMPLE_BYTES_MIN, Samples};
use super::sniff::sniff;
use super::standing::{Contest, Standing};
use super::{Handling, Heat};

/// Types of a tenant that are told apart; values of others go by what they look like.
const TYPES_MAX: usize = 64;
/// Longer names are no types.
const TYPE_BYTES_MAX: usize = 64;
/// Below this zstd has nothing to work with, unless it has a dictionary.
const BYTES_MIN: usize = 64;
/// What is read often and as large as this may be better off with LZ4.
const LZ4_BYTES_MIN: usize = 16 * 1024;
/// A new dictionary has to leave this much at most of what the best so far left, in percent.
const PERCENT_MAX: usize = 95;
/// One sample in so many is kept from training, to judge by.
const HELD_BACK: usize = 8;
/// What small values are judged by where there is no dictionary.
const LEVEL: i32 = 3;

/// How a value is to be packed.
pub(super) enum Choice {
    Leave(Why),
    Zstd(i32),
    Dictionary(Arc<Dictionary>),
    Lz4,
    /// With zstd, and with LZ4 to compare.
    Contest(i32),
}

pub(super) struct Kind {
    tenant: Box<str>,
    data_type: Box<str>,
    small: Mutex<Standing>,
    /// Small values that get no dictionary.
    portable: Mutex<Standing>,
    large: Mutex<Standing>,
    contest: Mutex<Contest>,
    samples: Mutex<Samples>,
    dictionary: RwLock<Option<Arc<Dictionary>>>,
    pub(super) counters: KindCounters,
}

impl Kind {
    /// A value that may be learned from.
    pub(super) fn offer(&self, content: &[u8]) {
        self.samples.lock().offer(content);
    }

    pub(super) fn choose(&self, bytes: usize, handling: Handling) -> Choice {
        let Handling {
            heat, is_portable, ..
        } = handling;
        if !is_portable
            && (SAMPLE_BYTES_MIN..=SAMPLE_BYTES_MAX).contains(&bytes)
            && let Some(dictionary) = self.dictionary.read().as_ref()
        {
            return match self.small.lock().is_worth_it() {
                true => Choice::Dictionary(Arc::clone(dictionary)),
                false => Choice::Leave(Why::Resting),
            };
        }
        if bytes < BYTES_MIN {
            return Choice::Leave(Why::Small);
        }
        if !self.standing(bytes, is_portable).lock().is_worth_it() {
            return Choice::Leave(Why::Resting);
        }
        let level = level(bytes, heat);
        if heat != Heat::Hot || bytes < LZ4_BYTES_MIN {
            return Choice::Zstd(level);
        }
        match self.contest.lock().verdict() {
            None => Choice::Contest(level),
            Some(true) => Choice::Lz4,
            Some(false) => Choice::Zstd(level),
        }
    }

    /// What came of trying to compress a value.
    pub(super) fn tell(&self, bytes_in: usize, bytes_out: usize, is_portable: bool) {
        let standing = self.standing(bytes_in, is_portable);
        standing.lock().tell(bytes_in, bytes_out);
    }

    /// What came of a contest.
    pub(super) fn tell_contest(&self, bytes_in: usize, zstd: usize, lz4: usize) {
        self.contest.lock().tell(bytes_in, zstd, lz4);
    }

    fn standing(&self, bytes: usize, is_portable: bool) -> &Mutex<Standing> {
        match bytes <= SAMPLE_BYTES_MAX {
            true if is_portable => &self.portable,
            true => &self.small,
            false => &self.large,
        }
    }

    /// Trains a dictionary, where there are samples, and takes it where it is better than what there is. Whether it was.
    pub(super) fn train(
        &self,
        packer: &Packer,
        dictionaries: &Dictionaries,
        tenants: usize,
    ) -> bool {
        if !dictionaries.has_room(&self.tenant, tenants) {
            return false;
        }
        let Some(samples) = self.samples.lock().take() else {
            return false;
        };
        let is_held_back = |at: &usize| at.is_multiple_of(HELD_BACK);
        let learned = (0..samples.len()).filter(|at| !is_held_back(at));
        let Some(bytes) = train(learned.map(|at| &*samples[at])) else {
            return false;
        };
        let present = self.dictionary.read().clone();
        let version = present
            .as_ref()
            .map_or(0, |dictionary| dictionary.origin().version);
        let origin = Origin {
            tenant: self.tenant.clone(),
            data_type: self.data_type.clone(),
            version: version + 1,
        };
        let Some(candidate) = Dictionary::new(origin, bytes) else {
            return false;
        };
        let left_by = |method| -> usize {
            let judged = samples.iter().step_by(HELD_BACK);
            judged.map(|sample| left_of(packer, method, sample)).sum()
        };
        let without = left_by(Method::Zstd(LEVEL));
        let best = match &present {
            Some(dictionary) => without.min(left_by(Method::Dictionary(dictionary))),
            None => without,
        };
        let left = left_by(Method::Dictionary(&candidate));
        left * 100 <= best * PERCENT_MAX && self.take_up(candidate, dictionaries)
    }

    fn take_up(&self, dictionary: Dictionary, dictionaries: &Dictionaries) -> bool {
        let dictionary = Arc::new(dictionary);
        if let Err(error) = dictionaries.keep(Arc::clone(&dictionary)) {
            warn!(tenant = %self.tenant, data_type = %self.data_type, %error, "a dictionary cannot be kept, so it is not used");
            return false;
        }
        info!(tenant = %self.tenant, data_type = %self.data_type, id = %dictionary.id(), "values are compressed with a new dictionary");
        *self.dictionary.write() = Some(dictionary);
        *self.small.lock() = Standing::default();
        self.samples.lock().rest_less();
        true
    }

    pub(super) fn figures(&self) -> KindFigures {
        let dictionary = self.dictionary.read();
        let version = dictionary
            .as_ref()
            .map_or(0, |dictionary| dictionary.origin().version);
        self.counters
            .snapshot(&self.tenant, &self.data_type, version)
    }
}

/// Bytes that are left of a sample.
fn left_of(packer: &Packer, method: Method<'_>, sample: &[u8]) -> usize {
    let mut packed = Vec::new();
    match packer.pack(method, sample, &mut packed, sample.len()) {
        true => packed.len(),
        false => sample.len(),
    }
}

/// How hard zstd tries: what is written once and read little may take its time, what is large may not.
fn level(bytes: usize, heat: Heat) -> i32 {
    match heat {
        Heat::Hot => 1,
        Heat::Warm if bytes <= 1 << 20 => 3,
        Heat::Warm => 1,
        Heat::Cold if bytes <= 64 << 10 => 9,
        Heat::Cold if bytes <= 1 << 20 => 6,
        Heat::Cold => 3,
    }
}

/// The kinds of a tenant's values, by type, and what their samples may take.
struct OfTenant {
    kinds: HashMap<Box<str>, Arc<Kind>>,
    budget: Budget,
}

/// All kinds of values.
pub(super) struct Kinds {
    seed: u64,
    tenants: usize,
    known: RwLock<HashMap<Box<str>, OfTenant>>,
}

impl Kinds {
    /// Those of so many tenants.
    pub(super) fn new(seed: u64, tenants: usize) -> Self {
        Self {
            seed,
            tenants,
            known: RwLock::default(),
        }
    }

    /// The kind of a value: its type as its client said, or what it looks like.
    pub(super) fn of(
        &self,
        tenant: &str,
        said: Option<&[u8]>,
        value: &[u8],
        dictionaries: &Dictionaries,
    ) -> Arc<Kind> {
        let said = said
            .filter(|name| (1..=TYPE_BYTES_MAX).contains(&name.len()))
            .and_then(|name| std::str::from_utf8(name).ok());
        if let Some(kind) = said.and_then(|data_type| self.known(tenant, data_type)) {
            return kind;
        }
        let is_full = || {
            let known = self.known.read();
            let own = known.get(tenant);
            own.is_some_and(|own| own.kinds.len() >= TYPES_MAX)
        };
        match said {
            Some(data_type) if !is_full() => self.make(tenant, data_type, dictionaries),
            _ => {
                let data_type = sniff(value);
                let known = self.known(tenant, data_type);
                known.unwrap_or_else(|| self.make(tenant, data_type, dictionaries))
            }
        }
    }

    fn known(&self, tenant: &str, data_type: &str) -> Option<Arc<Kind>> {
        let known = self.known.read();
        known.get(tenant)?.kinds.get(data_type).cloned()
    }

    fn make(&self, tenant: &str, data_type: &str, dictionaries: &Dictionaries) -> Arc<Kind> {
        let seed = [tenant, data_type].iter().fold(self.seed, |seed, name| {
            xxh3_64_with_seed(name.as_bytes(), seed)
        });
        let make = |budget: &Budget| Kind {
            tenant: tenant.into(),
            data_type: data_type.into(),
            small: Mutex::default(),
            portable: Mutex::default(),
            large: Mutex::default(),
            contest: Mutex::default(),
            samples: Mutex::new(Samples::new(seed, budget.clone())),
            dictionary: RwLock::new(dictionaries.newest(tenant, data_type)),
            counters: KindCounters::default(),
        };
        let mut known = self.known.write();
        let own = known.entry(tenant.into()).or_insert_with(|| OfTenant {
            kinds: HashMap::new(),
            budget: Budget::of_one_in(self.tenants),
        });
        let kind = own.kinds.entry(data_type.into());
        Arc::clone(kind.or_insert_with(|| Arc::new(make(&own.budget))))
    }

    /// All there are, by tenant and type.
    pub(super) fn all(&self) -> Vec<Arc<Kind>> {
        let known = self.known.read();
        let mut all: Vec<_> = known
            .values()
            .flat_map(|own| own.kinds.values())
            .cloned()
            .collect();
        all.sort_by(|a, b| (&a.tenant, &a.data_type).cmp(&(&b.tenant, &b.data_type)));
        all
    }

    /// Bytes of memory that samples take.
    pub(super) fn sample_bytes(&self) -> usize {
        let known = self.known.read();
        known.values().map(|own| own.budget.used_bytes()).sum()
    }
}
