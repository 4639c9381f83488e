//! What bad input gets: a clear error or a closed connection, bounded memory, others unharmed.

mod crowd;
mod limits;
mod protocol;
mod slow;

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use e2e::harness::{Client, Server, eventually};

use crate::values::{bulk, ok};

/// How often a bystander asks.
const PACE: Duration = Duration::from_millis(5);
/// How long it waits for an answer at most: long for a cache, but the machine is busy with tests.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A well-behaved client, which goes on asking and checks its answers, whatever others do.
struct Bystander {
    done: Sender<()>,
    thread: JoinHandle<()>,
}

impl Bystander {
    fn of(server: &Server) -> Self {
        let mut client = server.client();
        let (done, stop) = mpsc::channel();
        let thread = thread::spawn(move || {
            for round in 0.. {
                ask(&mut client, round);
                // Either way of ending means that nobody wants to know more.
                if stop.recv_timeout(PACE) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        });
        Self { done, thread }
    }

    /// Ends it; it must have had its answers.
    #[track_caller]
    fn expect_unharmed(self) {
        drop(self.done);
        assert!(
            self.thread.join().is_ok(),
            "a bystander was harmed, see above"
        );
    }
}

fn ask(client: &mut Client, round: usize) {
    let value = format!("round {round}");
    let start = Instant::now();
    let replies = client.pipeline(&[&["SET", "bystander", &value][..], &["GET", "bystander"]]);
    assert_eq!(replies, [ok(), bulk(value)]);
    assert!(
        start.elapsed() < ANSWER_MAX,
        "answered only after {:?}",
        start.elapsed()
    );
}

/// Waits until no more than `clients` connections are left, and nothing is held for those gone.
#[track_caller]
fn await_calm(server: &Server, clients: usize) {
    eventually("connections and their buffers go", || {
        let calm = server.metric("larder_connected_clients") as usize <= clients
            && server.metric("larder_client_buffers_bytes") == 0.0;
        calm.then_some(())
    });
}

/// How many connections the server has closed for that reason.
#[track_caller]
fn closed(server: &Server, reason: &str) -> usize {
    let page = server.get("/metrics").body;
    let start = format!("larder_clients_closed_total{{reason=\"{reason}\"}} ");
    let count = page
        .lines()
        .find_map(|line| line.strip_prefix(&start)?.parse().ok());
    count.unwrap_or_else(|| panic!("no {start} in:\n{page}"))
}
