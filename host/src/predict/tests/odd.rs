//! Loads that teach nothing, or the wrong thing, and clocks that are set.

use super::*;

/// What is told of prediction after requests, and how often their origin was asked beyond what they took.
fn beyond(run: &mut Run, requests: &[String]) -> (Prediction, u64) {
    let asked = run.origin.asked.load(Ordering::Relaxed);
    let (looks, hits) = (requests.len() as u64, run.hits);
    requests.iter().for_each(|key| run.ask(key));
    let asked = run.origin.asked.load(Ordering::Relaxed) - asked;
    (run.prediction(0), asked + (run.hits - hits) - looks)
}

#[test]
fn one_key_and_a_scan_teach_nothing_and_nothing_is_fetched() {
    let one = vec!["track:7".to_owned(); 6_000];
    let scan: Vec<_> = (0..6_000)
        .map(|number| format!("{:x}-", mixed(number)))
        .collect();
    let why = "of 0 candidates it is known whether they were asked for";
    for requests in [one, scan] {
        let mut run = Run::new();
        let (told, beyond) = beyond(&mut run, &requests);
        assert!(!told.is_on && told.why.contains(why), "{told:?}");
        assert_eq!((told.planned, beyond), (0, 0), "{told:?}");
        assert!(told.heard >= requests.len() as u64, "{told:?}");
    }
}

#[test]
fn sequences_that_end_where_they_are_foretold_cost_little_and_shut_the_gate() {
    let mut run = Run::new();
    run.albums(150);
    assert!(run.is_on());
    // Three in order, as a sequence begins, and never a fourth.
    let three = |number| {
        let begin = 2_000_000 + mixed(number) % 1_000_000;
        (begin..begin + 3).map(|track| format!("track:{track}"))
    };
    let mut feints = (0..).flat_map(three);
    // What is fetched by the end of the horizon is in vain.
    let requests: Vec<_> = feints.by_ref().take(6_000).collect();
    let (told, first) = beyond(&mut run, &requests);
    let why = "of the last fetches 0 % brought what was asked for in time";
    assert!(!told.is_on && told.why.contains(why), "{told:?}");
    assert!((64..2_000).contains(&first), "{first}: {told:?}");
    let requests: Vec<_> = feints.take(6_000).collect();
    let (told, later) = beyond(&mut run, &requests);
    assert_eq!(
        (told.is_on, later, told.ahead.bytes),
        (false, 0, 0),
        "{told:?}"
    );
}

#[test]
fn a_clock_that_is_set_shuts_the_gate_and_frees_what_waits() {
    for (step_ms, told) in [
        (-3_600_000, "the clock went back by 36"),
        (3_600_001, "or the clock was set"),
    ] {
        let mut run = Run::new();
        run.albums(150);
        let first = 3_000_000;
        (first..first + 10).for_each(|track| run.ask(&format!("track:{track}")));
        let before = run.prediction(0);
        assert!(before.is_on && before.ahead.bytes > 0, "{before:?}");
        let planned = |run: &Run| run.seers.all[0].shown.predictor.lock().counts().fetched;
        let planned_before = planned(&run);

        NOW.set(NOW.get().strict_add_signed(step_ms));
        run.turn();
        let after = run.prediction(0);
        assert!(!after.is_on && after.why.contains(told), "{after:?}");
        assert_eq!(after.ahead.bytes, 0, "{after:?}");
        (first..first + 8).for_each(|track| run.ask(&format!("track:{track}")));
        assert_eq!(planned(&run), planned_before);

        run.albums(150);
        let later = run.prediction(0);
        assert!(
            later.is_on && later.ahead.used > before.ahead.used,
            "{later:?}"
        );
    }
}
