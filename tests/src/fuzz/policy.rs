//! Lets a guest answer anything at all, beneath a tenant whose entries must not suffer.

use std::sync::{Arc, Mutex, OnceLock};

use larder_engine::decision::QuestionParts;
use larder_engine::{Evictor, EvictorFactory, Unfit};
use larder_policy_runtime::chain::Answers;
use larder_policy_runtime::{Policy, Sandbox, SandboxConfig, Settings};

use super::engine::{LITTLE_BYTES, Terms, World};

/// A century in milliseconds: no TTL is longer.
const TTL_MS_MAX: u64 = 3_162_240_000_000;

/// As [`super::engine`], with the guest of `tests/guests/puppet.wat` in charge of evictions: what is
/// offered tells it what to answer. Beside that it decides over values, with answers as given.
///
/// # Panics
/// Where the tenant and the model differ, or an answer leaves the sandbox that the contract forbids.
pub fn policy(data: &[u8]) {
    let Some((&first, operations)) = data.split_first() else {
        return;
    };
    // Its figures are summed over all worlds that live: one at a time.
    let _alone = ALONE.lock();
    let puppet = puppet();
    let factory = Arc::new(Puppets(Arc::clone(&puppet)));
    // Instances may take half of what there is.
    let world = World::new(Terms::of(first).short(), u64::from(first), factory);
    let mut world = world.allow(LITTLE_BYTES / 2);
    for &[what, a, b, c] in operations.as_chunks::<4>().0 {
        match what % 16 {
            0..8 => world.offer([a, b, what, c % 16]),
            8 => decide(&puppet, i64::from_le_bytes([a, b, c, a, b, c, a, b])),
            9 => decide(&puppet, i64::from(i16::from_le_bytes([a, b]))),
            // Where a shard's evictor failed, another may try.
            10 => drop(world.tenant().repair(world.now())),
            _ => world.step([what, a, b, c]),
        }
    }
    world.check_all();
    drop(world);
    let left = puppet.figures().snapshot();
    assert_eq!((left.instances, left.memory_bytes), (0, 0));
}

static ALONE: Mutex<()> = Mutex::new(());

/// The guest, compiled once.
fn puppet() -> Arc<Policy> {
    static PUPPET: OnceLock<Arc<Policy>> = OnceLock::new();
    let load = || {
        let module = wat::parse_str(include_str!("../../guests/puppet.wat"));
        let sandbox =
            Sandbox::new(SandboxConfig::default()).expect("this machine runs WebAssembly");
        let module = module.expect("the guest is WebAssembly");
        sandbox
            .load_untried("puppet", &module, &Settings::default(), Arc::default())
            .expect("the guest keeps to the form of the contract")
    };
    Arc::clone(PUPPET.get_or_init(load))
}

struct Puppets(Arc<Policy>);

impl EvictorFactory for Puppets {
    fn name(&self) -> &str {
        "puppet"
    }

    fn build(&self, seed: u64, share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        self.0.evictor(seed, share_bytes)
    }
}

/// Asks for all decisions; each is to be `answer`.
fn decide(puppet: &Arc<Policy>, answer: i64) {
    let question = QuestionParts {
        now_ms: answer as u64,
        ttl_ms: Some(answer as u64),
        key: b"key",
        tenant: "default",
        ..QuestionParts::default()
    };
    let mut decisions = puppet
        .decisions(puppet.kinds(), 1)
        .expect("the guest can be made");
    let ttl = decisions.ttl(&question);
    let is_lawful = matches!(answer, -3 | -2) || (1..=TTL_MS_MAX as i64).contains(&answer);
    assert_eq!(ttl.is_ok(), is_lawful, "{answer}: {ttl:?}");
    // Who broke a rule once is not asked again.
    let kept = decisions.should_cache(&question);
    assert_eq!(
        kept.is_err(),
        !is_lawful || !matches!(answer as i32, 0 | 1),
        "{answer}: {kept:?}"
    );
}
