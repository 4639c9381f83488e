//! A host in a box: what a policy lives through in a server, in a unit test.
//!
//! [`Shard`] drives an eviction policy as a server does and panics at the first wrong answer.
//! [`check_eviction`] drives one through long sequences of whatever may happen. [`Ask`] makes the
//! questions that the other kinds answer.

mod ask;
mod check;
mod shard;

pub use ask::Ask;
pub use check::{check_eviction, check_eviction_with};
pub use shard::{Shard, Stored};
