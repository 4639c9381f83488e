//! The border under whatever guests may answer.

use crate::chain::Answers;
use std::collections::BTreeMap;

use larder_abi::{Event, EventKind, QuestionParts, Request, TTL_MS_MAX, TtlAnswer, VICTIMS_MAX};
use proptest::prelude::*;

use super::*;
use crate::sandbox::{Given, Sandbox, Settings};
use crate::testing::{LOG, guest, insert, sandbox};

/// Answers with its parameters, which it keeps when it is made, from 0x100 on, 16 bytes each.
const PARTS: &[(&str, &str)] = &[
    ("imports", LOG),
    (
        "init",
        "(memory.copy (i32.const 0xd8) (i32.const 0x20000) (i32.const 1024)) (i32.const 0)",
    ),
    // While nothing is kept, the setup needs a place.
    (
        "buffer",
        "(select (i32.load (i32.const 0x108)) (i32.const 0x20000) (i32.load (i32.const 0xd8)))",
    ),
    ("victims", "(i64.load (i32.const 0x118))"),
    ("should_cache", "(i32.load (i32.const 0x128))"),
    ("ttl", "(i64.load (i32.const 0x138))"),
    ("priority", "(i32.load (i32.const 0x148))"),
    (
        "events",
        "(call $log
            (i32.load (i32.const 0x158)) (i32.load (i32.const 0x168)) (i32.load (i32.const 0x178)))
        (drop (memory.grow (i32.load (i32.const 0x188))))",
    ),
];
const ANSWERS: usize = 9;

fn policy(sandbox: &Arc<Sandbox>, answers: &[i64; ANSWERS]) -> Arc<Policy> {
    let declared: Vec<_> = (0..ANSWERS)
        .map(|n| format!(r#"{{"name":"a{n}","type":"int","default":0}}"#))
        .collect();
    let manifest = format!(
        r#"{{"name":"t","kinds":["eviction","should_cache","ttl","priority"],"parameters":[{}]}}"#,
        declared.join(",")
    );
    let mut parts = PARTS.to_vec();
    parts.push(("manifest", &manifest));
    let given = answers.iter().enumerate();
    let settings = Settings {
        parameters: given
            .map(|(n, answer)| (format!("a{n}"), Given::Int(*answer)))
            .collect::<BTreeMap<_, _>>(),
        ..Settings::default()
    };
    sandbox
        .load_untried("p", &guest(&parts), &settings, Arc::default())
        .unwrap()
}

fn drive(evictor: &mut dyn Evictor) -> Result<(), Unfit> {
    evictor.deliver(&[insert(0, 1), Event::new(EventKind::Hit, 0, 0)])?;
    let mut victims = Vec::new();
    let request = Request {
        bytes: 1,
        capacity_bytes: 1,
        newcomer: None,
    };
    evictor.victims(&request, &[], &mut victims)?;
    assert!(victims.len() <= VICTIMS_MAX);
    Ok(())
}

fn decide(decisions: &mut Decisions) -> Result<(), Unfit> {
    let question = QuestionParts {
        key: b"key",
        ..QuestionParts::default()
    };
    decisions.should_cache(&question)?;
    if let TtlAnswer::Millis(ms) = decisions.ttl(&question)? {
        assert!((1..=TTL_MS_MAX).contains(&ms));
    }
    decisions.priority(&question)?;
    Ok(())
}

/// Numbers at which something may break, and all others.
fn answer() -> impl Strategy<Value = i64> {
    let edge = prop::sample::select(vec![
        0,
        1,
        2,
        8,
        255,
        256,
        0x1000,
        0x2_0000,
        0xf_fff8,
        0x10_0000,
        -1,
        -2,
        -3,
        -8,
        1 << 32,
        0x2_0000 << 32 | 1,
        0x2_0000 << 32 | 4096,
        0x2_0000 << 32 | 4097,
        -1 << 32,
        i64::MIN,
        i64::MAX,
    ]);
    prop_oneof![edge, any::<i64>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_a_guest_answers_is_an_answer_or_an_offence(
        answers in prop::collection::vec(answer(), ANSWERS),
        good_buffer in prop::bool::weighted(0.8),
    ) {
        let mut answers: [i64; ANSWERS] = answers.try_into().unwrap();
        if good_buffer {
            answers[0] = 0x2_0000;
        }
        let policy = policy(&sandbox(), &answers);
        let kinds = policy.kinds();
        let mut offences = 0;
        for _ in 0..2 {
            match policy.evictor(1, u64::MAX) {
                Ok(mut evictor) => {
                    if let Err(unfit) = drive(&mut *evictor) {
                        offences += 1;
                        prop_assert_eq!(drive(&mut *evictor), Err(unfit));
                    }
                }
                Err(_) => offences += 1,
            }
            match policy.decisions(kinds, 1) {
                Ok(mut decisions) => {
                    if let Err(unfit) = decide(&mut decisions) {
                        offences += 1;
                        prop_assert_eq!(decide(&mut decisions), Err(unfit));
                    }
                }
                Err(_) => offences += 1,
            }
        }
        let figures = policy.figures().snapshot();
        prop_assert_eq!(figures.traps + figures.wrong_answers + figures.deadlines_missed, offences);
        prop_assert_eq!(figures.instances, 0);
        prop_assert_eq!(figures.memory_bytes, 0);
    }
}
