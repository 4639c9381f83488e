//! What an instance is made with.
//!
//! The record, offsets in bytes:
//!
//! | at | what |
//! |---|---|
//! | 0 | u32 version of the contract |
//! | 4 | u32 kinds that this instance serves, a bit each |
//! | 8 | u32 bytes of an event's record |
//! | 12 | u32 bytes of a request's record |
//! | 16 | u32 bytes of a question's record, before its parts |
//! | 20 | u32 parameters, in the order of the manifest |
//! | 24 | u64 seed |
//! | 32 | u32 offset of the first parameter, u32 zero |
//!
//! A parameter takes 16 bytes: u32 type, u32 length, u64 value. Numbers, booleans, durations (in
//! milliseconds) and sizes are the value itself; a text has its offset as value and its bytes as
//! length; a list has the offset of its first item as value and its items as length, each item a
//! u32 offset and a u32 length.

use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::{PART_BYTES, pair_at, part, u32_at, u64_at};
use crate::{ABI_VERSION, EVENT_BYTES, Kinds, QUESTION_BYTES, REQUEST_BYTES};

/// Bytes of a setup in version 1, before its parameters.
pub const SETUP_BYTES: usize = 40;
const PARAMETER_BYTES: usize = 16;

/// The value of a parameter. Durations are integers of milliseconds, sizes integers of bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    fn code(&self) -> u32 {
        match self {
            Self::Int(_) => 1,
            Self::Float(_) => 2,
            Self::Bool(_) => 3,
            Self::Text(_) => 4,
            Self::List(_) => 5,
        }
    }
}

/// What an instance is made with, as a policy reads it. As with questions, reading never fails.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    record: &'a [u8],
}

/// Writes the record of a setup for an instance that serves `kinds`.
pub fn write_setup(kinds: Kinds, seed: u64, parameters: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let head = [
        ABI_VERSION,
        kinds.bits(),
        EVENT_BYTES as u32,
        REQUEST_BYTES as u32,
        QUESTION_BYTES as u32,
        parameters.len() as u32,
    ];
    for word in head {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&seed.to_le_bytes());
    out.extend_from_slice(&(SETUP_BYTES as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let mut tail: Vec<u8> = Vec::new();
    let tail_at = SETUP_BYTES + PARAMETER_BYTES * parameters.len();
    for parameter in parameters {
        let (len, value) = match parameter {
            Value::Int(value) => (0, *value as u64),
            Value::Float(value) => (0, value.to_bits()),
            Value::Bool(value) => (0, u64::from(*value)),
            Value::Text(text) => {
                let at = tail_at + tail.len();
                tail.extend_from_slice(text.as_bytes());
                (text.len(), at as u64)
            }
            Value::List(items) => {
                let at = tail_at + tail.len();
                let mut item_at = at + PART_BYTES * items.len();
                for item in items {
                    tail.extend_from_slice(&(item_at as u32).to_le_bytes());
                    tail.extend_from_slice(&(item.len() as u32).to_le_bytes());
                    item_at += item.len();
                }
                items
                    .iter()
                    .for_each(|item| tail.extend_from_slice(item.as_bytes()));
                (items.len(), at as u64)
            }
        };
        out.extend_from_slice(&parameter.code().to_le_bytes());
        out.extend_from_slice(&(len as u32).to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&tail);
    out
}

impl<'a> Setup<'a> {
    /// The setup of a record with its parameters.
    pub fn new(record: &'a [u8]) -> Self {
        Self { record }
    }

    /// The kinds that this instance serves.
    pub fn kinds(&self) -> Kinds {
        Kinds::from_bits(u32_at(self.record, 4))
    }

    /// Bytes of an event's record.
    pub fn event_bytes(&self) -> usize {
        u32_at(self.record, 8) as usize
    }

    /// Bytes of a request's record.
    pub fn request_bytes(&self) -> usize {
        u32_at(self.record, 12) as usize
    }

    /// For whatever randomness a policy needs: the same seed and calls must give the same answers.
    pub fn seed(&self) -> u64 {
        u64_at(self.record, 24)
    }

    /// The parameter with that place in the manifest; `None` where the host gives none.
    pub fn parameter(&self, index: usize) -> Option<Value> {
        if index >= u32_at(self.record, 20) as usize {
            return None;
        }
        let first = u32_at(self.record, 32) as usize;
        let at = first.saturating_add(index.saturating_mul(PARAMETER_BYTES));
        let (code, len) = pair_at(self.record, at);
        let value = u64_at(self.record, at.saturating_add(8));
        let offset = u32::try_from(value).unwrap_or(u32::MAX);
        Some(match code {
            1 => Value::Int(value as i64),
            2 => Value::Float(f64::from_bits(value)),
            3 => Value::Bool(value != 0),
            4 => Value::Text(self.text(offset, len)),
            5 => {
                // A list that is longer than the record is none.
                let holds = self.record.len() / PART_BYTES;
                let len = Some(len as usize).filter(|&len| len <= holds);
                let items = (0..len.unwrap_or(0)).map(|item| {
                    let at = (offset as usize).saturating_add(PART_BYTES * item);
                    let (at, len) = pair_at(self.record, at);
                    self.text(at, len)
                });
                Value::List(items.collect())
            }
            _ => return None,
        })
    }

    fn text(&self, at: u32, len: u32) -> String {
        String::from_utf8_lossy(part(self.record, at, len)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use alloc::vec;

    #[test]
    fn what_is_written_is_read() {
        let parameters = vec![
            Value::Int(-7),
            Value::Float(0.25),
            Value::Bool(true),
            Value::Text("grüße".into()),
            Value::List(vec!["a: 1s".into(), String::new(), "b".into()]),
            Value::List(Vec::new()),
        ];
        let kinds = Kinds::NONE.with(Kind::Ttl).with(Kind::Priority);
        let record = write_setup(kinds, 42, &parameters);
        let setup = Setup::new(&record);
        assert_eq!((setup.kinds(), setup.seed()), (kinds, 42));
        assert_eq!(setup.event_bytes(), EVENT_BYTES);
        assert_eq!(setup.request_bytes(), REQUEST_BYTES);
        for (index, parameter) in parameters.iter().enumerate() {
            assert_eq!(setup.parameter(index).as_ref(), Some(parameter));
        }
        assert_eq!(setup.parameter(parameters.len()), None);
    }

    #[test]
    fn any_bytes_can_be_read() {
        let record = write_setup(Kinds::NONE, 1, &[Value::List(vec!["x".into(); 3])]);
        for at in 0..record.len() {
            let mut broken = record.clone();
            broken[at] = 0xff;
            for len in [at, broken.len()] {
                let _ = Setup::new(&broken[..len]).parameter(0);
            }
        }
    }

    #[test]
    fn places_beyond_what_32_bits_hold_are_read_as_nothing() {
        let text = [Value::Text("x".into()), Value::List(vec!["y".into()])];
        let mut record = write_setup(Kinds::NONE, 1, &text);
        for value_at in [SETUP_BYTES + 8, SETUP_BYTES + PARAMETER_BYTES + 8] {
            record[value_at..value_at + 8].copy_from_slice(&(1u64 << 32).to_le_bytes());
        }
        let setup = Setup::new(&record);
        assert_eq!(setup.parameter(0), Some(Value::Text(String::new())));
        assert_eq!(setup.parameter(1), Some(Value::List(vec![String::new()])));
        record[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Setup::new(&record).parameter(0), None);
    }
}
