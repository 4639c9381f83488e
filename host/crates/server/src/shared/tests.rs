use super::*;
use crate::testing::{config, eventually, parts, serve_with};

/// Long after the server was made, and no later.
fn late() -> u64 {
    60_000_000_000
}

fn parts_late() -> Parts {
    Parts {
        monotonic_ns: late,
        ..parts()
    }
}

#[test]
fn a_worker_that_does_not_go_on_is_told_of() {
    let mut config = config();
    config.threads = 2;
    let shared = Shared::new(config, parts_late());
    let minute = Some(Duration::from_secs(60));
    assert_eq!(shared.silence(), minute);
    shared.workers[0].beat(late());
    assert_eq!(shared.silence(), minute, "one of two goes on");
    // As long as a script may take, and some time more.
    shared.workers[1].beat(late() - 15_000_000_000);
    assert_eq!(shared.silence(), None);
    shared.workers[1].beat(late() - 15_000_000_001);
    assert!(shared.silence().is_some());
}

#[test]
fn workers_that_serve_go_on() {
    let server = serve_with(config(), parts_late());
    eventually(|| server.shared.silence().is_none());
}
