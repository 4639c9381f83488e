//! Chains of policies that decide over values.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use larder_abi::{Kind, Kinds, QuestionParts};
use larder_engine::decision::{Decider, Verdict};

use crate::keeper::loader::Order;
use crate::keeper::tests::guests::{decisions, eviction};
use crate::keeper::tests::site::{NOW, Run, Site};

fn ask(decider: &mut dyn Decider, key: &str, ttl_ms: Option<u64>) -> Verdict {
    let question = QuestionParts {
        now_ms: NOW - 5,
        key: key.as_bytes(),
        tenant: "default",
        ttl_ms,
        ..QuestionParts::default()
    };
    decider.decide(0, &question, Kinds::ALL)
}

fn recall(run: &Run, key: &str) -> Vec<String> {
    run.desks.recall(0, 0, key.as_bytes(), NOW)
}

#[test]
fn policies_are_asked_of_those_kinds_alone_that_are_to_be_decided() {
    let site = Site::new();
    let refuses = Some("i32.const 0");
    site.write("10-gate.wasm", decisions(refuses, None, None));
    site.write(
        "20-worth.wasm",
        decisions(refuses, None, Some("i32.const 8")),
    );
    let run = site.start();
    let mut decider = run.desks.decider(0);
    let question = QuestionParts {
        now_ms: NOW - 5,
        key: b"k",
        tenant: "default",
        ..QuestionParts::default()
    };
    let verdict = decider.decide(0, &question, Kinds::NONE.with(Kind::Priority));
    assert!(verdict.keep && verdict.priority == 8, "{verdict:?}");
    assert_eq!(recall(&run, "k"), ["20-worth, 5 ms ago: priority 8"]);
    assert!(!ask(&mut *decider, "k", None).keep);
}

#[test]
fn policies_answer_in_file_order() {
    let site = Site::new();
    let longer = decisions(None, Some("i64.const 5000"), Some("i32.const 3"));
    site.write("10-longer.wasm", &longer);
    site.write("10-longer.toml", "may_extend = true");
    site.write(
        "20-shorter.wasm",
        decisions(None, Some("i64.const 700"), None),
    );
    site.write("30-longer.wasm", &longer);
    site.write(
        "40-keep.wasm",
        decisions(Some("i32.const 1"), None, Some("i32.const 8")),
    );
    let run = site.start();
    let mut decider = run.desks.decider(1);
    let verdict = ask(&mut *decider, "k", Some(1000));
    let expected = Verdict {
        keep: true,
        ttl_ms: Some(700),
        priority: 8,
        is_secret: false,
    };
    assert_eq!(verdict, expected);
    assert_eq!(
        recall(&run, "k"),
        [
            "10-longer, 5 ms ago: TTL 5000 ms, priority 3",
            "20-shorter, 5 ms ago: TTL 700 ms",
            "30-longer, 5 ms ago: TTL as it stood: it may not lengthen it (may_extend = false), \
             priority 3",
            "40-keep, 5 ms ago: to be kept, priority 8",
        ]
    );
}

#[test]
fn one_refusal_is_enough_and_is_counted() {
    let site = Site::new();
    site.write(
        "10-no.wasm",
        decisions(Some("i32.const 0"), Some("i64.const 5"), None),
    );
    site.write(
        "20-yes.wasm",
        decisions(Some("i32.const 1"), None, Some("i32.const 8")),
    );
    let run = site.start();
    let mut decider = run.desks.decider(0);
    let verdict = ask(&mut *decider, "k", None);
    assert_eq!(
        (verdict.keep, verdict.ttl_ms, verdict.priority),
        (false, None, 0)
    );
    assert_eq!(recall(&run, "k"), ["10-no, 5 ms ago: not to be kept"]);
    assert_eq!(run.row("10-no").figures.refused_values, 1);
    assert_eq!(run.row("20-yes").figures.refused_values, 0);
}

#[test]
fn keys_and_tenants_say_who_is_asked() {
    let site = Site::new();
    site.write("users.wasm", decisions(None, None, Some("i32.const 5")));
    site.write("users.toml", "keys = \"user:*\"");
    site.write("shop.wasm", decisions(None, None, Some("i32.const 6")));
    site.write("shop.toml", "tenant = \"shop\"");
    let run = site.start();
    let mut decider = run.desks.decider(0);
    assert!(decider.has_a_say(0) && decider.has_a_say(1) && !decider.has_a_say(2));
    assert_eq!(ask(&mut *decider, "user:1", None).priority, 5);
    assert_eq!(ask(&mut *decider, "item:1", None).priority, 0);
    assert_eq!(
        decider
            .decide(1, &QuestionParts::default(), Kinds::ALL)
            .priority,
        6
    );
    let not_asked = "users: not asked, its keys are user:*";
    assert_eq!(recall(&run, "item:1"), [not_asked]);
    assert_eq!(
        (&*run.row("users").keys, &*run.row("shop").keys),
        ("user:*", "*")
    );
}

#[test]
fn a_chain_changes_under_those_who_ask() {
    let site = Site::new();
    let mut run = site.start();
    let mut decider = run.desks.decider(0);
    assert!(!decider.has_a_say(0));
    site.write("p.wasm", decisions(None, None, Some("i32.const 1")));
    site.write("e.wasm", eviction("e"));
    run.settle();
    assert!(decider.has_a_say(0) && !decider.has_a_say(1));
    assert_eq!(ask(&mut *decider, "k", None).priority, 1);
    site.write("p.wasm", decisions(None, None, Some("i32.const 2")));
    run.settle();
    assert_eq!(ask(&mut *decider, "k", None).priority, 2);
    assert_eq!(run.row("p").figures.instances, 2, "the old ones are gone");
    run.order(Order::Rollback("p".to_owned())).unwrap();
    assert_eq!(ask(&mut *decider, "k", None).priority, 1);
    run.order(Order::Disable("p".to_owned())).unwrap();
    assert!(!decider.has_a_say(0));
    assert_eq!(
        run.row("p").figures.instances,
        0,
        "though nobody asked since"
    );
    assert!(
        recall(&run, "k").is_empty(),
        "nothing is kept in mind without policies"
    );
    run.order(Order::Enable("p".to_owned())).unwrap();
    assert_eq!(ask(&mut *decider, "k", None).priority, 1);
}

#[test]
fn a_row_says_what_a_policy_decides_and_for_whom() {
    let site = Site::new();
    site.write("v.wasm", decisions(Some("i32.const 1"), None, None));
    let run = site.start();
    let row = run.row("v");
    let kinds: Vec<_> = row.kinds.iter().map(|kind| kind.name()).collect();
    assert_eq!(kinds, ["should_cache"]);
    assert_eq!(row.why, "decides over values, in file order");
    assert_eq!(
        (&*row.tenant, &*row.version, row.loaded_ms),
        ("default", "1", NOW)
    );
}

#[test]
fn asking_goes_on_while_the_chain_changes() {
    const ROUNDS: u8 = 10;
    let site = Site::new();
    let mut run = site.start();
    let is_over = AtomicBool::new(false);
    let deciders = [run.desks.decider(0), run.desks.decider(1)];
    thread::scope(|scope| {
        let ask_on = |mut decider: Box<dyn Decider>| {
            let mut last = 0;
            while !is_over.load(Ordering::Relaxed) {
                let verdict = ask(&mut *decider, "k", Some(1000));
                assert!(verdict.keep && verdict.ttl_ms == Some(1000));
                assert!(verdict.priority >= last, "an older version answered");
                last = verdict.priority;
            }
            last
        };
        let asking = deciders.map(|decider| scope.spawn(move || ask_on(decider)));
        for round in 1..=ROUNDS {
            let answer = format!("i32.const {round}");
            site.write("p.wasm", decisions(None, None, Some(&answer)));
            run.settle();
        }
        is_over.store(true, Ordering::Relaxed);
        for asking in asking {
            assert!(asking.join().unwrap() <= ROUNDS);
        }
    });
    for thread in 0..2 {
        let mut decider = run.desks.decider(thread);
        assert_eq!(ask(&mut *decider, "k", None).priority, ROUNDS);
    }
    assert_eq!(run.row("p").figures.instances, 2);
    assert_eq!(run.row("p").figures.traps, 0);
}
