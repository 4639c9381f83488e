use std::collections::HashMap;
use std::ops::Range;

use super::*;
use crate::access::Place;
use crate::keyed::mix;

/// A cache that keeps nothing but what was asked for last, and what was fetched ahead.
#[derive(Default)]
struct Small {
    last: u64,
    fetched: HashMap<u64, u64>,
}

impl Cache for Small {
    fn key_at(&self, place: Place) -> Option<u64> {
        Some(mix(place.family ^ mix(place.number)))
    }

    fn is_absent(&self, key: u64) -> bool {
        key != self.last && !self.fetched.contains_key(&key)
    }
}

/// A predictor, its cache, and time.
struct Run {
    predictor: Predictor,
    cache: Small,
    now_ms: u64,
    hits_ahead: usize,
    lifetime_ms: u64,
    /// Steps of sequences so far.
    steps: u64,
}

impl Run {
    fn new() -> Self {
        let config = Config {
            memory_bytes_max: 16 << 20,
            horizon_ms_max: 1_000,
            samples_max: 8_000,
            ..Config::default()
        };
        Self {
            predictor: Predictor::new(config),
            cache: Small::default(),
            now_ms: 1_000_000_000,
            hits_ahead: 0,
            lifetime_ms: 8_000,
            steps: 0,
        }
    }

    fn ask(&mut self, key: u64, place: Option<Place>) {
        self.pass(1);
        if self.cache.fetched.remove(&key).is_some() {
            self.hits_ahead += 1;
            self.predictor.told(Outcome::Used);
        }
        let access = Access {
            key,
            place,
            size_bytes: 100,
            at_ms: self.now_ms,
            kind: Kind::Miss,
        };
        self.predictor.observe(&[access], &self.cache);
        self.cache.last = key;
        if self.now_ms.is_multiple_of(5) {
            self.tick();
        }
    }

    /// Time passes, and what was fetched goes when its own is over.
    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        let late = self
            .cache
            .fetched
            .extract_if(|_, until_ms| *until_ms < now_ms);
        late.for_each(|_| self.predictor.told(Outcome::Wasted));
    }

    /// Nobody asks for anything for eight seconds.
    fn pause(&mut self) {
        for _ in 0..160 {
            self.pass(50);
            self.tick();
        }
    }

    fn tick(&mut self) {
        if let Some(training) = self.predictor.training() {
            self.predictor.judge(training.run());
        }
        let view = View {
            now_ms: self.now_ms,
            lifetime_ms: self.lifetime_ms,
            room_bytes: 1 << 20,
        };
        for fetch in self.predictor.tick(&view, &self.cache) {
            self.predictor.told(Outcome::Came);
            self.cache.fetched.insert(fetch.key, fetch.until_ms);
        }
    }

    /// Requests for the numbers of a family, in runs of 40 that begin anywhere, others between them. None comes twice.
    fn sequences(&mut self, count: u64) {
        let first = self.steps;
        self.steps += count;
        self.sequences_of(first..self.steps, 1);
    }

    /// The same with so many runs at once.
    fn sequences_of(&mut self, numbers: Range<u64>, at_once: u64) {
        for number in numbers {
            let (step, lane) = (number / at_once, number % at_once);
            let run = step / 40 * at_once + lane;
            let place = Place {
                // More at once are too many to be known by the last requests of a family.
                family: 5 + lane / 24,
                number: mix(run) % 1_000_000 + step % 40,
            };
            let key = self.cache.key_at(place).unwrap();
            self.ask(key, Some(place));
            self.ask(mix(1 << 40 | number), None);
        }
    }
}

#[test]
fn what_comes_next_in_a_family_is_fetched_though_nobody_ever_asked_for_it() {
    let mut run = Run::new();
    run.sequences(6_000);
    assert!(run.predictor.state().is_on(), "{}", run.predictor.state());
    let (before, fetched) = (run.hits_ahead, run.predictor.counts().fetched);
    run.sequences(4_000);
    let hits = run.hits_ahead - before;
    let more = run.predictor.counts().fetched - fetched;
    assert!(hits > 2_000, "{hits}");
    assert!(more * 7 < hits as u64 * 10, "{more} fetches, {hits} hits");
}

#[test]
fn a_scan_that_nothing_interrupts_is_fetched_as_soon_as_a_model_is_trained() {
    let mut run = Run::new();
    for number in 0..4_000 {
        let place = Place { family: 5, number };
        let key = run.cache.key_at(place).unwrap();
        run.ask(key, Some(place));
        // It stays, so that no other candidate is left that nobody asks for.
        run.cache.fetched.insert(key, u64::MAX);
    }
    assert!(run.predictor.state().is_on(), "{}", run.predictor.state());
    assert!(run.hits_ahead > 1_000, "{}", run.hits_ahead);
}

#[test]
fn nothing_is_fetched_where_nothing_can_be_foretold() {
    let scan = |run: &mut Run, number| run.ask(mix(number), None);
    // Of a key that is asked for by chance one in six is asked for within the horizon.
    let random = |run: &mut Run, number| run.ask(mix(mix(number) % 6_000), None);
    let alone = |run: &mut Run, _| run.ask(7, None);
    let few = |run: &mut Run, number| {
        if number < 500 {
            scan(run, number);
        }
    };
    for (what, ask, why) in [
        (
            "a scan",
            &scan as &dyn Fn(&mut Run, u64),
            "too few data: 0 candidates were asked for and",
        ),
        (
            "chance",
            &random,
            "% of the most probable candidates are asked for, less than",
        ),
        (
            "one key",
            &alone,
            "of 0 candidates it is known whether they were asked for",
        ),
        (
            "few data",
            &few,
            "whether they were asked for, and a model takes 1000",
        ),
    ] {
        let mut run = Run::new();
        (0..20_000).for_each(|number| ask(&mut run, number));
        let state = run.predictor.state();
        assert!(
            !state.is_on() && state.why().contains(why),
            "{what}: {state}"
        );
        assert_eq!(run.predictor.counts().fetched, 0, "{what}");
    }
}

#[test]
fn a_pause_says_nothing_against_what_waits_to_be_asked_for() {
    let mut run = Run::new();
    run.predictor.config.horizon_ms_max = 2_000;
    // Each pause is in the middle of all runs.
    let spell = 40 * 48;
    let mut asked = 4 * spell + spell / 2;
    run.sequences_of(0..asked, 48);
    assert!(run.predictor.state().is_on(), "{}", run.predictor.state());
    // No other model helps.
    run.predictor.config.samples_min = usize::MAX;
    for _ in 0..4 {
        run.pause();
        let state = run.predictor.state();
        assert!(state.is_on(), "{state}");
        let hits = run.hits_ahead;
        run.sequences_of(asked..asked + spell, 48);
        asked += spell;
        let hits = run.hits_ahead - hits;
        assert!(hits > 1_600, "{hits}");
    }
}

#[test]
fn that_less_is_asked_for_says_nothing_against_what_waits_either() {
    let mut run = Run::new();
    run.predictor.config.horizon_ms_max = 30_000;
    run.lifetime_ms = 120_000;
    let mut heads = [0; 8];
    // Nobody can say where a run ends.
    let mut step = |run: &mut Run, step: u64| {
        let head = &mut heads[step as usize % 8];
        *head = match mix(step) % 24 {
            0 => mix(step + 1) % 1_000_000,
            _ => *head + 1,
        };
        let place = Place {
            family: 5,
            number: *head,
        };
        run.ask(run.cache.key_at(place).unwrap(), Some(place));
    };
    (0..80_000).for_each(|number| step(&mut run, number));
    assert!(run.predictor.state().is_on(), "{}", run.predictor.state());
    // No other model helps.
    run.predictor.config.samples_min = usize::MAX;
    let wasted = run.predictor.counts().wasted;
    for number in 80_000..80_070 {
        step(&mut run, number);
        run.pass(500);
        run.tick();
        let state = run.predictor.state();
        assert!(state.is_on(), "{number}: {state}");
    }
    let wasted = run.predictor.counts().wasted - wasted;
    assert!(wasted > 1_000, "{wasted}");
}

#[test]
fn chance_between_pauses_closes_the_gate_all_the_same() {
    let mut run = Run::new();
    run.sequences(8_000);
    assert!(run.predictor.state().is_on(), "{}", run.predictor.state());
    for number in 0..8_000 {
        let place = Place {
            family: 5,
            number: mix(number) % 10_000,
        };
        run.ask(run.cache.key_at(place).unwrap(), Some(place));
        if number % 400 == 0 {
            run.pause();
        }
    }
    let state = run.predictor.state();
    assert!(!state.is_on(), "{state}");
}

#[test]
fn chance_after_what_could_be_foretold_closes_the_gate_within_a_minute() {
    let anywhere = |run: &mut Run, number| {
        let place = Place {
            family: 5,
            number: mix(number) % 10_000_000,
        };
        run.ask(run.cache.key_at(place).unwrap(), Some(place));
    };
    let again = |run: &mut Run, number| run.ask(mix(mix(number) % 30_000), None);
    for (what, ask) in [
        (
            "anywhere in the family",
            &anywhere as &dyn Fn(&mut Run, u64),
        ),
        ("among keys that are asked for again", &again),
    ] {
        let mut run = Run::new();
        run.sequences(6_000);
        assert!(run.predictor.state().is_on(), "{}", run.predictor.state());
        // A thousand requests a second, for a minute.
        (0..60_000).for_each(|number| ask(&mut run, 1 << 41 | number));
        let state = run.predictor.state();
        assert!(!state.is_on(), "{what}: {state}");
        let fetched = run.predictor.counts().fetched;
        // For two minutes, as a gate that wasted fetches is shut until there is a new model, once with each kind of request.
        run.sequences(65_000);
        assert!(
            run.predictor.state().is_on(),
            "{what}: {}",
            run.predictor.state()
        );
        assert!(run.predictor.counts().fetched > fetched, "{what}");
    }
}

#[test]
fn a_clock_that_is_set_closes_the_gate_until_something_new_is_learnt() {
    let mut run = Run::new();
    run.sequences(6_000);
    assert!(run.predictor.state().is_on());
    for (step_ms, told) in [
        (-3_600_000, "the clock went back by"),
        (3_600_000, "or the clock was set"),
    ] {
        run.now_ms = run.now_ms.strict_add_signed(step_ms);
        run.cache.fetched.clear();
        let fetched = run.predictor.counts().fetched;
        run.ask(1, None);
        let why = run.predictor.state().to_string();
        assert!(why.starts_with("off: ") && why.contains(told), "{why}");
        run.sequences(8);
        assert_eq!(run.predictor.counts().fetched, fetched, "{told}");
        run.sequences(20_000);
        assert!(run.predictor.state().is_on(), "{}", run.predictor.state());
    }
}

#[test]
fn what_was_learnt_before_the_clock_was_set_opens_no_gate_afterwards() {
    for step_ms in [-3_600_000, 3_600_001] {
        let mut run = Run::new();
        run.sequences(6_000);
        assert!(run.predictor.state().is_on());
        run.predictor.config.interval_ms = 0;
        // It goes on while the clock is set.
        let training = run.predictor.training().expect("there is enough to learn");
        run.now_ms = run.now_ms.strict_add_signed(step_ms);
        run.ask(1, None);
        let trained = training.run().unwrap();
        for share in [false, true] {
            match share {
                false => run.predictor.judge(Ok(trained.clone())),
                true => run.predictor.share(trained.clone()),
            }
            let why = run.predictor.state().to_string();
            assert!(why.starts_with("off: the clock was set while"), "{why}");
        }
        assert_eq!(run.predictor.samples(), [], "none is of now");
    }
}

#[test]
fn memory_is_bounded_and_so_is_what_is_looked_at() {
    let config = Config::default();
    let mut predictor = Predictor::new(config);
    assert!(
        predictor.bytes() <= config.memory_bytes_max,
        "{}",
        predictor.bytes()
    );
    let access = |key| Access {
        key: mix(key),
        place: None,
        size_bytes: 1,
        at_ms: 5_000,
        kind: Kind::Miss,
    };
    let accesses: Vec<_> = (0..30_000).map(access).collect();
    predictor.observe(&accesses, &Small::default());
    assert_eq!(predictor.counts().skipped, 10_000);
}

#[test]
fn a_model_of_an_earlier_run_is_watched_before_it_decides_and_keys_are_explained() {
    let mut run = Run::new();
    run.sequences(6_000);
    let stored = run.predictor.model().unwrap().to_bytes().unwrap();
    let mut later = Run::new();
    later.predictor.restore(Model::from_bytes(&stored).unwrap());
    let why = later.predictor.state().why().to_owned();
    assert!(why.contains("an earlier run") && !later.predictor.state().is_on());
    assert_eq!(later.predictor.explain(9), None);
    // No other is trained.
    later.predictor.config.samples_min = usize::MAX;
    later.sequences(3_000);
    assert_eq!(later.predictor.counts().trained, 0);
    assert!(
        later.predictor.state().is_on(),
        "{}",
        later.predictor.state()
    );
    let known = mix(1 << 40 | 2_999);
    let explained = later.predictor.explain(known).unwrap();
    assert!(explained.score.is_some_and(|score| score < 0.5));
    let names: Vec<_> = explained.features.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, crate::FEATURE_NAMES);
}
