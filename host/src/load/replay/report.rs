//! What `larder replay` found, for people and for programs.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use serde::Serialize;

use super::session::{Hits, Outcome};

/// The report; its fields are the keys of the JSON form.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    all: HitReport,
    segments: Vec<HitReport>,
    sets: u64,
    refused: u64,
    errors: u64,
    wrong: u64,
    first_fault: Option<String>,
    seconds: f64,
    requests_per_s: f64,
    settings: Settings,
}

/// What was asked for, defaults included.
#[derive(Debug, Serialize)]
pub(super) struct Settings {
    pub(super) trace: String,
    pub(super) addr: String,
    pub(super) value_bytes: Option<u32>,
    pub(super) limit: Option<NonZeroU64>,
    pub(super) pipeline: u32,
}

#[derive(Debug, Serialize)]
struct HitReport {
    requests: u64,
    hits: u64,
    hit_ratio: f64,
}

impl From<Hits> for HitReport {
    fn from(Hits { requests, hits }: Hits) -> Self {
        // A segment is empty when there are more segments than requests.
        Self {
            requests,
            hits,
            hit_ratio: hits as f64 / requests.max(1) as f64,
        }
    }
}

impl Report {
    pub(super) fn new(outcome: Outcome, elapsed: Duration, settings: Settings) -> Self {
        let all = outcome
            .segments
            .iter()
            .fold(Hits::default(), |sum, part| Hits {
                requests: sum.requests + part.requests,
                hits: sum.hits + part.hits,
            });
        Self {
            all: all.into(),
            segments: outcome.segments.into_iter().map(HitReport::from).collect(),
            sets: outcome.sets,
            refused: outcome.refused,
            errors: outcome.errors,
            wrong: outcome.wrong,
            first_fault: outcome.first_fault,
            seconds: elapsed.as_secs_f64(),
            requests_per_s: all.requests as f64 / elapsed.as_secs_f64().max(1e-9),
            settings,
        }
    }

    /// Whether no reply was an error to a GET, or wrong.
    pub(super) fn is_good(&self) -> bool {
        self.errors + self.wrong == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<8}{:>12}{:>12}{:>11}",
            "segment", "requests", "hits", "hit ratio"
        )?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, hits: &HitReport| {
            let HitReport {
                requests,
                hits,
                hit_ratio,
            } = hits;
            writeln!(f, "{name:<8}{requests:>12}{hits:>12}{hit_ratio:>11.4}")
        };
        for (number, segment) in self.segments.iter().enumerate() {
            row(f, &(number + 1).to_string(), segment)?;
        }
        row(f, "all", &self.all)?;
        let Self {
            sets,
            refused,
            errors,
            wrong,
            seconds,
            requests_per_s,
            ..
        } = self;
        writeln!(
            f,
            "{seconds:.1} s, {requests_per_s:.0} requests a second, {sets} SETs"
        )?;
        writeln!(f, "refused {refused}, errors {errors}, wrong {wrong}")?;
        match &self.first_fault {
            Some(fault) => writeln!(f, "first of them: {fault}"),
            None => Ok(()),
        }
    }
}
