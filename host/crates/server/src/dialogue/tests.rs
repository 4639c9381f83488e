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

fn replies(dialogue: &mut Dialogue, shared: &Shared, input: &str) -> String {
    let mut out = Vec::new();
    dialogue.execute(
        shared,
        0,
        &mut Undecided,
        input.as_bytes(),
        usize::MAX,
        &mut out,
    );
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn replies_go_to_who_wants_them() {
    let shared = Shared::new(config(), parts());
    let mut dialogue = dialogue(&shared);
    let mut check = |input: &str, expected: &str| {
        assert_eq!(replies(&mut dialogue, &shared, input), expected, "{input}");
    };
    check(
        "ECHO a\r\nCLIENT REPLY SKIP\r\nECHO b\r\nECHO c\r\n",
        "$1\r\na\r\n$1\r\nc\r\n",
    );
    // It is the next request that is not answered, also when that comes later.
    check("CLIENT REPLY SKIP\r\n", "");
    check("NONE\r\nPING\r\n", "+PONG\r\n");
    check(
        "CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nECHO b\r\nPING\r\n",
        "+PONG\r\n",
    );
    check(
        "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n",
        "+OK\r\n+PONG\r\n",
    );
    check(
        "CLIENT REPLY OFF\r\nPING\r\nGET\r\nCLIENT REPLY SKIP\r\nPING\r\n",
        "",
    );
    let subscribed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
    check("PING\r\nSUBSCRIBE c\r\nSUBSCRIBE\r\n", subscribed);
    let ended = subscribed.replace("subscribe", "unsubscribe");
    let ended = ended.replace("$9", "$11").replace(":1", ":0");
    check("UNSUBSCRIBE c\r\nPING\r\n", &ended);
    // Among what is queued it is no different.
    check("MULTI\r\nPING\r\nSUBSCRIBE c\r\nEXEC\r\n", subscribed);
    check(
        "UNSUBSCRIBE\r\nCLIENT REPLY ON\r\n",
        &(ended.clone() + "+OK\r\n"),
    );
    check(
        "CLIENT REPLY SKIP\r\nSUBSCRIBE c\r\nPING\r\n",
        &format!("{subscribed}*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
    );
    check("RESET\r\nPING\r\n", "+RESET\r\n+PONG\r\n");
    check(
        "MULTI\r\nCLIENT REPLY OFF\r\nEXEC\r\n",
        "+OK\r\n-ERR Command not allowed inside a transaction\r\n\
         -EXECABORT Transaction discarded because of previous errors.\r\n",
    );
}
