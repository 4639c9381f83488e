//! Predicts what a cache will be asked for next, so that it can be fetched before.
//!
//! | module | what |
//! |---|---|
//! | `tracker` | follows the accesses within a fixed number of bytes: `history` of keys, the `log` of requests, `sequence`s |
//! | `candidate` | keys that may be asked for: the next of a sequence, what followed earlier (`follow`), what its own rhythm says is due |
//! | `features` | twelve numbers on each candidate |
//! | `votes` | how many speak for a candidate of late, and how often its source was right |
//! | `samples` | what became of candidates |
//! | `share` | how often something was so of late |
//! | `model` | learns from samples, by smartcore |
//! | `gate` | what a model's scores are worth, by data that it has not seen; lets it decide while they are worth it |
//! | `plan` | what is fetched within the budget |
//! | `explain` | what speaks for a key |
//! | `reuse` | how soon what is in the cache will be asked for again, for eviction policies; by smartcore, too |
//!
//! Pure: no clock, thread, file or randomness of its own. Time comes with the accesses, a seed with the
//! [`Config`]; a [`Training`] is run where its caller likes.

mod access;
mod candidate;
mod clock;
mod explain;
mod features;
mod follow;
mod gate;
mod history;
mod keyed;
mod log;
mod model;
mod outcomes;
mod plan;
mod predictor;
mod reuse;
mod samples;
mod sequence;
mod share;
mod tracker;
mod votes;

pub use access::{Access, Cache, Kind, Place};
pub use candidate::Source;
pub use explain::Explained;
pub use features::{FEATURE_NAMES, FEATURES, Row};
pub use gate::{State, Trained, Training};
pub use model::{Model, ModelError};
pub use outcomes::Outcome;
pub use plan::{Budget, Fetch, Purse};
pub use predictor::{Config, Counts, Predictor, View};
pub use reuse::{Foreteller, Lesson, Lessons, Rated};
pub use samples::Sample;
