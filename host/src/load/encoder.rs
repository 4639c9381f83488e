//! Puts requests into the form in which they travel.

use std::time::Duration;

use larder_resp::encode_command;

use super::options::ValueBytes;
use super::source::{Op, Request};
use super::value;
use crate::trace::Random;

/// Writes commands, and makes up the values that they store.
pub(super) struct Encoder {
    value_bytes: ValueBytes,
    /// Time to live of what is SET, in milliseconds; `None`: for ever.
    ttl_ms: Option<String>,
    value: Vec<u8>,
}

impl Encoder {
    /// A `ttl` of zero means for ever.
    pub(super) fn new(value_bytes: ValueBytes, ttl: Duration) -> Self {
        let ttl_ms = (!ttl.is_zero()).then(|| ttl.as_millis().to_string());
        Self {
            value_bytes,
            ttl_ms,
            value: Vec::new(),
        }
    }

    pub(super) fn append(&mut self, out: &mut Vec<u8>, request: Request, random: &mut Random) {
        let key = request.key();
        match request.op {
            Op::Get => encode_command(out, &[b"GET", &key]),
            Op::Del => encode_command(out, &[b"DEL", &key]),
            Op::Set => {
                let ValueBytes { min, max } = self.value_bytes;
                let len = min + random.below((max - min) as u64 + 1) as usize;
                self.value.clear();
                value::append(&mut self.value, &key, len);
                match &self.ttl_ms {
                    None => encode_command(out, &[b"SET", &key, &self.value]),
                    Some(ms) => {
                        encode_command(out, &[b"SET", &key, &self.value, b"PX", ms.as_bytes()]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_travel_as_commands() {
        let mut encoder = Encoder::new(ValueBytes { min: 3, max: 3 }, Duration::from_secs(2));
        let mut out = Vec::new();
        encoder.append(
            &mut out,
            Request {
                op: Op::Set,
                key: 7,
            },
            &mut Random::new(1),
        );
        let mut expected = Vec::new();
        let mut content = Vec::new();
        value::append(&mut content, b"key:000000000007", 3);
        encode_command(
            &mut expected,
            &[b"SET", b"key:000000000007", &content, b"PX", b"2000"],
        );
        assert_eq!(out, expected);
    }
}
