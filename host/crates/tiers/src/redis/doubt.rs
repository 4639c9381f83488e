//! Since when the changes of this host count at Redis: since they were told, unless an earlier one may yet be done there.
//!
//! What nobody waits for any more may lie in Redis' buffers, and be done whenever it goes on; it counts as new then. So what
//! is told until Redis has answered again has to count as newer still. What broke off with its connection was done before, or
//! never is.

use std::mem;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// See the module.
#[derive(Default)]
pub(super) struct Doubt(Mutex<State>);

#[derive(Default)]
struct State {
    /// Something is sent, and not answered yet.
    is_sent: bool,
    /// What was sent was not waited for.
    is_open: bool,
    /// What was sent before was done before, too, or is never done.
    settled_at: Option<Instant>,
}

impl Doubt {
    /// Something is sent from now on.
    pub(super) fn begins(&self) {
        self.0.lock().is_sent = true;
    }

    /// It was answered, or broke off.
    pub(super) fn ends(&self, is_answered: bool) {
        let mut state = self.0.lock();
        state.is_sent = false;
        if state.is_open || !is_answered {
            state.settled_at = Some(Instant::now());
        }
        state.is_open &= !is_answered;
    }

    /// Nobody waits for what was sent; whether something was.
    pub(super) fn stays(&self) -> bool {
        let mut state = self.0.lock();
        let is_sent = mem::take(&mut state.is_sent);
        state.is_open |= is_sent;
        is_sent
    }

    /// How long ago a change counts as done that was told then.
    pub(super) fn age(&self, told: Instant) -> Duration {
        let state = self.0.lock();
        match state.is_open {
            true => Duration::ZERO,
            false => state
                .settled_at
                .map_or(told, |settled_at| told.max(settled_at))
                .elapsed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Whether what was told an hour ago counts as new.
    fn is_new(doubt: &Doubt) -> bool {
        doubt.age(Instant::now().checked_sub(HOUR).unwrap()) < HOUR
    }

    #[test]
    fn a_change_is_as_old_as_it_is_while_all_is_answered() {
        let doubt = Doubt::default();
        assert!(!is_new(&doubt));
        for _ in 0..2 {
            doubt.begins();
            doubt.ends(true);
        }
        assert!(!doubt.stays(), "no connection can be made: nothing is sent");
        assert!(!is_new(&doubt));
    }

    #[test]
    fn one_that_may_have_been_overtaken_by_an_older_one_of_its_own_counts_as_new() {
        let doubt = Doubt::default();
        doubt.begins();
        doubt.ends(false);
        assert!(is_new(&doubt), "it may be done");
        let doubt = Doubt::default();
        doubt.begins();
        assert!(doubt.stays());
        assert_eq!(doubt.age(Instant::now()), Duration::ZERO);
        assert!(is_new(&doubt));
        // Another connection that breaks off shows nothing of what the first has sent.
        doubt.begins();
        doubt.ends(false);
        assert!(doubt.0.lock().is_open);
        doubt.begins();
        doubt.ends(true);
        assert!(!doubt.0.lock().is_open && is_new(&doubt));
    }
}
