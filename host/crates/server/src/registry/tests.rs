use std::time::Duration;

use super::{Cut, Entry, Patience, Phase, sweep_interval};
use crate::testing::config;
use crate::tuning::Tuning;

fn patience(idle: Option<u64>, request: u64) -> Patience {
    let mut config = config();
    config.idle_timeout = idle.map(Duration::from_secs);
    config.request_timeout = Duration::from_secs(request);
    Patience::new(&Tuning::new(&config), sweep_interval(&config), false)
}

/// The sweep at which a connection in `phase` since sweep 100 is cut, if that is within a thousand.
fn cut_at(entry: &Entry, patience: &Patience) -> Option<(u64, Cut)> {
    (100..1_100).find_map(|sweep| {
        entry.check(patience, sweep);
        entry.cut().map(|cut| (sweep - 100, cut))
    })
}

#[test]
fn each_way_of_waiting_has_its_own_limit() {
    let check = |phase, idle, expected| {
        let entry = Entry::new(0);
        entry.settle(phase, true, 100);
        assert_eq!(cut_at(&entry, &patience(idle, 30)), expected, "{phase:?}");
    };
    check(Phase::Idle, None, None);
    check(Phase::Idle, Some(60), Some((61, Cut::Idle)));
    check(Phase::Receiving, Some(60), Some((31, Cut::Receiving)));
    check(Phase::Strange, None, Some((31, Cut::Receiving)));
    check(Phase::Sending, None, Some((31, Cut::Sending)));
    check(Phase::Lingering, None, Some((3, Cut::Lingering)));
    check(Phase::Working, Some(60), None);
}

#[test]
fn only_progress_or_another_phase_starts_the_waiting_anew() {
    let check = |phase, progressed, expected| {
        let entry = Entry::new(0);
        entry.settle(Phase::Receiving, true, 90);
        entry.settle(phase, progressed, 100);
        assert_eq!(
            cut_at(&entry, &patience(None, 30)).map(|(sweep, _)| sweep),
            expected
        );
    };
    check(Phase::Receiving, false, Some(21));
    check(Phase::Receiving, true, Some(31));
    check(Phase::Sending, false, Some(31));
}

#[test]
fn whatever_somebody_says_who_does_not_sign_in() {
    let entry = Entry::new(0);
    entry.settle(Phase::Strange, true, 90);
    entry.settle(Phase::Strange, true, 100);
    let cut = cut_at(&entry, &patience(None, 30));
    assert_eq!(cut, Some((21, Cut::Receiving)));
}

#[test]
fn who_has_not_signed_in_may_not_dawdle_where_it_is_crowded() {
    let (tuning, interval) = (Tuning::new(&config()), Duration::from_millis(500));
    let patience = Patience::new(&tuning, interval, true);
    for (phase, sweeps) in [
        (Phase::Greeting, Some(3)),
        (Phase::Strange, Some(3)),
        (Phase::Receiving, Some(61)),
        (Phase::Idle, None),
    ] {
        let entry = Entry::new(0);
        entry.settle(phase, true, 100);
        let cut = cut_at(&entry, &patience).map(|(sweep, _)| sweep);
        assert_eq!(cut, sweeps, "{phase:?}");
    }
}

#[test]
fn sweeps_are_frequent_enough_for_the_shortest_timeout() {
    let check = |idle, request_ms, interval_ms| {
        let mut config = config();
        config.idle_timeout = idle;
        config.request_timeout = Duration::from_millis(request_ms);
        assert_eq!(sweep_interval(&config), Duration::from_millis(interval_ms));
    };
    check(None, 30_000, 1_000);
    check(None, 400, 100);
    check(Some(Duration::from_millis(100)), 30_000, 25);
    check(None, 1, 10);
}
