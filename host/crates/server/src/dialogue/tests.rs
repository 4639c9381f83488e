use larder_engine::Undecided;
use larder_resp::Version;

use super::{Dialogue, OUTPUT_PAUSE_BYTES, Stop, limits};
use crate::Shared;
use crate::testing::{bulk, command, config, parts, session};

fn dialogue(shared: &Shared) -> Dialogue {
    Dialogue::new(session(shared, Version::V2), limits(&shared.config))
}

#[test]
fn a_turn_ends_after_so_much_input_and_the_next_goes_on_there() {
    let shared = Shared::new(config(), parts());
    let mut dialogue = dialogue(&shared);
    let input = b"PING\r\n".repeat(100);
    let mut out = Vec::new();
    let first = dialogue.execute(&shared, 0, &mut Undecided, &input, 100, &mut out);
    assert_eq!(
        (first.consumed, first.commands, first.stop),
        (102, 17, Stop::Paused)
    );
    let rest = &input[first.consumed..];
    let second = dialogue.execute(&shared, 0, &mut Undecided, rest, usize::MAX, &mut out);
    assert_eq!((second.consumed, second.commands), (rest.len(), 83));
    assert_eq!(second.stop, Stop::Starved { needed_bytes: 1 });
    assert_eq!(out, b"+PONG\r\n".repeat(100));
}

#[test]
fn a_turn_ends_after_so_much_output() {
    let shared = Shared::new(config(), parts());
    let mut dialogue = dialogue(&shared);
    let value = vec![b'v'; 300_000];
    let mut out = Vec::new();
    dialogue.execute(
        &shared,
        0,
        &mut Undecided,
        &command(&[b"SET", b"k", &value]),
        usize::MAX,
        &mut out,
    );
    out.clear();
    let gets = b"GET k\r\n".repeat(100);
    let executed = dialogue.execute(&shared, 0, &mut Undecided, &gets, usize::MAX, &mut out);
    assert_eq!((executed.commands, executed.stop), (4, Stop::Paused));
    assert_eq!(out, bulk(&value).repeat(4));
    assert!(out.len() < OUTPUT_PAUSE_BYTES + value.len());
}

#[test]
fn a_request_in_pieces_is_executed_once_it_is_whole() {
    let shared = Shared::new(config(), parts());
    let mut dialogue = dialogue(&shared);
    let input = command(&[b"ECHO", b"in pieces"]);
    let mut out = Vec::new();
    for end in 1..input.len() {
        let executed = dialogue.execute(
            &shared,
            0,
            &mut Undecided,
            &input[..end],
            usize::MAX,
            &mut out,
        );
        let Stop::Starved { needed_bytes } = executed.stop else {
            panic!("{executed:?}")
        };
        assert!(needed_bytes > end && executed.consumed == 0);
    }
    let executed = dialogue.execute(&shared, 0, &mut Undecided, &input, usize::MAX, &mut out);
    assert_eq!((executed.consumed, executed.commands), (input.len(), 1));
    assert_eq!(out, bulk(b"in pieces"));
}

#[test]
fn commands_and_errors_are_counted_and_empty_lines_are_not() {
    let shared = Shared::new(config(), parts());
    let mut dialogue = dialogue(&shared);
    let mut out = Vec::new();
    let input = b"\r\nPING\r\nNOSUCH\r\n*0\r\nPING\r\n*1\r\n!";
    let executed = dialogue.execute(&shared, 0, &mut Undecided, input, usize::MAX, &mut out);
    assert_eq!((executed.commands, executed.stop), (3, Stop::Close));
    let totals = shared.totals();
    assert_eq!(
        (totals.commands, totals.errors, totals.protocol_errors),
        (3, 1, 1)
    );
}
