//! The contract between Larder and its policies, version 1: names, records, answers, limits.
//!
//! Host and guest both build on this crate, so that neither can drift from the other. The contract
//! in words, complete enough to write a policy without this crate, stands in its README.
//!
//! All numbers in records are little-endian. Records grow only at their end: whoever reads one goes
//! by the length that was agreed on when the instance was made ([`Setup`]), ignores what it does not
//! know, and takes what is missing for zero.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod event;
mod kinds;
mod question;
mod request;
mod setup;
pub mod units;
mod wire;

pub use answer::{
    SecurityAnswer, TTL_KEEP, TTL_MS_MAX, TTL_NEVER, TtlAnswer, pack_victims, unpack_victims,
};
pub use event::{EVENT_BYTES, Event, EventKind, Removal, Slot};
pub use kinds::{Kind, Kinds};
pub use question::{
    Attributes, Operation, QUESTION_BYTES, Question, QuestionParts, Tags, TextPair, fill_question,
    question_bytes, write_question,
};
pub use request::{
    Entry, FORETOLD_BYTES, FORETOLD_MAX, Foretold, NEWCOMER, REQUEST_BYTES, Request,
};
pub use setup::{SETUP_BYTES, Setup, Value, write_setup};

/// The version of the contract.
pub const ABI_VERSION: u32 = 1;

/// Records that one call of [`export::EVENTS`] brings at most.
pub const EVENTS_MAX: usize = 256;
/// Slots that one answer of [`export::VICTIMS`] names at most; the host asks again for more.
pub const VICTIMS_MAX: usize = 4096;
/// Bytes of a value that a policy can ask to see.
pub const VALUE_PREFIX_BYTES_MAX: usize = 4096;
/// Bytes that a question takes at most, everything in it included.
pub const QUESTION_BYTES_MAX: usize = 128 * 1024;
/// Bytes of one line of log; the rest is cut off.
pub const LOG_BYTES_MAX: usize = 1024;

/// The custom section that holds the manifest, JSON in UTF-8.
pub const MANIFEST_SECTION: &str = "larder.manifest";
/// Bytes that a manifest takes at most.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;

/// Names of what a policy exports.
pub mod export {
    /// Linear memory.
    pub const MEMORY: &str = "memory";
    /// Marks the version of the contract; of any type, never called.
    pub const MARKER: &str = "larder_abi_v1";
    /// What the markers of all versions begin with.
    pub const MARKER_PREFIX: &str = "larder_abi_v";
    /// `(bytes: i32) -> i32`: where that many bytes can be written, 0 for nowhere.
    pub const BUFFER: &str = "larder_buffer";
    /// `(bytes: i32) -> i32`: takes the [`crate::Setup`] in the buffer; 0 for success.
    pub const INIT: &str = "larder_init";
    /// `(count: i32)`: takes that many events in the buffer.
    pub const EVENTS: &str = "larder_events";
    /// `(bytes: i32) -> i64`: takes the [`crate::Request`] in the buffer; answers with
    /// [`crate::pack_victims`].
    pub const VICTIMS: &str = "larder_victims";
    /// `(bytes: i32) -> i32`: takes the [`crate::Question`] in the buffer; 1 for yes, 0 for no.
    pub const SHOULD_CACHE: &str = "larder_should_cache";
    /// `(bytes: i32) -> i64`: takes the [`crate::Question`] in the buffer; answers with
    /// [`crate::TtlAnswer`].
    pub const TTL: &str = "larder_ttl";
    /// `(bytes: i32) -> i32`: takes the [`crate::Question`] in the buffer; 0 to 255.
    pub const PRIORITY: &str = "larder_priority";
    /// `(bytes: i32) -> i32`: takes the [`crate::Question`] in the buffer; answers with
    /// [`crate::SecurityAnswer`].
    pub const SECURITY: &str = "larder_security";
}

/// What a policy may import.
pub mod import {
    /// The module of all imports.
    pub const MODULE: &str = "larder";
    /// `(level: i32, address: i32, bytes: i32)`: writes a line to the host's log. Levels: 1 error,
    /// 2 warning, 3 information, 4 debugging.
    pub const LOG: &str = "log";
}
