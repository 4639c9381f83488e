use std::sync::Arc;

use super::{Held, INPUT_STEP_BYTES};
use crate::budget::Budget;

fn budget(bytes_max: usize) -> Arc<Budget> {
    Arc::new(Budget::new(bytes_max))
}

#[test]
fn memory_follows_what_arrived_not_what_was_claimed() {
    let budget = budget(1 << 30);
    let mut held = Held::new(budget.clone());
    let claimed = 60 << 20;
    held.keep_input(&[0; 100]).expect("there is room");
    held.make_room(claimed, 0).expect("there is room");
    assert!(budget.used_bytes() <= (100 + INPUT_STEP_BYTES) as u64);

    held.input_buffer()
        .expect("input is held")
        .resize(1 << 20, 0);
    held.make_room(claimed, 0).expect("there is room");
    assert_eq!(budget.used_bytes(), 2 << 20);

    // Near the end no more is taken than the request needs, and a little for the next.
    held.input_buffer()
        .expect("input is held")
        .resize(claimed - 10, 0);
    held.make_room(claimed, 0).expect("there is room");
    assert!(budget.used_bytes() <= (claimed + INPUT_STEP_BYTES) as u64);

    held.executed(claimed - 10);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn what_the_parser_holds_is_charged_too() {
    let budget = budget(100_000);
    let mut held = Held::new(budget.clone());
    held.keep_input(&[0; 100]).expect("there is room");
    assert!(held.make_room(200, 97_000).is_err());
    assert!(held.make_room(200, 50_000).is_ok());
    assert!(budget.used_bytes() > 50_000);
    drop(held);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_long_output_is_taken_over_a_short_one_copied() {
    let budget = budget(1 << 30);
    let mut held = Held::new(budget.clone());
    let mut short = b"a short reply".to_vec();
    let kept = short.capacity();
    held.keep_output(&mut short, 2).expect("there is room");
    assert_eq!(
        (held.output(), short.capacity()),
        (&b"short reply"[..], kept)
    );
    held.sent(6);
    assert_eq!(held.output(), b"reply");
    held.sent(5);

    let mut long = vec![7; 1 << 20];
    held.keep_output(&mut long, 1000).expect("there is room");
    assert_eq!(
        (held.output().len(), long.capacity()),
        ((1 << 20) - 1000, 0)
    );
    assert_eq!(budget.used_bytes(), 1 << 20);
    held.sent((1 << 20) - 1000);
    assert_eq!((held.output().len(), budget.used_bytes()), (0, 0));
}

#[test]
fn connections_share_one_bound() {
    let budget = budget(100_000);
    let (mut first, mut second) = (Held::new(budget.clone()), Held::new(budget.clone()));
    first.keep_input(&[0; 60_000]).expect("there is room");
    assert!(second.keep_input(&[0; 60_000]).is_err());
    assert_eq!(budget.used_bytes(), 60_000);
    drop(first);
    assert!(second.keep_input(&[0; 60_000]).is_ok());
}
