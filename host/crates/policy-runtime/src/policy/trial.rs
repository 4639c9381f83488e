//! The trial of a policy before it may serve: what it is asked is what a server may ask, and its
//! answers must be right, and the same when it is asked again.

mod shard;

use crate::chain::Answers;
use std::sync::Arc;

use larder_abi::{Kind, Kinds, Operation, QuestionParts, TextPair};
use larder_engine::Unfit;

use super::Policy;
use super::decisions::Decisions;
use super::evictor::WasmEvictor;
use super::instance::Purpose;
use crate::sandbox::Refusal;
use shard::Shard;

const SEED: u64 = 0x1a4d_e400_7e57;
/// What a client may send: the longest key, many tags, the longest part of a value.
static LONG_KEY: [u8; 64 * 1024] = [b'k'; 64 * 1024];
const TAG: &[u8] = b"tag";
const TAGS: [&[u8]; 200] = [TAG; 200];
const ATTRIBUTES: [TextPair<'static>; 3] = [(b"plan", b"gold"), (b"", b""), (b"n", b"\xff\0")];
const LARGE_BYTES: u64 = 1 << 40;
/// Ten years.
const LONG_MS: u64 = 10 * 366 * 24 * 60 * 60 * 1000;
const VALUE: [u8; 4096] = [0xa5; 4096];

/// Tries a policy in all its kinds.
///
/// # Errors
/// What it did wrong.
pub(crate) fn try_out(policy: &Arc<Policy>) -> Result<(), Refusal> {
    if policy.kinds().has(Kind::Eviction) {
        agree("names other victims", || {
            let evictor = WasmEvictor::new(policy, SEED, u64::MAX, Purpose::Trial)?;
            Shard::new(evictor, SEED).live()
        })?;
    }
    let decides = policy
        .kinds()
        .iter()
        .filter(|kind| *kind != Kind::Eviction)
        .fold(Kinds::NONE, Kinds::with);
    if !decides.is_empty() {
        agree("gives other answers", || {
            let decisions = Decisions::new(policy, decides, SEED, Purpose::Trial)?;
            ask(decisions, decides)
        })?;
    }
    Ok(())
}

/// Runs a trial twice. The engine leaves guests nothing to be fickle with; this is the proof.
fn agree<T: PartialEq>(
    how_not: &str,
    mut run: impl FnMut() -> Result<T, Unfit>,
) -> Result<(), Refusal> {
    let mut run = || run().map_err(|unfit| Refusal(format!("it failed its trial: {unfit}")));
    if run()? == run()? {
        return Ok(());
    }
    Err(Refusal(format!(
        "it failed its trial: it {how_not} when it is asked the same again; policies have to be \
         deterministic, with no randomness but what the seed gives"
    )))
}

/// Asks all questions, several times as what a policy remembers may count; returns the answers.
fn ask(mut decisions: Decisions, kinds: Kinds) -> Result<Vec<String>, Unfit> {
    let mut answers = Vec::new();
    for now_ms in 0..8 {
        for question in questions(now_ms) {
            for kind in kinds.iter() {
                let answer = match kind {
                    Kind::Eviction => continue,
                    Kind::ShouldCache => decisions.should_cache(&question)?.to_string(),
                    Kind::Ttl => format!("{:?}", decisions.ttl(&question)?),
                    Kind::Priority => decisions.priority(&question)?.to_string(),
                    Kind::Security => format!("{:?}", decisions.security(&question)?),
                };
                answers.push(answer);
            }
        }
    }
    Ok(answers)
}

fn questions(now_ms: u64) -> [QuestionParts<'static>; 5] {
    let plain = QuestionParts {
        now_ms: now_ms * 1_000,
        tier: 1,
        tenant: "default",
        key: b"user:1",
        value: &VALUE[..5],
        value_bytes: 5,
        ..QuestionParts::default()
    };
    [
        plain,
        QuestionParts {
            key: b"",
            value: b"",
            value_bytes: 0,
            ..plain
        },
        QuestionParts {
            key: &LONG_KEY,
            ttl_ms: Some(1),
            ..plain
        },
        QuestionParts {
            tags: &TAGS,
            attributes: &ATTRIBUTES,
            data_type: b"json",
            cost_ms: Some(12),
            ttl_ms: Some(60_000),
            ..plain
        },
        QuestionParts {
            value: &VALUE,
            value_bytes: LARGE_BYTES,
            ttl_ms: Some(LONG_MS),
            operation: Operation::Load,
            cost_ms: Some(LONG_MS),
            db: 15,
            ..plain
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_differ_from_run_to_run_are_refused() {
        let mut answers = [vec![1], vec![2]].into_iter();
        let fickle = agree("names other victims", || Ok(answers.next()));
        assert!(
            fickle
                .unwrap_err()
                .0
                .contains("it names other victims when")
        );
        assert_eq!(agree("", || Ok(1)), Ok(()));
        let unfit = agree("", || -> Result<(), Unfit> { Err(Unfit("so".into())) });
        assert_eq!(unfit, Err(Refusal("it failed its trial: so".into())));
    }
}
