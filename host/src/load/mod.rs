//! The built-in load generators: `larder bench` and `larder replay`.
//!
//! Both keep what they check in the values: a value follows from its key and its length, so a
//! reply proves itself without a copy of what was written.

mod bench;
mod client;
mod encoder;
#[cfg(test)]
mod fake;
mod options;
mod phase;
mod replay;
mod reply;
mod report;
mod source;
mod tally;
mod value;
mod worker;

pub use bench::BenchArgs;
pub(crate) use options::duration;
pub use replay::ReplayArgs;

use std::time::Duration;

/// A server that completes no reply for so long is taken to have lost all that are awaited.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// No value is made longer: the default limit of the server for one bulk string.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// Length of every key that a load generator uses.
const KEY_BYTES: usize = 16;

type Key = [u8; KEY_BYTES];

/// What the object of a trace is called: its id in sixteen hexadecimal digits.
pub(crate) fn key_of(id: u64) -> Key {
    std::array::from_fn(|place| {
        let digit = (id >> (60 - 4 * place)) as usize & 0xf;
        b"0123456789abcdef"[digit]
    })
}
