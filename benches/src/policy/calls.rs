//! The smallest calls into a policy: what is measured is the crossing.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow};
use larder_abi::{EVENTS_MAX, Event, EventKind, Kind};
use larder_engine::decision::{Kinds, QuestionParts};
use larder_policy_runtime::Policy;
use larder_policy_runtime::chain::Answers;

use super::Bench;

/// Keeps all as it was asked for.
const NOOP: &str = r#"(module
  (@custom "larder.manifest" "{\"name\":\"noop\",\"version\":\"1.0.0\",\"kinds\":[KINDS]}")
  (memory (export "memory") 4)
  (func (export "larder_abi_v1"))
  (func (export "larder_buffer") (param i32) (result i32) (i32.const 1024))
  (func (export "larder_init") (param i32) (result i32) (i32.const 0))
  (func (export "larder_should_cache") (param i32) (result i32) (i32.const 1))
  (func (export "larder_ttl") (param i32) (result i64) (i64.const -2))
  (func (export "larder_priority") (param i32) (result i32) (i32.const 0)))"#;

/// The text of a policy that keeps all as it was asked for, of these kinds.
pub(super) fn noop(kinds: &[&str]) -> String {
    let kinds: Vec<_> = kinds.iter().map(|kind| format!("\\\"{kind}\\\"")).collect();
    NOOP.replace("KINDS", &kinds.join(","))
}

/// Least recently used, written by hand: what a compiler makes cannot be less.
pub(super) const BY_HAND: &str = include_str!("../../../tests/guests/lru_like.wat");

type Measure = fn(&Bench, u32) -> Result<f64>;

pub(super) const MEASUREMENTS: [(&str, Measure); 3] = [
    (
        "an event that is ignored, in batches of 256",
        |bench, calls| events(&bench.by_hand, calls / 8),
    ),
    ("a decision: key, three attributes", |bench, calls| {
        decide(&bench.noop, calls, Kinds::NONE.with(Kind::ShouldCache))
    }),
    ("three decisions of one module, as above", |bench, calls| {
        decide(&bench.noop, calls, bench.noop.kinds())
    }),
];

fn decide(policy: &Arc<Policy>, calls: u32, kinds: Kinds) -> Result<f64> {
    let mut decisions = policy
        .decisions(kinds, 1)
        .map_err(|unfit| anyhow!("{unfit}"))?;
    let mut key = *b"user:0000000000";
    let start = Instant::now();
    for call in 0..calls {
        key[5..9].copy_from_slice(&call.to_le_bytes());
        let question = QuestionParts {
            now_ms: 1,
            tier: 1,
            key: &key,
            tenant: "default",
            value_bytes: 100,
            ttl_ms: Some(60_000),
            attributes: &[(b"plan", b"gold"), (b"region", b"eu"), (b"device", b"tv")],
            ..QuestionParts::default()
        };
        if kinds.has(Kind::ShouldCache) {
            black_box(
                decisions
                    .should_cache(&question)
                    .map_err(|unfit| anyhow!("{unfit}"))?,
            );
        }
        if kinds.has(Kind::Ttl) {
            black_box(
                decisions
                    .ttl(&question)
                    .map_err(|unfit| anyhow!("{unfit}"))?,
            );
        }
        if kinds.has(Kind::Priority) {
            black_box(
                decisions
                    .priority(&question)
                    .map_err(|unfit| anyhow!("{unfit}"))?,
            );
        }
    }
    Ok(start.elapsed().as_nanos() as f64 / f64::from(calls))
}

/// Nanoseconds an event in batches of [`EVENTS_MAX`]: misses, which the policy has no use for.
fn events(policy: &Arc<Policy>, calls: u32) -> Result<f64> {
    let mut evictor = policy
        .evictor(1, u64::MAX)
        .map_err(|unfit| anyhow!("{unfit}"))?;
    let events: Vec<_> = (0..EVENTS_MAX as u32)
        .map(|hash| Event::new(EventKind::Miss, 0, hash))
        .collect();
    let start = Instant::now();
    for _ in 0..calls {
        evictor
            .deliver(&events)
            .map_err(|unfit| anyhow!("{unfit}"))?;
    }
    Ok(start.elapsed().as_nanos() as f64 / f64::from(calls) / EVENTS_MAX as f64)
}
