//! Policies that break rules while they are in force.

use larder_abi::{Kinds, QuestionParts};
use larder_engine::Key;
use larder_engine::policies::PolicyState;

use crate::keeper::loader::Order;
use crate::keeper::tests::guests::{decisions, eviction, unless_shouted};
use crate::keeper::tests::site::{NOW, Run, Site};

/// More than the guest for evictions stands.
const TOO_LARGE: usize = 200_000;

fn remove(run: &Run, key: &str) {
    let tenant = run.engine.default_tenant();
    assert!(tenant.remove(Key::new(0, key.as_bytes()), NOW));
}

#[test]
fn a_ruler_that_fails_is_mended_when_its_time_has_come() {
    let site = Site::new();
    site.write("a.wasm", eviction("a"));
    let mut run = site.start();
    run.put("large", TOO_LARGE);
    assert_eq!(run.engine.default_tenant().unfit_shards(), 1);
    run.pass(20);
    let row = run.row("a");
    assert_eq!(
        (run.ruler(), row.state),
        ("a".to_owned(), PolicyState::Failing)
    );
    assert!(
        row.why.ends_with("; it is tried again shortly"),
        "{}",
        row.why
    );
    remove(&run, "large");
    run.pass(49);
    assert_eq!(run.state("a"), PolicyState::Failing);
    run.pass(1);
    assert_eq!(run.state("a"), PolicyState::Active);
    assert_eq!(run.engine.default_tenant().unfit_shards(), 0);
    assert!(run.row("a").figures.traps > 0);
}

#[test]
fn a_ruler_that_fails_time_and_again_is_quarantined_over_a_restart() {
    let site = Site::new();
    site.write("10-a.wasm", eviction("a"));
    site.write("20-bad.wasm", eviction("bad"));
    let mut run = site.start();
    site.write("10-a.toml", "enabled = false");
    run.settle();
    run.put("large", TOO_LARGE);
    for wait_ms in [20, 50, 100, 200, 400] {
        run.pass(wait_ms);
        assert_eq!(
            run.state("20-bad"),
            PolicyState::Failing,
            "after {wait_ms} ms"
        );
    }
    run.pass(800);
    let row = run.row("20-bad");
    assert_eq!(
        (run.ruler(), row.state),
        ("lru".to_owned(), PolicyState::Quarantined)
    );
    assert!(row.why.contains("it broke rules too often"), "{}", row.why);
    assert_eq!(
        run.engine.default_tenant().unfit_shards(),
        0,
        "the native one rules"
    );
    drop(run);
    let mut run = site.start();
    assert_eq!(run.state("20-bad"), PolicyState::Quarantined);
    site.write("20-bad.wasm", eviction("bad"));
    run.settle();
    assert_eq!(
        run.state("20-bad"),
        PolicyState::Quarantined,
        "the same again"
    );
    run.order(Order::Enable("20-bad".to_owned())).unwrap();
    assert_eq!(
        (run.ruler(), run.state("20-bad")),
        ("20-bad".to_owned(), PolicyState::Active)
    );
    run.put("large", TOO_LARGE);
    (0..6).for_each(|_| run.pass(1000));
    assert_eq!(run.state("20-bad"), PolicyState::Quarantined);
    site.write("20-bad.wasm", eviction("mended"));
    remove(&run, "large");
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("20-bad")),
        ("20-bad".to_owned(), PolicyState::Active)
    );
}

#[test]
fn a_version_that_cannot_take_over_leaves_the_ruler_in_charge() {
    let site = Site::new();
    site.write("10-a.toml", "enabled = false");
    site.write("10-a.wasm", eviction("a"));
    let mut run = site.start();
    run.put("large", TOO_LARGE);
    site.write("20-b.wasm", eviction("b"));
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("20-b")),
        ("lru".to_owned(), PolicyState::Refused)
    );
    assert!(!run.row("20-b").why.is_empty());
    site.remove("10-a.toml");
    run.settle();
    let row = run.row("10-a");
    assert_eq!(
        (run.ruler(), row.state),
        ("lru".to_owned(), PolicyState::Disabled)
    );
    assert!(row.why.contains("an earlier version stays"), "{}", row.why);
    remove(&run, "large");
    site.write("20-b.wasm", eviction("b"));
    run.settle();
    assert_eq!(run.ruler(), "20-b");
}

#[test]
fn an_operator_need_not_wait_for_a_ruler_to_be_tried_again() {
    let site = Site::new();
    site.write("a.wasm", eviction("a"));
    let mut run = site.start();
    run.put("large", TOO_LARGE);
    run.pass(20);
    remove(&run, "large");
    run.order(Order::Enable("a".to_owned())).unwrap();
    assert_eq!(run.state("a"), PolicyState::Active);
    assert_eq!(run.engine.default_tenant().unfit_shards(), 0);
}

#[test]
fn an_order_that_cannot_be_obeyed_changes_nothing() {
    let site = Site::new();
    site.write("10-a.wasm", eviction("a"));
    let mut run = site.start();
    run.order(Order::Disable("10-a".to_owned())).unwrap();
    run.put("large", TOO_LARGE);
    let refusal = run.order(Order::Enable("10-a".to_owned())).unwrap_err();
    assert!(
        refusal.starts_with("'10-a' cannot be put in force: "),
        "{refusal}"
    );
    assert_eq!(
        (run.ruler(), run.state("10-a")),
        ("lru".to_owned(), PolicyState::Disabled)
    );
}

#[test]
fn an_instance_that_fails_has_no_say_and_is_made_again() {
    let site = Site::new();
    let ttl = unless_shouted("i64", "500");
    site.write("10-ttl.wasm", decisions(None, Some(&ttl), None));
    site.write(
        "20-priority.wasm",
        decisions(None, None, Some("i32.const 9")),
    );
    let mut run = site.start();
    let mut deciders = [run.desks.decider(0), run.desks.decider(1)];
    let mut ask = |thread: usize, key: &str| {
        let question = QuestionParts {
            now_ms: NOW,
            key: key.as_bytes(),
            ttl_ms: Some(1000),
            ..QuestionParts::default()
        };
        let verdict = deciders[thread].decide(0, &question, Kinds::ALL);
        (verdict.ttl_ms, verdict.priority)
    };
    assert_eq!(ask(0, "k"), (Some(500), 9));
    assert_eq!(ask(0, "!"), (Some(1000), 9));
    assert_eq!(ask(0, "k"), (Some(1000), 9), "gone");
    assert_eq!(ask(1, "k"), (Some(500), 9), "another thread's goes on");
    run.pass(20);
    assert_eq!(run.state("10-ttl"), PolicyState::Failing);
    assert_eq!(run.state("20-priority"), PolicyState::Active);
    assert_eq!(ask(0, "k"), (Some(1000), 9));
    let explained = run.desks.recall(0, 0, b"k", NOW).join("\n");
    assert!(
        explained.ends_with("\n10-ttl: not asked until it is tried again, it failed"),
        "{explained}"
    );
    run.pass(50);
    assert_eq!(run.state("10-ttl"), PolicyState::Active);
    assert_eq!(ask(0, "k"), (Some(500), 9));
    for wait_ms in [100, 200, 400, 800] {
        assert_eq!(ask(1, "!"), (Some(1000), 9));
        run.pass(20);
        run.pass(wait_ms);
        assert_eq!(run.state("10-ttl"), PolicyState::Active);
    }
    assert_eq!(ask(1, "!"), (Some(1000), 9));
    run.pass(20);
    assert_eq!(run.state("10-ttl"), PolicyState::Quarantined);
    assert_eq!(ask(0, "k"), (Some(1000), 9), "out of every chain");
    assert_eq!(run.row("10-ttl").figures.instances, 0);
}
