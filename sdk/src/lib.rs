//! What the author of a Larder policy sees.
//!
//! A policy decides; the host stores. There are five kinds, and a crate may be several of them:
//!
//! | trait | decides |
//! |---|---|
//! | [`Eviction`] | which entries of a shard go when room is needed |
//! | [`ShouldCache`] | whether a value is kept at all |
//! | [`Ttl`] | for how long |
//! | [`Priority`] | what it is worth |
//! | [`Security`] | whether it is nobody's to see but its readers' |
//!
//! Each trait's page has a complete example. A policy implements [`Policy`] and one of these,
//! declares its parameters with [`#[derive(Parameters)]`](macro@Parameters), and is exported by
//! [`export!`]. The same crate is linked into native programs, and compiled to WebAssembly for the
//! server's folder of policies.
//!
//! **Policies are deterministic**: the same calls and seed give the same answers, natively and in
//! WebAssembly. There is no clock ([`Question::now_ms`] where it matters), no randomness but
//! [`random`] from the seed, and no I/O. What differs between machines has a replacement here:
//! [`map`] for `HashMap`, whose order changes from run to run; [`maths`] for `f64::exp` and the
//! like; and as `usize` has 32 bits in WebAssembly, count bytes in `u64`.
//!
//! What policies are made of: [`lists`] of slots, a [`table`] with a value for each slot, the
//! [`ghost`] set of what left, lists of [`ghosts`] where that has to be exact, the frequency [`sketch`]. In [`testing`] is a host in a box.
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

// The macros name this crate from outside, and are used in here too.
extern crate self as larder_sdk;

mod decisions;
mod eviction;
pub mod ghost;
pub mod ghosts;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
pub mod lists;
pub mod log;
#[doc(hidden)]
pub mod manifest;
pub mod map;
pub mod maths;
pub mod parameters;
mod policy;
pub mod random;
pub mod sketch;
pub mod table;
pub mod testing;
mod victims;

pub use decisions::{Priority, Security, ShouldCache, Ttl, read_ttl};
pub use eviction::Eviction;
pub use larder_abi::{
    Attributes, Entry, Event, EventKind, FORETOLD_MAX, Foretold, Kind, Kinds, NEWCOMER, Operation,
    Question, QuestionParts, Removal, Request, SecurityAnswer, Setup, Slot, TTL_MS_MAX, Tags,
    TextPair, TtlAnswer, VICTIMS_MAX, Value, units,
};
pub use larder_sdk_macros::{Parameters, export};
pub use parameters::{Parameters, Size};
pub use policy::Policy;
pub use victims::Victims;

/// Grows `table` so that `slot` is an index of it, new places holding the default, by an eighth at a
/// time rather than doubling. [`table::Table`] is what large tables should be.
pub fn cover<T: Clone + Default>(table: &mut Vec<T>, slot: Slot) {
    let needed = slot as usize + 1;
    if needed > table.len() {
        if needed > table.capacity() {
            let more = (needed - table.len()).max(table.len() / 8).max(64);
            table.reserve_exact(more);
        }
        table.resize(needed, T::default());
    }
}

/// The examples of the README compile and hold.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
