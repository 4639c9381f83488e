//! What all workers counted, summed up.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::histogram::Latency;
use super::{COMMANDS, CommandMeter, Meter};
use crate::commands::{all_commands, operation_of};

/// What commands are summed up by: few enough to be the label of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// GET, MGET.
    Get,
    /// SET and what else writes whole values.
    Set,
    /// DEL, UNLINK, GETDEL.
    Del,
    /// Everything else that reads entries.
    Read,
    /// Everything else that changes entries.
    Write,
    /// Everything that concerns no entry.
    Other,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Get,
        Self::Set,
        Self::Del,
        Self::Read,
        Self::Write,
        Self::Other,
    ];

    /// As figures are labelled.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Del => "del",
            Self::Read => "read",
            Self::Write => "write",
            Self::Other => "other",
        }
    }
}

/// What was counted of one command, or subcommand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFigures {
    /// In small letters; of a subcommand `container|subcommand`.
    pub name: String,
    /// What it is summed up by.
    pub operation: Operation,
    /// Calls.
    pub calls: u64,
    /// What they took together, in nanoseconds.
    pub ns: u64,
    /// Calls that were answered with an error.
    pub failed: u64,
    /// Requests that were refused before they were carried out.
    pub rejected: u64,
    /// How long the calls took.
    pub latency: Latency,
}

/// What was counted until some moment, by the commands' numbers.
#[derive(Clone)]
pub(crate) struct Counted {
    commands: Vec<Count>,
    pub(crate) errors: BTreeMap<String, u64>,
}

#[derive(Clone, Default)]
struct Count {
    ns: u64,
    failed: u64,
    rejected: u64,
    /// `None`: never called.
    latency: Option<Box<Latency>>,
}

impl Count {
    fn add(&mut self, meter: &CommandMeter) {
        self.ns += meter.ns.load(Ordering::Relaxed);
        self.failed += meter.failed.load(Ordering::Relaxed);
        self.rejected += meter.rejected.load(Ordering::Relaxed);
        if let Some(histogram) = meter.latency.get() {
            let latency = self.latency.get_or_insert_default();
            latency.add_histogram(histogram);
        }
    }

    fn subtract(&mut self, before: &Self) {
        self.ns = self.ns.saturating_sub(before.ns);
        self.failed = self.failed.saturating_sub(before.failed);
        self.rejected = self.rejected.saturating_sub(before.rejected);
        if let (Some(latency), Some(before)) = (&mut self.latency, &before.latency) {
            latency.subtract(before);
        }
    }
}

impl Counted {
    pub(crate) fn sum(meters: &[Meter]) -> Self {
        let mut sum = Self {
            commands: vec![Count::default(); COMMANDS],
            errors: BTreeMap::new(),
        };
        for meter in meters {
            for (count, meter) in sum.commands.iter_mut().zip(&meter.commands) {
                count.add(meter);
            }
            let errors = meter.errors.lock().unwrap_or_else(PoisonError::into_inner);
            for (code, count) in &*errors {
                *sum.errors.entry((*code).to_owned()).or_default() += count;
            }
        }
        sum
    }

    /// Takes away what had been counted `before`.
    pub(crate) fn subtract(&mut self, before: &Self) {
        for (count, before) in self.commands.iter_mut().zip(&before.commands) {
            count.subtract(before);
        }
        self.errors.retain(|code, count| {
            *count -= before.errors.get(code).unwrap_or(&0);
            *count > 0
        });
    }

    /// Of each command that was asked for, in the order of their numbers.
    pub(crate) fn commands(&self) -> Vec<CommandFigures> {
        let rows = all_commands().zip(&self.commands);
        let asked = rows.filter_map(|((name, command), count)| {
            let latency = count.latency.as_deref().cloned().unwrap_or_default();
            let calls = latency.count();
            (calls + count.rejected > 0).then(|| CommandFigures {
                operation: operation_of(command),
                name,
                calls,
                ns: count.ns,
                failed: count.failed,
                rejected: count.rejected,
                latency,
            })
        });
        asked.collect()
    }
}
