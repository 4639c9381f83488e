//! Drives a tenant through any sequence of operations, beside a model that is obviously right.

use std::collections::BTreeMap;

use larder_engine::{
    Access, Edit, Engine, EngineConfig, Expiry, FlushCursor, Key, Millis, SizeClasses, Tenant,
    TenantConfig, native,
};
use larder_policy_s3_fifo::S3Fifo;

/// Bytes of structures that may grow after room was made.
const SLACK_BYTES: u64 = 96 * 1024;
const START: Millis = 1_700_000_000_000;

/// Operations on few keys: what is there must be what was written last. The first byte chooses
/// between memory for everything, where nothing may be missing either, and memory for little.
///
/// # Panics
/// Where the tenant and the model differ.
pub fn engine(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let roomy = first & 1 == 0;
    let memory_bytes = if roomy { 256 << 20 } else { 4 << 20 };
    let engine = Engine::new(EngineConfig {
        memory_bytes,
        threads: 1,
        seed: u64::from(first),
        size_classes: SizeClasses::Jemalloc,
        start_ms: START,
        tenants: vec![TenantConfig {
            name: "default".to_owned(),
            memory_bytes: if roomy { memory_bytes } else { 1 << 20 },
            evictor: native("s3-fifo", S3Fifo::default),
        }],
    })
    .expect("the configuration is sound");
    let mut world = World {
        engine: &engine,
        model: BTreeMap::new(),
        now: START,
        roomy,
    };
    for operation in rest.chunks_exact(4) {
        world.step(
            operation[0],
            operation[1],
            usize::from(operation[2]),
            operation[3],
        );
    }
    world.check_all();
}

type Name = (u8, Vec<u8>);

struct World<'e> {
    engine: &'e Engine,
    /// Value and expiry (0: none) of what was written and may still be there.
    model: BTreeMap<Name, (Vec<u8>, Millis)>,
    now: Millis,
    roomy: bool,
}

impl World<'_> {
    fn tenant(&self) -> &Tenant {
        self.engine.default_tenant()
    }

    fn step(&mut self, what: u8, which: u8, amount: usize, fill: u8) {
        let db = which & 1;
        let name = (db, vec![which; usize::from(which) % 40]);
        let soon = self.now + amount as u64;
        match what % 12 {
            0..=2 => self.check(&name),
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
            _ if fill == 0 => self.flush(amount.is_multiple_of(2).then_some(db)),
            _ => self.check_all(),
        }
        let stats = self.tenant().stats();
        assert!(
            stats.used_bytes <= stats.budget_bytes + SLACK_BYTES,
            "{stats:?}"
        );
    }

    fn key<'n>(&self, name: &'n Name) -> Key<'n> {
        Key::new(name.0, &name.1)
    }

    /// The model's value, if it has not expired.
    fn expected(&self, name: &Name) -> Option<&(Vec<u8>, Millis)> {
        self.model
            .get(name)
            .filter(|(_, expiry)| *expiry == 0 || *expiry > self.now)
    }

    /// Drops from the model what has expired, or was evicted where memory is short.
    fn settle(&mut self, name: &Name) {
        let there = self
            .tenant()
            .peek(self.key(name), self.now, |_| ())
            .is_some();
        let expected = self.expected(name).is_some();
        assert!(!there || expected, "{name:?} came from nowhere");
        assert!(there || !expected || !self.roomy, "{name:?} was lost");
        if !there {
            self.model.remove(name);
        }
    }

    fn check(&mut self, name: &Name) {
        self.settle(name);
        let read = |entry: larder_engine::Entry<'_>| {
            (entry.value().to_vec(), entry.expires_at().unwrap_or(0))
        };
        let found = self.tenant().get(self.key(name), self.now, read);
        assert_eq!(found.as_ref(), self.expected(name), "{name:?}");
    }

    fn put(&mut self, name: &Name, value: &[u8], expiry: Expiry) {
        self.settle(name);
        let edit = || Edit::put(value, expiry);
        let (key, now) = (self.key(name), self.now);
        let hint = value.len();
        let put = self
            .tenant()
            .update(key, now, Access::Write, hint, |_| (edit(), ()));
        put.expect("it fits into an eighth of the memory");
        let before = self.model.get(name).map_or(0, |(_, expiry)| *expiry);
        let after = match expiry {
            Expiry::Never => 0,
            Expiry::Keep => before,
            Expiry::At(at) => at,
        };
        self.model.insert(name.clone(), (value.to_vec(), after));
    }

    fn append(&mut self, name: &Name, more: &[u8]) {
        self.settle(name);
        let len = self.model.get(name).map_or(0, |(value, _)| value.len());
        if len + more.len() > self.tenant().entry_bytes_max() / 2 {
            return;
        }
        let (key, now) = (self.key(name), self.now);
        let append = |_: Option<larder_engine::Entry<'_>>| (Edit::Append(more), ());
        self.tenant()
            .update(key, now, Access::Read, 0, append)
            .expect("it fits");
        self.model
            .entry(name.clone())
            .or_default()
            .0
            .extend_from_slice(more);
    }

    fn expire(&mut self, name: &Name, expiry: Option<Millis>) {
        self.settle(name);
        let (key, now) = (self.key(name), self.now);
        let expire = |_: Option<larder_engine::Entry<'_>>| (Edit::Expire(expiry), ());
        self.tenant()
            .update(key, now, Access::Write, 0, expire)
            .expect("nothing is written");
        if let Some(entry) = self.model.get_mut(name) {
            entry.1 = expiry.unwrap_or(0);
        }
    }

    fn remove(&mut self, name: &Name) {
        self.settle(name);
        let removed = self.tenant().remove(self.key(name), self.now);
        assert_eq!(removed, self.model.remove(name).is_some(), "{name:?}");
    }

    fn flush(&mut self, db: Option<u8>) {
        let mut at = FlushCursor::default();
        while let Some(next) = self.tenant().flush(db, at) {
            at = next;
        }
        self.model
            .retain(|(of, _), _| db.is_some_and(|db| db != *of));
    }

    fn check_all(&mut self) {
        let names: Vec<Name> = self.model.keys().cloned().collect();
        names.iter().for_each(|name| self.check(name));
        for db in 0..2 {
            let (mut seen, mut cursor) = (BTreeMap::new(), 0);
            loop {
                cursor = self.tenant().scan(db, cursor, 7, self.now, &mut |entry| {
                    seen.insert((db, entry.key().to_vec()), entry.value().to_vec());
                });
                if cursor == 0 {
                    break;
                }
            }
            let expected = self.model.iter().filter(|((of, _), _)| *of == db);
            let expected = expected.map(|(name, (value, _))| (name.clone(), value.clone()));
            assert_eq!(seen, expected.collect(), "a scan of database {db}");
        }
    }
}
