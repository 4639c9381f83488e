use std::sync::LazyLock;

use super::*;
use crate::features::FEATURES;

/// The time that all trainings are of.
static NOW: LazyLock<Arc<Era>> = LazyLock::new(|| Arc::new(Era));

/// Candidates of which those with a high second feature are asked for with that many percent, others
/// hardly ever; one in eight was drawn at random.
fn samples(percent: u64, count: u64) -> Vec<Sample> {
    let sample = |number| {
        let is_high = mix(number).is_multiple_of(3);
        let least = if is_high { percent } else { 2 };
        let mut row = [0.0; FEATURES];
        row[1] = f32::from(u8::from(is_high));
        row[5] = (mix(number + 9) % 100) as f32;
        Sample {
            row,
            is_asked: mix(number + 99) % 100 < least,
            is_drawn: number.is_multiple_of(8),
        }
    };
    (0..count).map(sample).collect()
}

fn training(samples: Vec<Sample>) -> Training {
    Training {
        samples,
        samples_max: 100_000,
        seed: 1,
        era: Arc::downgrade(&NOW),
    }
}

fn judged(samples: Vec<Sample>) -> Gate {
    let mut gate = Gate::new(0.6);
    gate.judge(training(samples).run());
    gate
}

fn row(run: f32) -> Row {
    let mut row = [0.0; FEATURES];
    row[1] = run;
    row[5] = 50.0;
    row
}

/// What becomes of so many candidates that are as probable as any.
fn learn(gate: &mut Gate, count: usize, is_asked: bool) {
    for _ in 0..count {
        let rating = gate.rate(&[row(1.0)])[0].0.unwrap();
        gate.learn(rating, is_asked);
    }
}

#[test]
fn a_model_rules_that_is_right_often_enough_and_chooses_what_is_probable() {
    let mut gate = judged(samples(90, 5_000));
    assert!(gate.state().is_on(), "{}", gate.state());
    assert!(gate.model().is_some());
    let rated = gate.rate(&[row(0.0), row(1.0)]);
    assert!(rated[0].0 < rated[1].0);
    assert_eq!(rated[0].1, None);
    assert!((rated[1].1.unwrap() - 0.9).abs() < 0.1, "{:?}", rated[1]);
}

#[test]
fn what_is_learnt_from_several_is_of_each_in_the_same_parts_and_in_order() {
    let of = |number: usize| -> Vec<Sample> {
        let mut samples = samples(90, 1_000);
        let marked = samples.iter_mut().enumerate();
        marked.for_each(|(at, sample)| (sample.row[2], sample.row[3]) = (number as f32, at as f32));
        samples
    };
    for others in 1..4 {
        let own = Training {
            samples_max: 1_000,
            ..training(of(0))
        };
        let joined = own.joined((1..=others).map(of).collect());
        assert_eq!(joined.samples.len(), 1_000);
        for number in 0..=others {
            let known = joined.samples.iter();
            let places: Vec<f32> = known
                .filter(|sample| sample.row[2] == number as f32)
                .map(|sample| sample.row[3])
                .collect();
            let part = 1_000 / (others + 1);
            assert!(
                places.len().abs_diff(part) < part / 4,
                "{number} of {others}: {}",
                places.len()
            );
            assert!(places.is_sorted());
        }
    }
}

#[test]
fn one_that_is_wrong_too_often_does_not_and_the_gate_says_why() {
    let mut gate = judged(samples(40, 5_000));
    let why = gate.state().to_string();
    let told = "% of the most probable candidates are asked for, less than 60 %";
    assert!(why.starts_with("off: ") && why.ends_with(told), "{why}");
    assert_eq!(gate.rate(&[row(1.0)])[0].1, None);
}

#[test]
fn one_that_is_no_better_than_the_plain_baseline_does_not() {
    // Whatever is drawn at random is asked for as often as the rest.
    let mut samples = samples(80, 20_000);
    for (number, sample) in samples.iter_mut().enumerate() {
        sample.is_asked = !mix(number as u64).is_multiple_of(5);
        sample.row = [mix(number as u64 + 7) as u32 as f32; FEATURES];
    }
    let mut gate = judged(samples);
    gate.steps = Steps::default();
    learn(&mut gate, 100, true);
    learn(&mut gate, 12, false);
    let why = gate.state().to_string();
    assert!(
        why.starts_with("off: ") && why.ends_with("less than 89 %"),
        "{why}"
    );
}

#[test]
fn one_that_was_right_once_and_is_wrong_later_does_not() {
    let mut drifted = samples(90, 5_000);
    let len = drifted.len();
    let later = &mut drifted[len * 4 / 5..];
    later.iter_mut().for_each(|sample| sample.is_asked = false);
    let gate = judged(drifted);
    let why = gate.state().to_string();
    assert!(why.starts_with("off: 0 %"), "{why}");
}

#[test]
fn the_gate_follows_what_becomes_of_candidates_whether_they_are_fetched_or_not() {
    let mut gate = judged(samples(90, 5_000));
    let is_fetched = |gate: &mut Gate| gate.rate(&[row(1.0)])[0].1.is_some();
    learn(&mut gate, 60, false);
    assert!(!is_fetched(&mut gate));
    learn(&mut gate, 200, true);
    assert!(is_fetched(&mut gate));
    let earlier = gate.rate(&[row(1.0)])[0].0.unwrap();
    gate.judge(training(samples(90, 5_000)).run());
    (0..100).for_each(|_| gate.learn(earlier, false));
    assert!(
        is_fetched(&mut gate),
        "what an earlier model thought does not count"
    );
}

#[test]
fn after_a_model_that_wasted_fetches_the_next_one_has_few_until_it_is_known_what_becomes_of_them() {
    let mut gate = judged(samples(90, 5_000));
    assert_eq!(gate.room(1_000), usize::MAX);
    for is_used in [false, true] {
        (0..130).for_each(|_| gate.told(is_used, 0));
        gate.judge(training(samples(90, 5_000)).run());
        let few = FETCHES_ON_TRIAL as usize;
        let rooms = [0, 28, 200].map(|waiting| gate.room(waiting));
        match is_used {
            true => assert_eq!(rooms, [usize::MAX; 3]),
            false => assert_eq!(rooms, [few, few - 28, 0]),
        }
    }
}

#[test]
fn the_gate_closes_when_fetches_are_wasted_and_opens_for_a_new_model() {
    let mut gate = judged(samples(90, 5_000));
    (0..100).for_each(|_| gate.told(true, 0));
    assert!(gate.state().is_on());
    (0..130).for_each(|_| gate.told(false, 0));
    let why = gate.state().to_string();
    assert!(
        why.contains("fetches 49 % brought what was asked for in time, less than 50 %"),
        "{why}"
    );
    learn(&mut gate, 100, true);
    assert_eq!(gate.rate(&[row(1.0)])[0].1, None);
    gate.judge(training(Vec::new()).run());
    assert!(gate.state().to_string().contains("too few data"));
    gate.judge(training(samples(90, 5_000)).run());
    assert!(gate.state().is_on());
}

#[test]
fn the_gate_closes_when_the_clock_is_set() {
    let mut gate = judged(samples(90, 5_000));
    gate.stepped(Step::Back(7_000));
    assert_eq!(
        gate.state().to_string(),
        "off: the clock went back by 7000 ms; what is known is of no use"
    );
    learn(&mut gate, 40, true);
    assert!(gate.state().is_on());
}

#[test]
fn a_training_that_comes_to_nothing_is_told_whoever_rules() {
    let failed = "; the last training failed: all candidates look alike";
    let mut alike = samples(90, 5_000);
    alike.iter_mut().for_each(|one| one.row = [1.0; FEATURES]);
    let mut gate = judged(alike.clone());
    let why = gate.state().to_string();
    assert!(
        why.starts_with("off: nothing has been learnt yet") && why.contains(failed),
        "{why}"
    );
    assert_eq!(gate.rate(&[row(1.0)])[0], (None, None));

    let mut gate = judged(samples(90, 5_000));
    gate.judge(training(alike).run());
    let state = gate.state();
    assert!(state.is_on() && state.why().contains(failed), "{state}");
    gate.judge(training(samples(90, 5_000)).run());
    assert!(!gate.state().why().contains("failed"), "{}", gate.state());
}

#[test]
fn the_gate_closes_when_nothing_that_is_asked_for_was_probable_for_long() {
    let moment = |ms, requests| Moment { ms, requests };
    let mut gate = judged(samples(90, 5_000));
    gate.look(moment(0, 0), 5_000);
    gate.look(moment(DRIFT_MS, DRIFT_REQUESTS - 1), 5_000);
    gate.look(moment(DRIFT_MS - 1, 9_000), 5_000);
    assert!(gate.state().is_on(), "a quiet load, and a burst");
    gate.look(moment(DRIFT_MS, 9_000), DRIFT_MS);
    assert!(gate.state().is_on(), "the horizon is long");
    learn(&mut gate, 1, true);
    gate.look(moment(DRIFT_MS, 9_000), 5_000);
    gate.look(moment(2 * DRIFT_MS - 1, 99_000), 5_000);
    assert!(gate.state().is_on(), "one was right meanwhile");
    learn(&mut gate, 1, false);
    gate.look(moment(2 * DRIFT_MS, 11_500), 5_000);
    let why = gate.state().to_string();
    assert_eq!(
        why,
        "off: of the last 2500 requests, in 30 s, none was foretold"
    );
    assert_eq!(gate.rate(&[row(1.0)])[0].1, None);
    learn(&mut gate, 40, true);
    assert!(gate.state().is_on(), "{}", gate.state());
}
