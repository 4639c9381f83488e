use std::time::Duration;

use super::*;
use crate::chain::Answers;
use crate::sandbox::{Given, Settings};
use crate::testing::{FOREVER, LOG, guest, insert, load, sandbox, untried};
use larder_abi::{
    EVENTS_MAX, Event, EventKind, Foretold, Kind, NEWCOMER, QuestionParts, Request, SecurityAnswer,
    TtlAnswer,
};
use larder_engine::{PolicyFigures, WrongAnswer};

/// Of a shard that can afford whatever the limits allow.
const SHARE_BYTES: u64 = u64::MAX;

const DECIDES: Kinds = Kinds::NONE
    .with(Kind::ShouldCache)
    .with(Kind::Ttl)
    .with(Kind::Priority)
    .with(Kind::Security);

fn request(bytes: u64) -> Request {
    Request {
        bytes,
        capacity_bytes: 1 << 20,
        newcomer: None,
    }
}

#[track_caller]
fn assert_says(unfit: Unfit, words: &str) {
    assert!(unfit.0.contains(words), "{words:?} is not in: {unfit}");
}

#[test]
fn an_honest_evictor_hears_of_events_and_names_victims() {
    let policy = load(&guest(&[])).unwrap();
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    let events: Vec<_> = (0..1000).map(|slot| insert(slot, 10)).collect();
    evictor.deliver(&events).unwrap();
    evictor
        .deliver(&[Event::new(EventKind::Remove, 1, 1)])
        .unwrap();
    let mut victims = vec![99];
    evictor.victims(&request(25), &[], &mut victims).unwrap();
    assert_eq!(victims, [99, 0, 2, 3]);
    assert_eq!(evictor.memory_bytes(), 1 << 20);
    assert!(!evictor.is_prompt() && !evictor.wants_misses());
    let figures = policy.figures().snapshot();
    assert_eq!((figures.events, figures.instances), (1001, 1));
    assert_eq!(figures.memory_bytes, 1 << 20);
    drop(evictor);
    let gone = policy.figures().snapshot();
    assert_eq!(
        (gone.events, gone.instances, gone.memory_bytes),
        (1001, 0, 0)
    );
}

#[test]
fn only_who_wants_to_know_is_told_how_soon_entries_are_asked_for_again() {
    let foretold: Vec<_> = (0..300).map(|slot| Foretold { slot, reuse: 9 }).collect();
    // It names the slot at the end of what was written for it, or where it was told nothing 77.
    let victims = "
        (i32.store (i32.const 16) (i32.const 77))
        (i64.or (i64.const 1) (i64.shl (i64.extend_i32_u (select
            (i32.add (local.get 0) (i32.const 0x1fff8))
            (i32.const 16)
            (i32.gt_u (local.get 0) (i32.const 32)))) (i64.const 32)))";
    let named = |wants: &str, foretold: &[Foretold]| {
        let manifest = format!(r#"{{"name":"w","kinds":["eviction"]{wants}}}"#);
        let policy = untried(&[("manifest", &manifest), ("victims", victims)]);
        let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
        assert_eq!(evictor.wants_reuse(), !wants.is_empty());
        let mut named = Vec::new();
        evictor.victims(&request(5), foretold, &mut named).unwrap();
        named
    };
    let wants = r#","wants_reuse":true"#;
    assert_eq!(named(wants, &foretold[..3]), [2]);
    assert_eq!(named(wants, &foretold), [255], "so many at most");
    assert_eq!(named(wants, &[]), [77]);
    assert_eq!(named("", &foretold), [77]);
}

#[test]
fn decisions_are_made_and_counted() {
    // Keeps what has an even size, for a millisecond longer than the client says.
    let parts = [
        (
            "should_cache",
            "(i32.eqz (i32.and (i32.load offset=8 (i32.const 0x20000)) (i32.const 1)))",
        ),
        (
            "ttl",
            "(i64.add (i64.load offset=16 (i32.const 0x20000)) (i64.const 1))",
        ),
    ];
    let policy = load(&guest(&parts)).unwrap();
    let mut decisions = policy.decisions(DECIDES, 1).unwrap();
    let mut question = QuestionParts {
        key: b"k",
        value_bytes: 4,
        ttl_ms: Some(10),
        ..QuestionParts::default()
    };
    assert_eq!(decisions.should_cache(&question), Ok(true));
    assert_eq!(decisions.ttl(&question), Ok(TtlAnswer::Millis(11)));
    // The question goes on with another TTL, which the guest has to see.
    question.ttl_ms = Some(20);
    assert_eq!(decisions.priority(&question), Ok(7));
    assert_eq!(decisions.security(&question), Ok(SecurityAnswer::High));
    assert_eq!(decisions.ttl(&question), Ok(TtlAnswer::Millis(21)));
    question.value_bytes = 5;
    assert_eq!(decisions.should_cache(&question), Ok(false));
    assert_eq!(policy.figures().snapshot().refused_values, 1);
    let mut one = policy.decisions(Kinds::NONE.with(Kind::Ttl), 1).unwrap();
    assert_says(
        one.priority(&question).unwrap_err(),
        "does not decide over priority",
    );
}

#[test]
fn a_question_that_is_too_long_is_asked_without_its_attributes() {
    let parts = [("priority", "(i32.load8_u offset=84 (i32.const 0x20000))")];
    let policy = load(&guest(&parts)).unwrap();
    let mut decisions = policy.decisions(DECIDES, 1).unwrap();
    let long = [b'x'; 70_000];
    let mut question = QuestionParts {
        key: b"k",
        attributes: &[(b"a", b"b"), (b"c", &long)],
        ..QuestionParts::default()
    };
    assert_eq!(decisions.priority(&question), Ok(2));
    question.attributes = &[(b"a", &[b'x'; 70_000]), (b"c", &[b'x'; 70_000])];
    assert_eq!(decisions.priority(&question), Ok(0));
}

#[test]
fn parameters_and_seed_reach_the_guest() {
    // Sums the seed and the first parameter's value when it is made.
    let manifest =
        r#"{"name":"t","kinds":["priority"],"parameters":[{"name":"n","type":"int","default":5}]}"#;
    let parts = [
        ("manifest", manifest),
        (
            "init",
            "(i32.store (i32.const 8) (i32.add
                (i32.load offset=24 (i32.const 0x20000))
                (i32.load offset=48 (i32.const 0x20000)))) (i32.const 0)",
        ),
        (
            "priority",
            "(i32.and (i32.const 255) (i32.load (i32.const 8)))",
        ),
    ];
    let settings = Settings {
        parameters: [("n".to_owned(), Given::Int(7))].into(),
        ..Settings::default()
    };
    for (settings, priority) in [(Settings::default(), 105), (settings, 107)] {
        let policy = sandbox().load("p", &guest(&parts), &settings, Arc::default());
        let mut decisions = policy
            .unwrap()
            .decisions(Kinds::NONE.with(Kind::Priority), 100)
            .unwrap();
        assert_eq!(decisions.priority(&QuestionParts::default()), Ok(priority));
    }
}

/// What became of two deliveries and a demand, and the figures.
fn offend(parts: &[(&str, &str)]) -> (Unfit, PolicyFigures) {
    let policy = untried(parts);
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    let mut outcome = || {
        evictor.deliver(&[insert(0, 10)])?;
        evictor.deliver(&[insert(1, 10)])?;
        evictor.victims(&request(5), &[], &mut Vec::new())
    };
    let unfit = outcome().unwrap_err();
    let calls = policy.figures().snapshot().calls;
    assert_eq!(outcome(), Err(unfit.clone()), "it is over for good");
    let figures = policy.figures().snapshot();
    assert_eq!(figures.calls, calls, "nothing is asked any more");
    (unfit, figures)
}

#[test]
fn an_offence_ends_an_instance_and_is_counted() {
    let (unfit, figures) = offend(&[("events", FOREVER)]);
    assert_says(
        unfit,
        "larder_events took more than the 2ms of CPU time that it has",
    );
    assert_eq!(
        (
            figures.deadlines_missed,
            figures.traps,
            figures.wrong_answers
        ),
        (1, 0, 0)
    );
    let (unfit, figures) = offend(&[("victims", "(unreachable)")]);
    assert_says(unfit, "larder_victims trapped: wasm `unreachable`");
    assert_eq!(
        (
            figures.deadlines_missed,
            figures.traps,
            figures.wrong_answers
        ),
        (0, 1, 0)
    );
    let (unfit, figures) = offend(&[("victims", "(i64.const -1)")]);
    assert_says(unfit, "larder_victims named 4294967295 victims");
    assert_eq!(
        (
            figures.deadlines_missed,
            figures.traps,
            figures.wrong_answers
        ),
        (0, 0, 1)
    );
}

#[test]
fn a_trap_on_the_nth_call_passes_the_trial_and_is_caught_when_it_comes() {
    let more = r#"(global $left (mut i32) (i32.const 1000))"#;
    let priority = "(global.set $left (i32.sub (global.get $left) (i32.const 1)))
        (if (i32.eqz (global.get $left)) (then (unreachable))) (i32.const 1)";
    let policy = load(&guest(&[("more", more), ("priority", priority)])).unwrap();
    let mut decisions = policy.decisions(DECIDES, 1).unwrap();
    for _ in 1..1000 {
        assert_eq!(decisions.priority(&QuestionParts::default()), Ok(1));
    }
    assert_says(
        decisions.priority(&QuestionParts::default()).unwrap_err(),
        "larder_priority trapped",
    );
}

#[test]
fn memory_grows_with_the_slots_and_no_further() {
    // Wants 8 KiB for each event.
    let greedy = "(if (i32.eq (i32.const -1) (memory.grow (i32.shr_u (local.get 0) (i32.const 3))))
        (then (unreachable)))";
    let policy = untried(&[("events", greedy)]);
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    let all: Vec<_> = (0..EVENTS_MAX as u32 * 8)
        .map(|i| insert(i * 1000, 1))
        .collect();
    evictor.deliver(&all).unwrap();
    let memory_bytes = evictor.memory_bytes();
    assert_eq!(memory_bytes, (16 + 8 * 32) << 16);
    assert_eq!(
        policy.figures().snapshot().memory_bytes,
        memory_bytes as u64
    );
    // 16 MiB and 128 bytes for each of 2,047,001 slots are 278,794,... bytes.
    let unfit = loop {
        if let Err(unfit) = evictor.deliver(&all) {
            break unfit;
        }
    };
    let allowed = (16 << 20) + 128 * (2_047_000 + 1);
    assert_says(unfit, &format!("and {allowed} are allowed"));
    assert!(evictor.memory_bytes() <= allowed);
    assert_eq!(policy.figures().snapshot().traps, 1);
}

#[test]
fn a_request_has_one_account_however_many_calls_it_takes() {
    // Each batch takes some tenths of a millisecond; a hundred of them take more than two.
    let slow = "(local $n i32) (local.set $n (i32.const 300000))
        (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";
    let policy = untried(&[("events", slow)]);
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    let many: Vec<_> = (0..EVENTS_MAX as u32 * 100).map(|i| insert(i, 1)).collect();
    assert_says(
        evictor.deliver(&many).unwrap_err(),
        "larder_events took more than the 2ms",
    );
    // One at a time, none is an offence.
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    for batch in many.chunks(EVENTS_MAX) {
        evictor.deliver(batch).unwrap();
    }
}

#[test]
fn a_side_car_can_allow_more() {
    let settings = Settings {
        deadline: Some(Duration::from_millis(40)),
        memory_bytes_max: Some(1 << 20),
        ..Settings::default()
    };
    let prepare = |parts: &[(&str, &str)]| {
        sandbox()
            .load_untried("p", &guest(parts), &settings, Arc::default())
            .unwrap()
    };
    let mut evictor = prepare(&[("events", FOREVER)])
        .evictor(1, SHARE_BYTES)
        .unwrap();
    assert_says(
        evictor.deliver(&[insert(0, 1)]).unwrap_err(),
        "the 40ms of CPU time",
    );
    let grow = "(drop (memory.grow (i32.const 1))) (unreachable)";
    let mut evictor = prepare(&[("events", grow)])
        .evictor(1, SHARE_BYTES)
        .unwrap();
    assert_says(
        evictor.deliver(&[insert(0, 1)]).unwrap_err(),
        "it asked for 1114112 bytes in all, and 1048704 are allowed",
    );
}

#[test]
fn answers_name_slots_or_the_newcomer_alone_or_nobody() {
    let alone = "(i32.store (i32.const 16) (i32.const -1)) (i64.const 0x1000000001)";
    let with = "(i64.store (i32.const 16) (i64.const 0xffffffff00000000)) (i64.const 0x1000000002)";
    let newcomer = Request {
        newcomer: Some((&insert(0, 1)).into()),
        ..request(5)
    };
    let nobody_nowhere = "(i64.const 0xffffffff00000000)";
    let answer = |victims, request: &Request| {
        let mut out = Vec::new();
        let mut evictor = untried(&[("victims", victims)])
            .evictor(1, SHARE_BYTES)
            .unwrap();
        evictor.victims(request, &[], &mut out).map(|()| out)
    };
    assert_eq!(answer(nobody_nowhere, &newcomer), Ok(Vec::new()));
    assert_eq!(answer(alone, &newcomer), Ok(vec![NEWCOMER]));
    assert_says(
        answer(alone, &request(5)).unwrap_err(),
        "newcomer where there is none",
    );
    assert_says(
        answer(with, &newcomer).unwrap_err(),
        "the newcomer and others beside it",
    );
}

#[test]
fn a_reproach_is_counted_and_the_last_thing_said() {
    let policy = untried(&[]);
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    evictor.reproach(WrongAnswer::Dead(7));
    assert_eq!(policy.figures().snapshot().wrong_answers, 1);
    assert_says(
        evictor.deliver(&[insert(0, 1)]).unwrap_err(),
        "larder_victims broke a rule: victim 7 is gone, as it was told",
    );
}

#[test]
fn lines_of_log_are_capped_and_what_is_not_in_memory_is_an_offence() {
    let chatty = "(local $n i32) (local.set $n (i32.const 50))
        (loop $again
            (call $log (i32.const 3) (i32.const 0) (i32.const 2000))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";
    let policy = untried(&[("imports", LOG), ("events", chatty)]);
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    evictor.deliver(&[insert(0, 1)]).unwrap();
    let figures = policy.figures().snapshot();
    assert_eq!(figures.log_lines + figures.log_lines_dropped, 50);
    assert!(
        figures.log_lines >= 20 && figures.log_lines_dropped > 0,
        "{figures:?}"
    );

    let astray = "(call $log (i32.const 3) (i32.const -1) (i32.const 2))";
    let (unfit, figures) = offend(&[("imports", LOG), ("events", astray)]);
    assert_says(
        unfit,
        "larder_events logged 2 bytes at 4294967295, which is not in its memory",
    );
    assert_eq!(figures.wrong_answers, 1);
}

#[test]
fn versions_of_a_policy_share_their_figures() {
    let sandbox = sandbox();
    let first = sandbox
        .load("p", &guest(&[]), &Settings::default(), Arc::default())
        .unwrap();
    first
        .evictor(1, SHARE_BYTES)
        .unwrap()
        .deliver(&[insert(0, 1)])
        .unwrap();
    let figures = Arc::clone(first.figures());
    drop(first);
    let second = sandbox
        .load("p", &guest(&[]), &Settings::default(), figures)
        .unwrap();
    second
        .evictor(1, SHARE_BYTES)
        .unwrap()
        .deliver(&[insert(0, 1)])
        .unwrap();
    assert_eq!(second.figures().snapshot().events, 2);
}

#[test]
fn instances_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Decisions>();
    is_send::<Arc<Policy>>();
    let policy = load(&guest(&[])).unwrap();
    let mut evictor = policy.evictor(1, SHARE_BYTES).unwrap();
    std::thread::spawn(move || evictor.deliver(&[insert(0, 1)]))
        .join()
        .unwrap()
        .unwrap();
}
