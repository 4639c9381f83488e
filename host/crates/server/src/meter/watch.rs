//! Times the commands of one turn of a connection.
//!
//! Reading a clock takes longer than a short command. So brief commands that follow one another are
//! timed together, sixteen at most, and the time is shared out evenly; whatever may take long is timed
//! by itself. After brief ones that took suspiciously long together each is timed by itself for a while.

use crate::commands::is_brief;
use crate::onlookers::monitor::Showing;
use crate::stats::add;
use crate::{Session, Shared};

/// Brief commands that are timed together.
const RUN_MAX: usize = 16;
/// A command with more arguments is not brief.
const BRIEF_ARGS_MAX: usize = 8;
/// Nor is one whose request is longer.
const BRIEF_BYTES_MAX: usize = 16 << 10;
/// Commands that are timed one by one after a run that was slow.
const CLOSE_LOOK_COMMANDS: u32 = 10_000;
/// With a lower bound of what is slow every command is timed by itself.
const CLOSE_LOOK_BELOW_NS: u64 = 1_000_000;

/// A command that took long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slow {
    /// Its number.
    pub(crate) command: u16,
    /// What it took, or what all took that were timed with it.
    pub(crate) ns: u64,
    /// How many were timed together, itself included; it is the last of them.
    pub(crate) together: usize,
    /// A policy found a secret among its arguments.
    pub(crate) holds_secret: bool,
}

/// How a command that was entered is timed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Timing {
    Run { command: u16 },
    Alone { command: u16, began_ns: u64 },
}

/// The times of one turn, on one worker.
pub(crate) struct Watch {
    worker: usize,
    slow_ns: u64,
    began_ns: u64,
    /// Until when time is accounted for.
    mark_ns: u64,
    run: [u16; RUN_MAX],
    run_len: usize,
    depth: u32,
    last: Option<u16>,
    /// Whether somebody is shown what this turn carries out.
    pub(crate) showing: Showing,
    /// Whether a policy found a secret in the command that was begun last, or in one within it.
    pub(crate) holds_secret: bool,
    is_long_request: bool,
    slow: Option<Slow>,
}

impl Watch {
    /// Begins a turn of `worker`.
    pub(crate) fn start(shared: &Shared, worker: usize) -> Self {
        let now_ns = (shared.monotonic_ns)();
        Self {
            worker,
            slow_ns: shared.tuning.slow_ns(),
            began_ns: now_ns,
            mark_ns: now_ns,
            run: [0; RUN_MAX],
            run_len: 0,
            depth: 0,
            last: None,
            showing: Showing::default(),
            holds_secret: false,
            is_long_request: false,
            slow: None,
        }
    }

    /// Begins a turn of a connection, which may be shown to others.
    pub(crate) fn of_turn(shared: &Shared, worker: usize, session: &Session) -> Self {
        Self {
            showing: Showing::new(shared, session),
            ..Self::start(shared, worker)
        }
    }

    /// What the turn has taken until the last look at the clock.
    #[inline]
    pub(crate) fn elapsed_ns(&self) -> u64 {
        self.mark_ns.saturating_sub(self.began_ns)
    }

    /// The next request has so many bytes.
    #[inline]
    pub(crate) fn present(&mut self, bytes: usize) {
        self.is_long_request = bytes > BRIEF_BYTES_MAX;
    }

    /// A command with so many arguments begins. Commands within commands are timed by themselves.
    #[inline]
    pub(crate) fn enter(&mut self, shared: &Shared, command: u16, args: usize) -> Timing {
        if self.depth == 0 {
            self.last = Some(command);
        }
        let is_brief = is_brief(command)
            && args <= BRIEF_ARGS_MAX
            && !self.is_long_request
            && self.slow_ns >= CLOSE_LOOK_BELOW_NS;
        if is_brief && self.depth == 0 && !shared.meters[self.worker].looks_closely() {
            self.holds_secret = false;
            return Timing::Run { command };
        }
        self.enter_alone(shared, command)
    }

    #[cold]
    fn enter_alone(&mut self, shared: &Shared, command: u16) -> Timing {
        let began_ns = if self.depth > 0 {
            (shared.monotonic_ns)()
        } else {
            self.close_run(shared);
            self.holds_secret = false;
            self.mark_ns
        };
        self.depth += 1;
        Timing::Alone { command, began_ns }
    }

    /// The command that was entered last is not carried out.
    #[cold]
    pub(crate) fn give_up(&mut self, timing: Timing) {
        if let Timing::Alone { .. } = timing {
            self.depth -= 1;
        }
    }

    /// The command ends that was entered last. One within another that took long is handed back, as the
    /// other one will be noted by itself.
    #[inline]
    pub(crate) fn leave(
        &mut self,
        shared: &Shared,
        timing: Timing,
        has_failed: bool,
    ) -> Option<Slow> {
        let (Timing::Run { command } | Timing::Alone { command, .. }) = timing;
        let meter = &shared.meters[self.worker];
        if has_failed {
            add(&meter.commands[command as usize].failed, 1);
        }
        match timing {
            Timing::Run { command } => {
                self.run[self.run_len] = command;
                self.run_len += 1;
                if self.run_len == RUN_MAX {
                    self.close_run(shared);
                }
                None
            }
            Timing::Alone { command, began_ns } => {
                let now_ns = (shared.monotonic_ns)();
                let ns = now_ns.saturating_sub(began_ns);
                meter.record(command, ns);
                self.depth -= 1;
                if self.depth > 0 {
                    return self.judged(command, ns, 1);
                }
                self.mark_ns = now_ns;
                meter.look_less();
                self.judge(command, ns, 1);
                None
            }
        }
    }

    /// A command was not carried out because of its arguments, or for want of rights.
    pub(crate) fn reject(&self, shared: &Shared, command: u16) {
        add(
            &shared.meters[self.worker].commands[command as usize].rejected,
            1,
        );
    }

    /// Accounts for the time since the last look at the clock.
    pub(crate) fn close_run(&mut self, shared: &Shared) {
        if self.run_len == 0 {
            return;
        }
        let now_ns = (shared.monotonic_ns)();
        let ns = now_ns.saturating_sub(self.mark_ns);
        self.mark_ns = now_ns;
        let together = std::mem::take(&mut self.run_len);
        let run = &self.run[..together];
        let meter = &shared.meters[self.worker];
        let share_ns = ns / together as u64;
        for command in run {
            meter.record(*command, share_ns);
        }
        if ns >= self.slow_ns && together > 1 {
            meter.look_closely(CLOSE_LOOK_COMMANDS);
        }
        let last = run[together - 1];
        self.judge(last, ns, together);
    }

    fn judge(&mut self, command: u16, ns: u64, together: usize) {
        if let Some(slow) = self.judged(command, ns, together) {
            self.slow = Some(slow);
        }
    }

    fn judged(&self, command: u16, ns: u64, together: usize) -> Option<Slow> {
        (ns >= self.slow_ns).then_some(Slow {
            command,
            ns,
            together,
            holds_secret: self.holds_secret,
        })
    }

    /// The worker whose turn it is.
    pub(crate) fn worker(&self) -> usize {
        self.worker
    }

    /// The number of the command that was begun last, those within others left aside.
    pub(crate) fn last(&self) -> Option<u16> {
        self.last
    }

    /// What was slow since this was asked last.
    #[inline]
    pub(crate) fn take_slow(&mut self) -> Option<Slow> {
        self.slow.take()
    }
}
