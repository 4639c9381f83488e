//! The policy of a cache.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use larder_engine::decision::{Operation, QuestionParts, Verdict};
use larder_engine::{Evictor, EvictorFactory, Key, Millis, Unfit};
use larder_policy_runtime::chain::ask;
use larder_policy_runtime::{Decisions, Policy, Sandbox, SandboxConfig, Settings};
use larder_sdk::{Kind, Kinds};

/// Who decides over values, if anybody does.
#[derive(Default)]
pub(super) struct Policies {
    /// One instance for all threads; none any more once it broke a rule.
    deciding: Option<(Kinds, Mutex<Option<Decisions>>)>,
}

impl Policies {
    /// Loads the policy of a file; beside who decides over values, who says what is evicted.
    ///
    /// # Errors
    /// When it cannot be read or is refused.
    pub(super) fn load(
        file: Option<&Path>,
        seed: u64,
    ) -> anyhow::Result<(Self, Option<Arc<dyn EvictorFactory>>)> {
        let Some(file) = file else {
            return Ok((Self::default(), None));
        };
        let module = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let sandbox = Sandbox::new(SandboxConfig::default())?;
        let policy = sandbox.load(&name, &module, &Settings::default(), Arc::default());
        let policy = policy.with_context(|| format!("{} is refused", file.display()))?;
        let eviction = Kinds::NONE.with(Kind::Eviction);
        let kinds = Kinds::from_bits(policy.kinds().bits() & !eviction.bits());
        let deciding = (!kinds.is_empty()).then(|| {
            let decisions = policy.decisions(kinds, seed);
            decisions.map(|decisions| (kinds, Mutex::new(Some(decisions))))
        });
        let deciding = deciding.transpose().map_err(|unfit| anyhow!(unfit.0))?;
        let evicts = policy.kinds().has(Kind::Eviction);
        let evictor = evicts.then(|| Arc::new(Wasm(policy)) as Arc<dyn EvictorFactory>);
        Ok((Self { deciding }, evictor))
    }

    /// What becomes of a value; as it was asked for where nobody has a say.
    pub(super) fn decide(
        &self,
        key: Key<'_>,
        value: &[u8],
        ttl: Option<Duration>,
        now: Millis,
    ) -> Verdict {
        let ms = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let ttl_ms = ttl.map(ms);
        let mut verdict = Verdict {
            keep: true,
            ttl_ms,
            priority: 0,
            is_secret: false,
        };
        let Some((kinds, decisions)) = &self.deciding else {
            return verdict;
        };
        let mut decisions = decisions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answers) = decisions.as_mut() {
            let question = QuestionParts {
                now_ms: now,
                operation: Operation::Write,
                tier: 1,
                key: key.bytes,
                tenant: super::TENANT,
                value_bytes: value.len() as u64,
                value,
                ttl_ms,
                ..QuestionParts::default()
            };
            if ask(answers, *kinds, false, &question, &mut verdict).is_err() {
                *decisions = None;
            }
        }
        verdict
    }
}

/// Makes the evictors of all shards of a policy.
struct Wasm(Arc<Policy>);

impl EvictorFactory for Wasm {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn build(&self, seed: u64, share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        self.0.evictor(seed, share_bytes)
    }
}
