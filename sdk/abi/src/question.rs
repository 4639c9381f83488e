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

/// Bytes of a question's record, with as much of the value as `value_prefix_bytes` allow.
#[inline]
pub fn question_bytes(parts: &QuestionParts<'_>, value_prefix_bytes: usize) -> usize {
    let prefix = parts.value.len().min(value_prefix_bytes);
    let fixed = parts.key.len() + parts.tenant.len() + parts.data_type.len() + prefix;
    let tags = parts.tags.iter().map(|tag| tag.len());
    let attributes = parts
        .attributes
        .iter()
        .map(|(name, value)| name.len() + value.len());
    let texts = fixed + tags.sum::<usize>() + attributes.sum::<usize>();
    QUESTION_BYTES + list_bytes(parts) + texts
}

fn list_bytes(parts: &QuestionParts<'_>) -> usize {
    PART_BYTES * (parts.tags.len() + 2 * parts.attributes.len())
}

/// Writes the record of a question into the first [`question_bytes`] of `record`.
///
/// # Panics
/// When `record` is shorter than that.
#[inline]
pub fn fill_question(parts: &QuestionParts<'_>, value_prefix_bytes: usize, record: &mut [u8]) {
    let prefix = &parts.value[..parts.value.len().min(value_prefix_bytes)];
    let list_bytes = list_bytes(parts);
    let (head, rest) = record.split_at_mut(QUESTION_BYTES);
    let (lists, texts) = rest.split_at_mut(list_bytes);
    let mut texts = Texts {
        at: (QUESTION_BYTES + list_bytes) as u32,
        rest: texts,
    };
    let (words, _) = head.as_chunks_mut::<PART_BYTES>();
    words[0] = parts.now_ms.to_le_bytes();
    words[1] = parts.value_bytes.to_le_bytes();
    words[2] = parts.ttl_ms.unwrap_or(0).to_le_bytes();
    words[3] = parts.cost_ms.unwrap_or(0).to_le_bytes();
    let has_cost = u8::from(parts.cost_ms.is_some());
    words[4] = [
        parts.db,
        parts.operation as u8,
        has_cost,
        parts.tier,
        0,
        0,
        0,
        0,
    ];
    words[5] = texts.put(parts.key);
    words[6] = texts.put(parts.tenant.as_bytes());
    words[7] = texts.put(parts.data_type);
    words[8] = texts.put(prefix);
    let attributes_at = QUESTION_BYTES + PART_BYTES * parts.tags.len();
    words[9] = pair(QUESTION_BYTES as u32, parts.tags.len());
    words[10] = pair(attributes_at as u32, parts.attributes.len());
    let (places, _) = lists.as_chunks_mut::<PART_BYTES>();
    let (tags, attributes) = places.split_at_mut(parts.tags.len());
    for (place, tag) in tags.iter_mut().zip(parts.tags) {
        *place = texts.put(tag);
    }
    let (attributes, _) = attributes.as_chunks_mut::<2>();
    for (place, (name, value)) in attributes.iter_mut().zip(parts.attributes) {
        *place = [texts.put(name), texts.put(value)];
    }
}

/// Writes the record of a question to `out`, which is cleared.
pub fn write_question(parts: &QuestionParts<'_>, value_prefix_bytes: usize, out: &mut Vec<u8>) {
    out.clear();
    out.resize(question_bytes(parts, value_prefix_bytes), 0);
    fill_question(parts, value_prefix_bytes, out);
}

fn pair(first: u32, second: usize) -> [u8; PART_BYTES] {
    (u64::from(first) | (second as u64) << 32).to_le_bytes()
}

/// Where the texts of a record go, one after the other.
struct Texts<'a> {
    at: u32,
    rest: &'a mut [u8],
}

impl Texts<'_> {
    /// Copies a text; returns its part.
    #[inline(always)]
    fn put(&mut self, text: &[u8]) -> [u8; PART_BYTES] {
        let part = pair(self.at, text.len());
        let (place, rest) = core::mem::take(&mut self.rest).split_at_mut(text.len());
        copy(place, text);
        self.rest = rest;
        self.at += text.len() as u32;
        part
    }
}

/// Copies `from` to `to`, which is as long. Most texts of a question are so short that a call of the
/// general routine would take longer than two moves that may overlap.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        4..8 => copy_ends::<4>(to, from),
        8..17 => copy_ends::<8>(to, from),
        17..33 => copy_ends::<16>(to, from),
        1..4 => {
            copy_ends::<1>(to, from);
            to[from.len() / 2] = from[from.len() / 2];
        }
        0 => {}
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(place), Some(first)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *place = *first;
    }
    if let (Some(place), Some(last)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *place = *last;
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
