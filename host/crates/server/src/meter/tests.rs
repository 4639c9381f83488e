use std::cell::Cell;

use larder_engine::Undecided;
use larder_resp::Version;

use super::*;
use crate::dialogue::{Dialogue, Stop, limits};
use crate::testing::{config, parts, session};
use crate::worker::TURN_BYTES;
use crate::{Parts, Shared, slowlog};

thread_local! {
    /// What the clock shows, and by how much it goes on with each look.
    static CLOCK: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

fn look() -> u64 {
    LOOKS.set(LOOKS.get() + 1);
    let (now, step) = CLOCK.get();
    CLOCK.set((now + step, step));
    now + step
}

/// A server whose clock goes on by `step_ns` with each look.
struct Bench {
    shared: Shared,
    dialogue: Dialogue,
}

impl Bench {
    fn new() -> Self {
        let parts = Parts {
            monotonic_ns: look,
            ..parts()
        };
        let shared = Shared::new(config(), parts);
        let session = session(&shared, Version::V2);
        let dialogue = Dialogue::new(session, limits(&shared.config));
        Self { shared, dialogue }
    }

    /// Sends it all at once; how often the clock was looked at for it.
    fn send(&mut self, step_ns: u64, input: &str) -> usize {
        CLOCK.set((CLOCK.get().0, step_ns));
        let before = LOOKS.get();
        let mut out = Vec::new();
        let shared = &self.shared;
        let input = input.as_bytes();
        self.dialogue
            .execute(shared, 0, &mut Undecided, input, usize::MAX, &mut out);
        LOOKS.get() - before
    }

    fn figures(&self, name: &str) -> CommandFigures {
        let figures = self.shared.command_figures();
        let found = figures.into_iter().find(|figures| figures.name == name);
        found.unwrap_or_else(|| panic!("{name} was never asked for"))
    }

    fn log(&self) -> Vec<(u64, String)> {
        let log = slowlog::of(&self.shared, &self.dialogue.session.tenant);
        let entries = log.iter().map(|entry| {
            let args = entry.args.iter().map(|arg| arg.escape_ascii().to_string());
            let args: Vec<_> = args.collect();
            (entry.took_us, args.join(" "))
        });
        entries.collect()
    }
}

#[test]
fn brief_commands_share_a_look_at_the_clock() {
    let mut bench = Bench::new();
    // One at the beginning, after 16 and 32, and at the end.
    assert_eq!(bench.send(1600, &"PING\r\n".repeat(40)), 4);
    let ping = bench.figures("ping");
    assert_eq!((ping.calls, ping.operation), (40, Operation::Other));
    assert_eq!(ping.ns, 1600 + 1600 + 1600);
    assert_eq!(ping.latency.below(128), 32);
    assert_eq!(bench.send(1000, "PING\r\n"), 2);
    assert_eq!(bench.figures("ping").ns, 4800 + 1000);
}

#[test]
fn what_may_take_long_is_timed_by_itself() {
    let mut bench = Bench::new();
    let long = format!("SET k {}\r\n", "v".repeat(20_000));
    let many = format!("DEL{}\r\n", " k".repeat(9));
    for (request, looks) in [
        ("CONFIG GET save\r\n", 4),
        (&long, 4),
        (&many, 4),
        ("SET k v\r\n", 2),
        ("DEL k\r\n", 2),
    ] {
        assert_eq!(bench.send(700, &request.repeat(3)), looks, "{request:.20}");
    }
    assert_eq!(bench.figures("config|get").ns, 2100);
    assert_eq!(bench.figures("set").ns, 2100 + 699);
    assert_eq!(bench.figures("set").operation, Operation::Set);
    // The brief ones before are closed first.
    assert_eq!(
        bench.send(700, "GET k\r\nGET k\r\nCONFIG GET save\r\nGET k\r\n"),
        4
    );
    assert_eq!(bench.figures("get").ns, 1400);
}

#[test]
fn a_turn_ends_with_what_has_taken_long() {
    let mut bench = Bench::new();
    let mut run = |step_ns, input: &str| {
        CLOCK.set((CLOCK.get().0, step_ns));
        let (dialogue, shared) = (&mut bench.dialogue, &bench.shared);
        let input = input.as_bytes();
        let executed = dialogue.execute(
            shared,
            0,
            &mut Undecided,
            input,
            TURN_BYTES,
            &mut Vec::new(),
        );
        (executed.commands, executed.stop)
    };
    let all = |commands| (commands, Stop::Starved { needed_bytes: 1 });
    let long = "CONFIG GET save\r\n".repeat(100);
    assert_eq!(run(4_000_000, &long), (3, Stop::Paused));
    assert_eq!(run(100_000_000, &long), (1, Stop::Paused), "one at least");
    assert_eq!(run(10_000, &long), all(100));
    let brief = "PING\r\n".repeat(1_000);
    assert_eq!(run(10_000, &brief), all(1_000));
}

#[test]
fn slow_commands_are_noted_and_then_looked_at_one_by_one() {
    let mut bench = Bench::new();
    bench.send(9_999_999, "CONFIG GET save\r\n");
    assert_eq!(bench.log(), []);
    bench.send(10_000_000, "CONFIG GET save\r\n");
    assert_eq!(bench.log(), [(10_000, "CONFIG GET save".to_owned())]);
    assert_eq!(bench.send(100, "GET a\r\nGET b\r\n"), 2);
    bench.send(12_000_000, "GET a\r\nGET b\r\n");
    let together = "GET b ... (the last of 2 commands that took this together)";
    assert_eq!(bench.log()[1], (12_000, together.to_owned()));
    // From now on it is known which of them it was.
    assert_eq!(bench.send(11_000_000, "GET c\r\nGET d\r\n"), 3);
    assert_eq!(bench.log()[2], (11_000, "GET c".to_owned()));
    assert_eq!(bench.log().len(), 4);
    assert_eq!(bench.shared.slow_commands(), 4);
}

#[test]
fn failures_and_refusals_are_counted_by_command_and_errors_by_code() {
    let mut bench = Bench::new();
    bench.send(
        1,
        "SET k v\r\nINCR k\r\nINCR\r\nCONFIG NONE\r\nNONE\r\nINCR n\r\n",
    );
    let incr = bench.figures("incr");
    assert_eq!((incr.calls, incr.failed, incr.rejected), (2, 1, 1));
    let config = bench.figures("config");
    assert_eq!((config.calls, config.rejected), (0, 1));
    let errors = bench.shared.errors_by_code();
    assert_eq!(errors.into_iter().collect::<Vec<_>>(), [("ERR".into(), 4)]);
}

#[test]
fn codes_of_errors_are_bounded() {
    let meter = Meter::new();
    for number in 0..100 {
        meter.note_error(format!("-E{number} no\r\n").as_bytes());
    }
    meter.note_error(b"-OOM no\r\n");
    meter.note_error(b"-ERR\r\n");
    let errors = Counted::sum(&[meter]).errors;
    let expected = [("ERR", 1), ("OOM", 1), (OTHER_ERRORS, 100)];
    assert_eq!(
        errors,
        expected
            .map(|(code, count)| (code.to_owned(), count))
            .into()
    );
}

#[test]
fn what_had_been_counted_before_can_be_taken_away() {
    let mut bench = Bench::new();
    bench.send(5, "GET a\r\nINCR\r\n");
    let before = bench.shared.counted();
    bench.send(7, "GET a\r\n");
    let mut since = bench.shared.counted();
    since.subtract(&before);
    assert!(since.errors.is_empty());
    let commands = since.commands();
    assert_eq!(commands.len(), 1);
    assert_eq!(
        (&*commands[0].name, commands[0].calls, commands[0].ns),
        ("get", 1, 7)
    );
}

#[test]
fn what_is_slow_within_a_transaction_is_noted_in_its_place() {
    let mut bench = Bench::new();
    bench.send(1, "MULTI\r\nGET a\r\nKEYS *\r\nPING\r\n");
    bench.send(10_000_000, "EXEC\r\n");
    let noted = ["GET a", "KEYS *", "PING"].map(|what| (10_000, what.to_owned()));
    assert_eq!(bench.log(), noted);
    assert_eq!(bench.figures("keys").ns, 20_000_000);
}

#[test]
fn what_works_in_steps_counts_with_all_of_them() {
    let mut bench = Bench::new();
    bench.send(1_000, "KEYS *\r\n");
    // Its beginning alone is not noted, however long it takes.
    bench.send(20_000_000, "KEYS *\r\n");
    let (shared, session) = (&bench.shared, &bench.dialogue.session);
    let mut paced = Paced::new([&b"KEYS"[..], b"*"]);
    CLOCK.set((0, 6_000_000));
    paced.step(shared, || ());
    paced.step(shared, || ());
    paced.end(shared, 0, session);
    let keys = bench.figures("keys");
    assert_eq!((keys.calls, keys.ns), (2, 32_001_000));
    assert_eq!(bench.log(), [(12_000, "KEYS *".to_owned())]);
}
