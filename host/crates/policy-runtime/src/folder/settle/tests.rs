use super::*;
use crate::folder::scan::{Found, Stamp};

fn seen(stem: &str, bytes: u64) -> Seen {
    Seen {
        stem: stem.to_owned(),
        file: format!("{stem}.wasm"),
        module: Found::File(Stamp {
            bytes,
            modified_ns: 1,
            changed_ns: 1,
            inode: 1,
        }),
        side_car: None,
    }
}

fn settled(seen: &Seen) -> Vec<Change> {
    vec![Change::Settled(seen.clone())]
}

#[test]
fn a_file_settles_when_it_rested_between_two_looks() {
    let mut settler = Settler::default();
    let file = [seen("a", 10)];
    assert_eq!(settler.look(0, &file), []);
    assert!(!settler.is_settled());
    assert_eq!(settler.look(49, &file), []);
    assert_eq!(settler.look(50, &file), settled(&file[0]));
    assert!(settler.is_settled());
    assert_eq!(settler.look(500, &file), []);
}

#[test]
fn a_file_that_grows_waits_and_keeps_nobody_waiting() {
    let mut settler = Settler::default();
    let other = seen("b", 1);
    for step in 0..40 {
        let changes = settler.look(step * 50, &[seen("a", step), other.clone()]);
        let expected = if step == 1 { settled(&other) } else { vec![] };
        assert_eq!(changes, expected, "step {step}");
        let waiting: Vec<_> = settler.unsettled().map(|seen| &*seen.stem).collect();
        assert!(waiting.contains(&"a"), "step {step}");
    }
    let whole = [seen("a", 39), other];
    assert_eq!(settler.look(2000, &whole), settled(&whole[0]));
}

#[test]
fn a_file_that_is_gone_for_one_look_was_replaced() {
    let mut settler = Settler::default();
    let (old, new) = ([seen("a", 1)], [seen("a", 2)]);
    settler.look(0, &old);
    settler.look(50, &old);
    assert_eq!(settler.look(100, &[]), []);
    assert_eq!(settler.look(150, &new), []);
    assert_eq!(settler.look(200, &new), settled(&new[0]));
}

#[test]
fn a_file_that_stays_away_is_gone() {
    let mut settler = Settler::default();
    let file = [seen("a", 1)];
    settler.look(0, &file);
    settler.look(50, &file);
    assert_eq!(settler.look(100, &[]), []);
    assert_eq!(settler.look(150, &[]), [Change::Gone("a".to_owned())]);
    assert!(settler.is_settled() && settler.tracks.is_empty());
}

#[test]
fn what_came_and_went_between_looks_leaves_no_trace() {
    let mut settler = Settler::default();
    settler.look(0, &[seen("a", 1)]);
    assert_eq!(settler.look(50, &[]), []);
    assert!(settler.is_settled() && settler.tracks.is_empty());
}

#[test]
fn a_change_that_is_taken_back_is_none() {
    let mut settler = Settler::default();
    let file = [seen("a", 1)];
    settler.look(0, &file);
    settler.look(50, &file);
    assert_eq!(settler.look(100, &[seen("a", 2)]), []);
    assert_eq!(settler.look(150, &file), []);
    assert!(settler.is_settled());
    assert_eq!(settler.look(200, &file), []);
}

#[test]
fn module_and_side_car_settle_together() {
    let mut settler = Settler::default();
    let mut file = seen("a", 1);
    settler.look(0, &[file.clone()]);
    file.side_car = Some(Found::Fault("being made".to_owned()));
    assert_eq!(settler.look(50, &[file.clone()]), []);
    assert_eq!(settler.look(100, &[file.clone()]), settled(&file));
}
