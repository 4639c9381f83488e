//! The port to whoever keeps the policies: what there is, in what state and why, and what an operator
//! may do about it.

use larder_sdk::Kinds;

use crate::Millis;

/// What runs a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRuntime {
    /// It is part of this process.
    Native,
    /// It is a WebAssembly module in a sandbox.
    Wasm,
}

impl PolicyRuntime {
    /// Its name in listings and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Wasm => "wasm",
        }
    }
}

/// How a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyState {
    /// It is being checked, compiled and tested.
    Loading,
    /// At least one of its kinds is in force.
    Active,
    /// An eviction policy that is loaded, while another one rules.
    Candidate,
    /// It broke a rule; the fallback stands in until it is tried again.
    Failing,
    /// It broke rules repeatedly and is not tried again before its file changes or it is enabled.
    Quarantined,
    /// An operator disabled it.
    Disabled,
    /// Its file was not taken.
    Refused,
}

impl PolicyState {
    /// Its name in listings and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Active => "active",
            Self::Candidate => "candidate",
            Self::Failing => "failing",
            Self::Quarantined => "quarantined",
            Self::Disabled => "disabled",
            Self::Refused => "refused",
        }
    }
}

/// One policy, or one file that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// Its identity: the stem of its file; of a native policy its name.
    pub name: String,
    /// The file within the folder of policies; empty for a native policy.
    pub file: String,
    /// What runs it.
    pub runtime: PolicyRuntime,
    /// What it decides; nothing for a refused file.
    pub kinds: Kinds,
    /// The tenant it is for; `*` for all.
    pub tenant: String,
    /// Which keys its decisions are for, as a pattern; `*` for all.
    pub keys: String,
    /// How it stands.
    pub state: PolicyState,
    /// Why, for people.
    pub why: String,
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of the file, hexadecimal; empty for a native policy.
    pub digest: String,
    /// When this version was loaded; 0 if it never was.
    pub loaded_ms: Millis,
    /// Names and values of its parameters, as in force.
    pub parameters: Vec<(String, String)>,
    /// Whether an earlier version is loaded, to which it can be rolled back.
    pub has_previous: bool,
    /// What it did so far.
    pub figures: PolicyFigures,
}

/// By what, in nanoseconds, the durations of a policy's calls are told apart.
pub const CALL_NS_BOUNDS: [u64; 10] = [
    1 << 7,
    1 << 9,
    1 << 11,
    1 << 13,
    1 << 15,
    1 << 17,
    1 << 19,
    1 << 20,
    1 << 21,
    1 << 23,
];

/// What a policy did since its name was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyFigures {
    /// Calls into it.
    pub calls: u64,
    /// Events delivered to it.
    pub events: u64,
    /// Time its calls took, in nanoseconds, by the wall; estimated from samples.
    pub call_ns: u64,
    /// Of the calls how many took at most [`CALL_NS_BOUNDS`], each counted with the first bound that it
    /// did not exceed, and those that exceeded all; estimated from samples.
    pub call_times: [u64; CALL_NS_BOUNDS.len() + 1],
    /// Calls that trapped.
    pub traps: u64,
    /// Calls that spent their time.
    pub deadlines_missed: u64,
    /// Answers that broke the rules.
    pub wrong_answers: u64,
    /// Instances that live.
    pub instances: u64,
    /// Linear memory of the instances that live, in bytes.
    pub memory_bytes: u64,
    /// Lines that it wrote to the log.
    pub log_lines: u64,
    /// Lines beyond the cap, which nobody reads.
    pub log_lines_dropped: u64,
    /// Values that it refused to keep.
    pub refused_values: u64,
}

/// What an operator may ask for. Errors are one sentence for people.
pub trait Policies: Send + Sync {
    /// All policies and refused files, in file order, native ones first.
    fn list(&self) -> Vec<PolicyRow>;

    /// Puts a disabled or quarantined policy in force again; an eviction policy rules from then on.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be put in force.
    fn enable(&self, name: &str) -> Result<(), String>;

    /// Takes a policy out of force; its file stays.
    ///
    /// # Errors
    /// When there is none of that name.
    fn disable(&self, name: &str) -> Result<(), String>;

    /// Puts the version before the present one in force.
    ///
    /// # Errors
    /// When there is none of that name, or no version before.
    fn rollback(&self, name: &str) -> Result<(), String>;

    /// Looks at the folder now, and returns when all that changed is in force or refused.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn reload(&self) -> Result<(), String>;

    /// What was decided for a key last, as far as it is remembered: a line each, for people.
    fn decisions(&self, tenant: &str, db: u8, key: &[u8]) -> Vec<String>;
}
