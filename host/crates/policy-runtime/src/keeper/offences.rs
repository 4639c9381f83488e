//! What follows when a policy breaks a rule while it is in force.

use std::collections::VecDeque;

/// Pause before the first retry, in milliseconds; each further offence of the window doubles it.
const RETRY_MS_MIN: u64 = 50;
/// Offences within [`WINDOW_MS`] that are forgiven.
const FORGIVEN_MAX: usize = 5;
/// How long an offence is held against a policy, in milliseconds.
const WINDOW_MS: u64 = 10 * 60 * 1000;

/// What is to be done about a policy after an offence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It is tried again in so many milliseconds.
    Retry { in_ms: u64 },
    /// It offended too often.
    Quarantine,
}

/// The offences of one policy. Times are milliseconds of a clock that never goes back.
#[derive(Debug, Clone, Default)]
pub(super) struct Offences {
    at_ms: VecDeque<u64>,
    waiting: Option<Waiting>,
}

#[derive(Debug, Clone)]
struct Waiting {
    until_ms: u64,
    why: String,
}

impl Offences {
    /// Notes an offence.
    pub(super) fn commit(&mut self, now_ms: u64, why: String) -> Consequence {
        while self
            .at_ms
            .front()
            .is_some_and(|&at_ms| at_ms + WINDOW_MS <= now_ms)
        {
            self.at_ms.pop_front();
        }
        self.at_ms.push_back(now_ms);
        if self.at_ms.len() > FORGIVEN_MAX {
            self.waiting = None;
            return Consequence::Quarantine;
        }
        let in_ms = RETRY_MS_MIN << (self.at_ms.len() - 1);
        let until_ms = now_ms + in_ms;
        self.waiting = Some(Waiting { until_ms, why });
        Consequence::Retry { in_ms }
    }

    /// Why it is not tried at present, while it waits to be tried again.
    pub(super) fn waits_for(&self) -> Option<&str> {
        self.waiting.as_ref().map(|waiting| &*waiting.why)
    }

    /// Whether its time has come; it waits no longer then.
    pub(super) fn take_due(&mut self, now_ms: u64) -> bool {
        self.waiting
            .take_if(|waiting| waiting.until_ms <= now_ms)
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(offences: &mut Offences, now_ms: u64) -> Consequence {
        offences.commit(now_ms, "it trapped".to_owned())
    }

    #[test]
    fn pauses_double_and_the_sixth_offence_is_too_many() {
        let mut offences = Offences::default();
        for in_ms in [50, 100, 200, 400, 800] {
            assert_eq!(commit(&mut offences, 1000), Consequence::Retry { in_ms });
        }
        assert_eq!(commit(&mut offences, 1000), Consequence::Quarantine);
    }

    #[test]
    fn it_waits_until_its_time_has_come() {
        let mut offences = Offences::default();
        assert!(!offences.take_due(u64::MAX));
        commit(&mut offences, 1000);
        assert_eq!(offences.waits_for(), Some("it trapped"));
        assert!(!offences.take_due(1049));
        assert!(offences.take_due(1050));
        assert_eq!(offences.waits_for(), None);
        assert!(!offences.take_due(2000));
    }

    #[test]
    fn offences_are_forgotten_after_ten_minutes() {
        let mut offences = Offences::default();
        for round in 0..20 {
            let now_ms = round * WINDOW_MS / 5;
            let expected = RETRY_MS_MIN << round.min(4);
            assert_eq!(
                commit(&mut offences, now_ms),
                Consequence::Retry { in_ms: expected }
            );
        }
    }
}
