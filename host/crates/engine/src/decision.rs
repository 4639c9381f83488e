//! The port to what decides over values: whether they are kept, for how long, what they are worth.
//!
//! A [`Decider`] belongs to one thread. It is asked before a value is written, under no lock.

pub use larder_sdk::{Kind, Kinds, Operation, QuestionParts, TextPair};

use crate::policies::{Policies, PolicyRow};

/// What became of a value that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is kept.
    pub keep: bool,
    /// Its time to live in milliseconds, 1 or more; `None` for ever.
    pub ttl_ms: Option<u64>,
    /// 0 to 255, higher is worth more.
    pub priority: u8,
    /// Whether it is nobody's to see but its readers'.
    pub is_secret: bool,
}

/// Decides over the values that one thread writes.
pub trait Decider: Send {
    /// Whether anything may be decided for that tenant (its place among the engine's tenants); quick,
    /// so that it can be asked before a question is put together.
    fn has_a_say(&self, tenant: usize) -> bool;

    /// Decides over `kinds` alone. `question.ttl_ms` is what the client asked for; `question.value` is as much of the
    /// value as the caller has. What cannot be decided in time, or is not of `kinds`, stays as it was asked for: where
    /// [`Kind::ShouldCache`] is left out the value is kept.
    fn decide(&mut self, tenant: usize, question: &QuestionParts<'_>, kinds: Kinds) -> Verdict;
}

/// Makes the deciders of a server's threads.
pub trait Deciders: Send + Sync {
    /// The decider of the thread with that number, from 0.
    fn decider(&self, thread: usize) -> Box<dyn Decider>;
}

/// Decides nothing: every value is kept as its client asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Undecided;

impl Decider for Undecided {
    fn has_a_say(&self, _tenant: usize) -> bool {
        false
    }

    fn decide(&mut self, _: usize, question: &QuestionParts<'_>, _: Kinds) -> Verdict {
        Verdict {
            keep: true,
            ttl_ms: question.ttl_ms,
            priority: 0,
            is_secret: false,
        }
    }
}

impl Deciders for Undecided {
    fn decider(&self, _thread: usize) -> Box<dyn Decider> {
        Box::new(Self)
    }
}

impl Policies for Undecided {
    fn list(&self) -> Vec<PolicyRow> {
        Vec::new()
    }

    fn enable(&self, _name: &str) -> Result<(), String> {
        Err(NONE_KEPT.to_owned())
    }

    fn disable(&self, _name: &str) -> Result<(), String> {
        Err(NONE_KEPT.to_owned())
    }

    fn rollback(&self, _name: &str) -> Result<(), String> {
        Err(NONE_KEPT.to_owned())
    }

    fn reload(&self) -> Result<(), String> {
        Err(NONE_KEPT.to_owned())
    }

    fn decisions(&self, _tenant: &str, _db: u8, _key: &[u8]) -> Vec<String> {
        Vec::new()
    }
}

const NONE_KEPT: &str = "no policies are kept here";
