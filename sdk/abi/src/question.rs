//! What the policies that decide over a value are asked.
//!
//! The record, offsets in bytes; parts of the buffer are given as u32 offset from its beginning and
//! u32 length:
//!
//! | at | what |
//! |---|---|
//! | 0 | u64 now, Unix milliseconds |
//! | 8 | u64 bytes of the value |
//! | 16 | u64 TTL in milliseconds, 0 for none |
//! | 24 | u64 cost in milliseconds, as the client said |
//! | 32 | u8 database, u8 operation, u8 1 where a cost was said, u8 tier, u32 zero |
//! | 40 | key |
//! | 48 | tenant |
//! | 56 | data type |
//! | 64 | the value's first bytes, where the manifest asks for them |
//! | 72 | tags: u32 offset, u32 count; there, for each, a part |
//! | 80 | attributes: u32 offset, u32 count; there, for each, two parts: name, value |

use alloc::vec::Vec;

use crate::wire::{PART_BYTES, pair_at, part, u8_at, u64_at};

/// Bytes of a question in version 1, before its parts.
pub const QUESTION_BYTES: usize = 88;

/// Why a decision is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Operation {
    /// A client writes a value.
    #[default]
    Write = 0,
    /// A value was loaded from a slower place.
    Load = 1,
}

/// A name and its value.
pub type TextPair<'a> = (&'a [u8], &'a [u8]);

/// What is asked about, as the host has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuestionParts<'a> {
    /// Unix milliseconds.
    pub now_ms: u64,
    /// The database, 0 to 15.
    pub db: u8,
    /// Why it is asked.
    pub operation: Operation,
    /// The tier it is asked for: 1 is memory.
    pub tier: u8,
    /// The key.
    pub key: &'a [u8],
    /// The tenant's name.
    pub tenant: &'a str,
    /// Bytes of the value.
    pub value_bytes: u64,
    /// The value, or its first bytes; as many reach the policy as its manifest asks for.
    pub value: &'a [u8],
    /// The TTL that the client asked for, or the policy before; `None` for none.
    pub ttl_ms: Option<u64>,
    /// What kind of data it is, as the client said; else empty.
    pub data_type: &'a [u8],
    /// What it took to make the value, in milliseconds, as the client said.
    pub cost_ms: Option<u64>,
    /// Its tags.
    pub tags: &'a [&'a [u8]],
    /// Free names and values.
    pub attributes: &'a [TextPair<'a>],
}

/// Appends the record of a question to `out`, which is cleared, with as much of the value as
/// `value_prefix_bytes` allow.
pub fn write_question(parts: &QuestionParts<'_>, value_prefix_bytes: usize, out: &mut Vec<u8>) {
    let prefix = &parts.value[..parts.value.len().min(value_prefix_bytes)];
    out.clear();
    out.extend_from_slice(&parts.now_ms.to_le_bytes());
    out.extend_from_slice(&parts.value_bytes.to_le_bytes());
    out.extend_from_slice(&parts.ttl_ms.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&parts.cost_ms.unwrap_or(0).to_le_bytes());
    let has_cost = u8::from(parts.cost_ms.is_some());
    out.extend_from_slice(&[parts.db, parts.operation as u8, has_cost, parts.tier]);
    out.extend_from_slice(&[0; 4]);
    let lists = PART_BYTES * (parts.tags.len() + 2 * parts.attributes.len());
    let mut at = QUESTION_BYTES + lists;
    let mut put = |out: &mut Vec<u8>, text: &[u8]| {
        out.extend_from_slice(&(at as u32).to_le_bytes());
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        at += text.len();
    };
    let fixed = [parts.key, parts.tenant.as_bytes(), parts.data_type, prefix];
    for text in fixed {
        put(out, text);
    }
    let attributes_at = QUESTION_BYTES + PART_BYTES * parts.tags.len();
    let counts = [
        (QUESTION_BYTES, parts.tags.len()),
        (attributes_at, parts.attributes.len()),
    ];
    for (at, count) in counts {
        out.extend_from_slice(&(at as u32).to_le_bytes());
        out.extend_from_slice(&(count as u32).to_le_bytes());
    }
    for tag in parts.tags {
        put(out, tag);
    }
    for (name, value) in parts.attributes {
        put(out, name);
        put(out, value);
    }
    for text in fixed.iter().chain(parts.tags) {
        out.extend_from_slice(text);
    }
    for (name, value) in parts.attributes {
        out.extend_from_slice(name);
        out.extend_from_slice(value);
    }
}

/// A question as a policy reads it. Whatever the record says, reading it never fails: what is not
/// there is empty or zero.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    record: &'a [u8],
}

impl<'a> Question<'a> {
    /// The question of a record with its parts.
    pub fn new(record: &'a [u8]) -> Self {
        Self { record }
    }

    fn part(&self, at: usize) -> &'a [u8] {
        let (at, len) = pair_at(self.record, at);
        part(self.record, at, len)
    }

    /// Now, in Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        u64_at(self.record, 0)
    }

    /// Bytes of the value.
    pub fn value_bytes(&self) -> u64 {
        u64_at(self.record, 8)
    }

    /// The TTL that the client asked for, or that the policy before this one chose, in milliseconds.
    pub fn ttl_ms(&self) -> Option<u64> {
        Some(u64_at(self.record, 16)).filter(|&ttl| ttl != 0)
    }

    /// What it took to make the value, in milliseconds, if the client said.
    pub fn cost_ms(&self) -> Option<u64> {
        (u8_at(self.record, 34) == 1).then(|| u64_at(self.record, 24))
    }

    /// The database, 0 to 15.
    pub fn db(&self) -> u8 {
        u8_at(self.record, 32)
    }

    /// Why it is asked.
    pub fn operation(&self) -> Operation {
        match u8_at(self.record, 33) {
            1 => Operation::Load,
            _ => Operation::Write,
        }
    }

    /// The tier it is asked for: 1 is memory.
    pub fn tier(&self) -> u8 {
        u8_at(self.record, 35)
    }

    /// The key.
    pub fn key(&self) -> &'a [u8] {
        self.part(40)
    }

    /// The tenant's name.
    pub fn tenant(&self) -> &'a [u8] {
        self.part(48)
    }

    /// What kind of data it is, as the client said; else empty.
    pub fn data_type(&self) -> &'a [u8] {
        self.part(56)
    }

    /// The value's first bytes, as many as the manifest asks for.
    pub fn value_prefix(&self) -> &'a [u8] {
        self.part(64)
    }

    /// Its tags.
    pub fn tags(&self) -> Tags<'a> {
        Tags(Parts::new(self.record, 72, 1))
    }

    /// Free names and values.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes(Parts::new(self.record, 80, 2))
    }

    /// The value of the first attribute of that name.
    pub fn attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.attributes()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

/// A list of parts.
#[derive(Debug, Clone)]
struct Parts<'a> {
    record: &'a [u8],
    at: usize,
    left: usize,
}

impl<'a> Parts<'a> {
    /// The list whose place stands at `at`, `each` parts an item.
    fn new(record: &'a [u8], at: usize, each: usize) -> Self {
        let (first, count) = pair_at(record, at);
        // A list that is longer than the record is none.
        let holds = record.len() / PART_BYTES;
        let left = (count as usize).saturating_mul(each);
        Self {
            record,
            at: first as usize,
            left: if left <= holds { left } else { 0 },
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (at, len) = pair_at(self.record, self.at);
        self.at = self.at.saturating_add(PART_BYTES);
        Some(part(self.record, at, len))
    }
}

/// The tags of a question.
#[derive(Debug, Clone)]
pub struct Tags<'a>(Parts<'a>);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next()
    }
}

/// The attributes of a question, each a name and a value.
#[derive(Debug, Clone)]
pub struct Attributes<'a>(Parts<'a>);

impl<'a> Iterator for Attributes<'a> {
    type Item = TextPair<'a>;

    fn next(&mut self) -> Option<TextPair<'a>> {
        Some((self.0.next()?, self.0.next()?))
    }
}

#[cfg(test)]
mod tests;
