//! Drives a tenant through any sequence of operations, beside a model that is obviously right.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use larder_engine::{
    Access, Edit, Engine, EngineConfig, Error, EvictorFactory, Expiry, FlushCursor, Key, Label,
    Millis, SizeClasses, Tenant, TenantConfig, Times, Vault, native,
};
use larder_policy_s3_fifo::S3Fifo;

use super::vault::Turned;

/// Bytes of structures that may grow after room was made.
const SLACK_BYTES: u64 = 96 * 1024;
/// The memory that is little.
pub(super) const LITTLE_BYTES: u64 = 1 << 20;
const START: Millis = 1_700_000_000_000;

/// Operations on few keys: what is there must be what was written last. The first byte chooses
/// between memory for everything, where nothing may be missing either, and memory for little; whether
/// only what expires is evicted; and whether some values are kept shut.
///
/// # Panics
/// Where the tenant and the model differ.
pub fn engine(data: &[u8]) {
    let Some((&first, operations)) = data.split_first() else {
        return;
    };
    let s3_fifo = native("s3-fifo", S3Fifo::default);
    let mut world = World::new(Terms::of(first), u64::from(first), s3_fifo);
    world.steps(operations);
    world.check_all();
}

/// As [`engine`], with memory for little of which only what expires is evicted, while the evictors
/// take over from one another.
///
/// # Panics
/// Where the tenant and the model differ, or an evictor was told what misled it.
pub fn successions(data: &[u8], evictors: &[Arc<dyn EvictorFactory>]) {
    let mut reigns = data.chunks(REIGN_BYTES).zip(evictors.iter().cycle());
    let Some((first, evictor)) = reigns.next() else {
        return;
    };
    let terms = Terms {
        roomy: false,
        volatile_only: true,
        shuts: true,
    };
    let mut world = World::new(terms, 1, Arc::clone(evictor)).allow(LITTLE_BYTES / 2);
    world.steps(first);
    for (operations, evictor) in reigns {
        let installed = world.tenant().install(Arc::clone(evictor), world.now);
        installed.expect("the evictor can be made and keeps up");
        world.steps(operations);
        let tenant = world.tenant();
        assert_eq!(tenant.unfit_reason(), None, "{}", tenant.eviction());
    }
    world.check_all();
}

/// Bytes of operations for which an evictor stays.
const REIGN_BYTES: usize = 8000;

/// What a tenant has, and what it may do.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// There is memory for everything.
    roomy: bool,
    volatile_only: bool,
    /// Some values are kept shut.
    shuts: bool,
}

impl Terms {
    pub(super) fn of(byte: u8) -> Self {
        Self {
            roomy: byte & 1 == 0,
            volatile_only: byte & 2 != 0,
            shuts: byte & 4 != 0,
        }
    }

    /// The same with memory for little.
    pub(super) fn short(self) -> Self {
        Self {
            roomy: false,
            ..self
        }
    }

    /// Whether an entry with that expiry (0: none) may be evicted.
    fn may_evict(self, expiry: Millis) -> bool {
        !self.roomy && (!self.volatile_only || expiry != 0)
    }

    /// Whether a write may find no room.
    fn may_refuse(self) -> bool {
        !self.roomy && self.volatile_only
    }
}

type Name = (u8, Vec<u8>);

fn name(which: u8) -> Name {
    (which & 1, vec![which; usize::from(which) % 40])
}

fn key(name: &Name) -> Key<'_> {
    Key::new(name.0, &name.1)
}

/// Names of the one database become those of the other.
fn exchange_names<V>(by_name: &mut BTreeMap<Name, V>) {
    let named = std::mem::take(by_name).into_iter();
    *by_name = named
        .map(|((db, bytes), value)| ((1 - db, bytes), value))
        .collect();
}

/// A tenant and its model.
pub(super) struct World {
    engine: Engine,
    /// Value and expiry (0: none) of what was written and may still be there.
    model: BTreeMap<Name, (Vec<u8>, Millis)>,
    /// How long what is in the model is kept beyond its expiry.
    kept_ms: BTreeMap<Name, u32>,
    /// Value, expiry and end of what has expired and may still be there for who asks for stale values.
    stale: BTreeMap<Name, (Vec<u8>, Millis, Millis)>,
    now: Millis,
    terms: Terms,
    slack_bytes: u64,
}

impl World {
    /// An empty tenant with memory for everything, or for little.
    pub(super) fn new(terms: Terms, seed: u64, evictor: Arc<dyn EvictorFactory>) -> Self {
        let roomy = terms.roomy;
        let memory_bytes = if roomy { 256 << 20 } else { 4 << 20 };
        let engine = Engine::new(EngineConfig {
            memory_bytes,
            threads: 1,
            seed,
            size_classes: SizeClasses::Jemalloc,
            start_ms: START,
            volatile_only: terms.volatile_only,
            tenants: vec![TenantConfig {
                name: "default".to_owned(),
                memory_bytes: if roomy { memory_bytes } else { LITTLE_BYTES },
                evictor,
                reuse: None,
                below: None,
                vault: terms.shuts.then(|| Arc::new(Turned) as Arc<dyn Vault>),
            }],
        });
        Self {
            engine: engine.expect("the configuration is sound"),
            model: BTreeMap::new(),
            kept_ms: BTreeMap::new(),
            stale: BTreeMap::new(),
            now: START,
            terms,
            slack_bytes: SLACK_BYTES,
        }
    }

    /// Evictors that need so much more when they are told something: the next write makes room for it.
    pub(super) fn allow(mut self, evictors_bytes: u64) -> Self {
        self.slack_bytes += evictors_bytes;
        self
    }

    pub(super) fn tenant(&self) -> &Tenant {
        self.engine.default_tenant()
    }

    pub(super) fn now(&self) -> Millis {
        self.now
    }

    fn steps(&mut self, operations: &[u8]) {
        for operation in operations.as_chunks().0 {
            self.step(*operation);
        }
    }

    /// One operation: what, on which key, how much, filled with what.
    pub(super) fn step(&mut self, [what, which, amount, fill]: [u8; 4]) {
        let name = name(which);
        let (db, amount) = (name.0, usize::from(amount));
        let soon = self.now + amount as u64;
        match what % 14 {
            0..=1 => self.check(&name),
            2 => self.patch(&name, usize::from(fill) * 4, &vec![fill; amount]),
            3 => self.put(&name, &vec![fill; amount], Expiry::Never),
            4 => self.put(&name, &vec![fill; amount * amount], Expiry::Keep),
            5 => self.put(&name, &vec![fill; amount], Expiry::At(soon)),
            6 => self.append(&name, &vec![fill; amount]),
            7 => self.expire(&name, (fill != 0).then_some(soon)),
            8 => self.remove(&name),
            9 => self.now += amount as u64 * u64::from(fill),
            10 => {
                self.engine.maintain(self.now);
            }
            11 => self.keep(&name, &vec![fill; amount], soon, 1000 * u32::from(fill)),
            12 => self.check_stale(&name),
            _ if fill == 0 => self.flush(amount.is_multiple_of(2).then_some(db)),
            _ if fill == 1 => self.exchange(),
            _ => self.check_all(),
        }
        let stats = self.tenant().stats();
        assert!(
            stats.used_bytes <= stats.budget_bytes + self.slack_bytes,
            "{stats:?}"
        );
    }

    /// The model's value, if it has not expired.
    fn expected(&self, name: &Name) -> Option<&(Vec<u8>, Millis)> {
        self.model
            .get(name)
            .filter(|(_, expiry)| *expiry == 0 || *expiry > self.now)
    }

    /// Drops from the model what has expired, or was evicted where memory is short.
    fn settle(&mut self, name: &Name) {
        let there = self.tenant().peek(key(name), self.now, |_| ()).is_some();
        let expected = self.expected(name).map(|(_, expiry)| *expiry);
        assert!(!there || expected.is_some(), "{name:?} came from nowhere");
        let may_be_gone = expected.is_none_or(|expiry| self.terms.may_evict(expiry));
        assert!(there || may_be_gone, "{name:?} was lost");
        if !there {
            let before = self.model.remove(name);
            let kept_ms = self.kept_ms.remove(name).unwrap_or(0);
            if let Some((value, expiry)) = before.filter(|(_, expiry)| *expiry != 0) {
                let end = expiry + Millis::from(kept_ms);
                self.stale.insert(name.clone(), (value, expiry, end));
            }
        }
        let now = self.now;
        self.stale
            .retain(|_, (_, expiry, end)| *expiry <= now && now < *end);
    }

    /// A stale value is shown to who asks for it, unless it was evicted.
    fn check_stale(&mut self, name: &Name) {
        self.settle(name);
        let live = self.expected(name).map(|(value, _)| (value.clone(), 0));
        let stale = self.stale.get(name);
        let stale = stale.map(|(value, expiry, _)| (value.clone(), self.now - expiry));
        let read = |entry: larder_engine::Entry<'_>, late_ms| (entry.value().to_vec(), late_ms);
        let found = self.tenant().peek_stale(key(name), self.now, read);
        let expected = live.or(stale);
        let may_be_gone = !self.terms.roomy && found.is_none();
        assert!(
            found == expected || may_be_gone,
            "{name:?}: {found:?}, not {expected:?}"
        );
    }

    /// Writes a value that is kept beyond its expiry.
    fn keep(&mut self, name: &Name, value: &[u8], expiry: Millis, stale_ms: u32) {
        self.settle(name);
        let edit = || Edit::Put {
            value: value.into(),
            expiry: Expiry::At(expiry),
            label: Some(Label {
                times: Times {
                    stale_ms,
                    ..Times::NONE
                },
                ..Label::NONE
            }),
        };
        let (access, hint) = (Access::Write, value.len());
        let put = self
            .tenant()
            .update(key(name), self.now, access, hint, |_| (edit(), ()));
        if self.is_refused(put) {
            return;
        }
        self.stale.remove(name);
        self.model.remove(name);
        if expiry > self.now {
            self.model.insert(name.clone(), (value.to_vec(), expiry));
            self.kept_ms.insert(name.clone(), stale_ms);
        }
    }

    fn check(&mut self, name: &Name) {
        self.settle(name);
        let read = |entry: larder_engine::Entry<'_>| {
            (entry.value().to_vec(), entry.expires_at().unwrap_or(0))
        };
        let found = self.tenant().get(key(name), self.now, read);
        assert_eq!(found.as_ref(), self.expected(name), "{name:?}");
    }

    fn put(&mut self, name: &Name, value: &[u8], expiry: Expiry) {
        self.settle(name);
        let edit = || Edit::put(value, expiry);
        let now = self.now;
        let hint = value.len();
        let put = self
            .tenant()
            .update(key(name), now, Access::Write, hint, |_| (edit(), ()));
        if self.is_refused(put) {
            return;
        }
        self.stale.remove(name);
        if expiry != Expiry::Keep {
            self.kept_ms.remove(name);
        }
        let before = self.model.get(name).map_or(0, |(_, expiry)| *expiry);
        let after = match expiry {
            Expiry::Never => 0,
            // The entry itself may have made room for its successor.
            Expiry::Keep if !self.terms.roomy => self.found_expiry(name).map_or(0, |_| before),
            Expiry::Keep => before,
            Expiry::At(at) => at,
        };
        self.model.insert(name.clone(), (value.to_vec(), after));
    }

    /// Whether a write found no room, as may be.
    fn is_refused<R>(&self, written: Result<R, Error>) -> bool {
        match written {
            Ok(_) => false,
            Err(Error::OutOfMemory) if self.terms.may_refuse() => true,
            Err(error) => panic!("it fits into an eighth of the memory: {error}"),
        }
    }

    /// Takes note that an entry made room for its own successor.
    fn lose(&mut self, name: &Name) {
        let before = self.model.remove(name);
        let could = before.is_none_or(|(_, expiry)| self.terms.may_evict(expiry));
        assert!(could, "{name:?} was lost");
    }

    fn found_expiry(&self, name: &Name) -> Option<Millis> {
        let expiry = |entry: larder_engine::Entry<'_>| entry.expires_at();
        self.tenant().peek(key(name), self.now, expiry).flatten()
    }

    /// A write that the policy may refuse; the key is free then.
    pub(super) fn offer(&mut self, [which, amount, fill, priority]: [u8; 4]) {
        let name = name(which);
        self.settle(&name);
        let value = vec![fill; usize::from(amount) * 64];
        let edit = |_: Option<larder_engine::Entry<'_>>| {
            let label = Label {
                priority,
                ..Label::NONE
            };
            let put = Edit::Put {
                value: Cow::Borrowed(&value),
                expiry: Expiry::Never,
                label: Some(label),
            };
            (put, ())
        };
        let access = Access::Offer(priority);
        let put = self
            .tenant()
            .update(key(&name), self.now, access, value.len(), edit);
        if !matches!(put, Err(Error::OutOfMemory)) {
            self.stale.remove(&name);
            self.kept_ms.remove(&name);
        }
        match put {
            Ok(()) => self.model.insert(name, (value, 0)),
            Err(Error::Refused) if !self.terms.volatile_only => self.model.remove(&name),
            Err(Error::OutOfMemory) if self.terms.may_refuse() => None,
            Err(error) => panic!("{error}"),
        };
    }

    fn append(&mut self, name: &Name, more: &[u8]) {
        self.settle(name);
        let (len, expiry) = self
            .model
            .get(name)
            .map_or((0, 0), |(value, expiry)| (value.len(), *expiry));
        if len + more.len() > self.tenant().entry_bytes_max() / 2 {
            return;
        }
        let now = self.now;
        let append = |_: Option<larder_engine::Entry<'_>>| (Edit::Append(more), ());
        let appended = self
            .tenant()
            .update(key(name), now, Access::Read, 0, append);
        if self.is_refused(appended) {
            return;
        }
        self.stale.remove(name);
        let read = |entry: larder_engine::Entry<'_>| (entry.value().len(), entry.expires_at());
        let found = self.tenant().peek(key(name), now, read);
        if found == Some((more.len(), None)) && (len > 0 || expiry > 0) {
            self.lose(name);
        }
        self.model
            .entry(name.clone())
            .or_default()
            .0
            .extend_from_slice(more);
    }

    fn patch(&mut self, name: &Name, at: usize, bytes: &[u8]) {
        self.settle(name);
        let patch = |entry: Option<larder_engine::Entry<'_>>| {
            let bytes = bytes.into();
            (Edit::Patch { at, bytes }, entry.is_some())
        };
        let patched = self
            .tenant()
            .update(key(name), self.now, Access::Write, 0, patch);
        if patched == Ok(false) {
            self.lose(name);
        }
        if self.is_refused(patched) {
            return;
        }
        self.stale.remove(name);
        let (value, _) = self.model.entry(name.clone()).or_default();
        let end = at + bytes.len();
        value.resize(value.len().max(end), 0);
        value[at..end].copy_from_slice(bytes);
    }

    fn expire(&mut self, name: &Name, expiry: Option<Millis>) {
        self.settle(name);
        let now = self.now;
        let expire = |_: Option<larder_engine::Entry<'_>>| (Edit::Expire(expiry), ());
        self.tenant()
            .update(key(name), now, Access::Write, 0, expire)
            .expect("nothing is written");
        if expiry.is_some_and(|expiry| expiry <= now) {
            self.model.remove(name);
        }
        match self.model.get_mut(name) {
            Some(entry) => entry.1 = expiry.unwrap_or(0),
            None if expiry.is_some() => _ = self.stale.remove(name),
            None => {}
        }
    }

    fn remove(&mut self, name: &Name) {
        self.settle(name);
        let removed = self.tenant().remove(key(name), self.now);
        assert_eq!(removed, self.model.remove(name).is_some(), "{name:?}");
        self.stale.remove(name);
    }

    fn flush(&mut self, db: Option<u8>) {
        let mut at = FlushCursor::default();
        while let Some(next) = self.tenant().flush(db, at) {
            at = next;
        }
        let stays = |of: u8| db.is_some_and(|db| db != of);
        self.model.retain(|(of, _), _| stays(*of));
        self.stale.retain(|(of, _), _| stays(*of));
    }

    /// Both databases change places.
    fn exchange(&mut self) {
        self.tenant().lock_all().exchange(0, 1);
        exchange_names(&mut self.model);
        exchange_names(&mut self.kept_ms);
        exchange_names(&mut self.stale);
    }

    pub(super) fn check_all(&mut self) {
        let names: Vec<Name> = self.model.keys().cloned().collect();
        names.iter().for_each(|name| self.check(name));
        for db in 0..2 {
            let (mut seen, mut cursor) = (BTreeSet::new(), 0);
            loop {
                cursor = self.tenant().scan(db, cursor, 7, self.now, &mut |key| {
                    seen.insert((db, key.to_vec()));
                });
                if cursor == 0 {
                    break;
                }
            }
            let expected = self.model.keys().filter(|(of, _)| *of == db);
            let expected = expected.cloned().collect();
            assert_eq!(seen, expected, "a scan of database {db}");
        }
    }
}
