//! Judges eviction policies on recorded traces, before they decide over anything that matters.
//!
//! | module | what |
//! |---|---|
//! | [`trace`] | recorded traces: reading, generating, what is in them |
//! | [`replay`] | one policy at one size: a cache with nothing in it but sizes |
//! | [`bound`] | what no policy can beat: the future known |
//! | [`chart`] | miss-ratio curves, drawn |
//! | [`run`] | many of both over one trace, on all cores, the trace read once |
//! | [`statistics`] | what is in a trace: sizes, times, how its requests are spread |
//!
//! A policy is told and asked exactly what a server tells and asks it, in the same order, but room is
//! made for one entry at a time and nothing is dropped. Memory follows the objects of a trace, not
//! its length.

pub mod bound;
pub mod chart;
pub mod replay;
pub mod run;
pub mod statistics;
pub mod trace;

mod clock;
mod request;

pub(crate) use request::IdMap;
pub use request::{Interner, Request};
