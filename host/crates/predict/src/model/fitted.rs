//! What smartcore learnt.

use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::error::Failed;
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};
use smartcore::xgboost::{XGRegressor, XGRegressorParameters};

use super::{Method, ModelError};
use crate::features::{FEATURES, Row};
use crate::samples::Sample;

/// Size of the forest: a candidate is scored within few microseconds.
const TREES: usize = 16;
const TREE_DEPTH_MAX: u16 = 8;
const LEAF_SAMPLES_MIN: usize = 10;
/// Each tree of those that correct each other sees this share: fitting sorts anew at every node.
const BOOSTED_TREES: usize = 24;
const BOOSTED_SHARE: f64 = 0.25;
const BOOSTED_DEPTH_MAX: u16 = 5;
const LOGISTIC_PENALTY: f64 = 1.0;

type Forest = RandomForestRegressor<f32, f32, DenseMatrix<f32>, Vec<f32>>;
type Boosted = XGRegressor<f32, f32, DenseMatrix<f32>, Vec<f32>>;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Fitted {
    Forest(Forest),
    Boosted(Boosted),
    Logistic(Linear),
}

impl Fitted {
    pub(super) fn fit(method: Method, samples: &[Sample], seed: u64) -> Result<Self, ModelError> {
        let rows = matrix(samples.len(), samples.iter().map(|sample| &sample.row))?;
        let truth = samples
            .iter()
            .map(|sample| f32::from(u8::from(sample.is_asked)));
        Ok(match method {
            Method::Forest => {
                let parameters = RandomForestRegressorParameters::default()
                    .with_n_trees(TREES)
                    .with_max_depth(TREE_DEPTH_MAX)
                    .with_min_samples_leaf(LEAF_SAMPLES_MIN)
                    .with_m(FEATURES / 2)
                    .with_seed(seed);
                let forest = Forest::fit(&rows, &truth.collect(), parameters);
                Self::Forest(forest.map_err(refused)?)
            }
            Method::Boosted => {
                let parameters = XGRegressorParameters::default()
                    .with_n_estimators(BOOSTED_TREES)
                    .with_max_depth(BOOSTED_DEPTH_MAX)
                    .with_min_child_weight(LEAF_SAMPLES_MIN)
                    .with_subsample(BOOSTED_SHARE)
                    .with_seed(seed);
                let boosted = Boosted::fit(&rows, &truth.collect(), parameters);
                Self::Boosted(boosted.map_err(refused)?)
            }
            Method::Logistic => Self::Logistic(Linear::fit(samples)?),
        })
    }

    /// A score for each row, higher where it is more probable.
    pub(super) fn scores(&self, rows: &[Row]) -> Result<Vec<f32>, ModelError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Forest(forest) => forest
                .predict(&matrix(rows.len(), rows.iter())?)
                .map_err(refused),
            Self::Boosted(boosted) => boosted
                .predict(&matrix(rows.len(), rows.iter())?)
                .map_err(refused),
            Self::Logistic(linear) => Ok(rows.iter().map(|row| linear.score(row)).collect()),
        }
    }
}

/// Logistic regression on features that are brought to one scale.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Linear {
    bias: f64,
    /// Mean, reciprocal of the standard deviation, and weight of each feature.
    weights: [(f64, f64, f64); FEATURES],
}

impl Linear {
    fn fit(samples: &[Sample]) -> Result<Self, ModelError> {
        let count = samples.len() as f64;
        let mut weights = [(0.0, 0.0, 0.0); FEATURES];
        for (feature, weight) in weights.iter_mut().enumerate() {
            let values = || samples.iter().map(|sample| f64::from(sample.row[feature]));
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            let scale = if variance > 1e-12 {
                variance.sqrt().recip()
            } else {
                0.0
            };
            *weight = (mean, scale, 0.0);
        }
        let scaled = samples.iter().flat_map(|sample| {
            let row = sample.row.iter().zip(&weights);
            row.map(|(value, (mean, scale, _))| (f64::from(*value) - mean) * scale)
        });
        let rows = DenseMatrix::new(samples.len(), FEATURES, scaled.collect(), false);
        let truth: Vec<u32> = samples.iter().map(|s| u32::from(s.is_asked)).collect();
        let parameters = LogisticRegressionParameters::default().with_alpha(LOGISTIC_PENALTY);
        let fitted = LogisticRegression::fit(&rows.map_err(refused)?, &truth, parameters);
        let fitted = fitted.map_err(refused)?;
        for (weight, fitted) in weights.iter_mut().zip(fitted.coefficients().iterator(0)) {
            weight.2 = *fitted;
        }
        Ok(Self {
            bias: *fitted.intercept().get((0, 0)),
            weights,
        })
    }

    fn score(&self, row: &Row) -> f32 {
        let terms = row.iter().zip(&self.weights);
        let terms =
            terms.map(|(value, (mean, scale, weight))| (f64::from(*value) - mean) * scale * weight);
        let sum = self.bias + terms.sum::<f64>();
        (1.0 / (1.0 + (-sum).exp())) as f32
    }
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
