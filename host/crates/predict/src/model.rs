//! A model: trained on samples, tells how probable it is that candidates are asked for.

mod file;

use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::features::{FEATURES, Row};
use crate::samples::Sample;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nothing can be learnt from samples like these.
    #[error(
        "too few data: {asked} candidates were asked for and {others} were not; at least {min} have to be asked for"
    )]
    TooFew {
        /// Samples that were asked for.
        asked: usize,
        /// Samples that were not.
        others: usize,
        /// How many have to be asked for.
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

/// Samples that were asked for, without which nothing is learnt. None has to be of the others: where all are asked for,
/// as in a scan, all are worth a fetch.
const ASKED_MIN: usize = 50;
/// Size of the forest: a candidate is scored within few microseconds.
const TREES: usize = 16;
const TREE_DEPTH_MAX: u16 = 8;
const LEAF_SAMPLES_MIN: usize = 10;

type Forest = RandomForestRegressor<f32, f32, DenseMatrix<f32>, Vec<f32>>;

/// A trained model: a forest of regression trees, each on samples and features drawn at random.
#[derive(Debug, Serialize, Deserialize)]
pub struct Model {
    forest: Forest,
}

/// Nodes of a tree, and what one takes: six numbers of eight bytes, four of which may be missing, and some to spare.
const TREE_NODES_MAX: usize = 1 << TREE_DEPTH_MAX;
const NODE_BYTES: usize = 96;
/// What a fit takes of each sample and feature: its value, the order of all by it, and that of those that a tree is made of.
const FEATURE_BYTES: usize = 4 + 8 + 8;
/// And of each sample: its truth, a copy of a feature that is sorted, how often it was drawn thrice, and on which side it is
/// of a branch twice.
const SAMPLE_BYTES: usize = 4 + 4 + (8 + 8 + 4) + (1 + 8);

impl Model {
    /// The most bytes that one takes.
    pub(crate) const BYTES_MAX: usize = TREES * TREE_NODES_MAX * NODE_BYTES;

    /// The most bytes that learning from so many samples takes, the model included.
    pub(crate) const fn fit_bytes_max(samples: usize) -> usize {
        samples * (FEATURES * FEATURE_BYTES + SAMPLE_BYTES) + Self::BYTES_MAX
    }

    /// Learns from samples.
    ///
    /// # Errors
    /// When there is too little to learn from.
    pub fn train(samples: &[Sample], seed: u64) -> Result<Self, ModelError> {
        check(samples)?;
        let rows = matrix(samples.len(), samples.iter().map(|sample| &sample.row))?;
        let truth = samples
            .iter()
            .map(|sample| f32::from(u8::from(sample.is_asked)));
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(TREE_DEPTH_MAX)
            .with_min_samples_leaf(LEAF_SAMPLES_MIN)
            .with_m(FEATURES / 2)
            .with_seed(seed);
        let forest = Forest::fit(&rows, &truth.collect(), parameters).map_err(refused)?;
        Ok(Self { forest })
    }

    /// A score for each candidate from 0 to 1, higher where it is more probable. What a score is worth,
    /// the gate learns from what becomes of candidates.
    ///
    /// # Errors
    /// When the library refuses; a model that came from a file may be no good.
    pub fn scores(&self, rows: &[Row]) -> Result<Vec<f32>, ModelError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let scores = self.forest.predict(&matrix(rows.len(), rows.iter())?);
        let scores = scores.map_err(refused)?.into_iter();
        Ok(scores.map(|score| score.clamp(0.0, 1.0)).collect())
    }
}

fn check(samples: &[Sample]) -> Result<(), ModelError> {
    let asked = samples.iter().filter(|sample| sample.is_asked).count();
    if asked < ASKED_MIN {
        return Err(ModelError::TooFew {
            asked,
            others: samples.len() - asked,
            min: ASKED_MIN,
        });
    }
    if samples.iter().all(|sample| sample.row == samples[0].row) {
        return Err(ModelError::Alike);
    }
    Ok(())
}

fn matrix<'r>(
    count: usize,
    rows: impl Iterator<Item = &'r Row>,
) -> Result<DenseMatrix<f32>, ModelError> {
    let values = rows.flatten().copied().collect();
    DenseMatrix::new(count, FEATURES, values, false).map_err(refused)
}

fn refused(failed: Failed) -> ModelError {
    ModelError::Fit(failed.to_string())
}

#[cfg(test)]
mod tests;
