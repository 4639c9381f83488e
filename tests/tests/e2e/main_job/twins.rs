//! Each rule over the whole trace, natively and in WebAssembly: what it holds against the model and
//! against its twin.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use e2e::harness::policy;
use larder_engine::{
    Access, Edit, Engine, EngineConfig, Error, Evictor, EvictorFactory, Expiry, Key, Label,
    MEMORY_BYTES_MIN, SizeClasses, TenantConfig, Unfit, native,
};
use larder_policy_business_priority::ByValue;
use larder_policy_lru::Lru;
use larder_policy_runtime::{Policy, Sandbox, SandboxConfig, Settings};
use larder_policy_s3_fifo::S3Fifo;

use super::model;
use super::trace::Trace;
use super::{SHARDS, VALUE_BYTES};

/// How far hit ratios may be apart.
const POINTS_MAX: f64 = 0.2;
const NOW: u64 = 1_700_000_000_000;

/// What an entry is worth.
type Worth = fn(u64) -> u8;

/// A rule, natively, and how many hits its model has.
struct Rule {
    name: &'static str,
    native: Arc<dyn EvictorFactory>,
    worth: Worth,
    model: Option<fn(usize, &[u64]) -> usize>,
}

fn rules() -> [Rule; 4] {
    let by_value: fn() -> ByValue =
        || larder_sdk::Policy::new(Default::default(), 1).expect("the defaults go together");
    [
        Rule {
            name: "lru",
            native: native("lru", Lru::default),
            worth: |_| 0,
            model: Some(|held, ids| hits(ids, &mut model::Lru::new(SHARDS, held))),
        },
        Rule {
            name: "s3-fifo",
            native: native("s3-fifo", S3Fifo::default),
            worth: |_| 0,
            model: Some(|held, ids| hits(ids, &mut model::S3Fifo::new(SHARDS, held))),
        },
        // Of entries that are worth the same, the least recent goes.
        Rule {
            name: "business-priority",
            native: native("business-priority", by_value),
            worth: |_| 7,
            model: Some(|held, ids| hits(ids, &mut model::Lru::new(SHARDS, held))),
        },
        Rule {
            name: "business-priority",
            native: native("business-priority", by_value),
            worth: |id| (id % 3) as u8,
            model: None,
        },
    ]
}

fn hits(ids: &[u64], model: &mut impl model::Model) -> usize {
    ids.iter().filter(|id| model.request(**id)).count()
}

/// A policy in the sandbox.
pub(crate) struct Wasm(pub(crate) Arc<Policy>);

impl EvictorFactory for Wasm {
    fn name(&self) -> &str {
        "wasm"
    }

    fn build(&self, seed: u64, share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        self.0.evictor(seed, share_bytes)
    }
}

fn engine(memory_bytes: u64, evictor: &Arc<dyn EvictorFactory>) -> Engine {
    Engine::new(EngineConfig {
        memory_bytes,
        threads: 1,
        seed: 1,
        size_classes: SizeClasses::Jemalloc,
        start_ms: NOW,
        volatile_only: false,
        tenants: vec![TenantConfig {
            name: "default".to_owned(),
            memory_bytes,
            evictor: Arc::clone(evictor),
            reuse: None,
            below: None,
            vault: None,
        }],
    })
    .expect("the configuration is sound")
}

/// Asks for an object, and stores it if it is not there. Whether it was.
fn request(engine: &Engine, id: u64, worth: Worth) -> bool {
    let (name, tenant) = (format!("{id:016x}"), engine.default_tenant());
    let key = Key::new(0, name.as_bytes());
    if tenant.get(key, NOW, |_| ()).is_some() {
        return true;
    }
    let priority = worth(id);
    let put = tenant.update(key, NOW, Access::Offer(priority), VALUE_BYTES, |_| {
        let put = Edit::Put {
            value: Cow::Borrowed(&[b'v'; VALUE_BYTES]),
            expiry: Expiry::Never,
            label: Some(Label {
                priority,
                ..Label::NONE
            }),
        };
        (put, ())
    });
    assert!(matches!(put, Ok(()) | Err(Error::Refused)), "{put:?}");
    false
}

/// The hits over a trace, and the entries at its end.
fn replay(
    evictor: &Arc<dyn EvictorFactory>,
    memory_bytes: u64,
    worth: Worth,
    ids: &[u64],
) -> (usize, usize) {
    let engine = engine(memory_bytes, evictor);
    let mut hits = 0;
    for requests in ids.chunks(1000) {
        hits += requests
            .iter()
            .filter(|id| request(&engine, **id, worth))
            .count();
        engine.maintain(NOW);
    }
    let tenant = engine.default_tenant();
    assert_eq!((tenant.unfit_shards(), tenant.unfit_reason()), (0, None));
    let stats = tenant.stats();
    // When an instance grows, 64 KiB are needed at once.
    assert!(
        stats.fallback_evictions * 100 < stats.evictions,
        "{stats:?}"
    );
    assert_eq!(stats.shards, SHARDS as u64);
    (hits, tenant.len(0) as usize)
}

/// The memory in which so many entries find room: what the evictors need comes out of it, too, and
/// in WebAssembly that is more.
fn memory_for(entries: usize, evictor: &Arc<dyn EvictorFactory>, worth: Worth, ids: &[u64]) -> u64 {
    let mut memory_bytes = 6 << 20;
    for _ in 0..5 {
        let (_, held) = replay(evictor, memory_bytes, worth, &ids[..ids.len() / 2]);
        memory_bytes = (memory_bytes * entries as u64 / held as u64).max(MEMORY_BYTES_MIN);
    }
    memory_bytes
}

#[test]
fn each_rule_is_its_model_and_its_twin_in_webassembly() {
    let trace = Trace::load();
    let objects = trace.ids.iter().collect::<HashSet<_>>().len();
    // The least memory that there is holds some twenty thousand.
    let entries = (objects / 10).max(25_000);
    let ratio = |hits: usize| 100.0 * hits as f64 / trace.ids.len() as f64;
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    for rule in rules() {
        let module = fs::read(policy(rule.name)).unwrap();
        let settings = Settings::default();
        let twin = sandbox.load(rule.name, &module, &settings, Arc::default());
        let twin: Arc<dyn EvictorFactory> = Arc::new(Wasm(twin.unwrap()));
        let [native, wasm] = [&rule.native, &twin].map(|evictor| {
            let memory_bytes = memory_for(entries, evictor, rule.worth, &trace.ids);
            replay(evictor, memory_bytes, rule.worth, &trace.ids)
        });
        let modelled = rule.model.map(|model| model(wasm.1, &trace.ids));
        let ratios = [native.0, wasm.0, modelled.unwrap_or(wasm.0)].map(ratio);
        println!(
            "{}: {ratios:.2?} %, {} and {} held",
            rule.name, native.1, wasm.1
        );
        for other in [ratios[0], ratios[2]] {
            let points = (ratios[1] - other).abs();
            assert!(points <= POINTS_MAX, "{}: {ratios:?}", rule.name);
        }
    }
}
