use std::sync::Arc;

use super::{Held, INPUT_STEP_BYTES};
use crate::Shared;
use crate::testing::{config, parts};

fn shared(bytes_max: usize) -> Arc<Shared> {
    let mut config = config();
    config.client_buffers_bytes_max = bytes_max;
    Arc::new(Shared::new(config, parts()))
}

#[test]
fn memory_follows_what_arrived_not_what_was_claimed() {
    let shared = shared(1 << 30);
    let mut held = Held::new(shared.clone());
    let claimed = 60 << 20;
    held.keep_input(&[0; 100]).expect("there is room");
    held.make_room(claimed, 0).expect("there is room");
    assert!(shared.buffers.used_bytes() <= (100 + INPUT_STEP_BYTES) as u64);

    held.input_buffer()
        .expect("input is held")
        .resize(1 << 20, 0);
    held.make_room(claimed, 0).expect("there is room");
    assert_eq!(shared.buffers.used_bytes(), 2 << 20);

    // Near the end no more is taken than the request needs, and a little for the next.
    held.input_buffer()
        .expect("input is held")
        .resize(claimed - 10, 0);
    held.make_room(claimed, 0).expect("there is room");
    assert!(shared.buffers.used_bytes() <= (claimed + INPUT_STEP_BYTES) as u64);

    held.executed(claimed - 10);
    assert_eq!(shared.buffers.used_bytes(), 0);
}

#[test]
fn what_the_parser_holds_is_charged_too() {
    let shared = shared(100_000);
    let mut held = Held::new(shared.clone());
    held.keep_input(&[0; 100]).expect("there is room");
    assert!(held.make_room(200, 97_000).is_err());
    assert!(held.make_room(200, 50_000).is_ok());
    assert!(shared.buffers.used_bytes() > 50_000);
    drop(held);
    assert_eq!(shared.buffers.used_bytes(), 0);
}

#[test]
fn a_long_output_is_taken_over_a_short_one_copied() {
    let shared = shared(1 << 30);
    let mut held = Held::new(shared.clone());
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
    assert_eq!(shared.buffers.used_bytes(), 1 << 20);
    held.sent((1 << 20) - 1000);
    assert_eq!((held.output().len(), shared.buffers.used_bytes()), (0, 0));
}

#[test]
fn connections_share_one_bound() {
    let shared = shared(100_000);
    let (mut first, mut second) = (Held::new(shared.clone()), Held::new(shared.clone()));
    first.keep_input(&[0; 60_000]).expect("there is room");
    assert!(second.keep_input(&[0; 60_000]).is_err());
    assert_eq!(shared.buffers.used_bytes(), 60_000);
    drop(first);
    assert!(second.keep_input(&[0; 60_000]).is_ok());
}

#[test]
fn a_sum_is_paid_once_and_given_back_and_one_that_does_not_fit_costs_nothing() {
    let shared = shared(100);
    let first = shared.buffers.charge(60);
    assert!(first.is_some());
    assert!(shared.buffers.charge(60).is_none());
    assert_eq!(shared.buffers.used_bytes(), 60);
    drop(first);
    assert_eq!(shared.buffers.used_bytes(), 0);
    assert!(shared.buffers.charge(100).is_some());
}
