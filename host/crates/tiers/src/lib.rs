//! Tiers below the memory: adapters of [`larder_engine::tier::Tier`], the form in which values leave the process, and the
//! [`Stack`] through which a tenant's memory reaches them.
#![forbid(unsafe_code)]

pub mod codec;
pub mod conformance;
pub mod disk;
pub mod documents;
mod draws;
mod encoding;
mod guard;
pub mod loader;
mod loads;
mod queue;
mod records;
pub mod redis;
mod stack;
mod tag_file;
pub mod testing;
mod vault;
pub mod webhook;
mod writer;

pub use encoding::{Encoding, Plain};
pub use guard::{BreakerConfig, GuardConfig};
pub use queue::Overflow;
pub use records::Records;
pub use stack::{KeyPattern, LevelConfig, Rules, Stack, StackConfig, WritePolicy};
pub use tag_file::{TagFile, TagFileError};
pub use vault::Safe;
