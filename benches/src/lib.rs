//! Speed and memory of Larder beside its rivals.
//!
//! Each program in `src/bin` is one benchmark and prints [`report`]s; what it measures is a function
//! here, so that the tests run it at a small size. Figures are recorded in `RESULTS.md` and
//! `HIT_RATIO.md`.

mod client;
pub mod codec;
pub mod disk;
pub mod hit_ratio;
pub mod hybrid;
pub mod l1;
pub mod memory;
pub mod policy;
pub mod predict;
mod reader;
pub mod redis;
pub mod report;
mod sample;
pub mod server;
pub mod servers;
pub mod shifting;
pub mod simulator;
pub mod store;
pub mod tail;

pub use sample::Sample;
