pub(crate) mod guests;
pub(crate) mod site;

use std::fs;

use larder_abi::{Kinds, QuestionParts};
use larder_engine::policies::PolicyState;

use super::*;
use site::Site;

#[test]
fn a_keeper_has_taken_the_folder_when_it_is_there_and_obeys() {
    let site = Site::new();
    site.write("10-fifo.wasm", guests::eviction("1"));
    site.write("bad.wasm", "no module");
    let keeper = site.start_keeper();
    let states = |keeper: &Keeper| {
        let rows = keeper.list().into_iter();
        rows.map(|row| (row.name, row.state)).collect::<Vec<_>>()
    };
    let expected = [
        ("lru", PolicyState::Candidate),
        ("lru", PolicyState::Active),
        ("10-fifo", PolicyState::Active),
        ("bad", PolicyState::Refused),
    ];
    assert_eq!(
        states(&keeper),
        expected.map(|(name, state)| (name.to_owned(), state))
    );
    keeper.disable("10-fifo").unwrap();
    assert_eq!(states(&keeper)[2].1, PolicyState::Disabled);
    keeper.enable("10-fifo").unwrap();
    assert_eq!(states(&keeper)[2].1, PolicyState::Active);
    assert!(
        keeper
            .rollback("10-fifo")
            .unwrap_err()
            .contains("no earlier version")
    );
    site.remove("bad.wasm");
    keeper.reload().unwrap();
    assert_eq!(states(&keeper).len(), 3);
    fs::remove_dir_all(site.folder()).unwrap();
    assert!(keeper.reload().unwrap_err().contains("cannot be read"));
}

#[test]
fn deciders_outlive_the_keeper_and_decide_for_every_thread() {
    let site = Site::new();
    let priority = guests::decisions(None, None, Some("i32.const 9"));
    site.write("p.wasm", priority);
    let keeper = site.start_keeper();
    let question = QuestionParts {
        now_ms: site::NOW,
        key: b"k",
        tenant: "default",
        ..QuestionParts::default()
    };
    let mut deciders: Vec<_> = (0..3).map(|thread| keeper.decider(thread)).collect();
    for decider in &mut deciders[..2] {
        assert!(decider.has_a_say(0) && !decider.has_a_say(1));
        assert_eq!(decider.decide(0, &question, Kinds::ALL).priority, 9);
    }
    assert!(!deciders[2].has_a_say(0), "there are two threads");
    assert_eq!(
        keeper.decisions("default", 0, b"k"),
        ["p, 0 ms ago: priority 9"]
    );
    assert!(keeper.decisions("default", 1, b"k").is_empty());
    assert!(keeper.decisions("shop", 0, b"k").is_empty());
    assert!(keeper.decisions("nobody", 0, b"k").is_empty());
    drop(keeper);
    assert_eq!(deciders[0].decide(0, &question, Kinds::ALL).priority, 9);
}
