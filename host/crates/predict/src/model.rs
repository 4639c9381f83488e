//! A model: trained on samples, tells how probable it is that candidates are asked for.

mod file;
mod fitted;

use serde::{Deserialize, Serialize};

use crate::features::Row;
use crate::samples::Sample;
use fitted::Fitted;

/// How a model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Method {
    /// A forest of regression trees, each on samples and features drawn at random.
    #[default]
    Forest,
    /// Trees of which each corrects those before.
    Boosted,
    /// Logistic regression.
    Logistic,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nothing can be learnt from samples like these.
    #[error(
        "too few data: {asked} candidates were asked for and {others} were not; at least {min} of each are needed"
    )]
    TooFew {
        /// Samples that were asked for.
        asked: usize,
        /// Samples that were not.
        others: usize,
        /// How many of each are needed.
        min: usize,
    },
    /// All samples look the same.
    #[error("all candidates look alike: no feature tells one from another")]
    Alike,
    /// The library refused.
    #[error("the model cannot be trained: {0}")]
    Fit(String),
    /// A file that is something else.
    #[error("this is no model of larder")]
    Foreign,
    /// A file of another version.
    #[error("the model is of version {found}; {known} can be read: it has to be trained anew")]
    Version {
        /// Its version.
        found: u32,
        /// The one that can be read.
        known: u32,
    },
    /// A file that is not as it was written.
    #[error("the model is damaged: its checksum does not fit; it has to be trained anew")]
    Damaged,
    /// A file whose content makes no sense.
    #[error("the model cannot be read: {0}")]
    Content(String),
}

/// Samples of each kind without which nothing is learnt.
const EACH_MIN: usize = 50;

/// A trained model.
#[derive(Debug, Serialize, Deserialize)]
pub struct Model {
    method: Method,
    fitted: Fitted,
}

impl Model {
    /// Learns from samples.
    ///
    /// # Errors
    /// When there is too little to learn from.
    pub fn train(method: Method, samples: &[Sample], seed: u64) -> Result<Self, ModelError> {
        check(samples)?;
        let fitted = Fitted::fit(method, samples, seed)?;
        Ok(Self { method, fitted })
    }

    /// How it learnt.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// A score for each candidate from 0 to 1, higher where it is more probable. What a score is worth,
    /// the gate learns from what becomes of candidates.
    ///
    /// # Errors
    /// When the library refuses; a model that came from a file may be no good.
    pub fn scores(&self, rows: &[Row]) -> Result<Vec<f32>, ModelError> {
        let scores = self.fitted.scores(rows)?.into_iter();
        Ok(scores.map(|score| score.clamp(0.0, 1.0)).collect())
    }
}

fn check(samples: &[Sample]) -> Result<(), ModelError> {
    let asked = samples.iter().filter(|sample| sample.is_asked).count();
    let others = samples.len() - asked;
    if asked.min(others) < EACH_MIN {
        return Err(ModelError::TooFew {
            asked,
            others,
            min: EACH_MIN,
        });
    }
    if samples.iter().all(|sample| sample.row == samples[0].row) {
        return Err(ModelError::Alike);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
