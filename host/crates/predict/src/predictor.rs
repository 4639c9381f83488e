//! All of it together.

use std::collections::hash_map::Entry;

use crate::access::{Access, Cache, Kind};
use crate::candidate::Candidate;
use crate::clock::{Clock, Pauses};
use crate::explain::{Explained, explain};
use crate::features::{Row, features};
use crate::gate::{Gate, Moment, State, Trained, Training};
use crate::keyed::KeyMap;
use crate::model::{Model, ModelError};
use crate::outcomes::{Outcome, Outcomes};
use crate::plan::{Budget, Fetch, Purse};
use crate::samples::{Fate, Open, Sample, Samples};
use crate::tracker::{Tracker, When};
use crate::votes::Votes;

/// Samples that are waited for at once.
const OPEN_MAX: usize = 1 << 15;
/// Candidates that wait for a tick.
const PENDING_MAX: usize = 1 << 12;
/// Keys that the walk goes over in one tick.
const WALK_MAX: usize = 64;
/// Of the time that an entry stays in the cache, this part is foretold.
const LIFETIME_PART: u64 = 4;
const HORIZON_MS_MIN: u64 = 50;
const DAY_MS: f32 = 86_400_000.0;

/// What a predictor does, and what it may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Memory that it takes, what a training takes included.
    pub memory_bytes_max: usize,
    /// Accesses a second that it looks at; of what comes beyond, only candidates are noticed.
    pub accesses_per_second_max: u32,
    /// How far ahead it looks at most. Less where entries do not stay in the cache for that long.
    pub horizon_ms_max: u64,
    /// At least so often a model is trained, if there is something new to learn from.
    pub interval_ms: u64,
    /// New samples without which none is trained.
    pub samples_min: usize,
    /// Samples of the last two intervals, of which a model is trained at most: a fit cannot be cancelled.
    pub samples_max: usize,
    /// Of candidates that are equally probable, such a share has to be asked for within the horizon: then they are fetched.
    /// A little less is enough, as long as of all that are fetched a little more are asked for.
    pub precision_min: f32,
    /// What may be fetched.
    pub budget: Budget,
    /// What all randomness follows from.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_bytes_max: 32 << 20,
            accesses_per_second_max: 20_000,
            horizon_ms_max: 5_000,
            interval_ms: 60_000,
            samples_min: 1_000,
            samples_max: 20_000,
            precision_min: 0.45,
            budget: Budget::default(),
            seed: 1,
        }
    }
}

/// How it is with the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Time of the wall clock.
    pub now_ms: u64,
    /// How long entries that nobody asks for stay in it, at the present rate.
    pub lifetime_ms: u64,
    /// Bytes free for what is fetched ahead.
    pub room_bytes: u64,
}

/// What became of everything so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accesses that were not looked at.
    pub skipped: u64,
    /// Models trained, or tried to.
    pub trained: u64,
    /// Keys that were to be fetched.
    pub fetched: u64,
    /// Of those that were fetched, those asked for in time.
    pub used: u64,
    /// And those that were not, or are nowhere.
    pub wasted: u64,
}

/// Learns from the accesses to a cache and says what to fetch ahead. One thread uses it at a time.
#[derive(Debug)]
pub struct Predictor {
    config: Config,
    clock: Clock,
    pauses: Pauses,
    tracker: Tracker,
    samples: Samples,
    votes: Votes,
    gate: Gate,
    purse: Purse,
    pending: Vec<Candidate>,
    outcomes: Outcomes,
    /// The time, pauses left out, and the horizon, at the last tick.
    waits: (u64, u64),
    /// Reads so far, those that were not looked at included.
    requests: u64,
    /// Second, and accesses in it.
    looked_at: (u64, u32),
    ticked_ms: u64,
    /// As it was then.
    lifetime_ms: u64,
    trained_ms: u64,
    /// Samples there were at the last training.
    trained_samples: u64,
    counts: Counts,
}

impl Predictor {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let beside = Self::beside(&config);
        Self {
            clock: Clock::default(),
            pauses: Pauses::default(),
            tracker: Tracker::new(config.memory_bytes_max.saturating_sub(beside)),
            samples: Samples::new(OPEN_MAX, config.samples_max),
            votes: Votes::new(),
            gate: Gate::new(config.precision_min),
            purse: Purse::new(config.budget),
            pending: Vec::new(),
            outcomes: Outcomes::default(),
            waits: (0, config.horizon_ms_max),
            requests: 0,
            looked_at: (0, 0),
            ticked_ms: 0,
            lifetime_ms: 0,
            trained_ms: 0,
            trained_samples: 0,
            counts: Counts::default(),
            config,
        }
    }

    /// The most bytes that it ever takes, a training of its that goes on included; `memory_bytes_max`, but for a few MiB
    /// at least.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tracker.bytes() + Self::beside(&self.config)
    }

    /// Bytes beside the tracker.
    fn beside(config: &Config) -> usize {
        let samples = Samples::bytes_max(OPEN_MAX, config.samples_max);
        let pending = 2 * PENDING_MAX * size_of::<(Candidate, Row)>();
        // Its model, and the next one that is trained.
        let models = Model::BYTES_MAX + Training::bytes_max(config.samples_max);
        samples + Votes::BYTES + pending + models
    }

    /// Whether a model rules, and why or why not.
    #[must_use]
    pub fn state(&self) -> State {
        let state = self.gate.state();
        if !self.gate.is_new() {
            return state;
        }
        State::Off(format!(
            "{}: of {} candidates it is known whether they were asked for, and a model takes {}",
            state.why(),
            self.samples.total,
            self.config.samples_min
        ))
    }

    /// The model that rules.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        self.gate.model()
    }

    /// Goes on with a model of an earlier run, until there is a new one.
    pub fn restore(&mut self, model: Model) {
        self.gate.restore(model);
    }

    /// What became of everything so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Notes accesses, in order.
    pub fn observe(&mut self, accesses: &[Access], cache: &impl Cache) {
        for access in accesses {
            let now_ms = self.time(access.at_ms);
            if access.kind != Kind::Insert {
                self.pauses.asked(now_ms);
                self.samples
                    .asked(access.key, now_ms, self.pauses.still_ms());
                self.requests += 1;
            }
            if !self.may_look(now_ms) {
                self.counts.skipped += 1;
                continue;
            }
            let at = (now_ms, self.clock.hour(now_ms));
            self.tracker.observe(access, at, cache, &mut self.pending);
            self.pending.truncate(PENDING_MAX);
        }
    }

    /// Looks at what may be asked for next, and returns what is to be fetched, the most probable first.
    /// To be called every few milliseconds.
    pub fn tick(&mut self, view: &View, cache: &impl Cache) -> Vec<Fetch> {
        let now_ms = self.time(view.now_ms);
        let when = self.when(now_ms, view.lifetime_ms);
        self.pauses.look(now_ms, when.horizon_ms);
        let (still_ms, waited_ms) = (self.pauses.still_ms(), now_ms - self.pauses.still_ms());
        while let Some(done) = self.samples.expire(waited_ms) {
            self.votes.told(&done.sample);
            if let Some(rating) = done.rating {
                self.gate.learn(rating, done.sample.is_asked);
            }
        }
        self.waits = (waited_ms, when.horizon_ms);
        let used = self.outcomes.used(waited_ms);
        let window = self.outcomes.count();
        (0..used).for_each(|_| self.gate.told(true, window));
        let moment = Moment {
            ms: waited_ms,
            requests: self.requests,
        };
        self.gate.look(moment, when.horizon_ms);
        self.lifetime_ms = view.lifetime_ms;
        self.walk(&when);
        let candidates = self.candidates(cache, &when);
        let rows: Vec<Row> = candidates.iter().map(|(_, row)| *row).collect();
        let mut fetches = Vec::new();
        for ((candidate, row), (rating, probability)) in
            candidates.iter().zip(self.gate.rate(&rows))
        {
            let open = Open {
                key: candidate.key,
                row: *row,
                is_drawn: candidate.is_drawn,
                rating,
                due_ms: waited_ms + when.horizon_ms,
                still_ms,
                fate: Fate::Open,
            };
            self.samples.open(open);
            let Some(probability) = probability else {
                continue;
            };
            let history = self.tracker.history(candidate.key);
            fetches.push(Fetch {
                key: candidate.key,
                size_bytes: history.map_or(candidate.size_bytes, |found| found.size_bytes),
                probability,
                until_ms: view.now_ms + when.horizon_ms,
                source: candidate.source,
            });
        }
        let mut fetches = self.purse.choose(fetches, now_ms, view.room_bytes);
        fetches.truncate(self.gate.room(window));
        self.counts.fetched += fetches.len() as u64;
        fetches
    }

    /// The candidates that are not in memory, each once: its last proposal, which knows of the others.
    fn candidates(&mut self, cache: &impl Cache, when: &When) -> Vec<(Candidate, Row)> {
        let mut found: Vec<(Candidate, Row)> = Vec::new();
        let mut places: KeyMap<usize> = KeyMap::default();
        for candidate in self.pending.drain(..) {
            if !cache.is_absent(candidate.key) {
                continue;
            }
            let votes = self.votes.add(&candidate, when);
            let success = self.votes.success(candidate.source);
            let history = self.tracker.history(candidate.key);
            let row = features(&candidate, history, (votes, success), when);
            match places.entry(candidate.key) {
                Entry::Occupied(place) => found[*place.get()] = (candidate, row),
                Entry::Vacant(place) => {
                    place.insert(found.len());
                    found.push((candidate, row));
                }
            }
        }
        found
    }

    /// What became of a key that was to be fetched.
    pub fn told(&mut self, outcome: Outcome) {
        let (now_ms, horizon_ms) = self.waits;
        match outcome {
            Outcome::Came => {
                self.outcomes.came(now_ms, horizon_ms);
                self.gate.came(true);
            }
            Outcome::Nowhere => {
                self.counts.wasted += 1;
                self.gate.came(false);
            }
            Outcome::Used => {
                self.counts.used += 1;
                self.gate.was_right();
            }
            Outcome::Wasted => {
                self.counts.wasted += 1;
                self.outcomes.wasted();
                // While nobody asks for anything all that waits goes, whatever it was worth.
                if !self.pauses.is_pause() {
                    self.gate.told(false, self.outcomes.count());
                }
            }
        }
    }

    /// What is known of a key; `None` where nothing is.
    #[must_use]
    pub fn explain(&self, key: u64) -> Option<Explained> {
        let when = self.when(self.ticked_ms, self.lifetime_ms);
        let row = match self.samples.row(key) {
            Some(row) => *row,
            None => {
                let candidate = self.tracker.by_rhythm(key, &when)?;
                let success = self.votes.success(candidate.source);
                let history = self.tracker.history(key);
                features(&candidate, history, (0.0, success), &when)
            }
        };
        Some(explain(
            row,
            self.samples.mean(),
            self.gate.model(),
            when.horizon_ms,
        ))
    }

    /// A model to be trained, if it is time for one; its outcome goes to [`Self::judge`].
    pub fn training(&mut self) -> Option<Training> {
        let new = self.samples.total - self.trained_samples;
        let is_time = self.ticked_ms >= self.trained_ms + self.config.interval_ms;
        // Early on there soon is twice as much to learn from.
        let is_early = self.samples.total <= self.config.samples_max as u64;
        let is_twice = is_early && new >= self.trained_samples;
        if new < self.config.samples_min as u64 || !(is_time || is_twice) {
            return None;
        }
        if is_time {
            self.samples.spread(new);
        }
        self.trained_ms = self.ticked_ms;
        self.trained_samples = self.samples.total;
        self.counts.trained += 1;
        Some(Training {
            samples: self.samples(),
            samples_max: self.config.samples_max,
            seed: self.config.seed.wrapping_add(self.counts.trained),
            era: self.gate.era(),
        })
    }

    /// What a model is trained of, oldest first.
    #[must_use]
    pub fn samples(&mut self) -> Vec<Sample> {
        self.samples.done().to_vec()
    }

    /// A training of another that learnt from its samples as well has ended: it needs none of its own for a while.
    pub fn share(&mut self, trained: Trained) {
        (self.trained_ms, self.trained_samples) = (self.ticked_ms, self.samples.total);
        self.gate.judge(Ok(trained));
    }

    /// A training has ended.
    pub fn judge(&mut self, trained: Result<Trained, ModelError>) {
        self.gate.judge(trained);
    }

    /// What became of candidates, or will, is forgotten when time is not what it was: a model is trained once there is
    /// something new to learn from, and judged by that alone.
    fn time(&mut self, wall_ms: u64) -> u64 {
        let (now_ms, step) = self.clock.set(wall_ms);
        if let Some(step) = step {
            self.samples.forget();
            (self.trained_ms, self.trained_samples) = (now_ms, self.samples.total);
            self.gate.stepped(step);
        }
        now_ms
    }

    fn may_look(&mut self, now_ms: u64) -> bool {
        let second = now_ms / 1_000;
        if self.looked_at.0 != second {
            self.looked_at = (second, 0);
        }
        self.looked_at.1 += 1;
        self.looked_at.1 <= self.config.accesses_per_second_max
    }

    fn when(&self, now_ms: u64, lifetime_ms: u64) -> When {
        let horizon_ms = (lifetime_ms / LIFETIME_PART)
            .min(self.config.horizon_ms_max)
            .max(HORIZON_MS_MIN);
        When {
            now_ms,
            horizon_ms,
            hour: self.clock.hour(now_ms + horizon_ms / 2),
            days: (now_ms as f32 / DAY_MS).ceil().max(1.0),
        }
    }

    /// Twice within the horizon all keys are looked at, as far as a tick's bound allows.
    fn walk(&mut self, when: &When) {
        let passed = when.now_ms.saturating_sub(self.ticked_ms);
        self.ticked_ms = when.now_ms;
        let wanted = self.tracker.keys_max() as u64 * passed / (when.horizon_ms / 2).max(1);
        let count = wanted.clamp(1, WALK_MAX as u64) as usize;
        self.tracker.walk(count, when, &mut self.pending);
    }
}

#[cfg(test)]
mod tests;
