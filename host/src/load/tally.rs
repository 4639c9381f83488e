//! What a run counts.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::reply::Reply;
use super::source::{Op, Request};
use super::value;

/// Counts of one worker, or of all.
pub(super) struct Tally {
    /// Latencies in nanoseconds, in the order of [`Op::ALL`]; every reply is in, errors too.
    pub(super) latency: [Histogram<u64>; Op::ALL.len()],
    pub(super) hits: u64,
    pub(super) misses: u64,
    /// Error replies.
    pub(super) errors: u64,
    /// Replies that are not what the command answers, and values that are not their key's.
    pub(super) wrong: u64,
    /// Requests that got no reply.
    pub(super) lost: u64,
    /// The first of the errors, wrong or lost replies, in words.
    pub(super) first_fault: Option<String>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            latency: Op::ALL.map(|_| histogram()),
            hits: 0,
            misses: 0,
            errors: 0,
            wrong: 0,
            lost: 0,
            first_fault: None,
        }
    }

    /// Counts the reply to `request`. Without `verify`, a value may be any.
    pub(super) fn count(
        &mut self,
        request: Request,
        reply: Reply<'_>,
        latency: Duration,
        verify: bool,
    ) {
        let latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latency[request.op as usize].saturating_record(latency_ns);
        match (request.op, reply) {
            (_, Reply::Error(_)) => {
                self.errors += 1;
                self.fault(|| format!("error reply to {request}: {reply}"));
            }
            (Op::Get, Reply::Absent) => self.misses += 1,
            (Op::Get, Reply::Value(value)) if !verify || value::matches(&request.key(), value) => {
                self.hits += 1;
            }
            (Op::Set, Reply::Ok) | (Op::Del, Reply::Removed) => {}
            _ => {
                self.wrong += 1;
                self.fault(|| format!("wrong reply to {request}: {reply}"));
            }
        }
    }

    /// Counts `requests` that will get no reply any more.
    pub(super) fn lose(&mut self, requests: usize, reason: impl FnOnce() -> String) {
        self.lost += requests as u64;
        self.fault(reason);
    }

    /// Counts a reply that cannot be told from what follows it; the connection is of no use then.
    pub(super) fn garbled(&mut self, reason: String) -> io::Error {
        self.wrong += 1;
        self.fault(|| format!("the server does not keep to the protocol: {reason}"));
        io::Error::other(reason)
    }

    fn fault(&mut self, text: impl FnOnce() -> String) {
        self.first_fault.get_or_insert_with(text);
    }

    /// Replies of every kind.
    pub(super) fn replies(&self) -> u64 {
        self.latency.iter().map(Histogram::len).sum()
    }

    /// Adds the counts of another worker of the same phase.
    pub(super) fn add(&mut self, other: Self) {
        for (sum, latency) in self.latency.iter_mut().zip(&other.latency) {
            *sum += latency;
        }
        self.hits += other.hits;
        self.misses += other.misses;
        self.add_faults(other);
    }

    /// Adds what went wrong in another phase, and nothing else of it.
    pub(super) fn add_faults(&mut self, other: Self) {
        self.errors += other.errors;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.first_fault = self.first_fault.take().or(other.first_fault);
    }
}

/// From 100 ns to an hour, to three significant digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(100, 3_600_000_000_000, 3).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: Op, reply: Reply<'_>, expected: [u64; 4]) {
        let mut tally = Tally::new();
        tally.count(
            Request { op, key: 1 },
            reply,
            Duration::from_micros(5),
            true,
        );
        let found = [tally.hits, tally.misses, tally.errors, tally.wrong];
        assert_eq!(found, expected, "{op:?} {reply:?}");
        assert_eq!(tally.replies(), 1);
        assert_eq!(tally.first_fault.is_some(), tally.errors + tally.wrong > 0);
    }

    #[test]
    fn each_reply_is_judged_by_its_command() {
        let mut right = Vec::new();
        value::append(&mut right, b"key:000000000001", 100);
        check(Op::Get, Reply::Value(&right), [1, 0, 0, 0]);
        check(Op::Get, Reply::Value(&right[..99]), [0, 0, 0, 1]);
        check(Op::Get, Reply::Absent, [0, 1, 0, 0]);
        check(Op::Get, Reply::Ok, [0, 0, 0, 1]);
        check(Op::Set, Reply::Ok, [0, 0, 0, 0]);
        check(Op::Set, Reply::Absent, [0, 0, 0, 1]);
        check(Op::Del, Reply::Removed, [0, 0, 0, 0]);
        check(Op::Del, Reply::Other(b":2\r\n"), [0, 0, 0, 1]);
        check(Op::Set, Reply::Error(b"OOM no room"), [0, 0, 1, 0]);
    }

    #[test]
    fn an_unverified_value_may_be_any() {
        let mut tally = Tally::new();
        let request = Request {
            op: Op::Get,
            key: 1,
        };
        tally.count(request, Reply::Value(b"foreign"), Duration::ZERO, false);
        assert_eq!((tally.hits, tally.wrong), (1, 0));
    }

    #[test]
    fn sums_keep_everything() {
        let (mut sum, mut other) = (Tally::new(), Tally::new());
        let request = Request {
            op: Op::Get,
            key: 1,
        };
        sum.count(request, Reply::Absent, Duration::from_micros(1), true);
        other.count(request, Reply::Absent, Duration::from_millis(1), true);
        other.lose(3, || "gone".to_owned());
        sum.add(other);
        assert_eq!((sum.misses, sum.lost, sum.replies()), (2, 3, 2));
        assert!(sum.latency[0].max() >= 1_000_000);
        assert_eq!(sum.first_fault.as_deref(), Some("gone"));
    }
}
