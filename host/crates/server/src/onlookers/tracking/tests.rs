//! The proof that counts: what connections keep of their own is right once writes stop, whatever several of
//! them did at the same time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use larder_engine::{Access, Edit, Entry, Expiry, FlushCursor, Key, Undecided};
use larder_resp::{ArgsBuf, Limits, Value, Version, decode};

use crate::commands::dispatch;
use crate::meter::Watch;
use crate::testing::{config, parts, session_of};
use crate::{Context, Flow, Session, Shared};

const KEYS: u64 = 6;
const STEPS: u64 = 30_000;
const SEED: u64 = 0x5EED;

/// A connection that keeps values of its own, as clients do.
struct Cache<'s> {
    shared: &'s Shared,
    clock: &'s AtomicU64,
    session: Session,
    kept: HashMap<Vec<u8>, Option<Vec<u8>>>,
    random: u64,
    writes: u64,
    hits: u64,
}

impl<'s> Cache<'s> {
    fn new(shared: &'s Shared, clock: &'s AtomicU64, id: u64, options: &[&str]) -> Self {
        let mut cache = Self {
            shared,
            clock,
            session: session_of(shared, id, Version::V3),
            kept: HashMap::new(),
            random: SEED.wrapping_mul(2 * id + 1),
            writes: 0,
            hits: 0,
        };
        let words = [&["CLIENT", "TRACKING", "ON"], options].concat();
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        assert_eq!(cache.call(&words), Value::Simple("OK".into()));
        cache
    }

    fn call(&mut self, args: &[&[u8]]) -> Value {
        let (mut out, mut decider) = (Vec::new(), Undecided);
        let mut watch = Watch::start(self.shared, 0);
        let now = self.clock.load(Ordering::Relaxed);
        let session = &mut self.session;
        let mut context = Context::new(
            self.shared,
            session,
            &mut decider,
            now,
            &mut watch,
            &mut out,
        );
        let args: ArgsBuf = args.iter().copied().collect();
        let flow = dispatch(&mut context, args.args());
        drop(context);
        watch.close_run(self.shared);
        if let Flow::Flush(db) = flow {
            let mut at = Some(FlushCursor::default());
            while let Some(cursor) = at {
                at = self.session.tenant.flush(db, cursor);
            }
            return Value::Simple("OK".into());
        }
        values(&out).remove(0)
    }

    /// Forgets what it is told of.
    fn listen(&mut self) {
        let mut out = Vec::new();
        self.session.mailbox().expect("there is one").take(&mut out);
        for message in values(&out) {
            let Value::Push(parts) = message else {
                panic!("no push: {message:?}")
            };
            match &parts[1] {
                Value::Null => self.kept.clear(),
                Value::Array(keys) => keys.iter().for_each(|key| {
                    self.kept.remove(&bytes(key).expect("a key"));
                }),
                other => panic!("no keys: {other:?}"),
            }
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn step(&mut self) {
        self.listen();
        let key = format!("k{}", self.draw(KEYS)).into_bytes();
        self.writes += 1;
        let value = format!("{}:{}", self.session.id, self.writes).into_bytes();
        match self.draw(100) {
            0..50 => self.read(&key),
            50..70 => drop(self.call(&[b"SET", &key, &value])),
            70..74 => drop(self.call(&[b"SET", &key, &value, b"PX", b"3"])),
            74..78 => drop(self.call(&[b"DEL", &key])),
            78..82 => drop(self.call(&[b"APPEND", &key, b"x"])),
            82..84 => drop(self.call(&[b"PEXPIRE", &key, b"2"])),
            84..86 => drop(self.call(&[b"RENAME", b"k0", &key])),
            86..88 => drop(self.call(&[b"MSET", b"k0", &value, &key, &value])),
            88..90 => drop(self.clock.fetch_add(1, Ordering::Relaxed)),
            90..94 => self.read_within_exec(&key, &value),
            // Room for so much is made by evicting.
            94..99 => {
                let name = format!("large{}", self.draw(100)).into_bytes();
                self.call(&[b"SET", &name, &[0; 200_000]]);
            }
            _ if self.draw(20) == 0 => drop(self.call(&[b"FLUSHALL"])),
            _ => {}
        }
        // It cannot know of what it does itself otherwise.
        if self
            .session
            .following
            .as_ref()
            .is_some_and(|own| own.follower().mode().is_deaf_to_own)
        {
            self.kept.clear();
        }
    }

    fn read(&mut self, key: &[u8]) {
        if self.kept.contains_key(key) {
            self.hits += 1;
            return;
        }
        let value = bytes(&self.call(&[b"GET", key]));
        self.kept.insert(key.to_vec(), value);
    }

    fn read_within_exec(&mut self, key: &[u8], value: &[u8]) {
        self.call(&[b"MULTI"]);
        self.call(&[b"GET", key]);
        self.call(&[b"SET", b"k1", value]);
        let Value::Array(replies) = self.call(&[b"EXEC"]) else {
            panic!("EXEC was refused")
        };
        // What it wrote behind the read is told behind the reply.
        if key != b"k1" {
            self.kept.insert(key.to_vec(), bytes(&replies[0]));
        }
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Bulk(Some(bytes)) => Some(bytes.clone()),
        Value::Null => None,
        other => panic!("no string: {other:?}"),
    }
}

fn values(mut out: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    while let Ok(Some((value, len))) = decode(out, &Limits::default()) {
        values.push(value);
        out = &out[len..];
    }
    assert!(out.is_empty(), "half a message");
    values
}

#[test]
fn what_is_kept_elsewhere_is_right_once_writes_stop() {
    let shared = Shared::new(config(), parts());
    let clock = AtomicU64::new(shared.now());
    let ways: [&[&str]; 4] = [&[], &["OPTOUT"], &["BCAST", "PREFIX", "k"], &["NOLOOP"]];
    let run = |number: usize| {
        let mut cache = Cache::new(&shared, &clock, number as u64 + 1, ways[number]);
        (0..STEPS).for_each(|_| cache.step());
        cache
    };
    let run = &run;
    let caches: Vec<Cache<'_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..ways.len())
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        let caches = threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread fails"));
        caches.collect()
    });
    let now = clock.load(Ordering::Relaxed);
    while shared.engine.maintain(now) {}
    let mut hits = Vec::new();
    for (mut cache, way) in caches.into_iter().zip(ways) {
        cache.listen();
        let tenant = &cache.session.tenant;
        for (key, kept) in &cache.kept {
            let is = tenant.peek(Key::new(0, key), now, |entry| entry.value().to_vec());
            assert_eq!(kept, &is, "{} by {way:?}", key.escape_ascii());
        }
        hits.push(cache.hits);
    }
    assert!(hits[..3].iter().all(|hits| *hits > 0), "{hits:?}");
    let figures = shared.onlookers[0].tracking_figures();
    assert!(figures.messages > 0);
    assert_eq!((figures.clients, figures.keys), (0, 0));
    assert_eq!(shared.buffers.used_bytes(), 0);
    assert!(!shared.engine.tenants()[0].changes().is_wanted());
}

#[test]
fn a_key_is_remembered_before_it_is_read() {
    let shared = Shared::new(config(), parts());
    let clock = AtomicU64::new(shared.now());
    let mut cache = Cache::new(&shared, &clock, 1, &[]);
    let key = Key::new(0, b"k");
    let deadline = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        let tenant = shared.engine.default_tenant();
        let held = tenant.lock([key], 0, shared.now());
        let mut held = held.expect("the key is short");
        scope.spawn(|| {
            cache.read(b"k");
            assert_eq!(cache.kept[&b"k"[..]].as_deref(), Some(&b"v"[..]));
            // Told of what came between, as it might have read what was there before.
            cache.listen();
            assert!(cache.kept.is_empty());
        });
        while shared.onlookers[0].tracking_figures().keys == 0 {
            assert!(Instant::now() < deadline, "nothing is remembered");
            std::thread::yield_now();
        }
        let put = |_: Option<Entry<'_>>| (Edit::put(&b"v"[..], Expiry::Never), ());
        held.update(key, shared.now(), Access::Write, put)
            .expect("there is room");
    });
}
