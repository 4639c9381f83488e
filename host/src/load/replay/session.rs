//! The replay itself: which GET and which SET goes out when, and what is counted.

use std::collections::HashSet;
use std::io;

use larder_resp::encode_command;

use super::link::Link;
use crate::load::reply::Reply;
use crate::load::{Key, VALUE_BYTES_MAX, key_of, value};
use crate::trace::Record;

/// A batch is cut short rather than hold more than this of values, and SETs are written out as
/// they reach it.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// Requests and hits of a part of the trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hits {
    pub(super) requests: u64,
    pub(super) hits: u64,
}

/// What a replay counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) segments: Vec<Hits>,
    pub(super) sets: u64,
    pub(super) refused: u64,
    pub(super) errors: u64,
    pub(super) wrong: u64,
    pub(super) first_fault: Option<String>,
}

impl Outcome {
    fn fault(&mut self, text: impl FnOnce() -> String) {
        self.first_fault.get_or_insert_with(text);
    }
}

/// An object asked for.
#[derive(Debug, Clone, Copy)]
struct Object {
    key: Key,
    size_bytes: usize,
}

/// A replay under way.
pub(super) struct Session {
    link: Link,
    pipeline: usize,
    /// Requests of the whole trace, and of it those whose GET was answered.
    total: u64,
    answered: u64,
    /// Gathered for the next batch of GETs; no object twice.
    batch: Vec<Object>,
    members: HashSet<u64>,
    batch_bytes: usize,
    /// Misses of the batch before, whose SETs go out ahead of the next GETs.
    missed: Vec<Object>,
    outgoing: Vec<u8>,
    value: Vec<u8>,
    outcome: Outcome,
}

impl Session {
    pub(super) fn new(link: Link, pipeline: usize, total: u64, segments: usize) -> Self {
        Self {
            link,
            pipeline,
            total,
            answered: 0,
            batch: Vec::new(),
            members: HashSet::new(),
            batch_bytes: 0,
            missed: Vec::new(),
            outgoing: Vec::new(),
            value: Vec::new(),
            outcome: Outcome {
                segments: vec![Hits::default(); segments],
                ..Outcome::default()
            },
        }
    }

    /// Takes the next request of the trace.
    pub(super) fn request(&mut self, record: &Record) -> io::Result<()> {
        let object = Object {
            key: key_of(record.id),
            size_bytes: record.size_bytes as usize,
        };
        let full = self.batch.len() >= self.pipeline || self.batch_bytes >= BATCH_BYTES_MAX;
        if full || self.members.contains(&record.id) {
            self.exchange()?;
        }
        self.members.insert(record.id);
        self.batch_bytes += object.size_bytes;
        self.batch.push(object);
        Ok(())
    }

    /// Completes what is under way.
    pub(super) fn finish(mut self) -> io::Result<Outcome> {
        while !self.batch.is_empty() || !self.missed.is_empty() {
            self.exchange()?;
        }
        Ok(self.outcome)
    }

    /// Sends the SETs of the last batch's misses and the GETs of this one; takes all replies.
    fn exchange(&mut self) -> io::Result<()> {
        let missed = std::mem::take(&mut self.missed);
        self.outgoing.clear();
        for object in &missed {
            self.value.clear();
            value::append(&mut self.value, &object.key, object.size_bytes);
            encode_command(&mut self.outgoing, &[b"SET", &object.key, &self.value]);
            if self.outgoing.len() >= BATCH_BYTES_MAX {
                self.link.send(&self.outgoing)?;
                self.outgoing.clear();
            }
        }
        for object in &self.batch {
            encode_command(&mut self.outgoing, &[b"GET", &object.key]);
        }
        self.link.send(&self.outgoing)?;
        for object in &missed {
            let outcome = &mut self.outcome;
            self.link.receive(|reply| stored(outcome, object, reply))?;
        }
        self.missed = missed;
        self.missed.clear();
        for object in std::mem::take(&mut self.batch) {
            self.got(object)?;
        }
        self.members.clear();
        self.batch_bytes = 0;
        Ok(())
    }

    /// Takes the reply to one GET.
    fn got(&mut self, object: Object) -> io::Result<()> {
        let Self { outcome, link, .. } = self;
        let segment =
            u128::from(self.answered) * outcome.segments.len() as u128 / u128::from(self.total);
        let segment = segment as usize;
        self.answered += 1;
        outcome.segments[segment].requests += 1;
        let absent = link.receive(|reply| {
            match reply {
                Reply::Absent => return true,
                Reply::Value(value) if value::matches(&object.key, value) => {
                    outcome.segments[segment].hits += 1;
                }
                Reply::Error(_) => {
                    outcome.errors += 1;
                    outcome.fault(|| format!("error reply to GET {}: {reply}", object.name()));
                }
                _ => {
                    outcome.wrong += 1;
                    outcome.fault(|| format!("wrong reply to GET {}: {reply}", object.name()));
                }
            }
            false
        })?;
        if absent && object.size_bytes <= VALUE_BYTES_MAX {
            self.missed.push(object);
        } else if absent {
            outcome.refused += 1;
            outcome.fault(|| format!("{} bytes of {}: too long", object.size_bytes, object.name()));
        }
        Ok(())
    }
}

impl Object {
    fn name(&self) -> impl std::fmt::Display {
        self.key.escape_ascii()
    }
}

/// Takes the reply to one SET.
fn stored(outcome: &mut Outcome, object: &Object, reply: Reply<'_>) {
    outcome.sets += 1;
    match reply {
        Reply::Ok => {}
        Reply::Error(_) => {
            outcome.refused += 1;
            outcome.fault(|| format!("error reply to SET {}: {reply}", object.name()));
        }
        _ => {
            outcome.wrong += 1;
            outcome.fault(|| format!("wrong reply to SET {}: {reply}", object.name()));
        }
    }
}
