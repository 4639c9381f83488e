//! What a model sees of a candidate.

use crate::candidate::Candidate;
use crate::history::History;
use crate::tracker::When;

/// Numbers that a model sees of a candidate.
pub const FEATURES: usize = 12;

/// They, in the order of [`FEATURE_NAMES`]; all finite.
pub type Row = [f32; FEATURES];

/// What they are called.
pub const FEATURE_NAMES: [&str; FEATURES] = [
    "source",
    "run",
    "support",
    "ahead",
    "votes",
    "age",
    "requests_short",
    "requests_long",
    "age_by_gap",
    "source_success",
    "size",
    "hour_share",
];

/// Older, and longer, is all the same: two days.
const AGE_MS_MAX: f32 = 172_800_000.0;

pub(crate) fn features(
    candidate: &Candidate,
    history: Option<&History>,
    (votes, success): (f32, f32),
    when: &When,
) -> Row {
    let now = when.now_ms;
    let age = history.map_or(AGE_MS_MAX, |history| history.age_ms(now).min(AGE_MS_MAX));
    let gap = history.map_or(0.0, |history| history.gap_ms);
    let of = |number: fn(&History, u64) -> f32| history.map_or(0.0, |found| number(found, now));
    let size = history.map_or(candidate.size_bytes, |history| history.size_bytes);
    let in_hour = history.map_or(0, |history| history.in_hour(when.hour));
    [
        f32::from(candidate.source.number()),
        candidate.run,
        candidate.support,
        candidate.ahead,
        votes,
        age.ln_1p(),
        of(History::short).ln_1p(),
        of(History::long).ln_1p(),
        if gap > 0.0 {
            (age / gap).min(100.0)
        } else {
            0.0
        },
        success,
        (size as f32).ln_1p(),
        (f32::from(in_hour) / when.days).min(1.0),
    ]
}

/// How much speaks for a candidate by nothing but how often and how lately it was asked for: what any
/// model has to beat.
pub(crate) fn plain_score(row: &Row) -> f32 {
    let (age, long) = (row[5], row[7]);
    long - age / 4.0
}
