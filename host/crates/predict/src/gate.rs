//! Whether a model may decide what is fetched.

mod steps;

use std::fmt;
use std::sync::{Arc, Weak};

use crate::clock::Step;
use crate::features::{Row, plain_score};
use crate::keyed::mix;
use crate::model::{Model, ModelError};
use crate::samples::Sample;
use crate::share::Share;
use steps::Steps;

/// Of a training's samples, so many hundredths at the end are not learnt from: they judge.
const HELD_OUT_PERCENT: usize = 20;
/// Of the candidates drawn at random, the plain baseline would fetch the best part; fewer tell nothing.
const BASELINE_PART: usize = 20;
const BASELINE_MIN: usize = 20;
/// By so much a model has to be better than the plain baseline.
const MARGIN: f32 = 0.05;
/// Those of less than enough are fetched, too, where with all that are better so much more than enough are asked for; but
/// for those that are so far below. So a good model makes room for many that are asked for now and then.
const MEAN_ABOVE: f32 = 0.07;
const BELOW_MAX: f32 = 0.15;
/// Fetches that make the share that was used, and how many tell something; and by how much it may fall short of what is
/// asked for. Where many are fetched, those of a horizon count, up to a bound: things that are asked for in step end together.
const FETCHES: u32 = 256;
const FETCHES_MAX: u32 = 1_024;
const FETCHES_MIN: u32 = 64;
const SHORTFALL_MAX: f32 = 0.1;
/// When the last model was barred no more wait at once until it is known what becomes of the next one's.
const FETCHES_ON_TRIAL: u32 = 2 * FETCHES_MIN;
/// When in so many requests, and so long a time, nothing was asked for that was probable, the load is another one and
/// what steps were worth is of no use. Both: a burst may be short, and a quiet load slow.
const DRIFT_REQUESTS: u64 = 2_000;
const DRIFT_MS: u64 = 30_000;

/// Whether a model rules, and why or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Candidates are watched, nothing is fetched.
    Off(String),
    /// What the model finds probable is fetched.
    On(String),
}

impl State {
    /// Whether a model rules.
    #[must_use]
    pub fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }
}

impl State {
    /// Why a model rules, or none does.
    #[must_use]
    pub fn why(&self) -> &str {
        let (Self::Off(why) | Self::On(why)) = self;
        why
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off(why) => write!(f, "off: {why}"),
            Self::On(why) => write!(f, "on: {why}"),
        }
    }
}

/// A model that has yet to be trained. Needs nothing but a processor.
#[derive(Debug)]
pub struct Training {
    pub(crate) samples: Vec<Sample>,
    /// No more are learnt from.
    pub(crate) samples_max: usize,
    pub(crate) seed: u64,
    /// The time that the samples are of.
    pub(crate) era: Weak<Era>,
}

/// A time, until the wall clock is set.
#[derive(Debug)]
pub(crate) struct Era;

impl Training {
    /// The most bytes that [`Self::run`] takes beside so many samples.
    #[must_use]
    pub const fn bytes_max(samples: usize) -> usize {
        Model::fit_bytes_max(samples - Self::held_out(samples))
    }

    const fn held_out(samples: usize) -> usize {
        samples * HELD_OUT_PERCENT / 100
    }

    /// One that learns from what others have seen as well, each oldest first: from all in the same parts, the later ones of
    /// all last.
    #[must_use]
    pub fn joined(self, others: Vec<Vec<Sample>>) -> Self {
        let mut placed: Vec<(f32, Sample)> = Vec::new();
        for samples in std::iter::once(self.samples).chain(others) {
            let count = samples.len() as f32;
            let places = (0..samples.len()).map(|at| at as f32 / count);
            placed.extend(places.zip(samples));
        }
        placed.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let count = placed.len().min(self.samples_max);
        let first = |at| at * placed.len() / count;
        // One of each few: they take turns, so that the first of all would be of the same.
        let kept = (0..count).map(|at| {
            let few = &placed[first(at)..first(at + 1)];
            few[mix(at as u64) as usize % few.len()].1
        });
        Self {
            samples: kept.collect(),
            ..self
        }
    }

    /// Trains it on the older samples, and judges it on the later ones.
    ///
    /// # Errors
    /// Why there is no model.
    pub fn run(&self) -> Result<Trained, ModelError> {
        let held_out = Self::held_out(self.samples.len());
        let (known, later) = self.samples.split_at(self.samples.len() - held_out);
        let model = Model::train(known, self.seed)?;
        let rows: Vec<Row> = later.iter().map(|sample| sample.row).collect();
        let mut steps = Steps::default();
        for (score, sample) in model.scores(&rows)?.into_iter().zip(later) {
            steps.told(Steps::of(score), sample.is_asked);
        }
        Ok(Trained {
            model: Arc::new(model),
            steps,
            baseline: baseline(later),
            era: Weak::clone(&self.era),
        })
    }
}

/// A model, and how it did on data that it had not seen.
#[derive(Debug, Clone)]
pub struct Trained {
    model: Arc<Model>,
    steps: Steps,
    baseline: f32,
    era: Weak<Era>,
}

impl Trained {
    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }
}

/// Share of the keys that were asked for, of those that are asked for most often and most lately.
fn baseline(samples: &[Sample]) -> f32 {
    let mut drawn: Vec<&Sample> = samples.iter().filter(|sample| sample.is_drawn).collect();
    drawn.sort_by(|a, b| plain_score(&b.row).total_cmp(&plain_score(&a.row)));
    drawn.truncate((drawn.len() / BASELINE_PART).max(BASELINE_MIN));
    let best = drawn.iter().filter(|sample| sample.is_asked).count();
    best as f32 / drawn.len().max(1) as f32
}

/// What a model thinks of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rating {
    /// Which model.
    model: u64,
    step: usize,
}

/// Lets a model decide while it is right: every candidate is rated, fetched or not, and what becomes
/// of it tells what the next one of its step is worth.
#[derive(Debug)]
pub(crate) struct Gate {
    model: Option<Arc<Model>>,
    /// Models so far.
    models: u64,
    steps: Steps,
    precision_min: f32,
    baseline: f32,
    /// Of what was to be fetched, the share that came; and of that the share that was asked for.
    came: Share,
    used: Share,
    /// Shut until there is a new model.
    is_barred: bool,
    /// The last one was barred: of this one it is not known yet what becomes of fetches.
    is_on_trial: bool,
    why_off: String,
    /// Why the last training came to no model, if it did not.
    failed: Option<String>,
    /// Whether something probable was asked for since the last look, and when that was so last.
    is_right: bool,
    right_at: Moment,
    era: Arc<Era>,
}

/// A time, pauses left out, and how many requests there were until then.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moment {
    pub(crate) ms: u64,
    pub(crate) requests: u64,
}

impl Gate {
    pub(crate) fn new(precision_min: f32) -> Self {
        Self {
            model: None,
            models: 0,
            steps: Steps::default(),
            precision_min,
            baseline: 0.0,
            came: Share::default(),
            used: Share::default(),
            is_barred: false,
            is_on_trial: false,
            why_off: "nothing has been learnt yet".to_owned(),
            failed: None,
            is_right: false,
            right_at: Moment::default(),
            era: Arc::new(Era),
        }
    }

    pub(crate) fn state(&self) -> State {
        let percent = |share: f32| (share * 100.0).round();
        let (least, best) = (self.least(), self.steps.best());
        let best = best.filter(|_| !self.is_barred && self.model.is_some());
        let failed = self.failed.as_ref().map_or(String::new(), |error| {
            format!("; the last training failed: {error}")
        });
        match best {
            None => State::Off(format!("{}{failed}", self.why_off)),
            Some(best) if best < least => State::Off(format!(
                "{} % of the most probable candidates are asked for, less than {} %{failed}",
                percent(best),
                percent(least)
            )),
            Some(best) => State::On(format!(
                "up to {} % of the candidates are asked for, at least {} % of those fetched; of the most popular keys {} %{failed}",
                percent(best),
                percent(least),
                percent(self.baseline)
            )),
        }
    }

    /// Whether there never was a model, nor a training.
    pub(crate) fn is_new(&self) -> bool {
        self.models == 0 && self.failed.is_none()
    }

    fn is_open(&self) -> bool {
        let best = self.steps.best().filter(|best| *best >= self.least());
        !self.is_barred && self.model.is_some() && best.is_some()
    }

    /// Whether what a step was worth still holds is seen by what is asked for: to be called now and then. What is probable
    /// may be asked for by the end of the horizon.
    pub(crate) fn look(&mut self, now: Moment, horizon_ms: u64) {
        if std::mem::take(&mut self.is_right) || !self.is_open() {
            self.right_at = now;
            return;
        }
        let passed_ms = now.ms - self.right_at.ms;
        let requests = now.requests - self.right_at.requests;
        if requests >= DRIFT_REQUESTS && passed_ms >= DRIFT_MS.max(2 * horizon_ms) {
            self.steps = Steps::default();
            self.why_off = format!(
                "of the last {requests} requests, in {} s, none was foretold",
                passed_ms / 1_000
            );
        }
    }

    /// Candidates of which so many are asked for are fetched in any case.
    fn enough(&self) -> f32 {
        self.precision_min.max(self.better())
    }

    /// More than that are asked for of the keys that the plain baseline would fetch.
    fn better(&self) -> f32 {
        (self.baseline + MARGIN).min(1.0 - MARGIN)
    }

    /// Of the candidates of a step that is fetched, so many are asked for.
    fn least(&self) -> f32 {
        let enough = self.enough();
        let share_min = (enough - BELOW_MAX).max(self.better());
        enough.min(self.steps.least(enough + MEAN_ABOVE, share_min))
    }

    /// The model that rules, or would.
    pub(crate) fn model(&self) -> Option<&Model> {
        self.model.as_deref()
    }

    /// A new model came, or could not be made: then the last one goes on, as it is judged all the time. What a model
    /// was worth before the clock was set tells nothing.
    pub(crate) fn judge(&mut self, trained: Result<Trained, ModelError>) {
        match trained {
            Ok(trained) => {
                self.model = Some(trained.model);
                self.models += 1;
                self.baseline = trained.baseline;
                self.is_on_trial |= std::mem::take(&mut self.is_barred);
                self.failed = None;
                let is_past = trained.era.strong_count() == 0;
                (self.steps, self.why_off) = if is_past {
                    let why = "the clock was set while the model was trained; what it is worth is not known yet";
                    (Steps::default(), why.to_owned())
                } else {
                    (trained.steps, "too few candidates were probable".to_owned())
                };
            }
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    /// A model of an earlier time: what its scores are worth has to be seen anew.
    pub(crate) fn restore(&mut self, model: Model) {
        self.model = Some(Arc::new(model));
        self.models += 1;
        self.steps = Steps::default();
        "the model is of an earlier run; what it is worth is not known yet"
            .clone_into(&mut self.why_off);
    }

    /// What the model thinks of candidates, once there is one; and how probable those are that are
    /// to be fetched.
    pub(crate) fn rate(&mut self, rows: &[Row]) -> Vec<(Option<Rating>, Option<f32>)> {
        let scores = match &self.model {
            Some(model) => model.scores(rows),
            None => return vec![(None, None); rows.len()],
        };
        let scores = match scores {
            Ok(scores) => scores,
            Err(error) => {
                self.model = None;
                self.why_off = error.to_string();
                return vec![(None, None); rows.len()];
            }
        };
        let least = self.least();
        let rated = scores.into_iter().map(|score| {
            let step = Steps::of(score);
            let share = self.steps.share(step).filter(|share| *share >= least);
            let rating = Rating {
                model: self.models,
                step,
            };
            (Some(rating), share.filter(|_| !self.is_barred))
        });
        rated.collect()
    }

    /// A candidate was asked for in time, or was not.
    pub(crate) fn learn(&mut self, rating: Rating, is_asked: bool) {
        if rating.model == self.models {
            let share = self.steps.share(rating.step);
            self.is_right |= is_asked && share.is_some_and(|share| share >= self.least());
            self.steps.told(rating.step, is_asked);
        }
    }

    /// Something that was fetched was asked for.
    pub(crate) fn was_right(&mut self) {
        self.is_right = true;
    }

    /// Where so many came and wait, how many more may be fetched.
    pub(crate) fn room(&self, waiting: u32) -> usize {
        match self.is_on_trial {
            true => FETCHES_ON_TRIAL.saturating_sub(waiting) as usize,
            false => usize::MAX,
        }
    }

    /// What was to be fetched came, or is nowhere.
    pub(crate) fn came(&mut self, is_there: bool) {
        self.came.told(is_there, FETCHES);
        self.bar_if_in_vain();
    }

    /// What came was asked for in time, or was not; known when its time is over. So many came in the last horizon.
    pub(crate) fn told(&mut self, is_used: bool, came: u32) {
        self.used.told(is_used, came.clamp(FETCHES, FETCHES_MAX));
        self.bar_if_in_vain();
    }

    fn bar_if_in_vain(&mut self) {
        let least = self.enough() - SHORTFALL_MAX;
        let known = [self.came, self.used].map(|share| share.of_at_least(FETCHES_MIN));
        let share: f32 = known.into_iter().flatten().product();
        // What was fetched before it was barred says nothing of the next model.
        if self.is_barred || share < least {
            (self.came, self.used) = (Share::default(), Share::default());
        } else if known[1].is_some() {
            self.is_on_trial = false;
        }
        if !self.is_barred && share < least {
            self.is_barred = true;
            self.why_off = format!(
                "of the last fetches {} % brought what was asked for in time, less than {} %",
                (share * 100.0).floor(),
                (least * 100.0).round()
            );
        }
    }

    /// The time that it is.
    pub(crate) fn era(&self) -> Weak<Era> {
        Arc::downgrade(&self.era)
    }

    /// The wall clock was set, or nothing was asked for a long time: everything has to be seen anew.
    pub(crate) fn stepped(&mut self, step: Step) {
        self.era = Arc::new(Era);
        self.steps = Steps::default();
        self.why_off = match step {
            Step::Back(ms) => format!("the clock went back by {ms} ms; what is known is of no use"),
            Step::On(ms) => format!("nothing was asked for {ms} ms, or the clock was set"),
        };
    }
}

#[cfg(test)]
mod tests;
