//! What speaks for a key.

use crate::features::{FEATURE_NAMES, FEATURES, Row};
use crate::model::Model;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// What the model thinks of it, from 0 to 1; `None` without one.
    pub score: Option<f32>,
    /// What the model sees of it: name, number, and how much higher the score is than if this were as with others.
    pub features: Vec<(&'static str, f32, f32)>,
    /// How far ahead that is, in milliseconds.
    pub horizon_ms: u64,
}

/// The same as a model sees it. `mean` is what it sees of others.
pub(crate) fn explain(row: Row, mean: Row, model: Option<&Model>, horizon_ms: u64) -> Explained {
    let mut rows = vec![row; FEATURES + 1];
    for (at, usual) in mean.into_iter().enumerate() {
        rows[at + 1][at] = usual;
    }
    let scores = model.and_then(|model| model.scores(&rows).ok());
    let weight = |at: usize| {
        scores
            .as_ref()
            .map_or(0.0, |scores| scores[0] - scores[at + 1])
    };
    let features = FEATURE_NAMES.iter().enumerate();
    Explained {
        score: scores.as_ref().map(|scores| scores[0]),
        features: features
            .map(|(at, name)| (*name, row[at], weight(at)))
            .collect(),
        horizon_ms,
    }
}
