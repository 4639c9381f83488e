//! Times a command that works in steps between which others are served.

use larder_resp::ArgsBuf;

use super::Slow;
use crate::commands::counted_by;
use crate::{Session, Shared, slowlog};

/// What the steps took so far, and of which request they are.
pub(crate) struct Paced {
    request: ArgsBuf,
    took_ns: u64,
}

impl Paced {
    /// Of a request that was counted when it began.
    pub(crate) fn new<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self {
            request: args.into_iter().collect(),
            took_ns: 0,
        }
    }

    /// Takes a step.
    pub(crate) fn step<R>(&mut self, shared: &Shared, step: impl FnOnce() -> R) -> R {
        let began_ns = (shared.monotonic_ns)();
        let result = step();
        self.took_ns += (shared.monotonic_ns)().saturating_sub(began_ns);
        result
    }

    /// Accounts for all steps: the last was taken.
    pub(crate) fn end(&self, shared: &Shared, worker: usize, session: &Session) {
        let args = self.request.args();
        let Some(command) = counted_by(args) else {
            return;
        };
        shared.meters[worker].add_time(command, self.took_ns);
        if self.took_ns >= shared.tuning.slow_ns() {
            let slow = Slow {
                command,
                ns: self.took_ns,
                together: 1,
                holds_secret: false,
            };
            slowlog::note_args(shared, session, shared.now(), slow, args);
        }
    }
}
